"""Pictures of what a classifier of scenes does: data in, a matplotlib figure out, which a notebook shows by itself.

As in `captionlab.plots.convnets`, nothing here touches pyplot's global state. Accuracies are shares from 0 to 1,
times are seconds. Lines and bars are told apart by marker or place as well as by color (Okabe and Ito's colors);
the confusion matrix uses one hue from light to dark, with the numbers written in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, NullLocator, PercentFormatter

from captionlab.plots.convnets import BLUE, GRAY, GREEN, ORANGE, VERMILION, Picture

COLORS = (BLUE, ORANGE, GREEN, VERMILION, GRAY)
MARKERS = ("o", "s", "^", "D", "v")


def _picture(width: float, height: float) -> Picture:
    """An empty picture; sizes in inches, 100 pixels each."""
    return Picture(figsize=(width, height), dpi=100, layout="constrained")


def _bare(axes: Axes, *sides: str) -> None:
    for side in ("top", "right", *sides):
        axes.spines[side].set_visible(False)


def _show(axes: Axes, image: np.ndarray, title: str = "", color: str = "black") -> None:
    """A gray image, 0 black and 255 white, or a color image, without ticks."""
    axes.imshow(np.asarray(image), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=7.5, color=color)


def _percent(axes: Axes, axis: str) -> None:
    getattr(axes, axis).set_major_formatter(PercentFormatter(1, decimals=0))


# --- images -----------------------------------------------------------------------------------------------------------


def sample_grid(
    images: Sequence[np.ndarray], labels: Sequence[int], classes: Sequence[str], each: int = 2, columns: int = 15
) -> Picture:
    """The first images of each class, one below the other, the class's name above them.

    Args:
        images: uint8, (height, width) or (height, width, 3) each.
        labels: class of each image, an index into `classes`.
        each: images to show of a class.
        columns: classes side by side.

    Raises:
        ValueError: if there are no images, or not one label for each.
    """
    if not len(images) or len(images) != len(labels):
        raise ValueError(f"found {len(images)} images and {len(labels)} labels: give one label for each image")
    columns = min(columns, len(classes))
    rows = -(-len(classes) // columns)
    side = 11 / columns
    picture = _picture(11, rows * (each * side + 0.3))
    grid = picture.subplots(rows * each, columns, squeeze=False)
    for axes in grid.ravel():
        axes.axis("off")
    for label, name in enumerate(classes):
        chosen = [at for at, one in enumerate(labels) if one == label][:each]
        for row, at in enumerate(chosen):
            axes = grid[label // columns * each + row, label % columns]
            axes.axis("on")
            _show(axes, images[at], "" if row else name)
    return picture


def mistakes(
    images: Sequence[np.ndarray],
    labels: Sequence[int],
    predictions: Sequence[int],
    classes: Sequence[str],
    count: int = 10,
    columns: int = 5,
) -> Picture:
    """Images that were taken for another class: what they are, and below it, colored, what they were taken for.

    Args:
        count: images to show at most, spread over all mistakes in their order.

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
    picture = _picture(2.0 * columns, 2.35 * rows + 0.3)
    grid = picture.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, at in zip(grid, chosen, strict=False):
        axes.axis("on")
        _show(axes, images[at], classes[labels[at]])
        axes.set_xlabel(f"taken for {classes[predictions[at]]}", fontsize=7.5, color=VERMILION)
    picture.suptitle(f"{len(chosen)} of {len(wrong)} mistakes among {len(labels)} images", size=9)
    return picture


# --- one classifier ---------------------------------------------------------------------------------------------------


