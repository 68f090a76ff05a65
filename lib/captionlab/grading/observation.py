"""Observations: the plain values a probe yields, and how they travel between processes.

A plain value is None, a bool, an int, a float, a string, a list or tuple of plain values, a NumPy array of
numbers, or :class:`Unsupported`, which stands for anything else and keeps only the name of its type.
"""

from __future__ import annotations

import base64
import json
import math
import re
import sys
import threading
import traceback
from collections.abc import Generator, Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from captionlab.grading.watching import ARGUMENTS, Calls, passed_through, watching

if TYPE_CHECKING:
    from captionlab.grading.exercise import Exercise

MAX_TEXT = 10_000  # characters of a string, elements of a list
MAX_DEPTH = 8
DTYPES = frozenset(
    ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"]
)


@dataclass(frozen=True)
class Unsupported:
    """A value that observations cannot hold; only the name of its type is kept."""

    type_name: str


@dataclass(frozen=True)
class Observation:
    """One named plain value.

    Attributes:
        label: the check.
        value: what was observed.
        weight: how much the check counts in partial credit; that of the reference's observation is used.
    """

    label: str
    value: Any
    weight: float = 1.0


@dataclass(frozen=True)
class ExceptionInfo:
    """The exception that ended a probe.

    Attributes:
        type_name, message: of the exception.
        location: the line of the submission that raised it.
        missing_name: for a NameError, the name that is not defined.
        unusable: what the submission returned last, such as "None", if it was the check that raised because it could
            not use it.
    """

    type_name: str
    message: str
    location: str = ""
    missing_name: str = ""
    unusable: str = ""


@dataclass(frozen=True)
class ProbeResult:
    """What a probe observed of one implementation on one seed, and the exception that ended it, if one did."""

    observations: tuple[Observation, ...]
    exception: ExceptionInfo | None = None


def plain(value: Any, depth: int = 0) -> Any:
    """A copy of ``value`` as a plain value: tensors become arrays, scalars Python numbers."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        number = int(value)
        return number if number.bit_length() < 1000 else Unsupported(f"int of {number.bit_length()} bits")
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str(value)[:MAX_TEXT]
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain_array(np.array(value))
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return _plain_tensor(value, torch)
    if isinstance(value, (list, tuple)) and depth < MAX_DEPTH:
        items = [plain(item, depth + 1) for item in list(value)[:MAX_TEXT]]
        return items if isinstance(value, list) else tuple(items)
    return Unsupported(type(value).__name__[:100])


def _plain_array(array: np.ndarray) -> Any:
    if array.dtype.kind in "US":
        return plain(array.tolist())
    if array.dtype.name not in DTYPES:
        return Unsupported(f"array of {array.dtype.name}"[:100])
    return array.item() if array.ndim == 0 else np.ascontiguousarray(array)


def _plain_tensor(tensor: Any, torch: Any) -> Any:
    if tensor.is_meta:
        return Unsupported("tensor on the meta device")
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.float()
    return _plain_array(tensor.detach().cpu().resolve_conj().resolve_neg().numpy().copy())


# Protects what a process has only once. Probes seed and use the global generators of torch and NumPy: two at a time
# would mix their numbers. Reading a submission changes the warning filters, and ast.parse of Python before 3.11.8
# counts its recursion depth for all threads together (CPython issue 106905): valid submissions would sometimes be
# unreadable.
GLOBAL_LOCK = threading.RLock()


def observe(exercise: Exercise, implementation: Any, seed: int, calls: Calls | None = None) -> ProbeResult:
    """Run an exercise's probe on ``implementation`` with a generator seeded by ``seed``; other threads wait.

    Observations are taken one by one, so those before an exception are kept. The last one says whether the calls
    left their arguments (arrays, tensors, lists, dicts) as they were.

    Args:
        exercise: whose probe is run.
        implementation: what it calls.
        seed: of the ``numpy.random.Generator`` it draws inputs from.
        calls: remembers what the implementation was given and returned last; by default a new one.
    """
    seen: list[Observation] = []
    raised = None
    calls = calls or Calls()
    try:
        with GLOBAL_LOCK:
            for label, value, *weight in cases(exercise, implementation, seed, calls):
                seen.append(Observation(str(label), plain(value), *weight))
    except KeyboardInterrupt:
        raise  # Ctrl-C in the student's notebook
    except BaseException as error:  # exit() must not end the process that observes
        raised = describe_exception(error, calls)
    return ProbeResult(tuple(seen), raised)


def cases(
    exercise: Exercise, implementation: Any, seed: int, calls: Calls | None = None
) -> Generator[tuple, None, None]:
    """What an exercise's probe yields of an implementation, and at last what became of the arguments.

    While it runs, a class is watched in place: hold GLOBAL_LOCK, and close it if it is left before its end.
    """
    calls = calls or Calls()
    with watching(implementation, exercise.student_methods, calls) as watched:
        yield from exercise.probe(watched, np.random.default_rng(seed))
        yield ARGUMENTS, calls.change


def describe_exception(error: BaseException, calls: Calls | None = None) -> ExceptionInfo:
    """An exception as plain text, with the last line of the submission that it passed through.

    Args:
        error: what was raised.
        calls: what the submission returned last: an exception that did not pass through it was raised by a check that
            could not use that.
    """
    location = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(("cell ", "<ipython-input", "module ")) or "ipykernel_" in frame.filename:
            place = frame.filename if frame.filename.startswith(("cell ", "module ")) else "your cell"
            location = f"{place}, line {frame.lineno}" + (f": {frame.line}" if frame.line else "")
    try:
        message = re.sub(r"\b0x[0-9a-f]{6,}", "0x…", str(error)[:500])  # addresses differ between runs
    except Exception:  # a hostile __str__
        message = "(unreadable message)"
    missing = str(getattr(error, "name", None) or "") if isinstance(error, NameError) else ""
    if location or passed_through(error) or is_wrong_call(error):
        calls = None
    unusable = (calls.returned or "what your class made") if calls and isinstance(error, Exception) else ""
    return ExceptionInfo(type(error).__name__[:100], message, location[:300], missing[:100], unusable)


def is_wrong_call(error: BaseException) -> bool:
    """Whether Python refused a call because the parameters are others than the stub's."""
    pattern = r"\) (got an unexpected keyword|missing \d+ required|takes .*argument|got multiple values)"
    return isinstance(error, TypeError) and bool(re.search(pattern, str(error)[:500]))


