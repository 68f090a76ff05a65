"""Tokenization: from a caption as people write it to a list of words."""

from __future__ import annotations

import re


def tokenize(caption: str) -> list[str]:
    """Split a caption into lower-case words without punctuation.

    A word is a run of letters and digits. An apostrophe inside a word belongs to it; everything else separates words.

    Args:
        caption: one line of text.

    Returns:
        The words in order; an empty list if there are none.

    Example:
        >>> tokenize("A man's T-shirt , 2 dogs .")
        ['a', "man's", 't', 'shirt', '2', 'dogs']
    """
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", caption.lower())
