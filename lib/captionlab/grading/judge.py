"""The judge: turns what was observed of a submission into a verdict. It sees values and runs no student code."""

from __future__ import annotations

import builtins
from dataclasses import replace

from captionlab.grading.comparison import OTHER_CHECK, compare, format_value, matches, same_result
from captionlab.grading.credit import CheckResults
from captionlab.grading.exercise import Exercise, public_seed
from captionlab.grading.expectation import Expectation, expect
from captionlab.grading.observation import ExceptionInfo, ProbeResult
from captionlab.grading.verdict import VALUE_DIFFERS, Difference, Verdict

NO_VALUE = "no value"


def judge(expectation: Expectation, got: ProbeResult) -> Verdict:
    """The verdict on what was observed of a submission, with the points it earns.

    All points for the same observations as the reference's; otherwise the share that the exercise's credit policy
    gives (see :mod:`captionlab.grading.credit`).
    """
    exercise, expected = expectation.exercise, expectation.reference
    total = len(expected.observations)
    if got.exception and got.exception.type_name == "NotImplementedError" and not got.observations:
        return Verdict(exercise.name, 0.0, exercise.points, "missing", f"{exercise.name} is not written yet")
    if same_result(exercise, expected, got):
        message = f"right: {total} of {total} checks"
        return Verdict(exercise.name, float(exercise.points), exercise.points, "right", message)
    right = set(matches(exercise, expected, got))
    points = _partial_points(expectation, right)
    misconception = match_misconception(expectation, got)
    return Verdict(
        exercise.name,
        points,
        exercise.points,
        "partial" if points > 0 else "wrong",
        f"{len(right)} of {total} checks are right; {_first_problem(expectation, got)}",
        misconception,
        exercise.misconceptions[misconception].hint if misconception else None,
    )


def _partial_points(expectation: Expectation, right: set[int]) -> float:
    exercise, observations = expectation.exercise, expectation.reference.observations
    labels = tuple(one.label for one in observations)
    correct = tuple(position in right for position in range(len(observations)))
    share = exercise.credit(CheckResults(labels, correct, expectation.free_credit))
    return min(round(exercise.points * min(1.0, max(0.0, share)), 2), exercise.points)


def match_misconception(expectation: Expectation, got: ProbeResult) -> str | None:
    """Name of the misconception whose observations equal ``got``, if there is one.

    An answer of which nothing was observed matches none: failing at once has too many causes.
    """
    for name, result in expectation.misconceptions.items() if got.observations else ():
        if same_result(expectation.exercise, result, got):
            return name
    return None


def add_example(verdict: Verdict, exercise: Exercise, public_result: ProbeResult) -> Verdict:
    """The verdict with the first difference on the public seed, whose values may be shown."""
    return replace(verdict, example=first_difference(expect(exercise, public_seed(exercise)), public_result))


def first_difference(expectation: Expectation, got: ProbeResult) -> Difference | None:
    """The first difference between a submission and the reference, with expected and got: for public seeds only."""
    expected = expectation.reference.observations
    for one, other in zip(expected, got.observations, strict=False):
        difference = compare(expectation.exercise, one, other)
        if difference:
            return difference
    if len(got.observations) < len(expected):
        first_missing = expected[len(got.observations)]
        return Difference(
            first_missing.label, NO_VALUE, format_value(first_missing.value), format_exception(got.exception)
        )
    return None


def format_exception(exception: ExceptionInfo | None) -> str:
    """An exception as one line of text."""
    if exception is None:
        return "nothing"
    text = f"{exception.type_name}: {exception.message}" if exception.message else exception.type_name
    return f"raised {text}" + (f" ({exception.location})" if exception.location else "")


def _first_problem(expectation: Expectation, got: ProbeResult) -> str:
    """What is wrong, in words that give no expected value away."""
    difference = first_difference(expectation, got)
    if got.exception and (difference is None or difference.reason == NO_VALUE):
        # The message of a student's exception, or a type made for it, may carry hidden inputs.
        is_standard = isinstance(getattr(builtins, got.exception.type_name, None), type)
        kind = got.exception.type_name if is_standard else "a custom exception"
        return f"then it raised {kind}" + (f" ({got.exception.location})" if got.exception.location else "")
    if difference is None:
        return "there are more results than expected"
    kind = difference.reason.split(":")[0]
    texts = {
        "values": "the values of an array differ",
        VALUE_DIFFERS: "a value differs",
        "finiteness": "NaN or infinity differs from what was expected",
        OTHER_CHECK: "it made the checks take another path",
    }
    return texts.get(kind, f"{kind} differs")
