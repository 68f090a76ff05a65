"""Attention shown word by word over the image, and curves of training."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from PIL import Image

BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#8C8C8C"  # Okabe and Ito's colours, told apart with any colour vision


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


def attention_figure(image: Image.Image, words: Sequence[str], alphas: torch.Tensor, columns: int = 6) -> Figure:
    """The image, and beside it for each word where the model looked: bright where the weights are large.

    Args:
        image: of any size and mode.
        words: of the caption.
        alphas: (words, positions).
        columns: pictures a row.
    """
    size = 224
    picture = np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)) / 255
    rows = -(-(len(words) + 1) // columns)
    figure = Figure(figsize=(2.0 * columns, 2.25 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.axis("off")
    panels[0].imshow(picture)
    panels[0].set_title("image", fontsize=10, color=GREY)
    for axes, word, alpha in zip(panels[1:], words, alphas, strict=False):
        share = enlarge_attention(alpha, size).numpy()
        share = share / max(float(share.max()), 1e-9)
        axes.imshow(picture * (0.25 + 0.75 * share[..., None]))
        axes.set_title(f"{word}  {float(alpha.max()):.2f}", fontsize=10)
    return figure


def curves_figure(histories: dict[str, Sequence[dict]], title: str) -> Figure:
    """Loss (training dashed, dev solid) and BLEU-4 of several runs, epoch by epoch.

    Args:
        histories: of each run the rows of its ``history.csv``.
    """
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for number, (name, rows) in enumerate(histories.items()):
        colour, epochs = f"C{number}", [row["epoch"] for row in rows]
        left.plot(epochs, [row["train_loss"] for row in rows], "--", color=colour)
        left.plot(epochs, [row["dev_loss"] for row in rows], "-", color=colour, label=name)
        right.plot(epochs, [row["dev_bleu4"] for row in rows], "o-", color=colour, markersize=3, label=name)
    left.set(xlabel="epoch", ylabel="loss, nats a word (dashed: training)")
    right.set(xlabel="epoch", ylabel="BLEU-4, dev")
    right.legend(frameon=False, fontsize=9)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.3)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure
