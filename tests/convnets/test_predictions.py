"""Softmax and top classes against SciPy and NumPy."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from captionlab.convnets import predictions
from captionlab.convnets.predictions import softmax, top_predictions

scores_in_float64 = hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=6), elements=st.floats(-1000, 1000))


def test_examples_of_the_docstrings():
    assert doctest.testmod(predictions).failed == 0


@settings(deadline=None, max_examples=80)
@given(scores_in_float64)
def test_softmax_is_scipys(scores):
    probabilities = softmax(torch.from_numpy(scores)).numpy()
    np.testing.assert_allclose(probabilities, scipy.special.softmax(scores, axis=-1), rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(probabilities.sum(-1), 1)


def test_softmax_leaves_its_scores_alone():
    scores = torch.tensor([1.0, 2.0, 3.0])
    softmax(scores)
    assert scores.tolist() == [1.0, 2.0, 3.0]


@settings(deadline=None, max_examples=40)
@given(st.permutations(range(7)), st.integers(1, 7))
def test_top_predictions_are_the_best_in_order(levels, k):
    scores = torch.tensor(levels, dtype=torch.float32)
    names = [f"class {level}" for level in levels]
    top = top_predictions(scores, names, k)
    assert [name for name, _ in top] == [f"class {level}" for level in (6, 5, 4, 3, 2, 1, 0)[:k]]
    expected = np.sort(scipy.special.softmax(scores.numpy()))[::-1][:k]
    np.testing.assert_allclose([probability for _, probability in top], expected, rtol=1e-5)


def test_top_predictions_are_plain_values():
    top = top_predictions(torch.randn(9), [f"class {index}" for index in range(9)])
    assert len(top) == 5
    assert all(type(name) is str and type(probability) is float for name, probability in top)


def test_all_classes_together_are_certain():
    top = top_predictions(torch.randn(6), list("abcdef"), k=6)
    assert sum(probability for _, probability in top) == pytest.approx(1)


@pytest.mark.parametrize(
    ("logits", "categories", "k", "message"),
    [
        (torch.rand(1, 3), ["a", "b", "c"], 1, r"shape \(1, 3\).*expected a floating-point tensor \(categories,\)"),
        (torch.tensor([1, 2, 3]), ["a", "b", "c"], 1, "int64, expected a floating-point tensor"),
        ([0.1, 0.2], ["a", "b"], 1, "logits is a list of length 2"),
        (torch.rand(3), ["a", "b", "c", "d"], 1, "3 logits and 4 categories"),  # would name other classes
        (torch.rand(3), "abc", 1, "categories is a str, 'abc', expected a list of names"),
        (torch.rand(3), ["a", "b", "c"], 4, "k is 4, expected a number from 1 to 3"),
        (torch.rand(3), ["a", "b", "c"], 0, "k is 0"),
        (torch.tensor([1.0, torch.nan]), ["a", "b"], 1, "1 of 2 logits are NaN"),
    ],
)
def test_no_names_for_logits_that_do_not_fit_them(logits, categories, k, message):
    with pytest.raises((TypeError, ValueError), match=message):
        top_predictions(logits, categories, k)
