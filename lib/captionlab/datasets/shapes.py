"""A synthetic image task: one object, drawn by formula, on a cluttered background.

The embedded networks (`captionlab.vision.embedded`) are pretrained on it, as VGG16 is on ImageNet. Three families
of objects ask for three kinds of features: solid outlines (edges and corners), textures (periodic patterns) and
figures made of parts (layout). Color, place, size, rotation, lighting, clutter and noise say nothing of the class.

What the classes look like is in `captionlab.datasets.drawings`; here they are placed, colored, lit and photographed.
"""

import math
from collections.abc import Sequence

import numpy as np

from captionlab.datasets.drawings import FIGURES, OUTLINES, TEXTURES, Frame, Layer, texture_layers

OFF_CENTER = 0.17  # how far an object's center lies from the window's, down and across, as a share of the window
# A neighbor's center lies at least this share of the window away from the middle: it is context, not the object.
NEIGHBOR_AT = (0.55, 0.8)
REACH = 1.35  # a corner of a turned object lies farther out than its radius, by this factor at most
RADIUS = (0.27, 0.43)  # half an object's extent, as a share of the window
WINDOW = 64  # pixels; in a scene, objects are as large as in a window of this size


# "background", the last class, is a window without an object: it keeps class heat maps dark between the objects.
CLASSES: tuple[str, ...] = (*OUTLINES, *TEXTURES, *FIGURES, "background")
BACKGROUND = len(CLASSES) - 1

# Radians either side. What stands upright in the world, or is named by its direction, turns only a little.
_FREE_TURN = {"ring", "square", "star", "cross", "crescent", "triangle", "disc", "spiral", "beetle", "butterfly"}
_SMALL_TURN = 0.35
_STRIPE_TURN = 0.16


# --- painting ---------------------------------------------------------------------------------------------------------


