"""A synthetic classification task: one object, drawn by formula, on a cluttered background.

The embedded networks (`captionlab.vision.embedded`) are pretrained on it, as VGG16 is on ImageNet. The three families
of classes require three kinds of features: solid outlines (edges and corners), textures (periodic patterns) and
figures composed of parts (layout). Color, position, size, rotation, lighting, clutter and noise are independent of the
class.

The shapes are in `captionlab.datasets.signed_distances`; this module places, colors and lights them.
"""

import math
from collections.abc import Sequence

import numpy as np

from captionlab.datasets.drawn_splits import class_name
from captionlab.datasets.signed_distances import FIGURES, OUTLINES, TEXTURES, Frame, Layer, texture_layers

WINDOW = 64  # pixels; in a larger image, objects are as large as in a window of this size
# As shares of the window:
RADIUS = (0.27, 0.43)  # half an object's extent
MAX_OFFSET = 0.17  # distance of an object's center from the window's center, vertically and horizontally
NEIGHBOR_DISTANCE = (0.55, 0.8)  # distance of a neighbor's center from the window's: it is context, not the object

MAX_EXTENT = 1.35  # the corners of a rotated object are at most this many radii from its center

# The last class is a window without an object; it keeps class heat maps dark between objects.
CLASSES: tuple[str, ...] = (*OUTLINES, *TEXTURES, *FIGURES, "background")
BACKGROUND = len(CLASSES) - 1

# Rotation in radians, either way. Classes that are upright in the world or named by a direction rotate only a little.
_ANY_ROTATION = {"ring", "square", "star", "cross", "crescent", "triangle", "disc", "spiral", "beetle", "butterfly"}
_SMALL_ROTATION = 0.35
_STRIPE_ROTATION = 0.16


# --- drawing ---------------------------------------------------------------------------------------------------------


