"""Calls of a submission are watched: what they change, what they return, and whose fault an exception is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from captionlab.grading.exercise import Exercise, Lab
from captionlab.grading.expectation import Expectation
from captionlab.grading.judge import judge
from captionlab.grading.observation import observe
from captionlab.grading.probe_helpers import outcome_of
from captionlab.grading.verdict import Verdict
from captionlab.grading.watching import ARGUMENTS, UNCHANGED, copied, is_same


def exercise_of(probe, reference: str = "builtins:sorted", **settings) -> Exercise:
    lab = Lab("x", "x", package="x")
    lab.exercise(reference, points=4, minutes=1, **settings)(probe)
    return next(iter(lab.exercises.values()))


def probe_sorted(sort, rng):
    for size in (3, 4, 5, 6):
        numbers = rng.permutation(10)[:size].tolist()
        yield f"{size} numbers", sort(numbers)


def verdict_on(answer, probe=probe_sorted) -> Verdict:
    exercise = exercise_of(probe)
    return judge(Expectation(exercise, 1), observe(exercise, answer, 1))


def sorts_in_place(numbers):
    numbers.sort()
    return numbers


def test_an_argument_changed_in_place_is_an_observation_that_costs_points():
    seen = observe(exercise_of(probe_sorted), sorts_in_place, 1).observations[-1]
    assert (seen.label, seen.value) == (ARGUMENTS, "argument 1 was changed")
    verdict = verdict_on(sorts_in_place)
    assert verdict.outcome == "partial"
    assert verdict.points < 4
    assert "changes its arguments" in verdict.message
    assert "in place" in verdict.hints[0]


@pytest.mark.parametrize(
    ("value", "change"),
    [
        (torch.zeros(3), lambda tensor: tensor.add_(1)),
        (np.zeros(3), lambda array: array.__setitem__(0, 1)),
        ([1, [2]], lambda nested: nested[1].append(3)),
        ({"a": torch.zeros(2)}, lambda state: state["a"].fill_(1)),
        ((torch.zeros(2), 1), lambda pair: pair[0].mul_(0).add_(2)),
        ([3, 1], lambda numbers: numbers.reverse()),
    ],
)
def test_changes_are_seen_within_containers(value, change):
    before = copied(value)
    assert is_same(before, value)
    change(value)
    assert not is_same(before, value)


def test_an_element_that_is_replaced_is_a_change_and_no_error():
    def replaces(arrays):
        arrays[0] = None
        raise KeyError("of the student")

    result = observe(exercise_of(lambda f, rng: iter([("x", f([np.ones(2)]))])), replaces, 1)
    assert result.exception.type_name == "KeyError"


def test_nan_and_tensors_without_values_are_the_same_as_themselves():
    for value in (torch.tensor([1.0, float("nan")]), torch.empty(2, device="meta"), np.array([np.nan]), [float("nan")]):
        assert is_same(copied(value), value)


def test_what_cannot_be_copied_is_handed_over_as_it_is():
    model = torch.nn.Linear(2, 2)
    given = []
    observe(exercise_of(lambda f, rng: iter([("x", f([model], 1))])), lambda models, n: given.append(models[0]), 1)
    assert given == [model]


class Doubler(torch.nn.Module):
    def forward(self, values):
        return values.mul_(2)


def probe_module(kind, rng):
    values = torch.ones(2)
    yield "values", kind()(values)


def test_methods_of_a_class_are_watched_while_the_probe_runs():
    own = Doubler.forward
    seen = observe(exercise_of(probe_module), Doubler, 1).observations[-1]
    assert seen.value == "argument 1 was changed"
    assert Doubler.forward is own


def probe_pair(split, rng):
    first, second = split([1, 2])
    yield "first", first
    yield "second", second


@pytest.mark.parametrize(
    ("returned", "said"), [(None, "(None)"), ([1], "(a list)"), (7, "(a number)"), (object(), "(a value)")]
)
def test_a_result_that_the_check_cannot_use_is_no_error_of_the_submission(returned, said):
    exercise = exercise_of(probe_pair, "os.path:split")
    exercise.load_reference = lambda: lambda numbers: (numbers[0], numbers[1])
    verdict = judge(Expectation(exercise, 1), observe(exercise, lambda numbers: returned, 1))
    assert f"the check could not use what your function returned {said}" in verdict.message
    assert "TypeError" not in verdict.message


def test_a_missing_return_has_a_hint():
    verdict = verdict_on(lambda numbers: None)
    assert "return missing" in verdict.hints[0]


def test_an_exception_of_the_submission_stays_one():
    result = observe(exercise_of(probe_sorted), lambda numbers: numbers["a"], 1)
    assert result.exception.type_name == "TypeError"
    assert not result.exception.unusable


def test_a_call_that_does_not_fit_the_signature_is_the_submissions():
    result = observe(exercise_of(probe_sorted), lambda: 3, 1)
    assert "positional argument" in result.exception.message
    assert not result.exception.unusable


def test_an_outcome_is_an_error_only_if_the_submission_raised_it():
    assert outcome_of(lambda: [1][3]) == "raises IndexError"


def test_all_is_unchanged_for_a_right_answer():
    result = observe(exercise_of(probe_sorted), sorted, 1)
    assert result.observations[-1].value == UNCHANGED
    assert verdict_on(sorted).outcome == "right"
