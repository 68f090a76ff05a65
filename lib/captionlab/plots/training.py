"""Pictures of Lab 3: augmented images, training curves, drifting statistics, compared methods. Data in, a figure out.

Every function returns a picture that a notebook shows when it is the last value of a cell and that
``picture.savefig(path)`` writes; pyplot's global state is not touched, so the same data give the same bytes.

Colors: M. Okabe and K. Ito, "Color Universal Design", 2008; lines differ in more than their color.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from captionlab.plots.convnets import BLUE, GRAY, GREEN, ORANGE, VERMILION, Picture
from captionlab.vision.images import IMAGENET_MEAN, IMAGENET_STD

COLORS = (BLUE, VERMILION, GREEN, ORANGE, "#CC79A7", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 3)), (0, (8, 2)))


def pixels_of(image) -> np.ndarray:
    """A network's input as a picture again: (3, height, width), normalized, to (height, width, 3) floats in 0..1."""
    values = np.asarray(image, dtype=float)
    if values.ndim != 3 or values.shape[0] != 3:
        raise ValueError(f"found an image of shape {values.shape}, expected (3, height, width): take one of the batch")
    return np.clip(values.transpose(1, 2, 0) * IMAGENET_STD + IMAGENET_MEAN, 0, 1)


def augmentation_grid(rows: Sequence[Sequence], titles: Sequence[str], title: str = "") -> Picture:
    """Pictures in rows, one row for an original and what the pipelines make of it.

    Args:
        rows: of each original its images: (height, width, 3) in uint8 or 0..1 as they are, or a network's inputs
            (3, height, width), which are shown as pictures again. All rows are of one length.
        titles: one above each column; the same title in neighboring columns is written once.

    Raises:
        ValueError: if there are no rows, or a row has not one image for each title.
    """
    if not len(rows) or any(len(row) != len(titles) for row in rows):
        found = [len(row) for row in rows]
        raise ValueError(
            f"found rows of {found} images for {len(titles)} titles: give as many to each row, at least one"
        )
    picture = _picture(1.25 * len(titles), 1.25 * len(rows) + (0.45 if title else 0.3))
    grid = picture.subplots(len(rows), len(titles), squeeze=False)
    for axes, image in zip(grid.ravel(), (image for row in rows for image in row), strict=True):
        shape = np.shape(image)
        axes.imshow(
            pixels_of(image) if shape[0] == 3 and shape[-1] != 3 else np.asarray(image), interpolation="nearest"
        )
        axes.set_axis_off()
    for at, (axes, text) in enumerate(zip(grid[0], titles, strict=True)):
        if at == 0 or titles[at - 1] != text:
            axes.set_title(text, fontsize=9, loc="left")
    if title:
        picture.suptitle(title, fontsize=10)
    return picture


def training_curves(runs: Mapping[str, Sequence[Mapping[str, float]]], title: str = "") -> Picture:
    """Losses and validation accuracy, epoch by epoch; a ring marks each run's best epoch, whose weights are kept.

    Args:
        runs: name of a run and its epochs, each with ``train_loss``, ``validation_loss`` (nats) and
            ``validation_accuracy`` (0 to 1). The first best epoch is marked.

    Raises:
        ValueError: if there are no runs, or one has no epochs.
    """
    if not runs or not all(len(history) for history in runs.values()):
        raise ValueError(f"found the runs {list(runs)}: give at least one, each with at least one epoch")
    picture = _picture(11, 3.6)
    losses, accuracies = picture.subplots(1, 2)
    for at, (name, history) in enumerate(runs.items()):
        color, marker = COLORS[at % len(COLORS)], MARKERS[at % len(MARKERS)]
        epochs = np.arange(1, len(history) + 1)
        train, held, accuracy = (
            np.array([epoch[key] for epoch in history])
            for key in ("train_loss", "validation_loss", "validation_accuracy")
        )
        best = int(accuracy.argmax())
        losses.plot(epochs, train, color=color, linestyle="--", linewidth=1.2)
        losses.plot(epochs, held, color=color, marker=marker, markersize=3.5)
        accuracies.plot(epochs, accuracy, color=color, marker=marker, markersize=3.5, label=name)
        for axes, values in ((losses, held), (accuracies, accuracy)):
            axes.plot(epochs[best], values[best], "o", markersize=11, fillstyle="none", color=color)
    losses.set_yscale("log")  # one run that goes astray would flatten all others
    losses.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    losses.yaxis.set_major_formatter("{x:g}")
    losses.yaxis.set_minor_formatter(NullFormatter())
    losses.set(xlabel="epoch", ylabel="cross-entropy (nats)", title="loss: validation solid, training dashed")
    accuracies.set(xlabel="epoch", ylabel="accuracy", title="validation accuracy; ring: best epoch")
    for axes in (losses, accuracies):
        _tidy(axes)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    accuracies.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    if title:
        picture.suptitle(title, fontsize=10)
    return picture


