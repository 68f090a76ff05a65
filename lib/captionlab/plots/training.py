"""Figures of training (Lab 3): augmented images, curves by epoch, drifting batch statistics, compared methods."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike

from captionlab.plots.style import (
    BLACK,
    BLUE,
    COLORS,
    GRAY,
    LINES,
    Figure,
    add_grid,
    hide_spines,
    image_grid,
    new_figure,
    series_style,
    set_row_labels,
)
from captionlab.vision.images import IMAGENET_MEAN, IMAGENET_STD

History = Sequence[Mapping[str, float]]


def pixels_of(image: ArrayLike) -> np.ndarray:
    """Undo a network's normalization, to show its input.

    Args:
        image: ``(3, height, width)``, normalized with ImageNet's mean and standard deviation.

    Returns:
        ``(height, width, 3)``, from 0 to 1.

    Raises:
        ValueError: if the image has another shape.
    """
    values = np.asarray(image, dtype=float)
    if values.ndim != 3 or values.shape[0] != 3:
        raise ValueError(f"found an image of shape {values.shape}, expected (3, height, width): take one of the batch")
    return np.clip(values.transpose(1, 2, 0) * IMAGENET_STD + IMAGENET_MEAN, 0, 1)


def augmentation_grid(rows: Sequence[Sequence[Any]], titles: Sequence[str], title: str = "") -> Figure:
    """Images in rows, one row for an original and what the pipelines make of it.

    Args:
        rows: for each original its images, the same number in every row: ``(height, width, 3)``, uint8 or from 0 to 1,
            or a network's normalized inputs ``(3, height, width)``.
        titles: one above each column; a title repeated in neighboring columns is written once.
        title: over all rows.

    Raises:
        ValueError: if there are no rows, or a row does not have one image for each title.
    """
    if not len(rows) or any(len(row) != len(titles) for row in rows):
        found = [len(row) for row in rows]
        raise ValueError(
            f"found rows of {found} images for {len(titles)} titles: give at least one row, with one image per title"
        )
    figure = new_figure(1.25 * len(titles), 1.25 * len(rows) + (0.45 if title else 0.3))
    grid = image_grid(figure, len(rows), len(titles))
    for axes, image in zip(grid, (image for row in rows for image in row), strict=True):
        shape = np.shape(image)
        is_input = shape[0] == 3 and shape[-1] != 3
        axes.imshow(pixels_of(image) if is_input else np.asarray(image), interpolation="nearest")
    for at, text in enumerate(titles):
        if at == 0 or titles[at - 1] != text:
            grid[at].set_title(text, fontsize=9, loc="left")
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def training_curves(runs: Mapping[str, History], title: str = "") -> Figure:
    """Losses and validation accuracy by epoch; a ring marks each run's best epoch, from which the weights are kept.

    Args:
        runs: name of a run and its epochs, each with ``train_loss``, ``validation_loss`` (nats) and
            ``validation_accuracy`` (0 to 1). The first best epoch is marked.
        title: over both panels.

    Raises:
        ValueError: if there are no runs, or one has no epochs.
    """
    if not runs or not all(len(history) for history in runs.values()):
        raise ValueError(f"found the runs {list(runs)}: give at least one, each with at least one epoch")
    figure = new_figure(11, 3.6)
    losses, accuracies = loss_and_accuracy_axes(figure, "validation accuracy; ring: best epoch")
    for at, (name, history) in enumerate(runs.items()):
        style = series_style(at)
        epochs = np.arange(1, len(history) + 1)
        train, held_out, accuracy = (
            np.array([epoch[key] for epoch in history])
            for key in ("train_loss", "validation_loss", "validation_accuracy")
        )
        best = int(accuracy.argmax())
        losses.plot(epochs, train, color=style["color"], linestyle="--", linewidth=1.2)
        losses.plot(epochs, held_out, **style, markersize=3.5)
        accuracies.plot(epochs, accuracy, **style, markersize=3.5, label=name)
        for axes, values in ((losses, held_out), (accuracies, accuracy)):
            axes.plot(epochs[best], values[best], "o", markersize=11, fillstyle="none", color=style["color"])
    accuracies.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def loss_and_accuracy_axes(figure: Figure, accuracy_title: str) -> tuple[Axes, Axes]:
    """Empty panels by epoch, to be filled: losses on a logarithmic axis, and accuracies."""
    losses, accuracies = figure.subplots(1, 2)
    losses.set_yscale("log")  # one run that diverges would flatten all others
    losses.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    losses.yaxis.set_major_formatter("{x:g}")
    losses.yaxis.set_minor_formatter(NullFormatter())
    losses.set(xlabel="epoch", ylabel="cross-entropy (nats)", title="loss: validation solid, training dashed")
    accuracies.set(xlabel="epoch", ylabel="accuracy", title=accuracy_title)
    for axes in (losses, accuracies):
        add_grid(axes)
        axes.title.set_fontsize(10)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return losses, accuracies


def statistics_drift(
    drifts: Mapping[str, Sequence[float]], accuracies: Mapping[str, Sequence[float]], batches: Sequence[int]
) -> Figure:
    """How far batch statistics move from the pretrained ones, batch by batch, and what this does to an accuracy.

    Args:
        drifts: by name, relative distances after so many batches.
        accuracies: by the same names, accuracies (0 to 1) after as many batches.
        batches: the number of batches for each value.

    Raises:
        ValueError: if the names, or the numbers of values, differ.
    """
    lengths = [{name: len(values) for name, values in part.items()} for part in (drifts, accuracies)]
    if not drifts or lengths[0] != lengths[1] or set(lengths[0].values()) != {len(batches)}:
        found = f"{lengths[0]} distances, {lengths[1]} accuracies and {len(batches)} numbers of batches"
        raise ValueError(f"found {found}: give as many of each, by name")
    figure = new_figure(10, 3.4)
    left, right = figure.subplots(1, 2)
    for axes, part in ((left, drifts), (right, accuracies)):
        for at, (name, values) in enumerate(part.items()):
            color, dashes = COLORS[at % len(COLORS)], LINES[at % len(LINES)]
            axes.plot(batches, values, color=color, linestyle=dashes, linewidth=2, label=name)
        add_grid(axes)
        axes.set_xlabel("batches")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set(title="batch statistics: distance from the pretrained ones", ylabel="relative distance")
    right.set(title="accuracy with the same weights", ylabel="accuracy")
    lowest = min(min(values) for values in accuracies.values())
    right.set_ylim(min(0.75, lowest - 0.02), 1)  # not so close that one percent looks like a collapse
    left.legend(fontsize=8, frameon=False)
    for axes in (left, right):
        axes.title.set_fontsize(10)
    return figure


def method_bars(
    results: Mapping[str, Sequence[float]], title: str = "", chance: float | None = 0.5, **options: Any
) -> Figure:
    """A score of each method: its mean as a bar, every run as a dot, mean and standard deviation in numbers.

    Args:
        results, title, chance, options: see :func:`draw_method_bars`.

    Raises:
        ValueError: if there are no methods, or one has no scores.
    """
    figure = new_figure(9, 0.9 + 0.42 * len(results))
    draw_method_bars(figure.subplots(), results, title, chance, **options)
    return figure


def draw_method_bars(
    axes: Axes,
    results: Mapping[str, Sequence[float]],
    title: str = "",
    chance: float | None = 0.5,
    *,
    xlabel: str = "test accuracy (one dot per run)",
    limits: tuple[float, float] = (0, 1),
    digits: int = 3,
    baselines: Collection[str] = (),
) -> None:
    """Draw what :func:`method_bars` shows into given axes.

    Args:
        axes: where.
        results: by name, the scores of all runs; a single run has no standard deviation.
        title: above the bars.
        chance: accuracy of guessing, drawn as a dashed line; None for no line.
        xlabel: what the score is.
        limits: of the axis of scores.
        digits: decimals of the numbers.
        baselines: names of methods whose bars are gray.

    Raises:
        ValueError: if there are no methods, or one has no scores.
    """
    if not results or not all(len(values) for values in results.values()):
        raise ValueError(f"found the methods {list(results)}: give at least one, each with at least one score")
    for at, (name, values) in enumerate(results.items()):
        mean = float(np.mean(values))
        axes.barh(at, mean, color=GRAY if name in baselines else BLUE, alpha=0.45, height=0.68)
        # Spread vertically, so that equal scores do not hide each other.
        axes.plot(values, at + np.linspace(-0.2, 0.2, len(values) + 2)[1:-1], "o", color=BLACK, markersize=3.5)
        spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
        text = f"{mean:.{digits}f}{spread}"
        axes.annotate(text, (1.01, at), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    set_row_labels(axes, list(results), fontsize=9)
    if chance is not None:
        axes.axvline(chance, color=GRAY, linestyle="--", linewidth=1)
        axes.annotate("chance", (chance, len(results) - 0.45), xytext=(3, 0), textcoords="offset points", fontsize=8)
    axes.set(xlim=limits, ylim=(len(results) - 0.2, -0.6), xlabel=xlabel)
    axes.set_title(title, fontsize=10)
    hide_spines(axes, "left")
    axes.tick_params(axis="y", length=0)


def method_panels(
    panels: Mapping[str, Mapping[str, Sequence[float]]], chances: Sequence[float], baselines: Collection[str] = ()
) -> Figure:
    """Bars as in :func:`method_bars`, one panel per data set.

    Args:
        panels: by the panel's title, the scores of each method.
        chances: accuracy of guessing in each panel.
        baselines: names of methods whose bars are gray.
    """
    figure = new_figure(8 * len(panels), 0.9 + 0.32 * max(map(len, panels.values())))
    for axes, (title, results), chance in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), chances, strict=True
    ):
        draw_method_bars(axes, results, title, chance, baselines=baselines)
    return figure
