"""Attention weights as maps over the image."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F


def enlarge_attention(alpha, size):
    """Attention weights of a square grid as a map as large as the image, interpolated between the positions.

    Args:
        alpha: ``(positions,)``: the weights, row after row of the grid; the number of positions is a square.
        size: side of the map, pixels.

    Returns:
        ``(size, size)``, float32: bilinear interpolation, each weight in the middle of its cell, as
        ``torch.nn.functional.interpolate`` does with ``align_corners=False``. Weights stay weights: values are not
        scaled.

    Raises:
        ValueError: if the number of positions is no square.

    Example::

        enlarge_attention(torch.eye(49)[24], 224).argmax()  # in the middle: the 25th of 49 positions has all the weight
    """
    side = math.isqrt(len(alpha))
    if side * side != len(alpha):
        raise ValueError(f"found {len(alpha)} positions, expected a square number: 49 for a grid of 7x7")
    grid = torch.as_tensor(alpha, dtype=torch.float32).reshape(1, 1, side, side)
    return F.interpolate(grid, size=(size, size), mode="bilinear", align_corners=False)[0, 0]
