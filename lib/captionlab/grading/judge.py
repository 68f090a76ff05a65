"""The judge: compares a submission's observations with the reference's. It sees values and runs no student code."""

from __future__ import annotations

import builtins
import math
import textwrap
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from captionlab.grading.exercise import Exercise
from captionlab.grading.observation import ExceptionInfo, Observation, ProbeResult, Unsupported, observe

SYMBOLS = {"right": "✔", "partial": "◐", "wrong": "✘", "missing": "○"}  # any other outcome: "!"
VALUE_DIFFERS = "value differs"


@dataclass(frozen=True)
class Difference:
    """The first thing that differs between two observations, in the order type, shape, finiteness, values."""

    label: str
    reason: str
    expected: str
    got: str


@dataclass(frozen=True)
class Verdict:
    """What one exercise of one submission earned, and why.

    ``outcome`` is right, partial, wrong, missing, timeout, out of memory, crashed or refused.

    ``message`` holds no hidden value and may be shown to the student. ``example`` is the first
    difference on the public seed, where there is one.
    """

    exercise: str
    points: float
    max_points: float
    outcome: str
    message: str
    misconception: str | None = None
    hint: str | None = None
    example: Difference | None = None

    def help_lines(self) -> list[str]:
        """The example of the public seed and the hint, as lines of text."""
        rows = []
        if self.example:
            rows = [("for", self.example.label), ("expected", self.example.expected), ("got", self.example.got)]
            if self.example.reason != VALUE_DIFFERS:  # which expected and got format_value by themselves
                rows.insert(1, ("differs", self.example.reason))
        if self.hint:
            rows += zip(["hint", *[""] * len(self.hint)], textwrap.wrap(self.hint, 76), strict=False)
        return [f"  {name:<8}  {text}" for name, text in rows]


class Expectation:
    """What the right implementation, the misconceptions and trivial answers give on one seed."""

    def __init__(self, exercise: Exercise, seed: int):
        self.exercise = exercise
        self.seed = seed

    def _observe(self, implementation: Any) -> ProbeResult:
        return observe(self.exercise.probe, implementation, self.seed)

    @cached_property
    def reference(self) -> ProbeResult:
        observed = self._observe(self.exercise.load_reference())
        if observed.exception or not observed.observations:
            raise RuntimeError(f"the reference of {self.exercise.name} fails its own probe: {observed.exception}")
        return observed

    @cached_property
    def misconceptions(self) -> dict[str, ProbeResult]:
        known = self.exercise.misconceptions
        return {name: self._observe(known[name].implementation) for name in known}

    @cached_property
    def free_credit(self) -> int:
        """Observations that an answer without any work gets right: no credit is given for as many."""
        answers = [self._observe(trivial) for trivial in TRIVIAL_ANSWERS]
        if self.exercise.starter:
            answers.append(self.misconceptions[self.exercise.starter])
        return max(len(matches(self.exercise, self.reference, answer)) for answer in [*answers, self._commonest()])

    def _commonest(self) -> ProbeResult:
        """The best constant answer: the expected value that serves most often, given everywhere."""
        expected = self.reference.observations
        best = max(expected, key=lambda one: sum(compare(self.exercise, one, other) is None for other in expected))
        return ProbeResult(tuple(Observation(one.label, best.value) for one in expected))


@lru_cache(maxsize=512)
def expect(exercise: Exercise, seed: int) -> Expectation:
    """The expectation of an exercise on a seed; kept, as the public one serves every student."""
    return Expectation(exercise, seed)


TRIVIAL_ANSWERS = (
    lambda *args, **kwargs: None,
    lambda *args, **kwargs: 0,
    lambda *args, **kwargs: 1,
    lambda *args, **kwargs: True,
    lambda *args, **kwargs: (args or tuple(kwargs.values()))[0],
)


def matches(exercise: Exercise, expected: ProbeResult, got: ProbeResult) -> list[int]:
    """Positions of the expected observations that ``got`` has right."""
    pairs = zip(expected.observations, got.observations, strict=False)
    return [at for at, (one, other) in enumerate(pairs) if compare(exercise, one, other) is None]


