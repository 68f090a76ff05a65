"""Pooling against torch's own."""

from __future__ import annotations

import doctest

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from captionlab.convnets import pooling
from captionlab.convnets.pooling import pool2d


def test_examples_of_the_docstring():
    assert doctest.testmod(pooling).failed == 0


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 9), st.integers(0, 9), st.integers(0, 2**32))
def test_pooling_is_torchs(kernel, stride, more_rows, more_columns, seed):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(3, kernel + more_rows, kernel + more_columns, generator=generator) - 1
    torch.testing.assert_close(pool2d(maps, kernel, stride), F.max_pool2d(maps, kernel, stride))
    torch.testing.assert_close(pool2d(maps, kernel, stride, "average"), F.avg_pool2d(maps, kernel, stride))


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="'mean'"):
        pool2d(torch.zeros(1, 4, 4), 2, 2, mode="mean")


def test_gradients_pass():
    maps = torch.arange(16.0).reshape(1, 4, 4).requires_grad_()
    pool2d(maps, 2, 2).sum().backward()
    assert maps.grad.sum() == 4
