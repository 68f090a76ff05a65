"""Misuse is refused with what was found, where, and what was expected; right arguments pass unchanged."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captionlab.common.checking import check_captions, check_token_ids, check_words, checked, describe

QUICK = settings(max_examples=40, derandomize=True, deadline=None)
WORDS = st.text(st.characters(blacklist_categories=["Z", "C"]), min_size=1, max_size=5)
CAPTIONS = st.lists(WORDS, max_size=4) | st.lists(WORDS, max_size=4).map(tuple)
# What is no word. Words with spaces and empty ones are refused, too.
NO_WORDS = (
    st.none() | st.integers() | st.floats() | st.binary() | st.booleans() | st.lists(WORDS) | st.just("")
) | st.tuples(WORDS, WORDS).map(" ".join)
# What is no caption.
NO_LISTS = st.none() | st.integers() | st.text() | st.binary() | st.dictionaries(WORDS, WORDS) | st.just({"a"})


def test_a_checked_function_looks_like_the_function_and_gets_what_was_prepared():
    def add(a: int, b: int = 1) -> int:
        """Add."""
        return a + b

    def prepare(a: int, b: int = 1) -> tuple[int, int]:
        if a < 0:
            raise ValueError("negative")
        return a, b * 10

    made = checked(add, prepare)
    assert (made(1), made(a=1, b=2)) == (11, 21)
    assert (made.__name__, made.__doc__) == ("add", "Add.")
    with pytest.raises(ValueError, match="negative"):
        made(-1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.zeros((2, 3)), r"a ndarray of shape \(2, 3\) and type float64"),
        ((word for word in "ab"), "a generator"),
        ("x" * 100, r"a str, 'x{39}\.\.\."),
        (7, "an int, 7"),
        ({"a": 1}, "a dict of length 1"),
    ],
)
def test_a_value_is_described_by_its_type_and_shape(value, text):
    assert re.fullmatch(text, describe(value))


@given(st.lists(st.tuples(CAPTIONS, st.lists(CAPTIONS, max_size=3)), min_size=1, max_size=4))
@QUICK
def test_lists_and_tuples_of_words_pass(images):
    candidates, references = zip(*images, strict=True)
    check_captions(list(candidates), references, check_words)


@given(st.lists(WORDS, max_size=3), NO_WORDS, st.lists(WORDS, max_size=3))
@QUICK
def test_the_first_word_that_is_none_is_named(before, wrong, after):
    caption = [*before, wrong, *after]
    at = rf"\[{len(before)}\] is .*, expected a"
    with pytest.raises((TypeError, ValueError), match=r"candidates\[1\]" + at):
        check_captions([["a"], caption], [[["a"]]] * 2, check_words)
    with pytest.raises((TypeError, ValueError), match=r"references\[0\]\[1\]" + at):
        check_captions([["a"]], [[["a"], caption]], check_words)


@given(NO_LISTS)
@QUICK
def test_what_is_no_list_is_refused_at_every_level(wrong):
    for candidates, references in (
        (wrong, [[["a"]]]),
        ([["a"]], wrong),
        ([wrong], [[["a"]]]),
        ([["a"]], [wrong]),
        ([["a"]], [[wrong]]),
    ):
        with pytest.raises(TypeError, match=r"(candidates|references)[\[\]0]* is .*, expected a list"):
            check_captions(candidates, references, check_words)


def test_token_ids_are_no_words_and_words_are_no_token_ids():
    check_captions([[1, 2]], [[[1, 2], ()]], check_token_ids)
    with pytest.raises(TypeError, match=r"candidates\[0\]\[0\] is an int, 1, expected a word"):
        check_captions([[1, 2]], [[[1, 2]]], check_words)
    with pytest.raises(TypeError, match=r"references\[0\]\[0\]\[0\] is a str, 'a', expected a token id"):
        check_captions([[1, 2]], [[["a"]]], check_token_ids)
    with pytest.raises(TypeError, match="expected a token id"):
        check_captions([[True]], [[[1]]], check_token_ids)
