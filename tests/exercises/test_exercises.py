"""Tests of the graders that write themselves: for every exercise of every lab, over many seeds.

The reference earns all points and answers without work earn none; each misconception is told from the
reference and from the others; probes are quick, repeat themselves for a seed and vary between seeds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable

import pytest

from captionlab.exercises import LABS, load_lab
from captionlab.grading.departures import departs
from captionlab.grading.exercise import Exercise, grading_seed, public_seed
from captionlab.grading.expectation import Expectation, expect
from captionlab.grading.judge import judge
from captionlab.grading.observation import observe, to_lines

EXERCISES = [exercise for lab in LABS for exercise in load_lab(lab).exercises.values()]
QUICK_SEEDS = 2  # the public one among them
MORE_SEEDS, MOST_SEEDS = 12, 60  # of the slow tests


def named(exercise: Exercise) -> object:
    """A parameter whose tests one worker runs: they share what the exercise's references and misconceptions do."""
    name = f"{exercise.lab}-{exercise.name}"
    return pytest.param(exercise, id=name, marks=pytest.mark.xdist_group(name))


@pytest.fixture(scope="module", params=[named(one) for one in EXERCISES])
def exercise(request: pytest.FixtureRequest) -> Exercise:
    return request.param


@pytest.fixture(scope="module")
def expectations(exercise: Exercise) -> list[Expectation]:
    return [expect(exercise, seed) for seed in seeds(exercise)]


def seeds(exercise: Exercise, count: int = QUICK_SEEDS) -> list[int]:
    """The public seed, and those of some students under some secret."""
    students = (grading_seed(b"for tests only", exercise, f"student {number}") for number in range(count - 1))
    return [public_seed(exercise), *students]


def observed_bytes(exercise: Exercise, implementation: Callable, seed: int) -> list[str]:
    return list(to_lines(observe(exercise, implementation, seed)))


def stub(*args, **kwargs):
    raise NotImplementedError


def always(value) -> Callable:
    return lambda *args, **kwargs: value


def first_argument(*args, **kwargs):
    return args[0] if args else next(iter(kwargs.values()))


def answers_without_work(expectation: Expectation) -> dict[str, Callable]:
    first = expectation.reference.observations[0].value
    constants = {repr(value): always(value) for value in (None, 0, 1, True, -1, 3, "x", [], "raises ValueError")}
    return {**constants, "the first expected value": always(first), "the first argument": first_argument}


def test_the_reference_earns_all_points(exercise, expectations):
    reference = exercise.load_reference()
    for expectation in expectations:
        verdict = judge(expectation, observe(exercise, reference, expectation.seed))
        assert (verdict.outcome, verdict.points) == ("right", exercise.points)


def test_an_unwritten_stub_is_missing(exercise, expectations):
    for expectation in expectations:
        verdict = judge(expectation, observe(exercise, stub, expectation.seed))
        assert (verdict.outcome, verdict.points) == ("missing", 0)


def test_answers_without_work_earn_nothing(exercise, expectations):
    for expectation in expectations[:3]:
        for name, answer in answers_without_work(expectation).items():
            verdict = judge(expectation, observe(exercise, answer, expectation.seed))
            assert (verdict.outcome, verdict.points) == ("wrong", 0), f"{name}, seed {expectation.seed}"


def test_little_can_be_had_without_work(expectations):
    for expectation in expectations:
        every = range(len(expectation.reference.observations) - 1)  # the arguments apart, which none changes
        free = set(expectation.free_checks) & set(every)
        assert expectation.weight(free) <= expectation.weight(every) / 2


def test_each_misconception_is_recognized_by_its_own_name(exercise, expectations):
    check_misconceptions(exercise, expectations)


@pytest.mark.slow
def test_each_misconception_is_recognized_on_many_seeds(exercise):
    check_misconceptions(exercise, (Expectation(exercise, seed) for seed in seeds(exercise, MORE_SEEDS)[QUICK_SEEDS:]))


def check_misconceptions(exercise: Exercise, expectations: Iterable[Expectation]) -> None:
    for expectation in expectations:
        for name, observed in expectation.misconceptions.items():
            verdict = judge(expectation, observed)
            assert verdict.misconceptions == (name,), f"seed {expectation.seed}: {verdict}"
            assert verdict.hints == (exercise.misconceptions[name].hint,)
            assert verdict.outcome in ("partial", "wrong")
            assert verdict.points < exercise.points


def test_other_spellings_are_recognized_as_their_misconception(exercise, expectations):
    for expectation in expectations:
        for name, observed in expectation.other_spellings.items():
            base, _ = exercise.other_spellings[name]
            verdict = judge(expectation, observed)
            assert verdict.misconceptions[:1] == (base,), f"{name}, seed {expectation.seed}: {verdict}"
            assert verdict.points < exercise.points


def test_no_misconception_is_known_by_an_exception_alone(expectations):
    """Any answer that fails at once with the same type of exception would get its hint."""
    for expectation in expectations:
        silent = [name for name, observed in expectation.misconceptions.items() if not observed.observations]
        assert not silent


def test_there_are_misconceptions_with_hints(exercise):
    hints = [one.hint for one in exercise.misconceptions.values()]
    assert len(hints) >= 2
    assert all(20 < len(hint) < 400 and hint.rstrip().endswith((".", "?")) for hint in hints)
    assert len(set(hints)) == len(hints)
    praise = re.compile(r"\b(is|are) (all )?right,? (but|except)")
    assert not [hint for hint in hints if praise.search(hint)], "a hint must be true beside other mistakes as well"


def test_a_probe_repeats_itself_for_a_seed_and_varies_between_seeds(exercise):
    reference = exercise.load_reference()
    first = [observed_bytes(exercise, reference, seed) for seed in seeds(exercise)]
    again = [observed_bytes(exercise, reference, seed) for seed in seeds(exercise)]
    assert first == again
    assert len({tuple(lines) for lines in first}) > 1


def test_labels_do_not_depend_on_the_answer(expectations):
    for expectation in expectations:
        labels = [one.label for one in expectation.reference.observations]
        assert len(set(labels)) == len(labels)
        for observed in expectation.misconceptions.values():
            assert [one.label for one in observed.observations] == labels[: len(observed.observations)]


def test_a_probe_is_quick(exercise):
    reference = exercise.load_reference()

    def seconds(seed: int) -> float:
        start = time.process_time()
        observe(exercise, reference, seed)
        return time.process_time() - start

    assert min(seconds(seed) for seed in seeds(exercise)[:3]) < 0.5


def test_points_and_ratings_are_stated(exercise):
    assert exercise.points > 0
    assert exercise.minutes > 0
    assert exercise.difficulty in range(1, 6)
    assert exercise.importance in range(1, 6)
    assert exercise.load_reference().__doc__


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_no_misconception_earns_full_marks_on_any_of_many_seeds(exercise):
    """A misconception that is right by luck on a student's hidden seed would be worth full marks to that student."""
    for seed in seeds(exercise, MOST_SEEDS):
        expected = Expectation(exercise, seed).reference
        for name, misconception in exercise.misconceptions.items():
            assert departs(exercise, expected, misconception.implementation, seed), f"{name} is right on seed {seed}"


def test_the_search_for_a_difference_finds_none_in_the_reference(exercise, expectations):
    expected = expectations[0].reference
    assert not departs(exercise, expected, exercise.load_reference(), expectations[0].seed)
