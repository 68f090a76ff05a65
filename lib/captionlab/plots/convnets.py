"""Pictures of what a convolutional network does: data in, a matplotlib figure out.

Every function returns a :class:`Picture`, which a notebook shows when it is the last value of a cell and which
``picture.savefig(path)`` writes. Nothing here touches pyplot's global state, so the same data give the same bytes.
Images are height x width x 3 (or height x width for gray): uint8 arrays, floats in 0..1, or PIL images.

Colors: M. Okabe and K. Ito, "Color Universal Design", 2008, told apart by color-blind readers too.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

BLUE, ORANGE, GREEN, VERMILION, GRAY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8C8C8C"
KIND_COLORS = {"input": GRAY, "convolution": BLUE, "pooling": GREEN, "fully connected": ORANGE}
Predictions = Sequence[tuple[str, float]]


class Picture(Figure):
    """A figure that a notebook shows by itself, whatever backend pyplot uses."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def _picture(width: float, height: float) -> Picture:
    """An empty picture; sizes in inches, 100 pixels each."""
    return Picture(figsize=(width, height), dpi=100, layout="constrained")


def _show(axes: Axes, image: np.ndarray, title: str = "", **options) -> None:
    """An image without ticks, on its own pixel grid: pixel (row, column) covers [column, column + 1]."""
    pixels = np.asarray(image)
    height, width = pixels.shape[:2]
    options.setdefault("cmap", "gray")
    axes.imshow(pixels, extent=(0, width, height, 0), interpolation="nearest", **options)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=9)


def _bare(axes: Axes, *sides: str) -> None:
    for side in ("top", "right", *sides):
        axes.spines[side].set_visible(False)


def photograph(name: str) -> np.ndarray:
    """One of the two real photographs that are always at hand, "china" or "flower": uint8 RGB, (427, 640, 3).

    They come with scikit-learn (``sklearn.datasets.load_sample_image``; authors and licenses are named there).
    """
    from sklearn.datasets import load_sample_image  # here: it takes a second, and few pictures need it

    return load_sample_image(f"{name}.jpg")


# --- convolution and pooling ------------------------------------------------------------------------------------------


def side_by_side(images: Sequence[np.ndarray], titles: Sequence[str], same_scale: bool = True) -> Picture:
    """Images in a row, their sizes above them.

    Gray images (height, width) each use their own range from black to white.

    Args:
        same_scale: whether a pixel is as large in each, so that a smaller image looks smaller; otherwise each is
            drawn as large as its place allows.

    Raises:
        ValueError: if there are no images, or not one title for each.
    """
    if not len(images) or len(images) != len(titles):
        raise ValueError(f"found {len(images)} images and {len(titles)} titles: give one title for each image")
    shapes = [np.asarray(image).shape for image in images]
    tallest, widest = max(shape[0] for shape in shapes), max(shape[1] for shape in shapes)
    each = min(3.2, 11 / len(images))
    picture = _picture(each * len(images), each * tallest / widest + 0.5)
    for axes, image, shape, title in zip(
        picture.subplots(1, len(images), squeeze=False)[0], images, shapes, titles, strict=True
    ):
        _show(axes, image, f"{title}\n{shape[0]} × {shape[1]}")
        _bare(axes, "left", "bottom")
        if same_scale:
            axes.set_xlim((shape[1] - widest) / 2, (shape[1] + widest) / 2)
            axes.set_ylim((shape[0] + tallest) / 2, (shape[0] - tallest) / 2)
    return picture


def volumes(layers: Sequence[tuple[str, str, tuple[int, int, int]]], title: str = "") -> Picture:
    """The volumes a network passes through: taller is larger in space, wider is more maps.

    Args:
        layers: ``(name, kind, (channels, height, width))`` from the input on; kind is one of ``KIND_COLORS``.
    """
    picture = _picture(11, 3.6)
    axes = picture.subplots()
    left, largest = 0.0, max(shape[1] for _, _, shape in layers)
    for at, (name, kind, (channels, height, width)) in enumerate(layers):
        # Roots, because maps grow 170-fold and sides shrink 32-fold: drawn to scale, nothing could be seen.
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
    axes.set_title(title or "Volumes (maps × height × width); heights and widths drawn as square roots", fontsize=10)
    return picture