def same_result(exercise: Exercise, one: ProbeResult, other: ProbeResult) -> bool:
    """Whether two implementations were observed to do the same, down to the type of exception they end in."""
    ends = [observed.exception.type_name if observed.exception else None for observed in (one, other)]
    lengths = len(one.observations), len(other.observations)
    return ends[0] == ends[1] and lengths[0] == lengths[1] == len(matches(exercise, one, other))


def compare(exercise: Exercise, expected: Observation, got: Observation) -> Difference | None:
    """The first thing that differs between two observations, or None."""
    if expected.label != got.label:
        return Difference(expected.label, "the check took another path", expected.label, got.label)
    reason = _differs(exercise, expected.value, got.value)
    return reason and Difference(expected.label, reason, format_value(expected.value), format_value(got.value))


def _differs(exercise: Exercise, expected: Any, got: Any) -> str | None:
    if _kind(expected) != _kind(got):
        return f"type: expected {_kind(expected)}, got {_kind(got)}"
    if isinstance(expected, np.ndarray):
        return _arrays_differ(exercise, expected, got)
    if isinstance(expected, list):
        return _lists_differ(exercise, expected, got)
    if _kind(expected) == "a number":
        return _numbers_differ(exercise, expected, got)
    return None if expected == got else VALUE_DIFFERS


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "an array of booleans" if value.dtype == bool else "an array"
    if isinstance(value, Unsupported):
        return f"a value of type {value.type_name}"
    if value is None or isinstance(value, (bool, str, list)):
        return {type(None): "None", bool: "a boolean", str: "a string", list: "a list"}[type(value)]
    return "a number"


def _lists_differ(exercise: Exercise, expected: list, got: list) -> str | None:
    if len(expected) != len(got):
        return f"length: expected {len(expected)}, got {len(got)}"
    for at, (one, other) in enumerate(zip(expected, got, strict=True)):
        reason = _differs(exercise, one, other)
        if reason:
            return f"element {at}: {reason}"
    return None


def _numbers_differ(exercise: Exercise, expected: float, got: float) -> str | None:
    if isinstance(expected, int):  # counts and sizes are exact; 7.0 for 7 is right
        return None if expected == got else VALUE_DIFFERS
    if math.isfinite(expected) != math.isfinite(got):
        return f"finiteness: expected {_finiteness(expected)}, got {_finiteness(got)}"
    close = math.isclose(expected, got, rel_tol=exercise.rtol, abs_tol=exercise.atol)
    return None if close or (math.isnan(expected) and math.isnan(got)) else VALUE_DIFFERS


def _finiteness(number: float) -> str:
    return "a finite number" if math.isfinite(number) else str(number)


def _arrays_differ(exercise: Exercise, expected: np.ndarray, got: np.ndarray) -> str | None:
    if exercise.check_dtype and expected.dtype != got.dtype:
        return f"dtype: expected {expected.dtype}, got {got.dtype}"
    if expected.shape != got.shape:
        return f"shape: expected {_shape(expected)}, got {_shape(got)}"
    if expected.dtype.kind != "f":
        wrong = expected != got
    else:
        finite = np.isfinite(expected)
        if (finite != np.isfinite(got)).any():
            return f"finiteness: {int((finite != np.isfinite(got)).sum())} of {got.size} values are NaN or infinite"
        wide, other = expected.astype(np.float64), got.astype(np.float64)
        wrong = ~np.isclose(other, wide, rtol=exercise.rtol, atol=exercise.atol, equal_nan=True)
    if not wrong.any():
        return None
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"values: {int(wrong.sum())} of {wrong.size} differ, first at {list(at)}"


def _shape(array: np.ndarray) -> str:
    return "(" + ", ".join(map(str, array.shape)) + ")"


def format_points(points: float) -> str:
    """Points without needless decimals: 2, 1.5."""
    return f"{points:.2f}".rstrip("0").rstrip(".")


