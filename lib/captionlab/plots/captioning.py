"""Attention shown word by word over the image, and curves of training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from captionlab.captioning.attention_maps import enlarge_attention

BLUE, ORANGE, GRAY = "#0072B2", "#E69F00", "#8C8C8C"  # Okabe and Ito's colors, told apart with any color vision


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
    panels[0].set_title("image", fontsize=10, color=GRAY)
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
        color, epochs = f"C{number}", [row["epoch"] for row in rows]
        left.plot(epochs, [row["train_loss"] for row in rows], "--", color=color)
        left.plot(epochs, [row["dev_loss"] for row in rows], "-", color=color, label=name)
        right.plot(epochs, [row["dev_bleu4"] for row in rows], "o-", color=color, markersize=3, label=name)
    left.set(xlabel="epoch", ylabel="loss, nats a word (dashed: training)")
    right.set(xlabel="epoch", ylabel="BLEU-4, dev")
    right.legend(frameon=False, fontsize=9)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.3)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure
