"""Partial credit is a policy that a lab or an exercise can replace; all else of the judge stays."""

from __future__ import annotations

import doctest

import pytest

from captionlab.grading import credit, verdict
from captionlab.grading.credit import CheckResults, all_or_nothing, beyond_free_credit
from captionlab.grading.exercise import Lab
from captionlab.grading.expectation import Expectation
from captionlab.grading.judge import judge
from captionlab.grading.observation import observe
from captionlab.grading.watching import ARGUMENTS

PATHS = ("/a", "b", "/c", "d/", "/e", "f")


def first_checks_count_double(results: CheckResults) -> float:
    weights = [2 if label.startswith("/") else 1 for label in results.labels]
    return sum(w for w, correct in zip(weights, results.correct, strict=True) if correct) / sum(weights)


def probe(isabs, rng):
    for path in PATHS:
        yield path, isabs(path)


def points(answer, *, lab_credit=None, exercise_credit=None) -> float:
    lab = Lab("x", "x", package="x", **({"credit": lab_credit} if lab_credit else {}))
    lab.exercise("os.path:isabs", points=9, minutes=1, credit=exercise_credit)(probe)
    exercise = lab.exercises["isabs"]
    return judge(Expectation(exercise, 0), observe(exercise, answer, 0)).points


def wrong_for_f(path):
    return (path != "f" and path.startswith("/")) or path == "f"


def test_by_default_only_what_a_constant_does_not_get_counts():
    assert points(wrong_for_f) == 4  # 5 of 6 are right, a constant gets 3; 2 of the other 3, squared
    assert points(lambda path: True) == 0


def test_a_lab_replaces_the_policy_of_its_exercises():
    assert points(wrong_for_f, lab_credit=all_or_nothing) == 0
    assert points(lambda path: path.startswith("/"), lab_credit=all_or_nothing) == 9


def test_an_exercise_replaces_the_policy_of_its_lab():
    found = points(wrong_for_f, lab_credit=all_or_nothing, exercise_credit=first_checks_count_double)
    assert found == 8.1  # 9 of 10 weights
    assert points(wrong_for_f, lab_credit=all_or_nothing, exercise_credit=beyond_free_credit) == 6


@pytest.mark.parametrize(("share", "expected"), [(-1.0, 0), (7.0, 9), (1 / 3, 3), (0.111, 1)])
def test_a_share_is_kept_between_nothing_and_all(share, expected):
    assert points(wrong_for_f, lab_credit=lambda results: share) == expected


def test_a_policy_sees_every_check_and_what_is_free():
    seen: list[CheckResults] = []

    def remember(results: CheckResults) -> float:
        seen.append(results)
        return 0.5

    points(wrong_for_f, exercise_credit=remember)
    labels = (*PATHS, ARGUMENTS)
    assert seen == [CheckResults(labels, (True, True, True, True, True, False, True), free=4, weights=(1,) * 7)]
    assert (seen[0].total, seen[0].earned) == (7, 6)


def test_a_right_answer_asks_no_policy():
    assert points(lambda path: path.startswith("/"), exercise_credit=lambda results: 1 / 0) == 9


@pytest.mark.parametrize("module", [credit, verdict])
def test_examples_in_docstrings(module):
    assert doctest.testmod(module).failed == 0