def confusion(matrix: np.ndarray, classes: Sequence[str], title: str = "") -> Picture:
    """A confusion matrix: dark where many of a class's images went, the counts written in.

    Args:
        matrix: (classes, classes) counts; rows true classes, columns predicted ones.

    Raises:
        ValueError: if the matrix does not have a row and a column for each class.
    """
    matrix = np.asarray(matrix)
    if matrix.shape != (len(classes), len(classes)):
        raise ValueError(f"found a matrix of shape {matrix.shape} for {len(classes)} classes: expected one of each")
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)  # a class without images stays empty
    side = 2.4 + 0.36 * len(classes)
    picture = _picture(side + 1.0, side)
    axes = picture.subplots()
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            color = "white" if shares[row, column] > 0.55 else "black"
            axes.text(column, row, f"{count:g}", ha="center", va="center", color=color, fontsize=7.5)
    axes.set_xticks(range(len(classes)), classes, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_yticks(range(len(classes)), classes, fontsize=8)
    axes.set(xlabel="predicted", ylabel="true")
    accuracy = np.trace(matrix) / max(matrix.sum(), 1)
    axes.set_title(f"{title or 'Confusion matrix'}: {accuracy:.1%} of {matrix.sum():g} images right", fontsize=10)
    bar = picture.colorbar(shown, ax=axes, shrink=0.7, label="share of the class's images")
    _percent(bar.ax, "yaxis")
    return picture


def class_bars(accuracies: Mapping[str, np.ndarray], classes: Sequence[str], title: str = "") -> Picture:
    """Accuracy class by class, of one or a few classifiers, the classes sorted by the first; nan leaves a gap.

    Args:
        accuracies: (classes,) each, by the classifier's name.

    Raises:
        ValueError: if there is no classifier, or one has not one value for each class.
    """
    if not accuracies or any(len(values) != len(classes) for values in accuracies.values()):
        found = {name: len(values) for name, values in accuracies.items()}
        raise ValueError(f"found {found} values for {len(classes)} classes: give one for each class")
    order = np.argsort(np.nan_to_num(next(iter(accuracies.values())), nan=-1.0), kind="stable")
    thick = 0.8 / len(accuracies)
    picture = _picture(8, 1.1 + len(classes) * (0.14 + 0.13 * len(accuracies)))
    axes = picture.subplots()
    for at, (name, values) in enumerate(accuracies.items()):
        places = np.arange(len(classes)) + 0.4 - thick * (at + 0.5)
        mean = np.nanmean(values)
        axes.barh(places, np.asarray(values)[order], thick, color=COLORS[at % 5], label=f"{name} (mean {mean:.1%})")
        axes.axvline(mean, color=COLORS[at % 5], linestyle="--", linewidth=1)
    axes.set_yticks(range(len(classes)), [classes[at] for at in order], fontsize=8)
    axes.set(xlim=(0, 1), xlabel="accuracy (share of the class's images recognized); dashed: mean over classes")
    _percent(axes, "xaxis")
    axes.set_ylim(-0.6, len(classes) - 0.4)
    picture.legend(fontsize=8, frameon=False, loc="outside lower center", ncols=len(accuracies))
    axes.set_title(title, fontsize=10)
    _bare(axes)
    return picture


# --- choices ----------------------------------------------------------------------------------------------------------


def accuracy_by_layer(
    accuracies: Mapping[str, Sequence[tuple[str, float, float]]], title: str = "", chance: float | None = None
) -> Picture:
    """Accuracy against depth, a panel for each network, with the spread over the folds.

    Args:
        accuracies: by network, ``(layer, mean accuracy, standard deviation)`` from the first layer on.
        chance: accuracy of guessing, drawn as a dotted line.

    Raises:
        ValueError: if there is no network.
    """
    if not accuracies:
        raise ValueError("found no network: give at least one, with its layers")
    widths = [max(len(rows), 3) for rows in accuracies.values()]
    picture = _picture(min(11, 2.0 + 0.55 * sum(widths)), 3.9)
    panels = picture.subplots(1, len(accuracies), sharey=True, squeeze=False, width_ratios=widths)[0]
    for at, (axes, (name, rows)) in enumerate(zip(panels, accuracies.items(), strict=True)):
        layers, means, spreads = zip(*rows, strict=True)
        axes.errorbar(
            range(len(rows)), means, spreads, color=COLORS[at % 5], marker=MARKERS[at % 5], capsize=3, linewidth=1.5
        )
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
        _bare(axes)
    panels[0].set_ylabel("accuracy, cross-validated")
    _percent(panels[0], "yaxis")
    panels[0].set_yticks(np.arange(0, 1.01, 0.2))
    picture.supxlabel("layer, from the image on" + (" (dotted: guessing)" if chance is not None else ""), fontsize=9)
    if title:
        picture.suptitle(title, fontsize=10)
    return picture


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
) -> Picture:
    """Accuracy against a number that is to be chosen: C, or the number of dimensions.

    Args:
        values: where the accuracies were measured.
        curves: accuracies by name, as many as values.
        spreads: standard deviations of those curves that have one, drawn as a band.
        chosen: marked by a dashed line.
        log: whether the axis of the values is logarithmic.
        seconds: times at the same values, in a panel of their own below.

    Raises:
        ValueError: if a curve has not one accuracy for each value.
    """
    lengths = {name: len(curve) for name, curve in curves.items() if len(curve) != len(values)}
    if lengths or not curves:
        raise ValueError(f"found {lengths or 'no'} accuracies for {len(values)} values: give one for each value")
    picture = _picture(7.5, 3.6 if seconds is None else 5.2)
    panels = picture.subplots(1 if seconds is None else 2, 1, sharex=True, squeeze=False, height_ratios=None if seconds
                              is None else (2, 1))[:, 0]  # fmt: skip
    axes = panels[0]
    for at, (name, curve) in enumerate(curves.items()):
        color = COLORS[at % 5]
        axes.plot(values, curve, color=color, marker=MARKERS[at % 5], label=name)
        if spreads and name in spreads:
            low, high = np.asarray(curve) - spreads[name], np.asarray(curve) + spreads[name]
            axes.fill_between(values, low, high, color=color, alpha=0.15, linewidth=0)
    axes.set_ylabel("accuracy")
    _percent(axes, "yaxis")
    axes.set_title(title, fontsize=10)
    if len(curves) > 1:
        axes.legend(fontsize=8, frameon=False)
    if seconds is not None:
        panels[1].plot(values, np.asarray(seconds), color=GRAY, marker="o")
        panels[1].set(ylabel="time (s)", ylim=(0, None))
    for one in panels:
        if chosen is not None:
            one.axvline(chosen, color=VERMILION, linestyle="--", linewidth=1)
        _bare(one)
    if log:
        panels[-1].set_xscale("log")
        panels[-1].xaxis.set_minor_locator(NullLocator())
        panels[-1].xaxis.set_minor_formatter(NullFormatter())
        panels[-1].set_xticks(values, [f"{value:g}" for value in values], fontsize=8)
    panels[-1].set_xlabel(xlabel + ("; dashed: chosen" if chosen is not None else ""))
    return picture


