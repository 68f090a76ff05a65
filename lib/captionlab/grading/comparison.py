"""Comparing observations: their kinds, shapes, finiteness and values."""

from __future__ import annotations

import math
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
    reason = _difference(exercise, expected.value, got.value)
    return Difference(expected.label, reason, format_value(expected.value), format_value(got.value)) if reason else None


def _difference(exercise: Exercise, expected: Any, got: Any) -> str | None:
    if _kind(expected) != _kind(got):
        return f"type: expected {_kind(expected)}, got {_kind(got)}"
    if isinstance(expected, np.ndarray):
        return _array_difference(exercise, expected, got)
    if isinstance(expected, list):
        return _list_difference(exercise, expected, got)
    if _kind(expected) == "a number":
        return _number_difference(exercise, expected, got)
    return None if expected == got else VALUE_DIFFERS


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "an array of booleans" if value.dtype == bool else "an array"
    if isinstance(value, Unsupported):
        return f"a value of type {value.type_name}"
    if value is None:
        return "None"
    if isinstance(value, bool):
        return "a boolean"
    return "a string" if isinstance(value, str) else "a list" if isinstance(value, list) else "a number"


def _list_difference(exercise: Exercise, expected: list, got: list) -> str | None:
    if len(expected) != len(got):
        return f"length: expected {len(expected)}, got {len(got)}"
    for at, (one, other) in enumerate(zip(expected, got, strict=True)):
        reason = _difference(exercise, one, other)
        if reason:
            return f"element {at}: {reason}"
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


def _array_difference(exercise: Exercise, expected: np.ndarray, got: np.ndarray) -> str | None:
    if exercise.check_dtype and expected.dtype != got.dtype:
        return f"dtype: expected {expected.dtype}, got {got.dtype}"
    if expected.shape != got.shape:
        return f"shape: expected {_shape(expected)}, got {_shape(got)}"
    if expected.dtype.kind != "f":
        wrong = expected != got
    else:
        differs = np.isfinite(expected) != np.isfinite(got)
        if differs.any():
            return f"finiteness: {int(differs.sum())} of {got.size} values are NaN or infinite"
        wide, other = expected.astype(np.float64), got.astype(np.float64)
        wrong = ~np.isclose(other, wide, rtol=exercise.rtol, atol=exercise.atol, equal_nan=True)
    if not wrong.any():
        return None
    at = [int(index) for index in np.argwhere(wrong)[0]]
    return f"values: {int(wrong.sum())} of {wrong.size} differ, first at {at}"


def _shape(array: np.ndarray) -> str:
    return "(" + ", ".join(map(str, array.shape)) + ")"


def format_value(value: Any, limit: int = 160) -> str:
    """A plain value as one line of text of at most ``limit`` characters."""
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
