"""Small helpers for probes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def outcome_of(function: Callable, *args: Any, **kwargs: Any) -> Any:
    """What the call returns, or ``"raises ValueError"`` where it raises: an error can be the right answer."""
    try:
        return function(*args, **kwargs)
    except NotImplementedError:
        raise  # an unwritten stub
    except Exception as error:
        return f"raises {type(error).__name__}"
