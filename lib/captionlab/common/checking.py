"""Refusing misuse: arguments are checked before a function is called, so that wrong ones never yield a number."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

SHOWN = 40  # characters of a value that a message shows


def checked(function: Callable[P, R], prepare: Callable[P, tuple[Any, ...]]) -> Callable[P, R]:
    """A function that first checks its arguments.

    For the references of exercises: what students write is the function itself, the checks are the library's.

    Args:
        function: is called with what `prepare` returns.
        prepare: takes the same arguments and returns all of them, in the order of the function's parameters. It raises
            TypeError or ValueError for arguments that the function is not for.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*prepare(*args, **kwargs))  # type: ignore[call-arg]

    return call


def describe(value: object) -> str:
    """What a value is, for a message: its type, and its shape, length or content.

    >>> describe("a dog"), describe([1, 2]), describe(None)
    ("a str, 'a dog'", 'a list of length 2', 'None')
    """
    if value is None:
        return "None"
    name = type(value).__name__
    article = "an" if name[0].lower() in "aeiou" else "a"
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"{article} {name} of shape {tuple(shape)} and type {getattr(value, 'dtype', 'unknown')}"
    if isinstance(value, str | bytes | int | float):
        shown = repr(value)
        return f"{article} {name}, {shown if len(shown) <= SHOWN else shown[:SHOWN] + '...'}"
    try:
        return f"{article} {name} of length {len(value)}"  # type: ignore[arg-type]
    except TypeError:
        return f"{article} {name}"


def check_list(value: object, name: str, content: str) -> Sequence[Any]:
    """A value, if it is a list, a tuple or another sequence that is no string.

    Args:
        value: any value.
        name: what a message calls it, such as ``"references[3]"``.
        content: what the list is of, such as ``"words"``.

    Raises:
        TypeError: for anything else: a string, an array, a dict, or a generator, which can be read only once.
    """
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Sequence):
        advice = ": split lines into words, line.split()" if isinstance(value, str) else ""
        raise TypeError(f"{name} is {describe(value)}, expected a list of {content}{advice}")
    return value


def check_words(words: object, name: str) -> None:
    """Check that a value is a list of words.

    Raises:
        TypeError: if it is no list, or one of the words is no string.
        ValueError: if one of the words is empty, or a whole line.
    """
    for index, word in enumerate(check_list(words, name, "words")):
        if not isinstance(word, str):
            raise TypeError(f"{name}[{index}] is {describe(word)}, expected a word (str)")
        if not word or any(space in word for space in " \t\n\r"):
            raise ValueError(
                f"{name}[{index}] is {describe(word)}, expected a single word: split lines into words, line.split()"
            )


def check_token_ids(token_ids: object, name: str) -> None:
    """Check that a value is a list of token ids.

    Raises:
        TypeError: if it is no list, or one of the ids is no int.
    """
    for index, token_id in enumerate(check_list(token_ids, name, "token ids")):
        if not isinstance(token_id, int) or isinstance(token_id, bool):
            raise TypeError(f"{name}[{index}] is {describe(token_id)}, expected a token id (int)")


def check_captions(candidates: object, references: object, check: Callable[[object, str], None]) -> None:
    """Check that there is a list of captions, and of each image a list of reference captions.

    Args:
        candidates: a list of captions.
        references: a list with the captions of each image.
        check: of a caption: `check_words` or `check_token_ids`.

    Raises:
        TypeError: if lists are missing or nested too deep, or hold anything else; the message has the first place.
        ValueError: if there are no captions.
    """
    if not check_list(candidates, "candidates", "captions"):
        raise ValueError("candidates is empty: give the caption of at least one image")
    for index, caption in enumerate(check_list(candidates, "candidates", "captions")):
        check(caption, f"candidates[{index}]")
    for index, captions in enumerate(check_list(references, "references", "lists, one per image, of captions")):
        for number, caption in enumerate(check_list(captions, f"references[{index}]", "captions")):
            name = f"references[{index}][{number}]"
            if not isinstance(caption, Sequence) or isinstance(caption, str):
                raise TypeError(
                    f"{name} is {describe(caption)}, expected a list of words: references has a list for each image, "
                    "of captions, each of which is a list of words"
                )
            check(caption, name)
