"""Small helpers for probes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def outcome_of(function: Callable, *args: Any, **kwargs: Any) -> Any:
    """The value of the call, or a text such as ``"raises ValueError"``: an error can be the right answer.

    >>> outcome_of(int, "7"), outcome_of(int, "seven")
    (7, 'raises ValueError')
    """
    try:
        return function(*args, **kwargs)
    except NotImplementedError:
        raise  # an unwritten stub
    except Exception as error:
        return f"raises {type(error).__name__}"
