"""The figures of Lab 2's experiments; numbers in, a PNG file out, no photographs."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from captionlab.transfer.confusion import accuracy_by_class

# Okabe and Ito's colors, told apart with any color vision.
BLUE, ORANGE, GRAY = "#0072B2", "#E69F00", "#8C8C8C"


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _bare(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def draw_confusion(confusion: np.ndarray, classes: Sequence[str], title: str, path: Path) -> None:
    """The confusion matrix in shares of each true class, with counts, and the accuracy of each class beside it."""
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(10.5, 6.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 1.1), sharey=True)
    # The square root shows the few mistakes, which are the interesting part.
    left.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in zip(*np.nonzero(confusion), strict=True):
        color = "white" if shares[row, column] > 0.25 else "black"
        left.text(column, row, confusion[row, column], ha="center", va="center", fontsize=8, color=color)
    places = range(len(classes))
    left.set_xticks(places, classes, rotation=45, ha="right", fontsize=9)
    left.set_yticks(places, classes, fontsize=9)
    left.set(xlabel="predicted class", ylabel="true class")
    left.set_title(title, loc="left", fontsize=11)
    accuracies = accuracy_by_class(confusion)
    right.barh(places, np.nan_to_num(accuracies), color=BLUE)
    for place, accuracy in enumerate(accuracies):
        right.text(1.02, place, f"{accuracy:.2f}", va="center", fontsize=9)
    right.set(xlim=(0, 1.18), xlabel="accuracy of the class", xticks=(0, 0.5, 1))
    right.tick_params(left=False, labelleft=False)
    _bare(right)
    _save(figure, path)


def draw_bars(
    rows: Sequence[dict],
    title: str,
    path: Path,
    costs: Sequence[tuple[str, str]],
    label: str = "accuracy, 5-fold cross-validation on the training images",
) -> None:
    """A line a row: the cross-validated accuracy as a bar with its spread over the folds, its costs as bars beside it.

    Args:
        rows: with ``name``, ``cv_accuracy``, ``cv_spread`` and the costs; a cost may be None.
        costs: (key, label) of each.
        label: what the accuracy is.
    """
    figure = Figure(figsize=(10, 1.6 + 0.36 * len(rows)), layout="constrained")
    panels = figure.subplots(1, 1 + len(costs), sharey=True, width_ratios=(2, *[1] * len(costs)), squeeze=False)[0]
    places = np.arange(len(rows))
    values = [row["cv_accuracy"] for row in rows]
    panels[0].barh(
        places, values, xerr=[row["cv_spread"] or np.nan for row in rows], color=BLUE, ecolor=GRAY, capsize=2
    )
    lowest = max(0.0, np.floor((min(values) - 0.1) * 10) / 10)
    panels[0].set(xlim=(lowest, 1.0), xlabel=label)
    panels[0].set_yticks(places, [row["name"] for row in rows], fontsize=9)
    panels[0].invert_yaxis()
    for place, value in zip(places, values, strict=True):
        panels[0].text(lowest + 0.01 * (1 - lowest), place, f"{value:.3f}", va="center", color="white", fontsize=9)
    for axes, (key, cost) in zip(panels[1:], costs, strict=True):
        amounts = [row[key] or 0 for row in rows]
        axes.barh(places, amounts, color=ORANGE)
        for place, row in zip(places, rows, strict=True):
            text = "-" if row[key] is None else f"{row[key]:,.3g}" if row[key] < 100 else f"{row[key]:,.0f}"
            axes.text((row[key] or 0) + 0.02 * max(amounts), place, text, va="center", fontsize=8)
        axes.set(xlim=(0, 1.3 * max([*amounts, 1e-9])), xlabel=cost)
        axes.tick_params(left=False, labelleft=False)
    for axes in panels:
        _bare(axes)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    _save(figure, path)


def draw_curve(rows: Sequence[dict], key: str, label: str, title: str, path: Path) -> None:
    """Cross-validated accuracy and training time against a number, on a logarithmic axis."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.add_subplot()
    x = [row[key] for row in rows]
    line = axes.errorbar(
        x, [row["cv_accuracy"] for row in rows], [row["cv_spread"] for row in rows], color=BLUE, marker="o", capsize=3
    )
    axes.set_xscale("log")
    axes.set_xticks(x, [f"{value:g}" for value in x])
    axes.minorticks_off()
    axes.set(xlabel=label, ylabel="accuracy, 5-fold cross-validation")
    axes.grid(axis="y", alpha=0.3)
    times = axes.twinx()
    (other,) = times.plot(x, [row["train_seconds"] for row in rows], color=ORANGE, marker="s", linestyle="--")
    times.set(ylabel="seconds to train one classifier", ylim=(0, None))
    axes.legend(
        [line, other], ["accuracy (left)", "training time (right)"], frameon=False, fontsize=9, loc="lower right"
    )
    axes.spines["top"].set_visible(False)
    times.spines["top"].set_visible(False)
    axes.set_title(title, loc="left", fontsize=11)
    _save(figure, path)


def draw_steps(rows: Sequence[dict], tests: Sequence[tuple[str, float]], title: str, path: Path) -> None:
    """The way from the plain description to the best: every variant tried, those kept joined by a line."""
    figure = Figure(figsize=(13, 2.0 + 0.42 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    kept = [place for place, row in enumerate(rows) if row["kept"]]
    values = [row["cv_accuracy"] for row in rows]
    axes.plot(values, range(len(rows)), "o", color=GRAY, markersize=5, label="tried")
    axes.plot([values[place] for place in kept], kept, "-o", color=BLUE, markersize=7, label="kept")
    for place, row in enumerate(rows):
        axes.annotate(
            f"{row['cv_accuracy']:.4f}", (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=8
        )
    names = ["\n".join(textwrap.wrap(f"{row['step']}:  {row['description']}", 100)) for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=7.5)
    axes.invert_yaxis()
    axes.set_xlabel("accuracy, 5-fold cross-validation on the training images")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(frameon=False, fontsize=9, loc="lower left")
    _bare(axes)
    words = ";  ".join(f"{name}: {accuracy:.4f}" for name, accuracy in tests)
    axes.set_title(f"{title}\ntest images, which no choice was made on: {words}", loc="left", fontsize=10)
    _save(figure, path)
