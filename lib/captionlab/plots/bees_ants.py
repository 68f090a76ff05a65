"""The figure of Lab 3's experiments that shows several seeds of each training, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from captionlab.plots.style import COLORS, Figure, left_title, new_figure
from captionlab.plots.training import History, loss_and_accuracy_axes

FEW = 3  # methods of which every seed is drawn


def seed_curves(
    histories: Mapping[str, Sequence[History]], best_epochs: Mapping[str, Sequence[int]], title: str
) -> Figure:
    """Losses and validation accuracy by epoch: the mean over the seeds and, of at most three methods, every seed.

    Args:
        histories: by method, the epochs of each seed, with ``train_loss``, ``validation_loss`` (nats) and
            ``validation_accuracy`` (0 to 1). Early stopping may end some seeds before others; the mean is drawn as
            long as all of them run.
        best_epochs: by method, the epoch of each seed from which the weights were kept, counted from 1.
        title: over both panels.
    """
    every_seed = len(histories) <= FEW
    figure = new_figure(10, 4.4)
    dots = "; dots: epochs kept" if every_seed else ""
    losses, accuracies = loss_and_accuracy_axes(figure, f"accuracy on the validation part{dots}")
    for at, (name, seeds) in enumerate(histories.items()):
        color = COLORS[at % len(COLORS)]
        _draw_mean(losses, seeds, "train_loss", color, linestyle="--")
        _draw_mean(losses, seeds, "validation_loss", color)
        _draw_mean(accuracies, seeds, "validation_accuracy", color, label=name)
        if every_seed:
            for history, best in zip(seeds, best_epochs[name], strict=True):
                epochs = range(1, len(history) + 1)
                for axes, key in ((losses, "validation_loss"), (accuracies, "validation_accuracy")):
                    axes.plot(epochs, [epoch[key] for epoch in history], color=color, alpha=0.25, linewidth=0.8)
                accuracies.plot(
                    best, history[best - 1]["validation_accuracy"], "o", color=color, markersize=4, alpha=0.6
                )
    figure.legend(*accuracies.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    left_title(figure, title)
    return figure


def _draw_mean(
    axes: Axes, seeds: Sequence[History], key: str, color: str, linestyle: str = "-", label: str | None = None
) -> None:
    shared = min(map(len, seeds))
    mean = np.mean([[epoch[key] for epoch in history[:shared]] for history in seeds], axis=0)
    axes.plot(range(1, shared + 1), mean, color=color, linewidth=2, linestyle=linestyle, label=label)