def _view(canvas: np.ndarray, center: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """The part of the canvas within `reach` pixels of the center (a view), and the center in that part."""
    low = [max(0, math.floor(c - reach)) for c in center]
    high = [max(0, math.ceil(c + reach)) for c in center]
    return canvas[low[0] : high[0], low[1] : high[1]], np.array(center) - low


def _frame(shape: tuple[int, ...], center: np.ndarray, radius: float, angle: float, mirror: bool = False) -> Frame:
    y = (np.arange(0.5, shape[0], dtype=np.float32) - float(center[0]))[:, None] / radius
    x = (np.arange(0.5, shape[1], dtype=np.float32) - float(center[1]))[None, :] / radius
    c, s = math.cos(angle), math.sin(angle)
    u = c * x + s * y
    return Frame(-u if mirror else u, c * y - s * x, radius)


def _palette(rng: np.random.Generator, away_from: np.ndarray) -> np.ndarray:
    """Three colors (3, 3) in 0..1, each well apart from the one before and the first from `away_from`."""
    colors = []
    for _ in range(3):
        previous = colors[-1] if colors else away_from
        candidates = rng.random((8, 3), dtype=np.float32)
        # Brightness must differ, not only hue: gray pictures keep the object.
        gap = np.abs((candidates - previous).mean(axis=1)) + 0.3 * np.abs(candidates - previous).max(axis=1)
        clear = np.flatnonzero(gap > 0.42)
        colors.append(candidates[clear[0] if len(clear) else gap.argmax()])
    return np.stack(colors)


def _paint(canvas: np.ndarray, layers: list[Layer], colors: np.ndarray, pixels: float) -> np.ndarray:
    """Paint the layers in order on the canvas, in place; give back what they cover, (height, width) in 0..1."""
    covered = np.zeros(canvas.shape[:2], np.float32)
    for distance, color in layers:
        cover = np.minimum(np.maximum(0.5 - distance * pixels, 0), 1)
        canvas += cover[..., None] * (colors[color] - canvas)
        np.maximum(covered, cover, out=covered)
    return covered


def paint_object(
    canvas: np.ndarray,
    name: str,
    center: np.ndarray,
    radius: float,
    rng: np.random.Generator,
    colors: np.ndarray | None = None,
) -> tuple[int, int, int, int]:
    """Paint an object of the class on the canvas, in place; give back its box (x0, y0, x1, y1).

    Args:
        canvas: (height, width, 3), float32 in 0..1.
        center, radius: (y, x) and half the extent, in pixels.
        colors: (3, 3) in 0..1, the object's colors; None: drawn, apart from the canvas's.
    """
    view, here = _view(canvas, center, REACH * radius)
    turn = math.pi if name in _FREE_TURN else _STRIPE_TURN if name.endswith(("stripes", "waves")) else _SMALL_TURN
    frame = _frame(view.shape, here, radius, rng.uniform(-turn, turn), rng.random() < 0.5)
    if name in OUTLINES:
        layers = [(OUTLINES[name](frame), 0)]
    elif name in TEXTURES:
        layers = texture_layers(name, frame, rng)
    else:
        layers = FIGURES[name](frame, rng)
    colors = _palette(rng, canvas.mean(axis=(0, 1))) if colors is None else colors
    covered = _paint(view, layers, colors, radius) > 0.5
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    y, x = (round(float(offset)) for offset in np.array(center) - here)
    return int(columns[0]) + x, int(rows[0]) + y, int(columns[-1]) + x + 1, int(rows[-1]) + y + 1


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> np.ndarray:
    """Random values (height, width, 3) in -1..1 at knots `cell` pixels apart, linear between them."""
    knots = [int(np.ceil(side / cell)) + 2 for side in shape]
    values = rng.uniform(-1, 1, (*knots, 3)).astype(np.float32)
    for axis, side in enumerate(shape):
        at = (np.arange(side) + 0.5) / cell
        low = at.astype(int)
        share = (at - low).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        values = values.take(low, axis) * (1 - share) + values.take(low + 1, axis) * share
    return values


def _background(rng: np.random.Generator, shape: tuple[int, int], unit: float) -> np.ndarray:
    """A mottled color with strokes and specks on it, (height, width, 3) in 0..1; `unit` is a window's size."""
    base = rng.uniform(0.1, 0.9, 3).astype(np.float32)
    canvas = base + rng.uniform(0.03, 0.16) * smooth_noise(rng, shape, unit * rng.uniform(0.1, 0.4))
    strokes = rng.poisson(3.0 * shape[0] * shape[1] / unit**2)
    for _ in range(strokes):
        center, angle = rng.uniform(0, 1, 2) * shape, rng.uniform(0, math.pi)
        radius = unit * rng.uniform(0.03, 0.14)
        view, here = _view(canvas, center, 1.3 * radius)
        frame = _frame(view.shape, here, radius, angle)
        color = base + rng.uniform(-0.3, 0.3, 3).astype(np.float32)
        stroke = np.maximum(np.abs(frame.u) - 1, np.abs(frame.v) - rng.uniform(0.15, 0.6))
        _paint(view, [(stroke, 0)], color[None], radius)
    return canvas


def _photograph(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light from one side, sometimes no color, always noise; then 8 bits."""
    height, width = canvas.shape[:2]
    angle, slope = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.35)
    across = np.linspace(-slope, slope, width, dtype=np.float32) * math.cos(angle)
    down = np.linspace(-slope, slope, height, dtype=np.float32) * math.sin(angle)
    canvas = canvas * (rng.uniform(0.75, 1.15) + across[None, :, None] + down[:, None, None])
    if rng.random() < 0.15:
        canvas = np.repeat(canvas @ np.array([[0.299], [0.587], [0.114]], np.float32), 3, axis=2)
    canvas = canvas + rng.uniform(0.0, 0.05) * rng.standard_normal(canvas.shape, dtype=np.float32)
    return (np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8)


def _name(label: int | str) -> str:
    if isinstance(label, str) and label in CLASSES:
        return label
    if not isinstance(label, str) and 0 <= label < len(CLASSES):
        return CLASSES[label]
    raise ValueError(f"no class {label!r}: give 0 to {len(CLASSES) - 1} or one of {', '.join(CLASSES)}")


# --- the task ---------------------------------------------------------------------------------------------------------


def render(label: int | str, rng: np.random.Generator, size: int = WINDOW) -> np.ndarray:
    """Draw one picture of a class.

    Args:
        label: index into `CLASSES`, or the class's name.
        rng: the source of everything that varies; the same state gives the same picture.
        size: height and width in pixels, at least 16.

    Returns:
        The picture, uint8 RGB, (size, size, 3).

    Raises:
        ValueError: if there is no such class, or the size is below 16.
    """
    name = _name(label)
    if size < 16:
        raise ValueError(f"size {size} is too small to tell the classes apart: give at least 16 pixels")
    canvas = _background(rng, (size, size), size)
    if rng.random() < (0.6 if name == "background" else 0.3):
        direction, away = rng.uniform(0, 2 * math.pi), rng.uniform(*NEIGHBOR_AT)
        center = size * (0.5 + away * np.array([np.sin(direction), np.cos(direction)]))
        paint_object(canvas, CLASSES[rng.integers(BACKGROUND)], center, size * rng.uniform(*RADIUS), rng)
    if name != "background":
        center = size * (0.5 + rng.uniform(-OFF_CENTER, OFF_CENTER, 2))
        paint_object(canvas, name, center, size * rng.uniform(*RADIUS), rng)
    return _photograph(canvas, rng)


def make_batch(rng: np.random.Generator, count: int, size: int = WINDOW) -> tuple[np.ndarray, np.ndarray]:
    """Draw pictures of classes chosen at random, all equally likely.

    Returns:
        Pictures, uint8 RGB, (count, size, size, 3), and their labels, int64, (count,).

    Raises:
        ValueError: if the size is below 16.
    """
    labels = rng.integers(len(CLASSES), size=count)
    images = np.empty((count, size, size, 3), np.uint8)
    for i, label in enumerate(labels):
        images[i] = render(int(label), rng, size)
    return images, labels


def render_scene(
    rng: np.random.Generator, labels: Sequence[int | str], size: tuple[int, int] = (160, 240)
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a larger picture with one object for each label, at random places that do not overlap.

    Objects are as large as in a 64-pixel picture, so a network trained on those finds them at its own scale.

    Returns:
        The picture, uint8 RGB, (height, width, 3), and the objects' boxes in the order of the labels,
        int64 (objects, 4) as (x0, y0, x1, y1) in pixels, x1 and y1 excluded.

    Raises:
        ValueError: if a label is unknown or "background", or the objects find no room.
    """
    names = [_name(label) for label in labels]
    if "background" in names:
        raise ValueError('"background" is no object: leave it out of the labels')
    canvas, boxes = _background(rng, size, WINDOW), []
    places: list[tuple[np.ndarray, float]] = []
    for name in names:
        center, radius = free_place(rng, size, places)
        places.append((center, radius))
        boxes.append(paint_object(canvas, name, center, radius, rng))
    return _photograph(canvas, rng), np.array(boxes, np.int64).reshape(-1, 4)


def free_place(
    rng: np.random.Generator, size: tuple[int, int], taken: list[tuple[np.ndarray, float]]
) -> tuple[np.ndarray, float]:
    """A center (y, x) and a radius apart from those taken, whole inside the picture."""
    for _ in range(500):
        radius = WINDOW * rng.uniform(0.29, 0.38)
        room = np.array(size) - 2 * REACH * radius
        if (room < 0).any():
            continue
        center = REACH * radius + rng.uniform(0, 1, 2) * room
        if all(np.abs(center - other).max() > REACH * (radius + r) for other, r in taken):
            return center, radius
    where = f"{size[0]}x{size[1]} pixels"
    raise ValueError(f"no room for object {len(taken) + 1} in {where}: ask for fewer objects or a larger picture")
