"""The judge: turns what was observed of a submission into a verdict. It sees values and runs no student code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from captionlab.grading.comparison import OTHER_CHECK, compare, format_value, matches, same_result, standard_error
from captionlab.grading.credit import CheckResults
from captionlab.grading.departures import explaining, find_departures
from captionlab.grading.exercise import Exercise, public_seed
from captionlab.grading.expectation import Expectation, expect
from captionlab.grading.observation import ExceptionInfo, ProbeResult
from captionlab.grading.relations import hints_from_relations
from captionlab.grading.slips import slip_hint
from captionlab.grading.verdict import Difference, Verdict
from captionlab.grading.watching import ARGUMENTS

Found = TypeVar("Found")
NO_VALUE = "no value"
MAX_HINTS = 3


def judge(expectation: Expectation, got: ProbeResult) -> Verdict:
    """The verdict on what was observed of a submission, with the points it earns.

    All points for the same observations as the reference's; otherwise the share that the exercise's credit policy
    gives (see :mod:`captionlab.grading.credit`).
    """
    exercise, expected = expectation.exercise, expectation.reference
    total = len(expected.observations)
    if got.exception and got.exception.type_name == "NotImplementedError" and not got.observations:
        return Verdict(exercise.name, 0.0, exercise.points, "missing", "not written yet")
    if same_result(exercise, expected, got):
        message = f"right: {total} of {total} checks"
        return Verdict(exercise.name, float(exercise.points), exercise.points, "right", message)
    right = matches(exercise, expected, got)
    points = _partial_points(expectation, right)
    nothing: tuple[list[str], list[str]] = ([], [])
    misconceptions, hints = _safely(lambda: diagnose(expectation, got), nothing)
    return Verdict(
        exercise.name,
        points,
        exercise.points,
        "partial" if points > 0 else "wrong",
        f"{len(right)} of {total} checks are right{_uncounted(expectation, right)}; {_first_problem(expectation, got)}",
        tuple(misconceptions),
        tuple(hints),
    )


def _safely(look_for_hints: Callable[[], Found], nothing: Found) -> Found:
    """What is found, or nothing: a value that nobody foresaw must not cost the points that are earned already."""
    try:
        return look_for_hints()
    except Exception:
        return nothing


def _partial_points(expectation: Expectation, right: list[int]) -> float:
    exercise, observations = expectation.exercise, expectation.reference.observations
    results = CheckResults(
        labels=tuple(one.label for one in observations),
        correct=tuple(position in right for position in range(len(observations))),
        free=expectation.weight(expectation.free_checks),
        weights=tuple(one.weight for one in observations),
    )
    share = min(1.0, max(0.0, exercise.credit(results)))
    return min(round(exercise.points * share, 2), exercise.points)


def _uncounted(expectation: Expectation, right: list[int]) -> str:
    """What the points do not count: the checks that an answer without any work gets right."""
    free = len(set(expectation.free_checks) & set(right))
    return f", {free} of them even without any work" if free else ""


def diagnose(expectation: Expectation, got: ProbeResult) -> tuple[list[str], list[str]]:
    """The known mistakes that explain an answer, and hints on them and on what is left, the most important first.

    An answer of which nothing was observed has no known mistake: failing at once has too many causes.
    """
    exercise, reference = expectation.exercise, expectation.reference
    known = exercise.misconceptions
    for name, result in expectation.misconceptions.items() if got.observations else ():
        if same_result(exercise, result, got):
            return [name], [known[name].hint]
    found = find_departures(exercise, reference, got)
    names: list[str] = []
    explained: set[int] = set()
    if got.observations:
        end = len(got.observations)
        names, explained = explaining(exercise, reference, expectation.departures, found, end)
    general = hints_from_relations(exercise, reference, found, explained)
    return names, [*(known[name].hint for name in names), *general][:MAX_HINTS]


def add_example(verdict: Verdict, exercise: Exercise, public_result: ProbeResult) -> Verdict:
    """The verdict with the first difference on the public seed, whose values may be shown; a hint if it has none."""
    seed = public_seed(exercise)
    example = first_difference(expect(exercise, seed), public_result)
    slip = None
    if example and not verdict.hints:
        slip = _safely(lambda: slip_hint(exercise, seed, public_result), None)
    return replace(verdict, example=example, hints=(slip,) if slip else verdict.hints)


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
    if exception.unusable:
        return f"{exception.unusable}, which the check could not use"
    text = f"{exception.type_name}: {exception.message}" if exception.message else exception.type_name
    return f"raised {text}" + (f" ({exception.location})" if exception.location else "")


def _first_problem(expectation: Expectation, got: ProbeResult) -> str:
    """What is wrong, in words that give no expected value away."""
    difference = first_difference(expectation, got)
    if got.exception and (difference is None or difference.reason == NO_VALUE):
        if got.exception.unusable:
            kind = got.exception.unusable.split(" of ")[0]  # a hidden size stays hidden
            return (
                f"then the check could not use what your {'class' if 'class' in kind else 'function'} returned ({kind})"
            )
        kind = standard_error(got.exception.type_name) or "a custom exception"  # its message may carry hidden inputs
        return f"then it raised {kind}" + (f" ({got.exception.location})" if got.exception.location else "")
    if difference is None:
        return "there are more results than expected"
    if difference.label == ARGUMENTS:
        return "a call changes its arguments"
    reason = difference.reason.rpartition("]: ")[2]
    kind = reason.split(":")[0]
    reason = reason.removeprefix("type: ").partition(", got a value of type")[0]  # a type made for it may tell
    texts = {
        "values": "the values of an array differ",
        "type": f"a result is of another type ({reason})",
        "finiteness": "NaN or infinity differs from what was expected",
        OTHER_CHECK: "it made the checks take another path",
    }
    return texts.get(kind, f"{kind} differs" if kind in ("shape", "length", "dtype") else "a value differs")
