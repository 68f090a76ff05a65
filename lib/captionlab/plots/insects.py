"""The figures of Lab 3's experiments: the table as a picture, and the training curves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Okabe and Ito's colors, told apart with any color vision.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#999999", "#000000")
CHANCE = 0.5  # of two classes


def draw_table(rows: list[dict], title: str, path: Path) -> None:
    """A line a method: test accuracy of every seed as a dot, mean and spread as a mark with a bar and in words."""
    figure = Figure(figsize=(8.5, 1.5 + 0.42 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    names = [_name(row, rows) for row in rows]
    for place, row in enumerate(rows):
        accuracies = np.array(row["test_accuracy"])
        # Equal accuracies would hide each other: they are moved apart a little, up and down.
        offsets = np.linspace(-0.18, 0.18, len(accuracies)) if len(accuracies) > 1 else [0]
        axes.plot(accuracies, place + np.array(offsets), "o", color=COLORS[0], alpha=0.45, markersize=5, zorder=2)
        axes.errorbar(
            row["mean"], place, xerr=row["spread"] or 0, fmt="|", color="black", markersize=14, capsize=3, zorder=3
        )
        spread = "" if row["spread"] is None else f" ± {row['spread']:.3f}"
        axes.annotate(f"{row['mean']:.3f}{spread}", (1.02, place), xycoords=("axes fraction", "data"), va="center")
    lowest = min(min(row["test_accuracy"]) for row in rows)
    axes.set(
        xlim=(min(CHANCE, lowest) - 0.02, 1.005),
        ylim=(len(rows) - 0.5, -0.5),
        yticks=range(len(rows)),
        yticklabels=names,
        xlabel="test accuracy: a dot a seed, mean and standard deviation",
    )
    axes.axvline(CHANCE, color="gray", linestyle=":", linewidth=1)
    axes.annotate("chance", (CHANCE, -0.45), xytext=(3, 0), textcoords="offset points", color="gray", va="top")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, loc="left", fontsize=11)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def draw_curves(rows: list[dict], title: str, path: Path) -> None:
    """Validation loss and accuracy by epoch: the seeds' mean while all run and, of few methods, a thin line a seed."""
    trained = [row for row in rows if row["history"]]
    every_seed = len(trained) <= 3
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for color, row in zip(COLORS, trained, strict=False):
        _lines(left, row, "validation_loss", color, _name(row, rows), every_seed)
        _lines(left, row, "train_loss", color, None, False, linestyle="--")
        _lines(right, row, "validation_accuracy", color, _name(row, rows), every_seed)
    left.set(
        xlabel="epoch", ylabel="cross-entropy (nats)", yscale="log", title="loss: validation solid, training dashed"
    )
    dots = "; dots: epochs kept" if every_seed else ""
    right.set(xlabel="epoch", ylabel="validation accuracy", title=f"accuracy on the validation part{dots}")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _lines(
    axes: Axes, row: dict, what: str, color: str, label: str | None, every_seed: bool, linestyle: str = "-"
) -> None:
    curves = [[entry[what] for entry in history] for history in row["history"]]
    shared = min(map(len, curves))  # early stopping ends some seeds before others
    epochs = np.arange(1, max(map(len, curves)) + 1)
    if every_seed:
        for curve, details in zip(curves, row["details"], strict=True):
            axes.plot(epochs[: len(curve)], curve, color=color, alpha=0.25, linewidth=0.8)
            best = details["best_epoch"]
            if what == "validation_accuracy":
                axes.plot(best, curve[best - 1], "o", color=color, markersize=4, alpha=0.6)
    mean = np.mean([curve[:shared] for curve in curves], axis=0)
    axes.plot(epochs[:shared], mean, color=color, linewidth=2, label=label, linestyle=linestyle)


def _name(row: dict, rows: list[dict]) -> str:
    """The method, with the network where there are several."""
    several = len({other["network"] for other in rows if other["network"]}) > 1
    return f"{row['network']}: {row['method']}" if several and row["network"] else row["method"]
