"""Ants and bees drawn by code: a small stand-in for the photographs of Lab 3 that needs no download.

Both classes are insects seen from above, with six legs and three body parts of any color, on leaves and flowers,
heading upwards within about 60 degrees. An ant has a thin waist, elbowed antennae and long legs; a bee has two pairs of
wings, a striped abdomen and short legs. Color, position, size, pose and light have the same distribution in both
classes, so single pixels tell almost nothing.
"""

import math
from pathlib import Path

import numpy as np

from captionlab.datasets.canvas import Canvas, Color, ellipse_points, simulate_photo
from captionlab.datasets.drawn_splits import Split, class_name, draw_split, write_split

CLASSES: tuple[str, ...] = ("ants", "bees")
SPLITS = ("train", "val")  # folder names, as in the photographs of hymenoptera_data


# --- insects ----------------------------------------------------------------------------------------------------------


def _legs(canvas: Canvas, rng: np.random.Generator, color: Color, reach: float, width: float, x: float) -> None:
    """Three pairs of legs, each with a knee, attached to a thorax at (x, 0) and bent independently."""
    for side in (-1, 1):
        for root, lean in ((-0.12, -0.75), (0.0, 0.1), (0.12, 0.8)):
            turn = lean + rng.normal(0, 0.16)
            knee = (x + root + 0.55 * reach * math.sin(turn), side * 0.55 * reach * math.cos(turn))
            bend = turn + lean * rng.uniform(0.1, 0.7)
            foot = (knee[0] + 0.6 * reach * math.sin(bend), knee[1] + side * 0.6 * reach * math.cos(bend))
            canvas.line([(x + root, 0), knee, foot], color, width)


def _stripes(canvas: Canvas, x: float, rx: float, ry: float, color: Color, centers: list[float], width: float) -> None:
    """Bands across an abdomen with half-axes `rx` and `ry` at (x, 0); `centers` are in -1..1 along it."""
    for center in centers:
        ends = [max(-0.98, center - width), min(0.98, center + width)]
        # The band follows the outline and is narrower towards the tip.
        corners = [(x + rx * e, ry * math.sqrt(1 - e * e)) for e in ends]
        canvas.polygon([*corners, *[(px, -py) for px, py in reversed(corners)]], color)


def _draw_ant(canvas: Canvas, rng: np.random.Generator, body: list[np.ndarray]) -> None:
    _legs(canvas, rng, body[1], rng.uniform(0.75, 0.95), 0.055, -0.1)
    for side in (-1, 1):  # elbowed antennae
        elbow = (-0.95 - rng.uniform(0.05, 0.15), side * rng.uniform(0.32, 0.43))
        tip = (elbow[0] - rng.uniform(0.15, 0.3), elbow[1] + side * rng.uniform(-0.1, 0.12))
        canvas.line([(-0.78, side * 0.08), elbow, tip], body[1], 0.05)
    abdomen = rng.uniform(0.34, 0.42)
    x = 0.42 + abdomen
    canvas.ellipse(x, 0, abdomen, rng.uniform(0.24, 0.32), body[0])
    if rng.random() < 0.3:  # an ant's abdomen has thin lines between its segments, not bands
        _stripes(canvas, x, abdomen, 0.25, body[1], [-0.2, 0.3], 0.06)
    canvas.ellipse(0.32, 0, 0.08, 0.07, body[1], corners=10)  # the petiole, between thin joints
    canvas.line([(0.15, 0), (0.5, 0)], body[1], 0.06)
    canvas.ellipse(-0.08, 0, rng.uniform(0.28, 0.33), rng.uniform(0.12, 0.16), body[0])
    canvas.ellipse(-0.58, 0, rng.uniform(0.2, 0.25), rng.uniform(0.2, 0.26), body[0])


def _draw_bee(canvas: Canvas, rng: np.random.Generator, body: list[np.ndarray]) -> None:
    _legs(canvas, rng, body[1], rng.uniform(0.5, 0.7), 0.06, -0.1)
    for side in (-1, 1):
        canvas.line([(-0.75, side * 0.08), (-0.98, side * rng.uniform(0.15, 0.3))], body[1], 0.05)
    abdomen, broad = rng.uniform(0.44, 0.52), rng.uniform(0.28, 0.34)
    x = 0.1 + abdomen
    canvas.ellipse(x, 0, abdomen, broad, body[0])
    first = rng.uniform(-0.5, -0.3)
    _stripes(canvas, x, abdomen, broad, body[1], [first + 0.42 * i for i in range(4)], rng.uniform(0.09, 0.13))
    canvas.ellipse(-0.14, 0, 0.3, rng.uniform(0.25, 0.3), body[1])
    canvas.ellipse(-0.56, 0, 0.2, rng.uniform(0.22, 0.27), body[0])
    wing_angle, opacity = rng.uniform(0.5, 1.1), rng.uniform(0.55, 0.85)
    for side in (-1, 1):
        for length, broad, turn in ((0.54, 0.22, wing_angle), (0.38, 0.17, wing_angle - 0.5)):
            turn += rng.normal(0, 0.06)
            middle = (-0.05 + length * math.cos(turn), side * (0.1 + length * math.sin(turn)))
            canvas.translucent(ellipse_points(*middle, length, broad, side * turn, 14), body[2], opacity)


