"""Comparing observations: their kinds, shapes, finiteness and values."""

from __future__ import annotations

import builtins
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from captionlab.grading.exercise import Exercise
from captionlab.grading.observation import Observation, ProbeResult, Unsupported
from captionlab.grading.verdict import VALUE_DIFFERS, Difference

OTHER_CHECK = "another check was run"


def matches(exercise: Exercise, expected: ProbeResult, got: ProbeResult) -> list[int]:
    """Positions of the expected observations that ``got`` has right."""
    pairs = zip(expected.observations, got.observations, strict=False)
    return [at for at, (one, other) in enumerate(pairs) if compare(exercise, one, other) is None]


def same_result(exercise: Exercise, one: ProbeResult, other: ProbeResult) -> bool:
    """Whether a probe observed the same of two implementations, including the type of exception that ended it."""
    exceptions = [result.exception.type_name if result.exception else None for result in (one, other)]
    lengths = len(one.observations), len(other.observations)
    return exceptions[0] == exceptions[1] and lengths[0] == lengths[1] == len(matches(exercise, one, other))


def compare(exercise: Exercise, expected: Observation, got: Observation) -> Difference | None:
    """The first difference between two observations, or None.

    Int and float are one kind, bool is its own; a list equals a tuple and a NumPy array a tensor. Whole numbers must
    be equal; floating-point numbers must agree within the exercise's tolerances.
    """
    if expected.label != got.label:
        return Difference(expected.label, OTHER_CHECK, expected.label, got.label)
    found = _difference(exercise, expected.value, got.value)
    return describe_difference(expected.label, found, expected.value, got.value) if found else None


@dataclass(frozen=True)
class Place:
    """What differs between two values, and the indices that lead to it."""

    reason: str
    indices: tuple[int, ...] = ()


def describe_difference(label: str, found: Place, expected: Any, got: Any) -> Difference:
    """A difference with both values as text, in which the place that differs can be seen."""
    for digits in (6, 17):  # values that only differ in late digits must not look the same
        one, other = (format_value(value, at=found.indices, digits=digits) for value in (expected, got))
        if one != other:
            break
    return Difference(label, found.reason, one, other)


def _difference(exercise: Exercise, expected: Any, got: Any) -> Place | None:
    if _kind(expected) != _kind(got):
        return Place(f"type: expected {_kind(expected)}, got {_kind(got)}")
    if isinstance(expected, np.ndarray):
        return _array_difference(exercise, expected, got)
    if isinstance(expected, (list, tuple)):
        return _list_difference(exercise, expected, got)
    if _kind(expected) == "a number":
        reason = _number_difference(exercise, expected, got)
    else:
        reason = None if expected == got else VALUE_DIFFERS
    return Place(reason) if reason else None


def is_error(value: Any) -> bool:
    """Whether an observation stands for an exception, as ``outcome_of`` gives it."""
    return isinstance(value, str) and value.startswith("raises ")


def standard_error(type_name: str) -> str:
    """The name of an exception if it is one of Python's own, or nothing: a type made for it may tell hidden inputs."""
    return type_name if isinstance(getattr(builtins, type_name, None), type) else ""


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "an array of booleans" if value.dtype == bool else "an array"
    if isinstance(value, Unsupported):
        return f"a value of type {value.type_name}"
    if value is None:
        return "None"
    if isinstance(value, bool):
        return "a boolean"
    if is_error(value):
        return "an error"
    return "a string" if isinstance(value, str) else "a list" if isinstance(value, (list, tuple)) else "a number"


def _list_difference(exercise: Exercise, expected: list | tuple, got: list | tuple) -> Place | None:
    if len(expected) != len(got):
        return Place(f"length: expected {len(expected)}, got {len(got)}")
    for at, (one, other) in enumerate(zip(expected, got, strict=True)):
        found = _difference(exercise, one, other)
        if found:
            inner = found.reason.removeprefix("at ") if found.reason.startswith("at [") else f": {found.reason}"
            return Place(f"at [{at}]{inner}".removesuffix(f": {VALUE_DIFFERS}"), (at, *found.indices))
    return None