def receptive_fields(
    image: np.ndarray, sizes: Sequence[int], names: Sequence[str], center: tuple[int, int] | None = None
) -> Picture:
    """How much of an image one position of each layer sees: nested squares, and their sides as bars.

    Args:
        sizes: receptive field of each layer in pixels, from the first layer on.
        names: the layers' names.
        center: row and column the squares are centerd on; the image's middle if None.

    Raises:
        ValueError: if there is not one name for each size.
    """
    if len(sizes) != len(names):
        raise ValueError(f"found {len(sizes)} sizes and {len(names)} names: give one name for each layer")
    height, width = np.asarray(image).shape[:2]
    row, column = center if center is not None else (height / 2, width / 2)
    colors = colormaps["viridis"](np.linspace(0, 0.95, len(sizes)))
    picture = _picture(10, 4.4)
    over, bars = picture.subplots(1, 2, width_ratios=(1, 1.1))
    _show(over, image, f"Receptive fields around row {row:g}, column {column:g}")
    for size, color in zip(sizes, colors, strict=True):
        corner = (column - size / 2, row - size / 2)
        over.add_patch(Rectangle(corner, size, size, fill=False, edgecolor=color, linewidth=1.6))
    over.set_xlim(0, width)  # a field may reach beyond the image
    over.set_ylim(height, 0)
    bars.barh(range(len(sizes)), sizes, color=colors)
    bars.bar_label(bars.containers[0], padding=3, fontsize=8)
    bars.set_yticks(range(len(sizes)), names, fontsize=8)
    bars.invert_yaxis()
    bars.axvline(min(height, width), color=GRAY, linestyle="--", linewidth=1)
    bars.set_xlabel("side of the receptive field (pixels); dashed: the image")
    _bare(bars)
    return picture


