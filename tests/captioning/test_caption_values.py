"""Captions as datasets store them: every form gives the same captions, and what is dropped is counted."""

from __future__ import annotations

import json
import warnings

import pytest

from captionlab.captioning.caption_values import CaptionFilter, caption_list

CAPTIONS = ["A dog.", "Two [small] cats"]


@pytest.mark.parametrize(
    "value",
    [
        CAPTIONS,
        tuple(CAPTIONS),
        json.dumps(CAPTIONS),
        str(CAPTIONS),
        f" {json.dumps(CAPTIONS)}\n",
        [{"raw": text, "tokens": text.split()} for text in CAPTIONS],
        json.dumps([{"caption": text} for text in CAPTIONS]),
        [CAPTIONS[:1], CAPTIONS[1:]],
    ],
)
def test_every_form_gives_the_same_captions(value):
    assert caption_list(value) == CAPTIONS


def test_missing_captions_and_ordinary_texts_that_look_like_lists():
    assert caption_list([None, "A dog.", float("nan")]) == [None, "A dog.", None]
    assert caption_list(None) == [None]
    for text in ("[A dog]", "[1]", "[a] dog and [a] cat]", "", "[" * 100_000 + "]"):
        assert caption_list(text) == [text]


@pytest.mark.parametrize("value", [3, b"A dog.", [1.5], {"tokens": ["a"]}])
def test_other_values_are_refused(value):
    with pytest.raises(TypeError, match="expected a caption or a list of captions"):
        caption_list(value)


def test_captions_without_a_word_are_counted_and_the_first_is_named():
    caption_filter = CaptionFilter("toy")
    assert caption_filter.keep(["A dog.", None, " \u2028", "..."], "row 3 of a.parquet") == ["A dog."]
    with pytest.warns(UserWarning, match="3 of 4 captions of toy have no word .* first is None in row 3 of a.parquet"):
        caption_filter.report()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CaptionFilter("toy").report()
