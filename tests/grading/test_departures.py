"""A misconception is recognized although it is not alone, and not where the agreement is a coincidence."""

from __future__ import annotations

import warnings

import pytest

from captionlab.grading.exercise import Exercise, Lab
from captionlab.grading.expectation import Expectation
from captionlab.grading.judge import judge
from captionlab.grading.observation import observe
from captionlab.grading.probe_helpers import outcome_of


def output_size(size, kernel, stride=1, padding=0):
    """The reference of these tests."""
    room = size + 2 * padding - kernel
    if room < 0:
        raise ValueError("too large")
    return room // stride + 1


def probe(f, rng):
    size = int(rng.integers(20, 30))
    yield "plain", f(size, 4)
    yield "padded", f(size, 5, 1, 2)
    yield "strided", f(2 * size, 3, 2)
    yield "both", f(2 * size, 3, 2, 3)
    yield "three", f(3 * size, 3, 3, 2)
    yield "too large", outcome_of(f, 5, 9)


@pytest.fixture
def exercise() -> Exercise:
    lab = Lab("x", "x", package="x")
    lab.exercise(f"{__name__}:output_size", points=6, minutes=1)(probe)
    lab.misconceptions(
        "output_size",
        padding_once=("Padding is added at both ends.", {"2 * padding": "padding"}),
        rounds_up=("Round down.", {"room // stride": "-(-room // stride)"}),
        no_error=("The error is missing.", {"if room < 0": ""}),
        one_forgotten=("Count positions, not steps.", {" // stride + 1": " // stride"}),
    )
    return lab.exercises["output_size"]


def judged(exercise, answer, seed=1):
    return judge(Expectation(exercise, seed), observe(exercise, answer, seed))


def test_a_mistake_is_named_although_the_error_handling_is_missing(exercise):
    verdict = judged(exercise, lambda size, kernel, stride=1, padding=0: (size + padding - kernel) // stride + 1)
    assert verdict.misconceptions[0] == "padding_once"
    assert set(verdict.misconceptions) == {"padding_once", "no_error"}
    assert verdict.hints == ("Padding is added at both ends.", "The error is missing.")


def test_a_mistake_alone_has_its_own_hint_only(exercise):
    for name, wrong in exercise.misconceptions.items():
        verdict = judged(exercise, wrong.implementation)
        assert verdict.misconceptions == (name,)
        assert verdict.hints == (wrong.hint,)


@pytest.mark.parametrize(
    "answer",
    [
        lambda size, kernel, stride=1, padding=0: size,
        lambda size, kernel, stride=1, padding=0: size * kernel - stride,
        lambda size, kernel, stride=1, padding=0: 24,
        lambda size, kernel, stride=1, padding=0: -1,
    ],
)
def test_an_answer_that_shares_little_is_not_told_of_a_mistake_it_did_not_make(exercise, answer):
    assert set(judged(exercise, answer).misconceptions) <= {"no_error"}


def test_another_spelling_has_the_name_and_the_hint_of_the_first(exercise):
    lab = Lab("x", "x", package="x")
    lab.exercises["output_size"] = exercise

    @lab.misconception("output_size", another="rounds_up")
    def rounds_up_without_the_error(size, kernel, stride=1, padding=0):
        return -(-(size + 2 * padding - kernel) // stride) + 1

    lab.other_spellings("output_size", padding_once=[{"size + 2 * padding": "size + padding + 0"}])
    assert list(exercise.other_spellings) == ["rounds_up_without_the_error", "padding_once_2"]
    verdict = judged(exercise, rounds_up_without_the_error)
    assert verdict.misconceptions[0] == "rounds_up"
    assert verdict.hints[0] == "Round down."


def test_a_spelling_of_an_unknown_misconception_is_refused(exercise):
    lab = Lab("x", "x", package="x")
    lab.exercises["output_size"] = exercise
    with pytest.raises(ValueError, match="has no misconception rounds; it has padding_once, rounds_up"):
        lab.other_spellings("output_size", rounds=[{"2 * padding": "padding"}])


def test_an_answer_that_fails_at_once_has_no_known_mistake(exercise):
    verdict = judged(exercise, lambda size, kernel, stride=1, padding=0: 1 / 0)
    assert verdict.misconceptions == ()


def test_weights_decide_what_a_check_costs():
    def weighted(f, rng):
        yield "the point", f(10, 3), 3
        yield "again", f(20, 3), 3
        yield "an edge", outcome_of(f, 5, 9)

    lab = Lab("x", "x", package="x")
    lab.exercise(f"{__name__}:output_size", points=5, minutes=1)(weighted)
    exercise = lab.exercises["output_size"]
    # of 8 weights a constant answer gets 4: one of the points, and the arguments it does not change
    assert (
        judged(exercise, lambda size, kernel: output_size(max(size, kernel), kernel)).points == 2.81
    )  # 3 of the other 4, squared
    assert judged(exercise, lambda size, kernel: output_size(size, kernel) + 1).points == 0


def test_warnings_of_misconceptions_reach_nobody(exercise, recwarn):
    lab = Lab("x", "x", package="x")
    lab.exercises["output_size"] = exercise

    @lab.misconception("output_size", hint="It warns.")
    def warns(size, kernel, stride=1, padding=0):
        warnings.warn("divide by zero", RuntimeWarning, stacklevel=1)
        return 0

    assert judged(exercise, lambda size, kernel, stride=1, padding=0: 0).misconceptions == ("warns",)
    assert not recwarn.list