def influence(gradient: np.ndarray) -> Picture:
    """How much each pixel of a receptive field counts: the field from above, and its columns summed up.

    Args:
        gradient: (height, width), derivative of one value with respect to the image; 0 outside the field.

    Raises:
        ValueError: if the gradient is 0 everywhere.
    """
    strength = np.abs(np.asarray(gradient, dtype=float))
    rows, columns = np.nonzero(strength.sum(axis=1))[0], np.nonzero(strength.sum(axis=0))[0]
    if not len(rows):
        raise ValueError("the gradient is 0 everywhere: run backward() on a value of the last maps first")
    field = strength[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    picture = _picture(9, 2.9)
    above, across = picture.subplots(1, 2, width_ratios=(1, 2))
    _show(above, field, f"{field.shape[0]} × {field.shape[1]} pixels (bright: counts more)", cmap="inferno")
    line = field.sum(axis=0)
    across.plot(np.arange(len(line)) + 0.5, line / line.max(), color=BLUE)
    across.set(
        xlim=(0, len(line)), ylim=(0, 1.05), xlabel="pixel of the receptive field", ylabel="influence (largest: 1)"
    )
    _bare(across)
    return picture


# --- parameters -------------------------------------------------------------------------------------------------------


def parameter_bars(rows: Sequence[tuple[str, int]], dense: str = "classifier", title: str = "Parameters") -> Picture:
    """Parameters layer by layer, convolutions and fully connected layers apart, with their shares.

    Args:
        rows: ``(layer name, number of parameters)`` from the first layer on.
        dense: names that begin so belong to fully connected layers.
    """
    names, counts = [name for name, _ in rows], [count for _, count in rows]
    is_dense = [name.startswith(dense) for name in names]
    total = sum(counts)
    picture = _picture(9, 0.5 + 0.27 * len(rows) + 0.9)
    axes = picture.subplots()
    bars = axes.barh(range(len(rows)), np.array(counts) / 1e6, color=[ORANGE if flag else BLUE for flag in is_dense])
    axes.bar_label(bars, [f"{count:,} ({count / total:.1%})" for count in counts], padding=3, fontsize=8)
    axes.set_yticks(range(len(rows)), names, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.25)
    axes.set_xlabel("parameters (millions)")
    share = {flag: sum(c for c, f in zip(counts, is_dense, strict=True) if f is flag) / total for flag in (False, True)}
    labels = (BLUE, f"convolutional: {share[False]:.1%}"), (ORANGE, f"fully connected: {share[True]:.1%}")
    axes.legend(handles=[Patch(color=c, label=text) for c, text in labels], loc="center right", frameon=False)
    axes.set_title(f"{title}: {total:,} in all", fontsize=10)
    _bare(axes)
    return picture


# --- features ---------------------------------------------------------------------------------------------------------


def feature_maps(image: np.ndarray, maps: np.ndarray, columns: int = 8, title: str = "") -> Picture:
    """An image beside the maps a layer makes of it; each map from its own smallest value to its largest.

    Args:
        maps: (channels, height, width).
    """
    maps = np.asarray(maps)
    if maps.ndim != 3:
        raise ValueError(f"found maps of shape {maps.shape}, expected (channels, height, width): take one image's")
    rows = -(-len(maps) // columns)
    picture = _picture(11, max(2.6, 0.95 * rows + 0.5))
    left, right = picture.subfigures(1, 2, width_ratios=(1, 2.6))
    _show(left.subplots(), image, "image")
    grid = right.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for at, (axes, one) in enumerate(zip(grid, maps, strict=False)):
        _show(axes, one, cmap="magma")
        axes.set_title(str(at), fontsize=6, pad=1)
    right.suptitle(title or f"{len(maps)} maps of {maps.shape[1]} × {maps.shape[2]} (dark: low, bright: high)", size=9)
    return picture


def filters(weights: np.ndarray, columns: int = 16) -> Picture:
    """The filters of a first convolution as small color images; mid-gray is weight zero.

    Args:
        weights: (filters, 3, kernel, kernel). One scale for all filters, so that a weak filter looks weak.
    """
    weights = np.asarray(weights)
    if weights.ndim != 4 or weights.shape[1] != 3:
        raise ValueError(
            f"found weights of shape {weights.shape}, expected (filters, 3, kernel, kernel): only a first "
            "convolution's filters live in red, green and blue"
        )
    rows = -(-len(weights) // columns)
    picture = _picture(10, 0.75 * rows + 0.4)
    colors = 0.5 + 0.5 * weights.transpose(0, 2, 3, 1) / max(np.abs(weights).max(), 1e-12)
    grid = picture.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for at, (axes, one) in enumerate(zip(grid, colors, strict=False)):
        _show(axes, one)
        axes.set_title(str(at), fontsize=6, pad=1)
    size = weights.shape[2]
    picture.suptitle(f"{len(weights)} filters of 3 × {size} × {size} weights (mid-gray: zero)", size=9)
    return picture


# --- class heat maps --------------------------------------------------------------------------------------------------


def enlarge(
    heat: np.ndarray, size: tuple[int, int], window: int | None = None, stride: int | None = None
) -> np.ndarray:
    """Enlarge a map to an image's size, bilinearly, every value over the place it was computed from.

    A network slid over an image computes cell (i, j) from the window whose middle is at row
    ``i * stride + window / 2`` and column ``j * stride + window / 2``; stretching the map over the whole image would
    shift it. Without `window` and `stride` the cells tile the image (what ``align_corners=False`` does).

    Args:
        heat: (rows, columns).
        size: height and width of the image, pixels.
        window: side of the network's input window, pixels.
        stride: pixels between neighboring windows.

    Returns:
        (height, width); beyond the outermost middles the nearest value.
    """
    heat = np.asarray(heat, dtype=float)
    if heat.ndim != 2:
        raise ValueError(f"found a map of shape {heat.shape}, expected (rows, columns)")
    if (window is None) != (stride is None):
        raise ValueError("give window and stride together, or neither")
    for axis, side in enumerate(size):
        cells = np.arange(heat.shape[axis])
        middles = (cells + 0.5) * side / len(cells) if window is None else cells * stride + window / 2
        pixels = np.arange(side) + 0.5
        heat = np.apply_along_axis(lambda values, p=pixels, m=middles: np.interp(p, m, values), axis, heat)
    return heat


def heat_map(
    image: np.ndarray,
    heat: np.ndarray,
    title: str = "",
    window: int | None = None,
    stride: int | None = None,
    boxes: Sequence[tuple[int, int, int, int]] = (),
) -> Picture:
    """A class's probability at each place, laid over the image it was computed from (see :func:`enlarge`).

    Args:
        image: (height, width, 3).
        heat: probabilities 0..1, (rows, columns).
        boxes: rectangles to draw, (x0, y0, x1, y1) in pixels.
    """
    height, width = np.asarray(image).shape[:2]
    enlarged = enlarge(heat, (height, width), window, stride)
    picture = _picture(10, 0.7 + 4.4 * height / width)
    plain, covered = picture.subplots(1, 2)
    _show(plain, image, "image")
    _show(covered, image, title)
    shown = covered.imshow(enlarged, extent=(0, width, height, 0), cmap="inferno", alpha=0.65, vmin=0, vmax=1)
    for axes in (plain, covered):
        for x0, y0, x1, y1 in boxes:
            axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor="white", linewidth=1.4))
    picture.colorbar(shown, ax=covered, label="probability", shrink=0.8)
    return picture


# --- predictions ------------------------------------------------------------------------------------------------------


def _bars(axes: Axes, predictions: Predictions, size: int, right: str | None = None) -> None:
    names = [name if len(name) <= 26 else name[:25] + "…" for name, _ in predictions]
    values = [float(probability) for _, probability in predictions]
    colors = [GREEN if right is not None and name == right else BLUE for name, _ in predictions]
    bars = axes.barh(range(len(names)), values, color=colors, height=0.7)
    axes.bar_label(bars, [f"{value:.1%}" for value in values], padding=3, fontsize=size)
    axes.set_yticks(range(len(names)), names, fontsize=size)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.25)  # room for the number beside a full bar
    axes.set_xticks([])
    _bare(axes, "bottom")


def prediction_bars(image: np.ndarray, predictions: Predictions, title: str = "") -> Picture:
    """An image beside its most probable categories, ``[(category, probability), ...]`` most probable first."""
    picture = _picture(7.5, 2.6)
    left, right = picture.subplots(1, 2, width_ratios=(1, 1.5))
    _show(left, image, title)
    _bars(right, predictions, 9)
    right.set_title("probability", fontsize=9)
    return picture


def prediction_grid(
    images: Sequence[np.ndarray],
    predictions: Sequence[Predictions],
    titles: Sequence[str],
    labels: Sequence[str | None] | None = None,
    columns: int = 2,
    title: str = "",
) -> Picture:
    """Many images, each beside its most probable categories; a bar named as its image's label is green.

    Raises:
        ValueError: if there are no images, or the lists differ in length.
    """
    labels = list(labels) if labels is not None else [None] * len(images)
    if not len(images) or len({len(images), len(predictions), len(titles), len(labels)}) != 1:
        found = f"{len(images)} images, {len(predictions)} predictions, {len(titles)} titles, {len(labels)} labels"
        raise ValueError(f"found {found}: give at least one image, and as many of each")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    picture = _picture(5.2 * columns, 1.55 * rows + (0.4 if title else 0))
    grid = picture.subplots(rows, 2 * columns, squeeze=False, width_ratios=(1, 1.5) * columns)
    for axes in grid.ravel()[2 * len(images) :]:
        axes.axis("off")
    for at, image in enumerate(images):
        left, right = grid[at // columns, 2 * (at % columns) : 2 * (at % columns) + 2]
        _show(left, image)
        left.set_title(titles[at], fontsize=7.5)
        _bars(right, predictions[at], 7, labels[at])
    if title:
        picture.suptitle(title, size=9)
    return picture
