"""Figures of what a convolutional network does (Lab 1).

Every function takes data and returns a :class:`captionlab.plots.style.Figure`, which a notebook shows when it is the
last value of a cell and which ``figure.savefig(path)`` writes. Images are ``(height, width, 3)`` or
``(height, width)`` for gray: uint8 arrays, floats from 0 to 1, or PIL images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from captionlab.plots.style import (
    BLUE,
    GRAY,
    GREEN,
    ORANGE,
    Figure,
    ImageLike,
    hide_spines,
    image_grid,
    new_figure,
    set_row_labels,
    show_image,
)

KIND_COLORS = {"input": GRAY, "convolution": BLUE, "pooling": GREEN, "fully connected": ORANGE}
Predictions = Sequence[tuple[str, float]]


def photograph(name: str) -> np.ndarray:
    """One of the two photographs that come with scikit-learn, "china" or "flower".

    Returns:
        uint8 RGB, ``(427, 640, 3)``.

    Source: ``sklearn.datasets.load_sample_image``, which names authors and licenses.
    """
    from sklearn.datasets import load_sample_image  # here: it takes a second, and few figures need it

    return load_sample_image(f"{name}.jpg")


# --- convolution and pooling ------------------------------------------------------------------------------------------


def side_by_side(images: Sequence[ImageLike], titles: Sequence[str], same_scale: bool = True) -> Figure:
    """Images in a row, their sizes above them.

    Args:
        images: gray images each use their own range from black to white.
        titles: one title per image.
        same_scale: draw a pixel equally large in all images, so that a smaller image looks smaller; otherwise each
            image is drawn as large as the space allows.

    Raises:
        ValueError: if there are no images, or not one title for each.
    """
    if not len(images) or len(images) != len(titles):
        raise ValueError(f"found {len(images)} images and {len(titles)} titles: give one title for each image")
    shapes = [np.asarray(image).shape for image in images]
    tallest, widest = max(shape[0] for shape in shapes), max(shape[1] for shape in shapes)
    each = min(3.2, 11 / len(images))
    figure = new_figure(each * len(images), each * tallest / widest + 0.5)
    for axes, image, shape, title in zip(
        figure.subplots(1, len(images), squeeze=False)[0], images, shapes, titles, strict=True
    ):
        show_image(axes, image, f"{title}\n{shape[0]} × {shape[1]}")
        hide_spines(axes, "left", "bottom")
        if same_scale:
            axes.set_xlim((shape[1] - widest) / 2, (shape[1] + widest) / 2)
            axes.set_ylim((shape[0] + tallest) / 2, (shape[0] - tallest) / 2)
    return figure


def feature_shapes(layers: Sequence[tuple[str, str, tuple[int, int, int]]], title: str = "") -> Figure:
    """Shapes of a network's features, layer by layer: taller boxes are larger in space, wider ones have more channels.

    Args:
        layers: ``(name, kind, (channels, height, width))`` from the input on; kind is one of ``KIND_COLORS``.
        title: instead of the one that explains the drawing.
    """
    figure = new_figure(11, 3.6)
    axes = figure.subplots()
    left, largest = 0.0, max(shape[1] for _, _, shape in layers)
    for at, (name, kind, (channels, height, width)) in enumerate(layers):
        # Square roots: channels grow 170-fold and sides shrink 32-fold, so at true scale nothing could be seen.
        thick, tall = 0.09 * channels**0.5, 10 * (height / largest) ** 0.5
        axes.add_patch(Rectangle((left, -tall / 2), thick, tall, facecolor=KIND_COLORS[kind], edgecolor="white"))
        new_size = at == 0 or layers[at - 1][2] != (channels, height, width)
        if new_size:
            axes.text(
                left + thick / 2, tall / 2 + 0.25, f"{channels}×{height}×{width}", rotation=60, fontsize=7, va="bottom"
            )
        axes.text(left + thick / 2, -tall / 2 - 0.25, name, rotation=90, fontsize=7, va="top", ha="center")
        left += thick + 0.35
    axes.set_xlim(-0.5, left + 1.0)
    axes.set_ylim(-8.2, 8.6)
    axes.axis("off")
    present = [kind for kind in KIND_COLORS if any(layer[1] == kind for layer in layers)]
    axes.legend(handles=[Patch(color=KIND_COLORS[k], label=k) for k in present], loc="upper right", frameon=False)
    axes.set_title(title or "channels × height × width; boxes drawn to the square roots", fontsize=10)
    return figure


def receptive_fields(
    image: ImageLike, sizes: Sequence[int], names: Sequence[str], center: tuple[int, int] | None = None
) -> Figure:
    """How much of an image one position of each layer sees: nested squares, and their sides as bars.

    Args:
        image: what the squares are drawn on.
        sizes: receptive field of each layer in pixels, from the first layer on.
        names: the layers' names.
        center: row and column of the squares' center; the image's center if None.

    Raises:
        ValueError: if there is not one name for each size.
    """
    if len(sizes) != len(names):
        raise ValueError(f"found {len(sizes)} sizes and {len(names)} names: give one name for each layer")
    height, width = np.asarray(image).shape[:2]
    row, column = center if center is not None else (height / 2, width / 2)
    colors = colormaps["viridis"](np.linspace(0, 0.95, len(sizes)))
    figure = new_figure(10, 4.4)
    over, bars = figure.subplots(1, 2, width_ratios=(1, 1.1))
    show_image(over, image, f"Receptive fields around row {row:g}, column {column:g}")
    for size, color in zip(sizes, colors, strict=True):
        corner = (column - size / 2, row - size / 2)
        over.add_patch(Rectangle(corner, size, size, fill=False, edgecolor=color, linewidth=1.6))
    over.set_xlim(0, width)  # a field may reach beyond the image
    over.set_ylim(height, 0)
    bars.barh(range(len(sizes)), sizes, color=colors)
    bars.bar_label(bars.containers[0], padding=3, fontsize=8)
    set_row_labels(bars, names)
    bars.axvline(min(height, width), color=GRAY, linestyle="--", linewidth=1)
    bars.set_xlabel("side of the receptive field (pixels); dashed: the image")
    hide_spines(bars)
    return figure


def effective_receptive_field(gradient: np.ndarray) -> Figure:
    """How much each pixel of a receptive field counts: the field as an image, and the sums of its columns.

    Args:
        gradient: ``(height, width)``, derivative of one feature with respect to the image; 0 outside the field.

    Raises:
        ValueError: if the gradient is 0 everywhere.

    Source: Luo et al. 2016, "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks".
    """
    strength = np.abs(np.asarray(gradient, dtype=float))
    rows, columns = np.nonzero(strength.sum(axis=1))[0], np.nonzero(strength.sum(axis=0))[0]
    if not len(rows):
        raise ValueError("the gradient is 0 everywhere: call backward() on a value of the last feature map first")
    field = strength[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    figure = new_figure(9, 2.9)
    above, across = figure.subplots(1, 2, width_ratios=(1, 2))
    show_image(above, field, f"{field.shape[0]} × {field.shape[1]} pixels (bright: counts more)", cmap="inferno")
    line = field.sum(axis=0)
    across.plot(np.arange(len(line)) + 0.5, line / line.max(), color=BLUE)
    across.set(
        xlim=(0, len(line)), ylim=(0, 1.05), xlabel="pixel of the receptive field", ylabel="gradient (largest: 1)"
    )
    hide_spines(across)
    return figure


# --- parameters -------------------------------------------------------------------------------------------------------


def parameter_bars(rows: Sequence[tuple[str, int]], linear: str = "classifier", title: str = "Parameters") -> Figure:
    """Parameters of each layer, and the shares of convolutional and fully connected layers.

    Args:
        rows: ``(layer name, number of parameters)`` from the first layer on.
        linear: prefix of the names of fully connected layers.
        title: the network's name.
    """
    names, counts = [name for name, _ in rows], [count for _, count in rows]
    is_linear = [name.startswith(linear) for name in names]
    total = sum(counts)
    figure = new_figure(9, 0.5 + 0.27 * len(rows) + 0.9)
    axes = figure.subplots()
    bars = axes.barh(range(len(rows)), np.array(counts) / 1e6, color=[ORANGE if flag else BLUE for flag in is_linear])
    axes.bar_label(bars, [f"{count:,} ({count / total:.1%})" for count in counts], padding=3, fontsize=8)
    set_row_labels(axes, names)
    axes.margins(x=0.25)
    axes.set_xlabel("parameters (millions)")
    share = {
        flag: sum(c for c, f in zip(counts, is_linear, strict=True) if f is flag) / total for flag in (False, True)
    }
    labels = (BLUE, f"convolutional: {share[False]:.1%}"), (ORANGE, f"fully connected: {share[True]:.1%}")
    axes.legend(handles=[Patch(color=c, label=text) for c, text in labels], loc="center right", frameon=False)
    axes.set_title(f"{title}: {total:,} in total", fontsize=10)
    hide_spines(axes)
    return figure


# --- features ---------------------------------------------------------------------------------------------------------


def feature_maps(image: ImageLike, maps: np.ndarray, columns: int = 8, title: str = "") -> Figure:
    """An image beside a layer's feature maps; each map is drawn from its own smallest value to its largest.

    Args:
        image: the network's input.
        maps: ``(channels, height, width)``.
        columns: maps per row.
        title: instead of the one that counts the maps.

    Raises:
        ValueError: if the maps have another number of dimensions.
    """
    maps = np.asarray(maps)
    if maps.ndim != 3:
        raise ValueError(f"found maps of shape {maps.shape}, expected (channels, height, width): take one image's")
    rows = -(-len(maps) // columns)
    figure = new_figure(11, max(2.6, 0.95 * rows + 0.5))
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1, 2.6))[0]
    show_image(left.subplots(), image, "image")
    for at, (axes, one) in enumerate(zip(image_grid(right, rows, columns), maps, strict=False)):
        show_image(axes, one, cmap="magma")
        axes.set_title(str(at), fontsize=6, pad=1)
    right.suptitle(title or f"{len(maps)} maps of {maps.shape[1]} × {maps.shape[2]} (dark: low, bright: high)", size=9)
    return figure


def filters(weights: np.ndarray, columns: int = 16) -> Figure:
    """The filters of a first convolution as small color images; mid-gray is weight zero.

    Args:
        weights: ``(filters, 3, kernel, kernel)``; all filters share one scale, so a weak filter looks weak.
        columns: filters per row.

    Raises:
        ValueError: if the weights have another shape.
    """
    weights = np.asarray(weights)
    if weights.ndim != 4 or weights.shape[1] != 3:
        raise ValueError(
            f"found weights of shape {weights.shape}, expected (filters, 3, kernel, kernel): only the "
            "filters of a first convolution have the channels red, green and blue"
        )
    rows = -(-len(weights) // columns)
    figure = new_figure(10, 0.75 * rows + 0.4)
    colors = 0.5 + 0.5 * weights.transpose(0, 2, 3, 1) / max(np.abs(weights).max(), 1e-12)
    for at, (axes, one) in enumerate(zip(image_grid(figure, rows, columns), colors, strict=False)):
        show_image(axes, one)
        axes.set_title(str(at), fontsize=6, pad=1)
    size = weights.shape[2]
    figure.suptitle(f"{len(weights)} filters of 3 × {size} × {size} weights (mid-gray: zero)", size=9)
    return figure


# --- class heat maps --------------------------------------------------------------------------------------------------


def upsample(
    heat: np.ndarray, size: tuple[int, int], window: int | None = None, stride: int | None = None
) -> np.ndarray:
    """Upsample a map to an image's size, bilinearly, with every value over the window it was computed from.

    A network slid over an image computes cell (i, j) from the window with its center at row
    ``i * stride + window / 2`` and column ``j * stride + window / 2``; stretching the map over the whole image would
    shift it. Without ``window`` and ``stride`` the cells tile the image, as with ``align_corners=False`` in
    ``torch.nn.functional.interpolate``.

    Args:
        heat: ``(rows, columns)``.
        size: height and width of the image, pixels.
        window: side of the network's input window, pixels.
        stride: pixels between neighboring windows.

    Returns:
        ``(height, width)``; beyond the outermost centers the nearest value.

    Raises:
        ValueError: if the map has another number of dimensions, or only one of window and stride is given.

    >>> upsample(np.array([[0.0, 1.0]]), (1, 4))
    array([[0.  , 0.25, 0.75, 1.  ]])
    """
    values: np.ndarray = np.asarray(heat, dtype=float)
    if values.ndim != 2:
        raise ValueError(f"found a map of shape {values.shape}, expected (rows, columns)")
    if (window is None) != (stride is None):
        raise ValueError("give window and stride together, or neither")
    for axis, side in enumerate(size):
        cells = np.arange(values.shape[axis])
        centers: np.ndarray = (cells + 0.5) * side / len(cells)
        if window is not None and stride is not None:
            centers = cells * stride + window / 2
        pixels = np.arange(side) + 0.5
        lines = [np.interp(pixels, centers, line) for line in np.moveaxis(values, axis, -1)]
        values = np.moveaxis(np.stack(lines), -1, axis)
    return values


def heat_map(
    image: ImageLike,
    heat: np.ndarray,
    title: str = "",
    window: int | None = None,
    stride: int | None = None,
    boxes: Sequence[tuple[int, int, int, int]] = (),
) -> Figure:
    """A class's probability at each position, laid over the image it was computed from (see :func:`upsample`).

    Args:
        image: ``(height, width, 3)``.
        heat: probabilities from 0 to 1, ``(rows, columns)``.
        title: over the map.
        window, stride: see :func:`upsample`.
        boxes: rectangles to draw, ``(x0, y0, x1, y1)`` in pixels.
    """
    height, width = np.asarray(image).shape[:2]
    upsampled = upsample(heat, (height, width), window, stride)
    figure = new_figure(10, 0.7 + 4.4 * height / width)
    plain, covered = figure.subplots(1, 2)
    show_image(plain, image, "image")
    show_image(covered, image, title)
    shown = covered.imshow(upsampled, extent=(0, width, height, 0), cmap="inferno", alpha=0.65, vmin=0, vmax=1)
    for axes in (plain, covered):
        for x0, y0, x1, y1 in boxes:
            axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor="white", linewidth=1.4))
    figure.colorbar(shown, ax=covered, label="probability", shrink=0.8)
    return figure


# --- predictions ------------------------------------------------------------------------------------------------------


def _draw_predictions(axes: Axes, predictions: Predictions, fontsize: int, label: str | None = None) -> None:
    names = [name if len(name) <= 26 else name[:25] + "…" for name, _ in predictions]
    values = [float(probability) for _, probability in predictions]
    colors = [GREEN if label is not None and name == label else BLUE for name, _ in predictions]
    bars = axes.barh(range(len(names)), values, color=colors, height=0.7)
    axes.bar_label(bars, [f"{value:.1%}" for value in values], padding=3, fontsize=fontsize)
    set_row_labels(axes, names, fontsize)
    axes.set_xlim(0, 1.25)  # room for the number beside a full bar
    axes.set_xticks([])
    hide_spines(axes, "bottom")


def prediction_bars(image: ImageLike, predictions: Predictions, title: str = "") -> Figure:
    """An image beside its most probable categories, ``[(category, probability), ...]`` most probable first."""
    figure = new_figure(7.5, 2.6)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.5))
    show_image(left, image, title)
    _draw_predictions(right, predictions, 9)
    right.set_title("probability", fontsize=9)
    return figure


def prediction_grid(
    images: Sequence[ImageLike],
    predictions: Sequence[Predictions],
    titles: Sequence[str],
    labels: Sequence[str | None] | None = None,
    columns: int = 2,
    title: str = "",
) -> Figure:
    """Several images, each beside its most probable categories; the bar of the image's own label is green.

    Args:
        images: to show, small.
        predictions: of each image, most probable category first.
        titles: over each image.
        labels: the right category of each image, None if unknown.
        columns: images per row.
        title: over all.

    Raises:
        ValueError: if there are no images, or the lists differ in length.
    """
    labels = list(labels) if labels is not None else [None] * len(images)
    if not len(images) or len({len(images), len(predictions), len(titles), len(labels)}) != 1:
        found = f"{len(images)} images, {len(predictions)} predictions, {len(titles)} titles, {len(labels)} labels"
        raise ValueError(f"found {found}: give at least one image, and as many of each")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    figure = new_figure(5.2 * columns, 1.55 * rows + (0.4 if title else 0))
    grid = figure.subplots(rows, 2 * columns, squeeze=False, width_ratios=(1, 1.5) * columns)
    for axes in grid.ravel()[2 * len(images) :]:
        axes.axis("off")
    for at, image in enumerate(images):
        left, right = grid[at // columns, 2 * (at % columns) : 2 * (at % columns) + 2]
        show_image(left, image)
        left.set_title(titles[at], fontsize=7.5)
        _draw_predictions(right, predictions[at], 7, labels[at])
    if title:
        figure.suptitle(title, size=9)
    return figure
