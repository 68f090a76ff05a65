"""Captions as datasets store them: one text, a list, JSON, or nothing in the place of a caption."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

from captionlab.captioning.text import tokenize

CAPTION_KEYS = ("raw", "caption", "text", "sentence")  # of a caption that is stored with other values


@dataclass
class CaptionFilter:
    """Keeps captions that have a word, and counts the others.

    Attributes:
        dataset: its name, for the message.
        seen: number of captions.
        dropped: number of captions without a word.
        first: where the first of them is, and what it is.
    """

    dataset: str
    seen: int = 0
    dropped: int = 0
    first: str = field(default="", init=False)

    def keep(self, value: object, where: str) -> list[str]:
        """The captions in a value; values that are none, such as None and an empty text, are counted.

        Args:
            value: see `caption_list`.
            where: the place of the value, such as "row 3 of train.parquet", for messages.

        Raises:
            TypeError: if the value is something else than captions.
        """
        try:
            found = caption_list(value)
        except TypeError as error:
            raise TypeError(f"{where}: {error}") from None
        captions = []
        for each in found:
            self.seen += 1
            if each is not None and tokenize(each):
                captions.append(each)
            else:
                self.first = self.first or f"{each!r} in {where}"
                self.dropped += 1
        return captions

    def report(self) -> None:
        """Warn if captions were left out, with their number and the first one."""
        if self.dropped:
            warnings.warn(
                f"{self.dropped} of {self.seen} captions of {self.dataset} have no word and are left out, the first "
                f"is {self.first}",
                stacklevel=3,
            )


def caption_list(value: object) -> list[str | None]:
    """All captions in a value, None where one is missing.

    Args:
        value: a text; a list of texts, as it is or written in a text as JSON or Python does; a mapping with a caption,
            such as ``{"raw": "A dog."}``; None or NaN for no caption.

    Raises:
        TypeError: if it is something else, such as a number.

    Example:
        >>> caption_list(["A dog.", None]), caption_list('["A dog.", "A cat."]'), caption_list({"raw": "A dog."})
        (['A dog.', None], ['A dog.', 'A cat.'], ['A dog.'])
    """
    if value is None or value != value:  # NaN, which tables have for a missing text
        return [None]
    if isinstance(value, str):
        listed = _list_in_text(value)
        return [value] if listed is None else listed
    if isinstance(value, Mapping):
        for key in CAPTION_KEYS:
            if key in value:
                return caption_list(value[key])
    if isinstance(value, (list, tuple)):
        return [caption for each in value for caption in caption_list(each)]
    raise TypeError(f"found {value!r:.60}, expected a caption or a list of captions")


def _list_in_text(text: str) -> list[str | None] | None:
    """The captions of a list that is written in a text; None if it is an ordinary text."""
    if not (text.lstrip().startswith("[") and text.rstrip().endswith("]")):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            return caption_list(parse(text.strip()))
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
    return None
