"""Figures of what a classifier on deep features does (Lab 2): images, mistakes, accuracies, choices.

Accuracies are shares from 0 to 1, times are seconds. The confusion matrix uses one hue from light to dark, with the
counts written in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.ticker import NullFormatter, NullLocator

from captionlab.plots.style import (
    BLUE,
    COLORS,
    GRAY,
    ORANGE,
    VERMILION,
    Figure,
    ImageLike,
    hide_spines,
    image_grid,
    new_figure,
    percent_ticks,
    series_style,
    set_row_labels,
    show_image,
)

# --- images -----------------------------------------------------------------------------------------------------------


def sample_grid(
    images: Sequence[ImageLike], labels: Sequence[int], classes: Sequence[str], each: int = 2, columns: int = 15
) -> Figure:
    """The first images of each class in a column, the class's name above them.

    Args:
        images: uint8, ``(height, width)`` or ``(height, width, 3)`` each.
        labels: class of each image, an index into ``classes``.
        classes: their names.
        each: images per class.
        columns: classes per row.

    Raises:
        ValueError: if there are no images, or not one label for each.
    """
    if not len(images) or len(images) != len(labels):
        raise ValueError(f"found {len(images)} images and {len(labels)} labels: give one label for each image")
    columns = min(columns, len(classes))
    rows = -(-len(classes) // columns)
    side = 11 / columns
    figure = new_figure(11, rows * (each * side + 0.3))
    grid = image_grid(figure, rows * each, columns)
    for label, name in enumerate(classes):
        chosen = [at for at, one in enumerate(labels) if one == label][:each]
        for row, at in enumerate(chosen):
            axes = grid[(label // columns * each + row) * columns + label % columns]
            axes.axis("on")
            _show_gray(axes, images[at], "" if row else name)
    return figure


def mistakes(
    images: Sequence[ImageLike],
    labels: Sequence[int],
    predictions: Sequence[int],
    classes: Sequence[str],
    count: int = 10,
    columns: int = 5,
) -> Figure:
    """Misclassified images: the true class above each, the predicted class below it in color.

    Args:
        images: as for :func:`sample_grid`.
        labels, predictions: true and predicted class of each image, indices into ``classes``.
        classes: their names.
        count: maximum number of images, spread evenly over all mistakes.
        columns: images per row.

    Raises:
        ValueError: if there is not one label and one prediction for each image, or nothing is wrong.
    """
    if not len(images) == len(labels) == len(predictions):
        found = f"{len(images)} images, {len(labels)} labels, {len(predictions)} predictions"
        raise ValueError(f"found {found}: give as many of each")
    wrong = np.flatnonzero(np.asarray(labels) != np.asarray(predictions))
    if not len(wrong):
        raise ValueError("no prediction is wrong: there is nothing to show")
    chosen = wrong[np.linspace(0, len(wrong) - 1, min(count, len(wrong))).round().astype(int)]
    rows = -(-len(chosen) // columns)
    figure = new_figure(2.0 * columns, 2.35 * rows + 0.3)
    for axes, at in zip(image_grid(figure, rows, columns), chosen, strict=False):
        axes.axis("on")
        _show_gray(axes, images[at], classes[labels[at]])
        axes.set_xlabel(f"predicted: {classes[predictions[at]]}", fontsize=7.5, color=VERMILION)
    figure.suptitle(f"{len(chosen)} of {len(wrong)} mistakes among {len(labels)} images", size=9)
    return figure


def _show_gray(axes: Axes, image: ImageLike, title: str) -> None:
    """On one scale for all images: 0 black, 255 white."""
    show_image(axes, image, title, fontsize=7.5, vmin=0, vmax=255)


# --- one classifier ---------------------------------------------------------------------------------------------------


def confusion(matrix: np.ndarray, classes: Sequence[str], title: str = "") -> Figure:
    """A confusion matrix: dark where a large share of a class's images went, the counts written in.

    Args:
        matrix: ``(classes, classes)`` counts; rows are true classes, columns predicted ones.
        classes: their names.
        title: the classifier; the accuracy is added to it.

    Raises:
        ValueError: if the matrix does not have one row and one column for each class.
    """
    matrix = np.asarray(matrix)
    side = 2.4 + 0.36 * len(classes)
    figure = new_figure(side + 1.0, side)
    axes = figure.subplots()
    shown = draw_confusion(axes, matrix, classes)
    accuracy = np.trace(matrix) / max(matrix.sum(), 1)
    axes.set_title(f"{title or 'Confusion matrix'}: {accuracy:.1%} of {matrix.sum():g} images right", fontsize=10)
    bar = figure.colorbar(shown, ax=axes, shrink=0.7, label="share of the class's images")
    percent_ticks(bar.ax, "yaxis")
    return figure


def draw_confusion(axes: Axes, matrix: np.ndarray, classes: Sequence[str], aspect: str = "equal") -> AxesImage:
    """Draw what :func:`confusion` shows into given axes; returns the image, for a color bar."""
    if matrix.shape != (len(classes), len(classes)):
        raise ValueError(f"found a matrix of shape {matrix.shape} for {len(classes)} classes: expected one of each")
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)  # the row of a class without images stays 0
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect=aspect)  # type: ignore[arg-type]
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            color = "white" if shares[row, column] > 0.55 else "black"
            axes.text(column, row, f"{count:g}", ha="center", va="center", color=color, fontsize=7.5)
    axes.set_xticks(range(len(classes)), classes, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_yticks(range(len(classes)), classes, fontsize=8)
    axes.set(xlabel="predicted", ylabel="true")
    return shown


def class_bars(accuracies: Mapping[str, np.ndarray], classes: Sequence[str], title: str = "") -> Figure:
    """Accuracy of each class for one or a few classifiers, sorted by the first classifier; NaN leaves a gap.

    Args:
        accuracies: by the classifier's name, ``(classes,)`` each.
        classes: their names.
        title: above the bars.

    Raises:
        ValueError: if there is no classifier, or one does not have one value for each class.
    """
    if not accuracies or any(len(values) != len(classes) for values in accuracies.values()):
        found = {name: len(values) for name, values in accuracies.items()}
        raise ValueError(f"found {found} values for {len(classes)} classes: give one for each class")
    order = np.argsort(np.nan_to_num(next(iter(accuracies.values())), nan=-1.0), kind="stable")
    thick = 0.8 / len(accuracies)
    figure = new_figure(8, 1.1 + len(classes) * (0.14 + 0.13 * len(accuracies)))
    axes = figure.subplots()
    for at, (name, values) in enumerate(accuracies.items()):
        positions = np.arange(len(classes)) + 0.4 - thick * (at + 0.5)
        mean, color = float(np.nanmean(values)), COLORS[at % len(COLORS)]
        axes.barh(positions, np.asarray(values)[order], thick, color=color, label=f"{name} (mean {mean:.1%})")
        axes.axvline(mean, color=color, linestyle="--", linewidth=1)
    axes.set_yticks(range(len(classes)), [classes[at] for at in order], fontsize=8)
    axes.set(xlim=(0, 1), xlabel="accuracy (share of the class's images recognized); dashed: mean over classes")
    percent_ticks(axes, "xaxis")
    axes.set_ylim(-0.6, len(classes) - 0.4)
    figure.legend(fontsize=8, frameon=False, loc="outside lower center", ncols=len(accuracies))
    axes.set_title(title, fontsize=10)
    hide_spines(axes)
    return figure


# --- choices ----------------------------------------------------------------------------------------------------------


def accuracy_by_layer(
    accuracies: Mapping[str, Sequence[tuple[str, float, float]]], title: str = "", chance: float | None = None
) -> Figure:
    """Accuracy against depth, one panel per network, with the standard deviation over the folds.

    Args:
        accuracies: by network, ``(layer, mean accuracy, standard deviation)`` from the first layer on.
        title: over all panels.
        chance: accuracy of guessing, drawn as a dotted line.

    Raises:
        ValueError: if there is no network.
    """
    if not accuracies:
        raise ValueError("found no network: give at least one, with its layers")
    widths = [max(len(rows), 3) for rows in accuracies.values()]
    figure = new_figure(min(11, 2.0 + 0.55 * sum(widths)), 3.9)
    panels = figure.subplots(1, len(accuracies), sharey=True, squeeze=False, width_ratios=widths)[0]
    for at, (axes, (name, rows)) in enumerate(zip(panels, accuracies.items(), strict=True)):
        layers, means, spreads = zip(*rows, strict=True)
        axes.errorbar(range(len(rows)), means, spreads, **series_style(at), capsize=3, linewidth=1.5)
        best = int(np.argmax(means))
        axes.annotate(
            f"{means[best]:.1%}", (best, means[best] + spreads[best]), (0, 4), textcoords="offset points", ha="center",
            fontsize=8,
        )  # fmt: skip
        if chance is not None:
            axes.axhline(chance, color=GRAY, linestyle=":", linewidth=1)
        axes.set_xticks(range(len(rows)), layers, rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
        axes.set_title(name, fontsize=9)
        axes.set(ylim=(0, 1.08), xlim=(-0.5, len(rows) - 0.5))
        hide_spines(axes)
    panels[0].set_ylabel("accuracy, cross-validated")
    percent_ticks(panels[0], "yaxis")
    panels[0].set_yticks(np.arange(0, 1.01, 0.2))
    figure.supxlabel("layer, from the image on" + (" (dotted: guessing)" if chance is not None else ""), fontsize=9)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def accuracy_curve(
    values: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    xlabel: str,
    *,
    spreads: Mapping[str, Sequence[float]] | None = None,
    chosen: float | None = None,
    log: bool = True,
    seconds: Sequence[float] | None = None,
    title: str = "",
) -> Figure:
    """Accuracy against a number that is to be chosen: C, or the number of dimensions.

    Args:
        values: where the accuracies were measured.
        curves: accuracies by name, one per value.
        xlabel: what the values are.
        spreads: standard deviations of those curves that have one, drawn as a band.
        chosen: the value marked by a dashed line.
        log: use a logarithmic axis for the values.
        seconds: times at the same values, in a panel of their own below.
        title: above the curves.

    Raises:
        ValueError: if a curve does not have one accuracy for each value.
    """
    lengths = {name: len(curve) for name, curve in curves.items() if len(curve) != len(values)}
    if lengths or not curves:
        raise ValueError(f"found {lengths or 'no'} accuracies for {len(values)} values: give one for each value")
    figure = new_figure(7.5, 3.6 if seconds is None else 5.2)
    heights = [2] if seconds is None else [2, 1]
    panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    axes = panels[0]
    for at, (name, curve) in enumerate(curves.items()):
        axes.plot(values, curve, **series_style(at), label=name)
        if spreads and name in spreads:
            low, high = np.asarray(curve) - spreads[name], np.asarray(curve) + spreads[name]
            axes.fill_between(values, low, high, color=COLORS[at % len(COLORS)], alpha=0.15, linewidth=0)
    axes.set_ylabel("accuracy")
    percent_ticks(axes, "yaxis")
    axes.set_title(title, fontsize=10)
    if len(curves) > 1:
        axes.legend(fontsize=8, frameon=False)
    if seconds is not None:
        panels[1].plot(values, np.asarray(seconds), color=GRAY, marker="o")
        panels[1].set(ylabel="time (s)", ylim=(0, 1.15 * max([*seconds, 1e-9])))
    for one in panels:
        if chosen is not None:
            one.axvline(chosen, color=VERMILION, linestyle="--", linewidth=1)
        hide_spines(one)
    if log:
        panels[-1].set_xscale("log")
        panels[-1].xaxis.set_minor_locator(NullLocator())
        panels[-1].xaxis.set_minor_formatter(NullFormatter())
        panels[-1].set_xticks(values, [f"{value:g}" for value in values], fontsize=8)
    panels[-1].set_xlabel(xlabel + ("; dashed: chosen" if chosen is not None else ""))
    return figure


def comparison(
    rows: Sequence[tuple[str, float, float, float]],
    title: str = "",
    xlabel: str = "accuracy (line: standard deviation)",
) -> Figure:
    """Alternatives side by side: accuracy with its standard deviation, and the time each takes.

    Args:
        rows: ``(name, mean accuracy, standard deviation, seconds)``; the first is drawn on top.
        title: over both panels.
        xlabel: what the accuracy is.

    Raises:
        ValueError: if there are no rows.
    """
    names, means, spreads, seconds = zip(*rows, strict=True) if rows else ((), (), (), ())
    return cost_comparison(names, means, spreads, {"time (s)": seconds}, title, xlabel)


def cost_comparison(
    names: Sequence[str],
    accuracies: Sequence[float],
    spreads: Sequence[float],
    costs: Mapping[str, Sequence[float | None]],
    title: str = "",
    xlabel: str = "accuracy (line: standard deviation)",
) -> Figure:
    """Alternatives side by side: accuracy with its standard deviation, and one panel per cost.

    Args:
        names: of the alternatives; the first is drawn on top.
        accuracies, spreads: mean and standard deviation of each.
        costs: by the panel's label, one value per alternative; None where a cost does not apply.
        title: over all panels.
        xlabel: what the accuracy is.

    Raises:
        ValueError: if there are no alternatives.
    """
    if not names:
        raise ValueError("found no rows: give at least one alternative")
    figure = new_figure(10, 1.1 + 0.36 * len(names))
    widths = [2] + [2 if len(costs) == 1 else 1] * len(costs)
    left, *others = figure.subplots(1, 1 + len(costs), sharey=True, squeeze=False, width_ratios=widths)[0]
    errors = [spread or np.nan for spread in spreads]
    bars = left.barh(range(len(names)), accuracies, xerr=errors, color=BLUE, error_kw={"ecolor": "black", "capsize": 3})
    left.bar_label(bars, [f"{accuracy:.1%}" for accuracy in accuracies], padding=3, fontsize=8)
    left.set(xlim=(0, 1.22), xlabel=xlabel, xticks=np.arange(0, 1.01, 0.2))
    percent_ticks(left, "xaxis")
    set_row_labels(left, names)
    for axes, (label, values) in zip(others, costs.items(), strict=True):
        bars = axes.barh(range(len(names)), [value or 0 for value in values], color=ORANGE)
        axes.bar_label(bars, ["–" if value is None else _short(value) for value in values], padding=3, fontsize=8)
        axes.margins(x=0.3)
        axes.set_xlabel(label)
        axes.tick_params(left=False)
    for axes in (left, *others):
        hide_spines(axes)
    figure.suptitle(title, fontsize=10)
    return figure


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def accuracy_by_epoch(curves: Mapping[str, Sequence[float]], title: str = "") -> Figure:
    """Accuracy on the validation images after each epoch, one line per run; epoch 0 is before training.

    Args:
        curves: accuracies by the run's name.
        title: above the lines.
    """
    figure = new_figure(7, 3.4)
    axes = figure.subplots()
    for at, (name, values) in enumerate(curves.items()):
        axes.plot(range(len(values)), values, **series_style(at), markersize=4, label=name)
    axes.set(xlabel="epochs of training", ylabel="accuracy, validation images", ylim=(0, 1))
    percent_ticks(axes, "yaxis")
    axes.legend(fontsize=8, frameon=False)
    axes.set_title(title, fontsize=10)
    hide_spines(axes)
    return figure
