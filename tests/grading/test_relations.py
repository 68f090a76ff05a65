"""General hints: how a result relates to the expected one says what went wrong, in any exercise."""

from __future__ import annotations

import numpy as np
import pytest

from captionlab.grading.exercise import Lab
from captionlab.grading.expectation import Expectation
from captionlab.grading.judge import judge
from captionlab.grading.observation import observe
from captionlab.grading.probe_helpers import outcome_of

GRID = np.arange(1.0, 13).reshape(3, 4) ** 1.5 - 9


def hints(expected, got, *, times: int = 1) -> tuple[str, ...]:
    """What a student is told whose function returns one value for another."""

    def probe(f, rng):
        for time in range(times):
            yield f"case {time}", f(time)

    lab = Lab("x", "x", package="x")
    lab.exercise("x:f", points=1, minutes=1)(probe)
    exercise = lab.exercises["f"]
    exercise.load_reference = lambda: expected if callable(expected) else lambda time: expected
    answer = got if callable(got) else lambda time: got
    return judge(Expectation(exercise, 1), observe(exercise, answer, 1)).hints


@pytest.mark.parametrize(
    ("got", "told"),
    [
        (GRID.T, "axes are in another order"),
        (GRID[None], "the shape is another"),
        (GRID.ravel(), "the shape is another"),
        (GRID.reshape(4, 3).T, "stand in other places"),
        (GRID[::-1], "the other way along one axis"),
        (2 * GRID, "twice the expected ones"),
        (GRID / 255, "1/255 of the expected ones"),
        (GRID * 7, "times 7 throughout"),
        (-GRID, "wrong sign"),
        (GRID + 1, "too large by the same amount"),
        (GRID - 0.25, "too small by the same amount"),
        (np.exp(GRID / 4), None),
        (GRID + np.eye(3, 4), None),
        (np.abs(GRID), "lost their signs"),
        (np.round(GRID), "rounded"),
        (GRID**2, "squares"),
        (np.zeros((3, 4)), None),
        (np.full((3, 4), np.nan), None),
        (None, "return missing"),
        (GRID.tolist()[:2], None),
    ],
)
def test_what_is_said_of_an_array(got, told):
    found = hints(GRID, got)
    assert (found == ()) if told is None else (told in found[0])


def test_lists_and_numbers_of_several_cases_are_related_too():
    assert "another order" in hints([4, 8, 5, 6], [8, 4, 5, 6])[0]
    assert "one too small" in hints(lambda time: 5 * time + 7, lambda time: 5 * time + 6, times=4)[0]
    assert "twice" in hints(lambda time: 5 * time + 7, lambda time: 10 * time + 14, times=4)[0]
    assert hints(7, 6) == ()  # one number is related to any other
    assert "wrong way round" in hints([True, False, True, True], [False, True, False, False])[0]
    assert hints([True, False, True, True], [False, False, True, True]) == ()


def test_logarithms_are_named():
    probabilities = np.array([0.1, 0.2, 0.7])
    assert "logarithms of the expected" in hints(probabilities, np.log(probabilities))[0]
    assert "a logarithm is missing" in hints(np.log(probabilities), probabilities)[0]


def test_a_hint_holds_for_at_least_half_of_what_differs():
    def half_right(time):
        return GRID + (1 if time < 1 else time * np.eye(3, 4))

    assert hints(lambda time: GRID, half_right, times=4) == ()
    assert hints(lambda time: GRID, half_right, times=2) != ()


def raises(kind):
    def f(time):
        if time == 1:
            raise kind("no")
        return GRID

    return f


@pytest.mark.parametrize(
    ("got", "told"),
    [
        (lambda time: GRID, "must raise a ValueError and returns a value"),
        (raises(AssertionError), "promises a ValueError, your function raises an AssertionError"),
        (raises(KeyError), "raises a KeyError"),
    ],
)
def test_errors_that_are_missing_or_of_another_type(got, told):
    def probe(f, rng):
        yield "fine", f(0)
        yield "bad", outcome_of(f, 1)

    lab = Lab("x", "x", package="x")
    lab.exercise("x:f", points=1, minutes=1)(probe)
    exercise = lab.exercises["f"]
    exercise.load_reference = lambda: raises(ValueError)
    verdict = judge(Expectation(exercise, 1), observe(exercise, got, 1))
    assert told in verdict.hints[0]


def test_texts_name_no_expected_value():
    """They are shown for hidden seeds as well."""
    secret = 123457
    for got in (np.array([2.0, 3, 4]) * secret * 2, np.array([4.0, 3, 2]) * secret, np.array([[2.0, 3, 4]]) * secret):
        for hint in hints(np.array([2.0, 3, 4]) * secret, got):
            assert "123457" not in hint
            assert "246914" not in hint


def test_an_exception_made_for_it_gives_no_hidden_value_away():
    def leaks(time):
        if time == 1:
            raise type("Hidden_size_123457", (Exception,), {})
        return GRID

    def probe(f, rng):
        yield "fine", f(0)
        yield "bad", outcome_of(f, 1)

    lab = Lab("x", "x", package="x")
    lab.exercise("x:f", points=1, minutes=1)(probe)
    exercise = lab.exercises["f"]
    exercise.load_reference = lambda: raises(ValueError)
    (hint,) = judge(Expectation(exercise, 1), observe(exercise, leaks, 1)).hints
    assert "an exception of its own" in hint
    assert "123457" not in hint


@pytest.mark.parametrize("expected", [7, GRID, [1, 2, 3], (np.ones(3), np.ones(2)), "word", None, True])
@pytest.mark.parametrize(
    "got",
    [
        2**64,
        -(2**900),
        [["x" * 10_000] + [""] * 9_999] * 20,
        (np.ones(3), np.ones(2), 1),
        [[1, 2], [3]],
        [[[1]], 2, None],
        np.full((3, 4), np.inf),
        np.zeros((0, 4)),
        np.ones((1,) * 20),
        "raises 12 \x1b[31m",
        float("nan"),
        object(),
        {"a": 1},
    ],
)
def test_values_that_nobody_foresaw_are_judged(expected, got, recwarn):
    hints(expected, got)
    hints(expected, got, times=3)
    assert not recwarn.list


def test_a_longer_answer_is_not_told_of_errors_and_arguments():
    def probe(f, rng):
        for at, value in enumerate(f(0)):
            yield f"row {at}", value
        yield "bad", outcome_of(f, -1)

    def answer(size):
        def f(number):
            if number < 0:
                raise ValueError("negative")
            return list(range(5, 5 + size))

        return f

    lab = Lab("x", "x", package="x")
    lab.exercise("x:f", points=1, minutes=1)(probe)
    exercise = lab.exercises["f"]
    exercise.load_reference = lambda: answer(2)
    assert judge(Expectation(exercise, 1), observe(exercise, answer(3), 1)).hints == ()


def test_one_factor_is_one_factor():
    assert "1.12" in hints(GRID, GRID * np.float32(1.125))[0]
    assert "twice" in hints(np.array([1, 2, 3, 1e-9]), np.array([2, 4, 6, 5e-9]))[0]