def _number_difference(exercise: Exercise, expected: float, got: float) -> str | None:
    if isinstance(expected, int):  # counts and sizes are exact; 7.0 for 7 is right
        return None if expected == got else VALUE_DIFFERS
    if math.isfinite(expected) != math.isfinite(got):
        return f"finiteness: expected {_finiteness(expected)}, got {_finiteness(got)}"
    close = math.isclose(expected, got, rel_tol=exercise.rtol, abs_tol=exercise.atol)
    return None if close or (math.isnan(expected) and math.isnan(got)) else VALUE_DIFFERS


def _finiteness(number: float) -> str:
    return "a finite number" if math.isfinite(number) else str(number)


def _array_difference(exercise: Exercise, expected: np.ndarray, got: np.ndarray) -> Place | None:
    if exercise.check_dtype and expected.dtype != got.dtype:
        return Place(f"dtype: expected {expected.dtype}, got {got.dtype}")
    if expected.shape != got.shape:
        return Place(f"shape: expected {_shape(expected)}, got {_shape(got)}")
    if expected.dtype.kind != "f":
        wrong = expected != got
    else:
        wrong = np.isfinite(expected) != np.isfinite(got)
        if wrong.any():
            return Place(f"finiteness: {int(wrong.sum())} of {got.size} values are NaN or infinite", _first(wrong))
        wide, other = expected.astype(np.float64), got.astype(np.float64)
        wrong = ~np.isclose(other, wide, rtol=exercise.rtol, atol=exercise.atol, equal_nan=True)
    if not wrong.any():
        return None
    at = _first(wrong)
    return Place(f"values: {int(wrong.sum())} of {wrong.size} differ, first at {list(at)}", at)


def _first(wrong: np.ndarray) -> tuple[int, ...]:
    return tuple(int(index) for index in np.argwhere(wrong)[0])


def _shape(array: np.ndarray) -> str:
    return "(" + ", ".join(map(str, array.shape)) + ")"


def format_value(value: Any, limit: int = 160, at: tuple[int, ...] = (), digits: int = 8) -> str:
    """A plain value as one line of text of at most ``limit`` characters.

    Args:
        value: what is shown.
        limit: characters.
        at: indices of the place that must be seen.
        digits: of floating-point numbers.
    """
    if isinstance(value, np.ndarray):
        text = _format_array(value, at, digits)
    elif isinstance(value, float):
        text = f"{value:.{digits}g}"
    elif isinstance(value, (list, tuple)):
        text = _format_list(value, limit, at, digits)
    elif isinstance(value, Unsupported):
        text = f"<{value.type_name}>"
    elif is_error(value):
        text = value
    else:
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _format_array(array: np.ndarray, at: tuple[int, ...], digits: int) -> str:
    start = int(np.ravel_multi_index(at, array.shape)) if len(at) == array.ndim and array.size else 0
    start = 0 if start < 6 else start
    numbers = ", ".join(f"{number:.{digits}g}" for number in array.ravel()[start : start + 6].tolist())
    place = f", from {list(at)} on" if start else ""
    return f"array of shape {_shape(array)}{place}: {numbers}" + (", …" if start + 6 < array.size else "")


def _format_list(values: list | tuple, limit: int, at: tuple[int, ...], digits: int) -> str:
    first, inner = (at[0], at[1:]) if at else (0, ())
    items = [
        format_value(one, limit, inner if place == first else (), digits) for place, one in enumerate(values[:200])
    ]
    start = 0 if sum(len(item) + 2 for item in items[: first + 1]) < limit else min(first, len(items))
    text = ("…, " if start else "") + ", ".join(items[start:]) + (", …" if len(values) > 200 else "")
    if isinstance(values, list):
        return f"[{text}]"
    return f"({text},)" if len(values) == 1 else f"({text})"
