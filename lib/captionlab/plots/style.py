"""What all figures share: the palette, a figure that a notebook shows by itself, and helpers for axes.

Nothing here touches pyplot's global state, so the same data give the same bytes.

Colors: M. Okabe and K. Ito, "Color Universal Design", 2008; readers with any color vision can distinguish them. Lines
also differ in marker or dash, bars in position.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import figure
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from PIL import Image

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, BLACK, GRAY = "#CC79A7", "#56B4E9", "#000000", "#8C8C8C"
COLORS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 3)), (0, (8, 2)))
FILE_DPI = 110
ImageLike = np.ndarray | Image.Image


class Figure(figure.Figure):
    """A figure that a notebook shows when it is the last value of a cell, whatever backend pyplot uses."""

    def _repr_png_(self) -> bytes:
        return png_bytes(self, dpi=self.dpi)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure; sizes in inches, 100 pixels each."""
    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def png_bytes(drawn: figure.Figure, dpi: float = FILE_DPI) -> bytes:
    """A figure as a PNG file, without the version of matplotlib in it: the same figure gives the same bytes."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def series_style(index: int) -> dict[str, Any]:
    """Color and marker of the ``index``-th series of a plot, for ``axes.plot(..., **series_style(0))``."""
    return {"color": COLORS[index % len(COLORS)], "marker": MARKERS[index % len(MARKERS)]}


def hide_spines(axes: Axes, *sides: str) -> None:
    """Remove the frame's top and right side, and the other sides named."""
    axes.spines[["top", "right", *sides]].set_visible(False)


def add_grid(axes: Axes, axis: str = "both") -> None:
    """Light grid lines behind the data, and no frame at the top and on the right."""
    hide_spines(axes)
    axes.grid(axis=axis, alpha=0.3)  # type: ignore[arg-type]  # matplotlib wants a Literal


def percent_ticks(axes: Axes, axis: str) -> None:
    """Write the ticks of ``"xaxis"`` or ``"yaxis"``, shares from 0 to 1, as percentages."""
    getattr(axes, axis).set_major_formatter(PercentFormatter(1))


def show_image(axes: Axes, image: ImageLike, title: str = "", fontsize: float = 9, **options: Any) -> None:
    """Draw an image without ticks, on its own pixel grid: pixel (row, column) covers [column, column + 1].

    Args:
        axes: where.
        image: ``(height, width)`` or ``(height, width, 3)``, or a PIL image; gray images use their own range from
            black to white unless ``vmin`` and ``vmax`` are given.
        title: above it.
        fontsize: of the title, points.
        options: for ``axes.imshow``.
    """
    pixels = np.asarray(image)
    height, width = pixels.shape[:2]
    options.setdefault("cmap", "gray")
    axes.imshow(pixels, extent=(0, width, height, 0), interpolation="nearest", **options)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=fontsize)


def image_grid(parent: figure.FigureBase, rows: int, columns: int) -> list[Axes]:
    """Empty axes for ``rows * columns`` images, row by row; those that stay empty are not seen."""
    grid: list[Axes] = list(parent.subplots(rows, columns, squeeze=False).ravel())
    for axes in grid:
        axes.axis("off")
    return grid


def set_row_labels(axes: Axes, names: Sequence[str], fontsize: float = 8) -> None:
    """Name the rows of a horizontal bar chart, the first on top."""
    axes.set_yticks(range(len(names)), names, fontsize=fontsize)
    axes.set_ylim(len(names) - 0.5, -0.5)


def left_title(drawn: figure.Figure, title: str) -> None:
    """A title over the whole figure, at its left edge."""
    drawn.suptitle(title, x=0.01, ha="left", fontsize=11)