_DRAW = {"ants": _draw_ant, "bees": _draw_bee}


# --- background -------------------------------------------------------------------------------------------------------


def _leaf(canvas: Canvas, rng: np.random.Generator, color: np.ndarray) -> None:
    x, y, angle, length = *rng.uniform(0, 1, 2), rng.uniform(0, math.pi), rng.uniform(0.15, 0.4)
    half = length * rng.uniform(0.2, 0.4)
    c, s = math.cos(angle), math.sin(angle)
    outline = [(-length, 0), (-0.4 * length, half), (0.3 * length, half), (length, 0)]
    outline += [(0.3 * length, -half), (-0.4 * length, -half)]
    canvas.polygon([(x + c * u - s * v, y + s * u + c * v) for u, v in outline], color)
    vein = color + rng.uniform(-0.2, 0.2)
    canvas.line([(x - c * length, y - s * length), (x + c * length, y + s * length)], vein, 0.015)


def _flower(canvas: Canvas, rng: np.random.Generator, color: np.ndarray) -> None:
    x, y, radius, petals = *rng.uniform(0, 1, 2), rng.uniform(0.06, 0.16), int(rng.integers(5, 9))
    for i in range(petals):
        t = 2 * math.pi * i / petals
        canvas.ellipse(
            x + radius * math.cos(t), y + radius * math.sin(t), 0.6 * radius, 0.3 * radius, color, t, corners=10
        )
    canvas.ellipse(x, y, 0.4 * radius, 0.4 * radius, rng.uniform(0, 1, 3), corners=10)


def _stem(canvas: Canvas, rng: np.random.Generator, color: np.ndarray) -> None:
    start, end = rng.uniform(-0.2, 1.2, (2, 2))
    bend = (start + end) / 2 + rng.normal(0, 0.08, 2)
    canvas.line([tuple(start), tuple(bend), tuple(end)], color, rng.uniform(0.01, 0.04))


def _make_background(rng: np.random.Generator, size: int) -> tuple[Canvas, np.ndarray]:
    """A canvas with leaves, stems and flowers on the ground, and the color of the ground, which theirs are close to."""
    ground = rng.uniform(0.1, 0.9, 3)
    canvas = Canvas(size, ground)
    for _ in range(int(rng.integers(3, 9))):
        draw = (_leaf, _leaf, _stem, _flower)[rng.integers(4)]
        draw(canvas, rng, np.clip(ground + rng.normal(0, 0.12, 3), 0, 1))
    return canvas, ground


def _body_colors(rng: np.random.Generator, ground: np.ndarray) -> list[np.ndarray]:
    """Colors of an insect's body, stripes and wings, (3,) each.

    Body and wings differ in brightness from the ground, the stripes from the body.
    """
    colors: list[np.ndarray] = []
    for contrast_with in (ground, None, ground):
        candidates = rng.uniform(0, 1, (12, 3))
        contrast = np.abs((candidates - (colors[-1] if contrast_with is None else contrast_with)).mean(axis=1))
        sufficient = np.flatnonzero(contrast > 0.36)
        colors.append(candidates[sufficient[0] if len(sufficient) else contrast.argmax()])
    return colors


# --- data set ---------------------------------------------------------------------------------------------------------


def render(label: int | str, rng: np.random.Generator, size: int = 64) -> np.ndarray:
    """Draw one image of a class.

    Args:
        label: index into `CLASSES`, or the name of the class.
        rng: draws everything that varies; the same state gives the same image.
        size: height and width in pixels.

    Returns:
        uint8 RGB, (size, size, 3).

    Raises:
        ValueError: if there is no such class.
    """
    name = class_name(label, CLASSES)
    canvas, ground = _make_background(rng, size)
    canvas.set_camera(
        scale=rng.uniform(0.32, 0.43),
        angle=math.pi / 2 + rng.uniform(-1.1, 1.1),
        pivot=(0.05, 0.0),
        center=(rng.uniform(0.4, 0.6), rng.uniform(0.4, 0.6)),
        stretch=rng.uniform(0.8, 1.1),
    )
    _DRAW[name](canvas, rng, _body_colors(rng, ground))
    return simulate_photo(canvas.pixels(), rng)


def make_split(seed: int, train: int = 120, test: int = 120, size: int = 64) -> Split:
    """Draw training and test images, half of them ants and half bees (one more ant if the number is odd).

    Args:
        seed: the same seed gives the same images; asking for more images leaves the others unchanged.
        train: number of training images, both classes together.
        test: number of test images, both classes together.
        size: height and width in pixels; the embedded networks expect 64.

    Returns:
        The images, uint8 RGB (n, size, size, 3), and labels, class by class: the order in which
        `captionlab.datasets.folders.list_images` lists what `write_folders` has written.

    Raises:
        ValueError: if a class would have no image, or the size is below 16.
    """
    per_class = [[(count + 1) // 2, count // 2] for count in (train, test)]
    return draw_split(render, seed, per_class[0], per_class[1], size)


def write_folders(split: Split, folder: str | Path) -> Path:
    """Write a split as PNG files `folder/{train,val}/{ants,bees}/image_NNNN.png`; returns `folder`.

    The folder names are those of the photographs in hymenoptera_data, whose validation images serve as test images.
    """
    return write_split(split, folder, SPLITS, CLASSES)
