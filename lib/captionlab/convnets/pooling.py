"""Spatial pooling, written out."""

from __future__ import annotations

import torch


def pool2d(maps: torch.Tensor, kernel: int, stride: int, mode: str = "max") -> torch.Tensor:
    """Max or average pooling of feature maps.

    A window of ``kernel`` by ``kernel`` pixels moves over each map in steps of ``stride`` pixels, down and across,
    and each position gives one number. There is no padding; a window that would stick out is not used.

    Args:
        maps: ``(channels, height, width)``, floating point, any values (negative ones too).
        kernel: height and width of the window, in pixels; at most the height and the width of the maps.
        stride: step of the window in both directions, in pixels; may be smaller or larger than the window.
        mode: ``"max"`` for the largest value of each window, ``"average"`` for their mean.

    Returns:
        ``(channels, out_height, out_width)``, the pooled maps.

    Raises:
        ValueError: if ``mode`` is neither ``"max"`` nor ``"average"``.

    Example:
        >>> maps = torch.tensor([[[1.0, 2.0, 0.0], [3.0, 4.0, 8.0]]])
        >>> pool2d(maps, kernel=2, stride=1)
        tensor([[[4., 8.]]])
        >>> pool2d(maps, kernel=2, stride=1, mode="average")
        tensor([[[2.5000, 3.5000]]])

    Source: Goodfellow, Bengio and Courville 2016, "Deep Learning", section 9.3.
    """
    if mode not in ("max", "average"):
        raise ValueError(f'mode is {mode!r}, but must be "max" or "average"')
    windows = maps.unfold(1, kernel, stride).unfold(2, kernel, stride)  # (channels, out_h, out_w, kernel, kernel)
    return windows.amax(dim=(3, 4)) if mode == "max" else windows.mean(dim=(3, 4))
