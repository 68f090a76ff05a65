"""Figures of Lab 2's experiments that the lab's text does not need; see `captionlab.plots.transfer` for the others."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np

from captionlab.plots.style import BLUE, GRAY, Figure, add_grid, hide_spines, left_title, new_figure, set_row_labels
from captionlab.plots.transfer import draw_confusion
from captionlab.transfer.confusion import accuracy_by_class


def confusion_with_accuracies(matrix: np.ndarray, classes: Sequence[str], title: str) -> Figure:
    """A confusion matrix, and beside it the accuracy of each class.

    Args:
        matrix: ``(classes, classes)`` counts; rows are true classes, columns predicted ones.
        classes: their names.
        title: over both panels.
    """
    figure = new_figure(10.5, 6.6)
    left, right = figure.subplots(1, 2, width_ratios=(3, 1.1), sharey=True)
    draw_confusion(left, matrix, classes, aspect="auto")
    accuracies = accuracy_by_class(matrix)
    right.barh(range(len(classes)), np.nan_to_num(accuracies), color=BLUE)
    for row, accuracy in enumerate(accuracies):
        right.text(1.02, row, f"{accuracy:.2f}", va="center", fontsize=9)
    right.set(xlim=(0, 1.18), xlabel="accuracy of the class", xticks=(0, 0.5, 1))
    right.tick_params(left=False, labelleft=False)
    hide_spines(right)
    left_title(figure, title)
    return figure


def search_steps(rows: Sequence[dict], title: str) -> Figure:
    """A greedy search from the plain features to the best: every variant tried, those kept joined by a line.

    Args:
        rows: one per variant, in order, with ``step``, ``description``, ``cv_accuracy`` and ``kept``.
        title: above the steps.
    """
    figure = new_figure(13, 2.0 + 0.42 * len(rows))
    axes = figure.subplots()
    values = [row["cv_accuracy"] for row in rows]
    kept = [at for at, row in enumerate(rows) if row["kept"]]
    axes.plot(values, range(len(rows)), "o", color=GRAY, markersize=5, label="tried")
    axes.plot([values[at] for at in kept], kept, "-o", color=BLUE, markersize=7, label="kept")
    for at, value in enumerate(values):
        axes.annotate(f"{value:.4f}", (1.01, at), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    names = ["\n".join(textwrap.wrap(f"{row['step']}:  {row['description']}", 100)) for row in rows]
    set_row_labels(axes, names, fontsize=7.5)
    axes.set_xlabel("accuracy, 5-fold cross-validation on the training images")
    add_grid(axes, "x")
    axes.legend(frameon=False, fontsize=9, loc="lower left")
    axes.set_title(title, loc="left", fontsize=10)
    return figure
