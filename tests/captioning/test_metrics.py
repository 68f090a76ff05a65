"""Metrics give a number for right arguments only."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from captionlab.captioning.loss import attention_penalty, caption_loss
from captionlab.captioning.metrics import bleu, top_k_accuracy
from captionlab.captioning.self_critical import rewards

DOG = ["a", "dog", "runs", "on", "grass"]


@pytest.mark.parametrize(
    ("candidates", "references", "message"),
    [
        # lines instead of lists of words: letters have n-grams, too
        (["a dog runs on grass"], [["a dog runs on grass today"]], r"candidates\[0\] is a str, 'a dog.*line\.split"),
        ([DOG], [["a dog runs on grass"]], r"references\[0\]\[0\] is a str, 'a dog runs on grass'"),
        ([["a dog runs"]], [[["a dog runs"]]], "expected a single word"),
        ([list("a dog")], [[list("a dog")]], r"candidates\[0\]\[1\] is a str, ' ', expected a single word"),
        ([DOG], [DOG], r"references\[0\]\[0\] is a str, 'a', expected a list of words: references has a list for each"),
        (DOG, [DOG], r"candidates\[0\] is a str, 'a'"),
        ([DOG], [[[DOG]]], r"references\[0\]\[0\]\[0\] is a list of length 5, expected a word"),
        ([[DOG]], [[DOG]], r"candidates\[0\]\[0\] is a list of length 5, expected a word"),
        ([[4, 5]], [[[4, 5]]], r"candidates\[0\]\[0\] is an int, 4, expected a word"),
        ([DOG, None], [[DOG], [DOG]], r"candidates\[1\] is None"),
        ([[b"a"]], [[[b"a"]]], r"candidates\[0\]\[0\] is a bytes, b'a'"),
        (np.array([DOG]), [[DOG]], r"candidates is a ndarray of shape \(1, 5\)"),
        ([np.array(DOG)], [[DOG]], r"candidates\[0\] is a ndarray"),
        ((one for one in [DOG]), [[DOG]], "candidates is a generator"),
        ([(word for word in DOG)], [[DOG]], r"candidates\[0\] is a generator"),
        ({"1.jpg": DOG}, {"1.jpg": [DOG]}, "candidates is a dict"),
        ([], [], "candidates is empty"),
        ([[*DOG, float("nan")]], [[DOG]], r"candidates\[0\]\[5\] is a float, nan"),
    ],
)
def test_bleu_refuses_what_is_no_list_of_words(candidates, references, message):
    with pytest.raises((TypeError, ValueError), match=message):
        bleu(candidates, references)


def test_bleu_takes_lists_and_tuples_of_any_words():
    words = ("room", "42", "—", "naïve", "<unk>", "猫")
    assert bleu([words], ((list(words), ()),)) == [1.0] * 4
    assert bleu(candidates=[["<start>", *DOG, "<end>", "<pad>"]], references=[[DOG]]) == [1.0] * 4


LOGITS, TARGETS = torch.randn(2, 3, 7), torch.tensor([[4, 5, 0], [6, 0, 0]])


@pytest.mark.parametrize(
    ("logits", "targets", "message"),
    [
        (LOGITS, torch.nn.functional.one_hot(TARGETS, 7), r"targets \(2, 3, 7\).*not one-hot"),
        (LOGITS, TARGETS.float(), r"targets is a Tensor of shape \(2, 3\) and type torch.float32, expected .*int64"),
        (LOGITS.flatten(0, 1), TARGETS.flatten(), r"logits has shape \(6, 7\)"),
        (LOGITS[:, :2], TARGETS, r"logits has shape \(2, 2, 7\) and targets \(2, 3\)"),
        (LOGITS.argmax(2), TARGETS, "logits is a Tensor of shape .*int64, expected a floating-point tensor"),
        (LOGITS.numpy(), TARGETS, "logits is a ndarray"),
        (LOGITS, TARGETS.tolist(), "targets is a list"),
        (LOGITS, torch.zeros_like(TARGETS), "nothing but padding"),
        (LOGITS[..., :5], TARGETS, "targets holds ids from 4 to 6, expected 0 to 4"),
        (LOGITS[:0], TARGETS[:0], "nothing but padding"),
        (None, None, "logits is None"),
    ],
)
def test_logits_and_targets_that_do_not_fit_give_no_number(logits, targets, message):
    for metric in (caption_loss, lambda *given: top_k_accuracy(*given, k=1)):
        with pytest.raises((TypeError, ValueError), match=message):
            metric(logits, targets)


def test_top_k_accuracy_refuses_nan_and_a_k_out_of_range():
    with pytest.raises(ValueError, match="1 of 42 logits are NaN"):
        top_k_accuracy(torch.where(torch.arange(42).view(2, 3, 7) == 8, torch.nan, LOGITS), TARGETS)
    for k in (0, 8):
        with pytest.raises(ValueError, match=f"k is {k}, expected a number from 1 to 7"):
            top_k_accuracy(LOGITS, TARGETS, k=k)
    assert top_k_accuracy(LOGITS.masked_fill(torch.arange(7) == 1, -torch.inf), TARGETS, k=7) == 1.0


def test_the_gradient_passes_the_checks():
    logits = LOGITS.clone().requires_grad_()
    caption_loss(logits, TARGETS).backward()
    assert logits.grad.abs().sum() > 0


def test_the_attention_penalty_is_for_three_dimensions():
    for wrong in (torch.rand(4, 5), torch.ones(1, 2, 3, dtype=torch.int64), [[[0.5, 0.5]]]):
        with pytest.raises(TypeError, match=r"alphas is .*, expected a floating-point tensor"):
            attention_penalty(wrong, "mean")


def test_rewards_are_for_token_ids_and_as_many_captions_as_were_sampled():
    references = [[[4, 5, 6]], [[4, 6], [5, 6]]]
    assert rewards([[4, 5], [4], [6], [5, 6]], references, 2).shape == (2, 2)
    with pytest.raises(TypeError, match=r"candidates\[0\]\[0\] is a str, 'dog', expected a token id"):
        rewards([["dog"], [4], [6], [5]], references, 2)
    with pytest.raises(TypeError, match=r"references\[0\]\[0\] is an int, 4, expected a list"):
        rewards([[4], [4], [6], [5]], [[4, 5], [6]], 2)
    with pytest.raises(ValueError, match="found 3 captions and references of 2 images, expected 2 captions per image"):
        rewards([[4], [4], [6]], references, 2)
