"""From a caption as people write it to a list of words."""

from __future__ import annotations

import re


def tokenize(caption):
    """The words of a caption, in lower case, without punctuation.

    A word is a run of letters and digits; an apostrophe within a word belongs to it. Everything else separates words.

    Args:
        caption: a line of text.

    Returns:
        A list of str, which is empty where there is no word.

    Example::

        tokenize("A man's T-shirt , 2 dogs .")  # ['a', "man's", 't', 'shirt', '2', 'dogs']
    """
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", caption.lower())