def statistics_drift(
    drifts: Mapping[str, Sequence[float]], accuracies: Mapping[str, Sequence[float]], batches: Sequence[int]
) -> Picture:
    """How far batch statistics move from those of the pretraining, step by step, and what it does to an accuracy.

    Args:
        drifts: name and relative distance after so many batches.
        accuracies: the same names, accuracy (0 to 1) after as many.
        batches: how many batches, for each value.

    Raises:
        ValueError: if the names, or the numbers of values, differ.
    """
    lengths = [{name: len(values) for name, values in part.items()} for part in (drifts, accuracies)]
    if not drifts or lengths[0] != lengths[1] or set(lengths[0].values()) != {len(batches)}:
        found = f"{lengths[0]} distances, {lengths[1]} accuracies and {len(batches)} numbers of batches"
        raise ValueError(f"found {found}: give as many of each, by name")
    picture = _picture(10, 3.4)
    for axes, part in zip(picture.subplots(1, 2), (drifts, accuracies), strict=True):
        for at, (name, values) in enumerate(part.items()):
            axes.plot(
                batches,
                values,
                color=COLORS[at % len(COLORS)],
                linestyle=LINES[at % len(LINES)],
                linewidth=2,
                label=name,
            )
        axes.set_xlabel("batches")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    left, right = picture.axes
    left.set(title="batch statistics: distance from the pretrained ones", ylabel="relative distance")
    right.set(title="accuracy with the same weights", ylabel="accuracy")
    lowest = min(min(values) for values in accuracies.values())
    right.set_ylim(min(0.75, lowest - 0.02), 1)  # not so close that a percent looks like a collapse
    left.legend(fontsize=8, frameon=False)
    for axes in (left, right):
        _tidy(axes)
    return picture


def method_bars(results: Mapping[str, Sequence[float]], title: str = "", chance: float = 0.5) -> Picture:
    """Test accuracy of each method: its mean as a bar, every run as a dot, mean and standard deviation in words.

    Args:
        results: name and accuracies (0 to 1), one for each run; a single one has no spread.
        chance: accuracy of guessing, a dashed line.

    Raises:
        ValueError: if there are no methods, or one has no accuracies.
    """
    if not results or not all(len(values) for values in results.values()):
        raise ValueError(f"found the methods {list(results)}: give at least one, each with at least one accuracy")
    picture = _picture(9, 0.9 + 0.42 * len(results))
    axes = picture.subplots()
    for at, values in enumerate(results.values()):
        mean = float(np.mean(values))
        axes.barh(at, mean, color=BLUE, alpha=0.45, height=0.68)
        # Side by side, not on top of each other, where runs agree.
        axes.plot(values, at + np.linspace(-0.2, 0.2, len(values) + 2)[1:-1], "o", color="black", markersize=3.5)
        spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
        axes.annotate(f"{mean:.3f}{spread}", (1.01, at), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    axes.axvline(chance, color=GRAY, linestyle="--", linewidth=1)
    axes.annotate("chance", (chance, len(results) - 0.45), xytext=(3, 0), textcoords="offset points", fontsize=8)
    axes.set(xlim=(0, 1), ylim=(len(results) - 0.2, -0.6), xlabel="test accuracy (dots: runs)")
    axes.set_yticks(range(len(results)), list(results), fontsize=9)
    axes.set_title(title, fontsize=10)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return picture


def _picture(width: float, height: float) -> Picture:
    """An empty picture; sizes in inches, 100 pixels each."""
    return Picture(figsize=(width, height), dpi=100, layout="constrained")


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    axes.title.set_fontsize(10)