def _crop(canvas: np.ndarray, center: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """A view of the canvas within `margin` pixels of the center (y, x), and the center relative to it."""
    low = [max(0, math.floor(c - margin)) for c in center]
    high = [max(0, math.ceil(c + margin)) for c in center]
    return canvas[low[0] : high[0], low[1] : high[1]], np.array(center) - low


def _make_frame(shape: tuple[int, ...], center: np.ndarray, radius: float, angle: float, mirror: bool = False) -> Frame:
    y = (np.arange(0.5, shape[0], dtype=np.float32) - float(center[0]))[:, None] / radius
    x = (np.arange(0.5, shape[1], dtype=np.float32) - float(center[1]))[None, :] / radius
    c, s = math.cos(angle), math.sin(angle)
    u = c * x + s * y
    return Frame(-u if mirror else u, c * y - s * x, radius)


def _random_colors(rng: np.random.Generator, behind: np.ndarray) -> np.ndarray:
    """Three colors (3, 3) in 0..1; each contrasts with the one before it, the first with the color `behind`."""
    colors: list[np.ndarray] = []
    for _ in range(3):
        previous = colors[-1] if colors else behind
        candidates = rng.random((8, 3), dtype=np.float32)
        # Brightness must differ, not only hue: objects stay visible in gray images.
        contrast = np.abs((candidates - previous).mean(axis=1)) + 0.3 * np.abs(candidates - previous).max(axis=1)
        sufficient = np.flatnonzero(contrast > 0.42)
        colors.append(candidates[sufficient[0] if len(sufficient) else contrast.argmax()])
    return np.stack(colors)


def _draw_layers(canvas: np.ndarray, layers: list[Layer], colors: np.ndarray, pixels: float) -> np.ndarray:
    """Draw the layers in order on the canvas, in place; returns their joint coverage, (height, width) in 0..1."""
    total = np.zeros(canvas.shape[:2], np.float32)
    for distance, color in layers:
        coverage = np.minimum(np.maximum(0.5 - distance * pixels, 0), 1)
        canvas += coverage[..., None] * (colors[color] - canvas)
        np.maximum(total, coverage, out=total)
    return total


def draw_object(
    canvas: np.ndarray,
    name: str,
    center: np.ndarray,
    radius: float,
    rng: np.random.Generator,
    colors: np.ndarray | None = None,
) -> tuple[int, int, int, int]:
    """Draw an object on the canvas, in place.

    Args:
        canvas: float32 in 0..1, (height, width, 3).
        name: the object's class.
        center: (y, x) in pixels.
        radius: half the object's extent, in pixels.
        rng: draws everything that varies.
        colors: the object's colors, (3, 3) in 0..1; None draws colors that contrast with the canvas.

    Returns:
        The bounding box (x0, y0, x1, y1) in pixels, x1 and y1 exclusive; all 0 if the object is outside the canvas.
    """
    view, view_center = _crop(canvas, center, MAX_EXTENT * radius)
    rotation = _SMALL_ROTATION
    if name in _ANY_ROTATION:
        rotation = math.pi
    elif name.endswith(("stripes", "waves")):
        rotation = _STRIPE_ROTATION
    frame = _make_frame(view.shape, view_center, radius, rng.uniform(-rotation, rotation), rng.random() < 0.5)
    if name in OUTLINES:
        layers = [(OUTLINES[name](frame), 0)]
    elif name in TEXTURES:
        layers = texture_layers(name, frame, rng)
    else:
        layers = FIGURES[name](frame, rng)
    colors = _random_colors(rng, canvas.mean(axis=(0, 1))) if colors is None else colors
    mask = _draw_layers(view, layers, colors, radius) > 0.5
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    y, x = (round(float(offset)) for offset in np.array(center) - view_center)
    return int(columns[0]) + x, int(rows[0]) + y, int(columns[-1]) + x + 1, int(rows[-1]) + y + 1


def value_noise(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> np.ndarray:
    """Random values in -1..1 at knots `cell` pixels apart, bilinear between them: (height, width, 3)."""
    knots = [int(np.ceil(side / cell)) + 2 for side in shape]
    values = rng.uniform(-1, 1, (*knots, 3)).astype(np.float32)
    for axis, side in enumerate(shape):
        at = (np.arange(side) + 0.5) / cell
        low = at.astype(int)
        share = (at - low).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        values = values.take(low, axis) * (1 - share) + values.take(low + 1, axis) * share
    return values


def _make_background(rng: np.random.Generator, shape: tuple[int, int], window: float) -> np.ndarray:
    """A noisy color with strokes and specks, (height, width, 3) in 0..1; `window` is the window's size in pixels."""
    base = rng.uniform(0.1, 0.9, 3).astype(np.float32)
    canvas = base + rng.uniform(0.03, 0.16) * value_noise(rng, shape, window * rng.uniform(0.1, 0.4))
    strokes = rng.poisson(3.0 * shape[0] * shape[1] / window**2)
    for _ in range(strokes):
        center, angle = rng.uniform(0, 1, 2) * shape, rng.uniform(0, math.pi)
        radius = window * rng.uniform(0.03, 0.14)
        view, view_center = _crop(canvas, center, 1.3 * radius)
        frame = _make_frame(view.shape, view_center, radius, angle)
        color = base + rng.uniform(-0.3, 0.3, 3).astype(np.float32)
        stroke = np.maximum(np.abs(frame.u) - 1, np.abs(frame.v) - rng.uniform(0.15, 0.6))
        _draw_layers(view, [(stroke, 0)], color[None], radius)
    return canvas


def _simulate_photo(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add a light gradient and noise, and sometimes remove color; quantize to 8 bits."""
    height, width = canvas.shape[:2]
    angle, slope = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.35)
    across = np.linspace(-slope, slope, width, dtype=np.float32) * math.cos(angle)
    down = np.linspace(-slope, slope, height, dtype=np.float32) * math.sin(angle)
    canvas = canvas * (rng.uniform(0.75, 1.15) + across[None, :, None] + down[:, None, None])
    if rng.random() < 0.15:
        canvas = np.repeat(canvas @ np.array([[0.299], [0.587], [0.114]], np.float32), 3, axis=2)
    canvas = canvas + rng.uniform(0.0, 0.05) * rng.standard_normal(canvas.shape, dtype=np.float32)
    return (np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8)


# --- data set ---------------------------------------------------------------------------------------------------------


def render(label: int | str, rng: np.random.Generator, size: int = WINDOW) -> np.ndarray:
    """Draw one image of a class.

    Args:
        label: index into `CLASSES`, or the name of the class.
        rng: draws everything that varies; the same state gives the same image.
        size: height and width in pixels, at least 16.

    Returns:
        uint8 RGB, (size, size, 3).

    Raises:
        ValueError: if there is no such class, or the size is below 16.
    """
    name = class_name(label, CLASSES)
    if size < 16:
        raise ValueError(f"size {size} is too small to distinguish the classes: give at least 16 pixels")
    canvas = _make_background(rng, (size, size), size)
    if rng.random() < (0.6 if name == "background" else 0.3):
        direction, distance = rng.uniform(0, 2 * math.pi), rng.uniform(*NEIGHBOR_DISTANCE)
        center = size * (0.5 + distance * np.array([np.sin(direction), np.cos(direction)]))
        draw_object(canvas, CLASSES[rng.integers(BACKGROUND)], center, size * rng.uniform(*RADIUS), rng)
    if name != "background":
        center = size * (0.5 + rng.uniform(-MAX_OFFSET, MAX_OFFSET, 2))
        draw_object(canvas, name, center, size * rng.uniform(*RADIUS), rng)
    return _simulate_photo(canvas, rng)


def make_batch(rng: np.random.Generator, count: int, size: int = WINDOW) -> tuple[np.ndarray, np.ndarray]:
    """Draw images of random classes, all equally likely.

    Returns:
        The images, uint8 RGB (count, size, size, 3), and their labels, int64 (count,).

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
    """Draw a larger image with one object per label, at random positions that do not overlap.

    The objects are as large as in a 64-pixel image, so a network trained on such images sees them at the same scale.

    Args:
        rng: draws everything that varies.
        labels: classes of the objects, by index or name.
        size: height and width in pixels.

    Returns:
        The image, uint8 RGB (height, width, 3), and the objects' bounding boxes in the order of the labels, int64
        (objects, 4) as (x0, y0, x1, y1) in pixels, x1 and y1 exclusive.

    Raises:
        ValueError: if a label is unknown or "background", or there is no room for all objects.
    """
    names = [class_name(label, CLASSES) for label in labels]
    if "background" in names:
        raise ValueError('"background" is not an object: leave it out of the labels')
    canvas, boxes = _make_background(rng, size, WINDOW), []
    positions: list[tuple[np.ndarray, float]] = []
    for name in names:
        center, radius = find_free_position(rng, size, positions)
        positions.append((center, radius))
        boxes.append(draw_object(canvas, name, center, radius, rng))
    return _simulate_photo(canvas, rng), np.array(boxes, np.int64).reshape(-1, 4)


def find_free_position(
    rng: np.random.Generator, size: tuple[int, int], taken: list[tuple[np.ndarray, float]]
) -> tuple[np.ndarray, float]:
    """Draw a center (y, x) and a radius for an object that is inside the image and does not overlap others.

    Args:
        rng: draws them.
        size: height and width of the image in pixels.
        taken: centers and radii of the other objects.

    Raises:
        ValueError: if no free position was found.
    """
    for _ in range(500):
        radius = WINDOW * rng.uniform(0.29, 0.38)
        room = np.array(size) - 2 * MAX_EXTENT * radius
        if (room < 0).any():
            continue
        center = MAX_EXTENT * radius + rng.uniform(0, 1, 2) * room
        if all(np.abs(center - other).max() > MAX_EXTENT * (radius + r) for other, r in taken):
            return center, radius
    where = f"{size[0]}x{size[1]} pixels"
    raise ValueError(f"no room for object {len(taken) + 1} in {where}: ask for fewer objects or a larger image")
