"""Figures of captioning (Lab 4): attention over the image, curves of training, attention inside objects' boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image

from captionlab.captioning.attention_maps import attention_heatmap
from captionlab.common.images import to_gray_or_rgb
from captionlab.plots.style import (
    BLACK,
    BLUE,
    COLORS,
    GRAY,
    Figure,
    add_grid,
    hide_spines,
    image_grid,
    left_title,
    new_figure,
    set_row_labels,
)

SIDE = 224  # pixels of each image


def attention_figure(image: Image.Image, words: Sequence[str], alphas: torch.Tensor, columns: int = 6) -> Figure:
    """The image, and then for each word where the model looked: bright where the attention weights are large.

    Args:
        image: of any size and mode.
        words: of the caption.
        alphas: ``(words, height, width)``, or ``(words, positions)`` of a square grid.
        columns: images per row.
    """
    pixels = np.asarray(to_gray_or_rgb(image).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)) / 255
    rows = -(-(len(words) + 1) // columns)
    figure = new_figure(2.0 * columns, 2.25 * rows)
    first, *others = image_grid(figure, rows, columns)
    first.imshow(pixels)
    first.set_title("image", fontsize=10, color=GRAY)
    for axes, word, alpha in zip(others, words, alphas, strict=False):
        share = attention_heatmap(alpha, SIDE).numpy()
        share = share / max(float(share.max()), 1e-9)
        axes.imshow(pixels * (0.25 + 0.75 * share[..., None]))
        axes.set_title(f"{word}  {float(alpha.max()):.2f}", fontsize=10)
    return figure


def curves_figure(histories: Mapping[str, Sequence[Mapping[str, float]]], title: str) -> Figure:
    """Loss (training dashed, dev solid) and BLEU-4 of several runs, epoch by epoch.

    Args:
        histories: for each run the rows of its ``history.csv``.
        title: over both panels.
    """
    figure = new_figure(10, 4)
    left, right = figure.subplots(1, 2)
    for at, (name, rows) in enumerate(histories.items()):
        color, epochs = COLORS[at % len(COLORS)], [row["epoch"] for row in rows]
        left.plot(epochs, [row["train_loss"] for row in rows], "--", color=color)
        left.plot(epochs, [row["dev_loss"] for row in rows], "-", color=color, label=name)
        right.plot(epochs, [row["dev_bleu4"] for row in rows], "o-", color=color, markersize=3, label=name)
    left.set(xlabel="epoch", ylabel="loss, nats per word (dashed: training)")
    right.set(xlabel="epoch", ylabel="BLEU-4, dev")
    right.legend(frameon=False, fontsize=9)
    for axes in (left, right):
        add_grid(axes, "y")
    left_title(figure, title)
    return figure


def attention_overlap_figure(rows: Sequence[Mapping], title: str) -> Figure:
    """For each noun the share of its attention inside its object's boxes, against the boxes' share of the image.

    Args:
        rows: one per noun, with ``word``, ``times``, ``inside`` and ``area``.
        title: over the bars.
    """
    figure = new_figure(8, 1.3 + 0.28 * len(rows))
    axes, positions = figure.subplots(), range(len(rows))
    axes.barh(positions, [row["inside"] for row in rows], color=BLUE, height=0.6, label="weight inside the box")
    areas = [row["area"] for row in rows]
    axes.plot(areas, positions, "|", color=BLACK, markersize=12, label="the box's share of the image")
    set_row_labels(axes, [f"{row['word']} ({row['times']})" for row in rows], fontsize=10)
    axes.set_xlim(0, 1)
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    hide_spines(axes)
    axes.tick_params(axis="y", length=0, labelcolor=GRAY)
    left_title(figure, title)
    return figure