def encode(value: Any) -> Any:
    """A plain value as JSON data; arrays as dtype, shape and base64 of their little-endian bytes."""
    if isinstance(value, np.ndarray):
        raw = value.astype(value.dtype.newbyteorder("<"), copy=False).tobytes()
        data = base64.b64encode(raw).decode("ascii")
        return {"dtype": value.dtype.name, "shape": list(value.shape), "data": data}
    if isinstance(value, Unsupported):
        return {"foreign": value.type_name}
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    return [encode(item) for item in value] if isinstance(value, list) else value


def decode(data: Any, depth: int = 0) -> Any:
    """The plain value from which :func:`encode` made ``data``.

    Raises:
        ValueError: if ``data`` is not what :func:`encode` writes. It comes from a process that ran student code and is
            not trusted.
    """
    if data is None or isinstance(data, (bool, float)):
        return data
    if isinstance(data, int):
        return plain(data)
    if isinstance(data, str):
        return data[:MAX_TEXT]
    if isinstance(data, list) and depth <= MAX_DEPTH:
        return [decode(item, depth + 1) for item in data[:MAX_TEXT]]
    if isinstance(data, dict) and set(data) == {"tuple"} and isinstance(data["tuple"], list):
        return tuple(decode(data["tuple"], depth))
    if isinstance(data, dict) and set(data) == {"foreign"}:
        return Unsupported(str(data["foreign"])[:100])
    if isinstance(data, dict) and set(data) == {"dtype", "shape", "data"}:
        return _decode_array(data)
    raise ValueError(f"not an observation: {str(data)[:80]}")


def _decode_array(data: dict) -> np.ndarray:
    shape = data["shape"]
    if data["dtype"] not in DTYPES or not isinstance(shape, list) or not isinstance(data["data"], str):
        raise ValueError("not an array: unknown dtype or malformed shape")
    if not 1 <= len(shape) <= 32 or not all(type(n) is int and 0 <= n < 2**40 for n in shape):
        raise ValueError(f"not an array: shape {str(shape)[:80]}")
    raw = base64.b64decode(data["data"], validate=True)
    dtype = np.dtype(data["dtype"]).newbyteorder("<")
    if math.prod(shape) * dtype.itemsize != len(raw):
        raise ValueError(f"not an array: {len(raw)} bytes for shape {shape} of {dtype.name}")
    return np.frombuffer(raw, dtype).reshape(shape)


def to_lines(observed: ProbeResult) -> Iterable[str]:
    """A probe's result as JSON lines; the last one marks the end."""
    for observation in observed.observations:
        yield json.dumps({"label": observation.label, "value": encode(observation.value)})
    yield json.dumps({"end": vars(observed.exception) if observed.exception else None})


def from_lines(lines: Iterable[str]) -> ProbeResult | None:
    """The :class:`ProbeResult` that :func:`to_lines` wrote, or None if the end is missing.

    Raises:
        ValueError: if a line is not one that :func:`to_lines` writes.
    """
    seen: list[Observation] = []
    for line in lines:
        record = json.loads(line)
        if not isinstance(record, dict):
            raise ValueError("not an observation record")
        if "end" in record:
            raised = record["end"]
            return ProbeResult(tuple(seen), _decode_raised(raised) if raised is not None else None)
        seen.append(Observation(str(record.get("label"))[:500], decode(record.get("value"))))
    return None


def _decode_raised(record: Any) -> ExceptionInfo:
    if not isinstance(record, dict):
        raise ValueError("not an exception record")
    return ExceptionInfo(*(sanitize(str(record.get(one.name, ""))) for one in fields(ExceptionInfo)))


def sanitize(text: str, limit: int = 500) -> str:
    """Text that is safe to print and write: control characters (terminal escapes) and lone surrogates are replaced."""
    return "".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in text[:limit])
