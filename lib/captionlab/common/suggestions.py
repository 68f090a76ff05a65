"""The nearest known name, for messages about misspelled ones."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest_name(name: object, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that is most similar to the given one, or None if none is similar.

    Args:
        name: what was given.
        known: the names that exist.
        cutoff: similarity from 0 to 1 below which a name is not suggested.

    >>> nearest_name("embeded", ["embedded", "flickr8k"])
    'embedded'
    """
    nearest = difflib.get_close_matches(str(name), list(known), n=1, cutoff=cutoff)
    return nearest[0] if nearest else None


def did_you_mean(name: object, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The end of an error message: a question with the nearest known name, empty if none is similar.

    >>> did_you_mean("lstn", ["lstm", "gru"])
    "; did you mean 'lstm'?"
    >>> did_you_mean("transformer", ["lstm", "gru"])
    ''
    """
    nearest = nearest_name(name, known, cutoff)
    return f"; did you mean {nearest!r}?" if nearest else ""