def format_value(value: Any, limit: int = 160) -> str:
    """A plain value in a line of text, long ones cut."""
    if isinstance(value, np.ndarray):
        head = ", ".join(f"{number:.6g}" for number in value.ravel()[:6].tolist())
        text = f"array of shape {_shape(value)}: {head}" + (", …" if value.size > 6 else "")
    elif isinstance(value, float):
        text = f"{value:.8g}"
    elif isinstance(value, list):
        text = "[" + ", ".join(format_value(item, limit) for item in value[:50]) + ("]" if len(value) <= 50 else ", …]")
    elif isinstance(value, Unsupported):
        text = f"<{value.type_name}>"
    else:
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def judge(expectation: Expectation, got: ProbeResult) -> Verdict:
    """The verdict on what was observed of a submission, with the points it earns.

    Partial credit counts the observations that are right beyond those a trivial answer (None, a
    constant, the first argument, the code an exercise starts from) gets right as well.
    """
    exercise, expected = expectation.exercise, expectation.reference
    total = len(expected.observations)
    if got.exception and got.exception.type_name == "NotImplementedError" and not got.observations:
        return Verdict(exercise.name, 0.0, exercise.points, "missing", f"{exercise.name} is not written yet")
    if same_result(exercise, expected, got):
        message = f"right: {total} of {total} checks"
        return Verdict(exercise.name, float(exercise.points), exercise.points, "right", message)
    right = matches(exercise, expected, got)
    free_credit = expectation.free_credit
    share = min(1.0, max(0.0, (len(right) - free_credit) / max(1, total - free_credit)))
    points = min(round(exercise.points * share, 2), exercise.points)
    misconception = match_misconception(expectation, got)
    return Verdict(
        exercise.name,
        points,
        exercise.points,
        "partial" if points > 0 else "wrong",
        f"{len(right)} of {total} checks are right; " + _first_trouble(expectation, got),
        misconception,
        exercise.misconceptions[misconception].hint if misconception else None,
    )


def match_misconception(expectation: Expectation, got: ProbeResult) -> str | None:
    """The misconception whose observations ``got`` equals, if there is one.

    Where nothing was observed, nothing is recognized: failing at once has too many causes.
    """
    for name, observed in expectation.misconceptions.items() if got.observations else ():
        if same_result(expectation.exercise, observed, got):
            return name
    return None


def first_difference(expectation: Expectation, got: ProbeResult) -> Difference | None:
    """Where a submission first departs from the reference, with expected and got: for public seeds only."""
    expected = expectation.reference.observations
    for one, other in zip(expected, got.observations, strict=False):
        difference = compare(expectation.exercise, one, other)
        if difference:
            return difference
    if len(got.observations) < len(expected):
        one = expected[len(got.observations)]
        return Difference(one.label, "no value", format_value(one.value), format_exception(got.exception))
    return None


def format_exception(raised: ExceptionInfo | None) -> str:
    """An exception in a line of text."""
    if raised is None:
        return "nothing"
    text = f"{raised.type_name}: {raised.message}" if raised.message else raised.type_name
    return f"raised {text}" + (f" ({raised.where})" if raised.where else "")


def _first_trouble(expectation: Expectation, got: ProbeResult) -> str:
    """What is wrong, in words that give no expected value away."""
    difference = first_difference(expectation, got)
    if got.exception and (difference is None or difference.reason == "no value"):
        # The message of a student's exception, or a type made for it, may carry hidden inputs.
        standard = isinstance(getattr(builtins, got.exception.type_name, None), type)
        kind = got.exception.type_name if standard else "an exception of its own"
        return f"then it raised {kind}" + (f" ({got.exception.where})" if got.exception.where else "")
    if difference is None:
        return "it yields more than was asked for"
    kind = difference.reason.split(":")[0]
    return {"values": "the values of an array differ", VALUE_DIFFERS: "a value differs"}.get(kind, f"{kind} differs")
