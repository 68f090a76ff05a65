"""The validation part: stratified, disjoint, complete, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from captionlab.transfer.splitting import split_train_validation


@given(
    counts=st.lists(st.integers(2, 40), min_size=1, max_size=5),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**31),
)
def test_every_image_once_and_every_class_in_both(counts: list[int], fraction: float, seed: int):
    labels = np.random.default_rng(seed).permutation(np.repeat(10 * np.arange(len(counts)), counts))
    train, validation = split_train_validation(labels, fraction, seed)
    assert sorted(train + validation) == list(range(len(labels)))
    assert train == sorted(train)
    assert validation == sorted(validation)
    for number, count in enumerate(counts):
        expected = min(max(int(fraction * count + 0.5), 1), count - 1)
        assert (labels[validation] == 10 * number).sum() == expected


def test_plain_integers_and_any_sequence():
    labels = [3, 3, 1, 1, 1, 3]
    split = split_train_validation(labels, 0.5, 4)
    assert all(type(index) is int for part in split for index in part)
    assert split == split_train_validation(np.array(labels), 0.5, 4)
    assert split == split_train_validation(torch.tensor(labels), 0.5, 4)


def test_seeds():
    labels = [0, 1] * 50
    splits = [split_train_validation(labels, 0.2, seed) for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]
    state = np.random.get_state()[1].copy()
    split_train_validation(labels, 0.2, 5)
    assert np.array_equal(np.random.get_state()[1], state)


def test_a_class_with_one_image():
    with pytest.raises(ValueError, match="class 7 has 1 image"):
        split_train_validation([0, 0, 7], 0.5, 0)