def comparison(rows: Sequence[tuple[str, float, float, float]], title: str = "") -> Picture:
    """Ways to do the same, side by side: accuracy with its spread, and the time it takes.

    Args:
        rows: ``(name, mean accuracy, standard deviation, seconds)``; the first is drawn on top.

    Raises:
        ValueError: if there are no rows.
    """
    if not rows:
        raise ValueError("found no rows: give at least one way to compare")
    names, means, spreads, seconds = zip(*rows, strict=True)
    places = range(len(rows))
    picture = _picture(10, 1.1 + 0.36 * len(rows))
    left, right = picture.subplots(1, 2, sharey=True)
    bars = left.barh(places, means, xerr=spreads, color=BLUE, error_kw={"ecolor": "black", "capsize": 3})
    left.bar_label(bars, [f"{mean:.1%}" for mean in means], padding=3, fontsize=8)
    left.set(xlim=(0, 1.18), xlabel="accuracy (line: standard deviation)", xticks=np.arange(0, 1.01, 0.2))
    _percent(left, "xaxis")
    left.set_yticks(places, names, fontsize=8)
    left.invert_yaxis()
    bars = right.barh(places, seconds, color=ORANGE)
    right.bar_label(bars, [f"{value:.3g}" for value in seconds], padding=3, fontsize=8)
    right.margins(x=0.2)
    right.set_xlabel("time (s)")
    for axes in (left, right):
        _bare(axes)
    picture.suptitle(title, fontsize=10)
    return picture


def training_curves(curves: Mapping[str, Sequence[float]], title: str = "") -> Picture:
    """Accuracy on the validation images after each epoch, a line for each way to train; 0 is before training."""
    picture = _picture(7, 3.4)
    axes = picture.subplots()
    for at, (name, values) in enumerate(curves.items()):
        axes.plot(range(len(values)), values, color=COLORS[at % 5], marker=MARKERS[at % 5], markersize=4, label=name)
    axes.set(xlabel="epochs of training", ylabel="accuracy, validation images", ylim=(0, 1))
    _percent(axes, "yaxis")
    axes.legend(fontsize=8, frameon=False)
    axes.set_title(title, fontsize=10)
    _bare(axes)
    return picture
