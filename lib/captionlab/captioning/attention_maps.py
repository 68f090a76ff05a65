"""Attention weights as maps of the size of the image."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F


def upsample_attention(alpha: torch.Tensor, size: int) -> torch.Tensor:
    """Upsample the attention weights of a square grid to the size of the image, by interpolation.

    Args:
        alpha: ``(positions,)``: the weights, row by row of the grid; the number of positions is a square.
        size: height and width of the result, pixels.

    Returns:
        ``(size, size)``, float32: bilinear interpolation with each weight in the middle of its cell
        (``torch.nn.functional.interpolate`` with ``align_corners=False``). The values are not rescaled.

    Raises:
        ValueError: if the number of positions is not a square.

    Example:
        >>> upsample_attention(torch.tensor([0.0, 1.0, 0.0, 0.0]), 4)  # the upper right position has all the weight
        tensor([[0.0000, 0.2500, 0.7500, 1.0000],
                [0.0000, 0.1875, 0.5625, 0.7500],
                [0.0000, 0.0625, 0.1875, 0.2500],
                [0.0000, 0.0000, 0.0000, 0.0000]])
    """
    side = math.isqrt(len(alpha))
    if side * side != len(alpha):
        raise ValueError(f"found {len(alpha)} positions, expected a square number, such as 49 for a grid of 7x7")
    grid = torch.as_tensor(alpha, dtype=torch.float32).reshape(1, 1, side, side)  # (1, 1, height, width)
    return F.interpolate(grid, size=(size, size), mode="bilinear", align_corners=False)[0, 0]  # (size, size)


def attention_heatmap(alpha: torch.Tensor, size: int) -> torch.Tensor:
    """As :func:`upsample_attention`, for grids of any shape.

    Args:
        alpha: ``(height, width)``, or ``(positions,)`` of a square grid.
        size: height and width of the result, pixels.

    Returns:
        ``(size, size)``, float32.

    Raises:
        ValueError: if the number of positions is not a square.
    """
    if alpha.ndim == 1:
        return upsample_attention(alpha, size)
    grid = alpha[None, None].float()  # (1, 1, height, width)
    return F.interpolate(grid, size=(size, size), mode="bilinear", align_corners=False)[0, 0]
