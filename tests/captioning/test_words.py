"""Tokens, vocabulary, top-k accuracy, BLEU."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from captionlab.captioning.metrics import bleu, top_k_accuracy
from captionlab.captioning.text import tokenize
from captionlab.captioning.vocabulary import SPECIALS, Vocabulary, choose_words, decode, encode

CAPTIONS = [["a", "dog", "runs"], ["a", "cat"], ["the", "dog"]]


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("A man's T-shirt , 2 dogs .", ["a", "man's", "t", "shirt", "2", "dogs"]),
        ("  ...!? ", []),
        ("", []),
        ("Der Käse_'test'", ["der", "käse", "test"]),
    ],
)
def test_tokens(caption, words):
    assert tokenize(caption) == words


def test_frequent_words_first_then_the_alphabet():
    assert choose_words(CAPTIONS) == ["a", "dog", "cat", "runs", "the"]
    assert choose_words(CAPTIONS, min_word_freq=2) == ["a", "dog"]
    assert choose_words(CAPTIONS, max_vocab_size=3) == ["a", "dog", "cat"]
    assert choose_words([["<start>", "a"]]) == ["a"]


@given(st.lists(st.sampled_from("abcxyz"), max_size=12), st.integers(2, 9))
def test_encoding_has_its_length_begins_and_ends_and_decodes_to_what_fits(tokens, length):
    vocabulary = Vocabulary(["a", "b", "c"])
    numbers = vocabulary.encode(tokens, length)
    assert len(numbers) == length
    assert numbers[0] == 1
    assert numbers.count(2) == 1
    kept = tokens[: length - 2]
    assert vocabulary.decode(numbers) == [token if token in "abc" else "<unk>" for token in kept]
    assert vocabulary.encode(tokens) == vocabulary.encode(tokens, len(tokens) + 2)


def test_edges_of_encoding():
    ids = {word: number for number, word in enumerate((*SPECIALS, "a"))}
    assert encode(["a", "a", "a"], ids, 2) == [1, 2]
    with pytest.raises(ValueError, match="max_length is 1"):
        encode(["a"], ids, 1)
    assert decode([1, 4, 4], [*SPECIALS, "a"]) == ["a", "a"]


def test_vocabulary_goes_through_json_and_refuses_other_values():
    vocabulary = Vocabulary.from_captions(CAPTIONS, min_word_freq=2)
    assert Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json()))).words == vocabulary.words
    assert len(vocabulary) == 6
    for value in ({}, None, {"format": 99, "words": []}):
        with pytest.raises(ValueError, match="no vocabulary of format"):
            Vocabulary.from_json(value)
    with pytest.raises(ValueError, match="contains 3 among its words: expected texts"):
        Vocabulary.from_json({"format": 1, "words": ["a", 3]})
    with pytest.raises(ValueError, match="twice"):
        Vocabulary(["a", "a"])
    with pytest.raises(ValueError, match="9 times"):
        Vocabulary.from_captions(CAPTIONS, min_word_freq=9)


def test_top_k():
    scores = torch.tensor([[[0.0, 3.0, 2.0, 1.0], [0.0, 1.0, 2.0, 3.0]]])
    assert top_k_accuracy(scores, torch.tensor([[2, 0]]), k=2) == 1
    assert top_k_accuracy(scores, torch.tensor([[2, 0]]), k=1) == 0
    assert top_k_accuracy(scores, torch.tensor([[2, 3]]), k=1) == 0.5


def test_bleu_uses_all_references_and_counts_no_special_words():
    dog = ["a", "dog", "runs", "in", "grass"]
    assert bleu([dog], [[["it"], dog]]) == [1.0] * 4
    assert bleu([["<start>", *dog, "<end>"]], [[[*dog, "<end>", "<pad>"]]]) == [1.0] * 4
    half = bleu([["a", "dog", "sits", "on", "grass"]], [[dog]])
    assert half[0] == pytest.approx(0.6)
    assert half[3] < 1e-60  # no run of four words is right, and nothing is smoothed
    with pytest.raises(ValueError, match="1 captions, but references of 2"):
        bleu([dog], [[dog], [dog]])
    with pytest.raises(ValueError, match="no reference"):
        bleu([dog], [[]])
