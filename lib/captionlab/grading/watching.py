"""What a probe's calls of a submission were given, returned, and did to their arguments."""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ARGUMENTS = "the arguments after the calls"
UNCHANGED = "unchanged"
CHANGED = "was changed"
MAX_DEPTH = 5
MISSING = object()


@dataclass
class Calls:
    """What is remembered of the calls of a submission.

    Attributes:
        args, kwargs: copies of the last call's arguments, as they were before it.
        returned: the kind of value the last call returned, such as "None" or "a tuple of 2".
        change: the first argument that a call changed, such as "argument 1 was changed".
        changed_by: the arguments of that call, as they were before it.
    """

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    returned: str = ""
    change: str = UNCHANGED
    changed_by: tuple[tuple, dict] = ((), {})

    def watch(self, function: Callable, *, is_method: bool = False) -> Callable:
        """The function, whose calls are remembered from now on."""
        first = 1 if is_method else 0  # self is no argument

        @functools.wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            self.args, self.kwargs = copied(args[first:]), copied(kwargs)
            self.returned = ""
            before_args, before_kwargs = self.args, self.kwargs  # a call may lead to others
            try:
                result = function(*args, **kwargs)
            finally:
                self._note_changes(before_args, args[first:], before_kwargs, kwargs)
            self.returned = describe(result)
            return result

        return watched

    def _note_changes(self, before_args: tuple, args: tuple, before_kwargs: dict, kwargs: dict) -> None:
        if self.change != UNCHANGED:
            return
        pairs = [
            (f"argument {at}", one, other) for at, (one, other) in enumerate(zip(before_args, args, strict=True), 1)
        ]
        pairs += [(f"argument {name}", before_kwargs[name], other) for name, other in kwargs.items()]
        changed = next((name for name, one, other in pairs if not is_same(one, other)), None)
        if changed:
            self.change = f"{changed} {CHANGED}"
            self.changed_by = before_args, before_kwargs


@contextmanager
def watching(implementation: Any, methods: Sequence[str], calls: Calls) -> Iterator[Any]:
    """The implementation, whose calls are remembered inside: those of a function, or of a class's methods."""
    if not inspect.isclass(implementation):
        yield calls.watch(implementation) if callable(implementation) else implementation
        return
    own = {name: implementation.__dict__.get(name, MISSING) for name in methods}
    functions = {name: method for name, method in own.items() if inspect.isfunction(method)}
    try:
        for name, method in functions.items():
            setattr(implementation, name, calls.watch(method, is_method=True))
        yield implementation
    finally:
        for name, method in functions.items():
            setattr(implementation, name, method)


def passed_through(error: BaseException) -> bool:
    """Whether an exception passed through a call that is watched: it was raised by the submission, or below it."""
    codes = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    return any((code.co_filename, code.co_name) == (__file__, "watched") for code in codes)


def copied(value: Any, depth: int = 0) -> Any:
    """A copy of the arrays, tensors and containers in a value; anything else in it is shared with the original."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if _is_tensor(value):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if depth >= MAX_DEPTH:
        return value
    if type(value) in (list, tuple, set):
        return type(value)(copied(one, depth + 1) for one in value)
    if type(value) is dict:
        return {key: copied(one, depth + 1) for key, one in value.items()}
    return value


def is_same(one: Any, other: Any, depth: int = 0) -> bool:
    """Whether a value still is what it was when it was copied."""
    if one is other:
        return True
    if isinstance(one, np.ndarray):
        same_kind = isinstance(other, np.ndarray) and one.shape == other.shape and one.dtype == other.dtype
        return same_kind and one.tobytes() == other.tobytes()
    if _is_tensor(one):
        return _is_tensor(other) and _is_same_tensor(one, other)
    if depth >= MAX_DEPTH or type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(is_same(*pair, depth + 1) for pair in zip(one, other, strict=True))
    if isinstance(one, dict):
        return list(one) == list(other) and all(is_same(one[key], other[key], depth + 1) for key in one)
    return bool(one == other)


def _is_same_tensor(one: Any, other: Any) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return one.is_meta or bool(((one == other) | ((one != one) & (other != other))).all())


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "detach") and hasattr(value, "is_meta")


def describe(value: Any) -> str:
    """The kind of a value, without what it holds.

    >>> describe(None), describe((1, 2)), describe(np.ones((2, 3)))
    ('None', 'a tuple of 2', 'an array of shape (2, 3)')
    """
    if value is None:
        return "None"
    if _is_tensor(value):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, (list, tuple)):
        return f"a {'list' if isinstance(value, list) else 'tuple'} of {len(value)}"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string"}
    return names.get(type(value), f"a value of type {type(value).__name__[:100]}")
