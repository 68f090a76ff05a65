"""Ants and bees, drawn by code: a small stand-in for the bees and ants of Lab 3, offline and without files to ship.

Both are insects seen from above, of six legs, three parts and any color, on leaves and flowers, heading upwards give
or take a third of a half turn. An ant has a thin waist, bent antennae and long legs; a bee has two pairs of wings, a
striped abdomen and short legs. Color, place, size, pose and light are drawn alike for both, so that single pixels say
next to nothing.
"""

import math
from pathlib import Path

import numpy as np

from captionlab.datasets.textures import Canvas, Split, draw_split, ellipse_points, name_of, photograph, write_split

CLASSES: tuple[str, ...] = ("ants", "bees")
SPLITS = ("train", "val")  # as in the folder of photographs, hymenoptera_data
Color = np.ndarray  # (3,) in 0..1


# --- what is seen -----------------------------------------------------------------------------------------------------


def _legs(canvas: Canvas, rng: np.random.Generator, color: Color, reach: float, width: float, x: float) -> None:
    """Three pairs of legs with a knee, from a thorax about (x, 0), bent a little differently on either side."""
    for side in (-1, 1):
        for root, lean in ((-0.12, -0.75), (0.0, 0.1), (0.12, 0.8)):
            turn = lean + rng.normal(0, 0.16)
            knee = (x + root + 0.55 * reach * math.sin(turn), side * 0.55 * reach * math.cos(turn))
            bend = turn + lean * rng.uniform(0.1, 0.7)
            foot = (knee[0] + 0.6 * reach * math.sin(bend), knee[1] + side * 0.6 * reach * math.cos(bend))
            canvas.line([(x + root, 0), knee, foot], color, width)


def _stripes(canvas: Canvas, x: float, rx: float, ry: float, color: Color, at: list[float], width: float) -> None:
    """Bands across an abdomen of half axes rx, ry about (x, 0); `at` are their places from -1 to 1 along it."""
    for place in at:
        ends = [max(-0.98, place - width), min(0.98, place + width)]
        # The band follows the outline: narrower towards the tip.
        corners = [(x + rx * e, ry * math.sqrt(1 - e * e)) for e in ends]
        canvas.polygon([*corners, *[(px, -py) for px, py in reversed(corners)]], color)


def _ant(canvas: Canvas, rng: np.random.Generator, body: list[Color]) -> None:
    _legs(canvas, rng, body[1], rng.uniform(0.75, 0.95), 0.055, -0.1)
    for side in (-1, 1):  # elbowed antennae
        elbow = (-0.95 - rng.uniform(0.05, 0.15), side * rng.uniform(0.32, 0.43))
        tip = (elbow[0] - rng.uniform(0.15, 0.3), elbow[1] + side * rng.uniform(-0.1, 0.12))
        canvas.line([(-0.78, side * 0.08), elbow, tip], body[1], 0.05)
    abdomen = rng.uniform(0.34, 0.42)
    x = 0.42 + abdomen
    canvas.ellipse(x, 0, abdomen, rng.uniform(0.24, 0.32), body[0])
    if rng.random() < 0.3:  # segments of an abdomen are lines, not bands
        _stripes(canvas, x, abdomen, 0.25, body[1], [-0.2, 0.3], 0.06)
    canvas.ellipse(0.32, 0, 0.08, 0.07, body[1], corners=10)  # the waist is a knot between thin joints
    canvas.line([(0.15, 0), (0.5, 0)], body[1], 0.06)
    canvas.ellipse(-0.08, 0, rng.uniform(0.28, 0.33), rng.uniform(0.12, 0.16), body[0])
    canvas.ellipse(-0.58, 0, rng.uniform(0.2, 0.25), rng.uniform(0.2, 0.26), body[0])


def _bee(canvas: Canvas, rng: np.random.Generator, body: list[Color]) -> None:
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
    spread, opacity = rng.uniform(0.5, 1.1), rng.uniform(0.55, 0.85)
    for side in (-1, 1):
        for length, broad, turn in ((0.54, 0.22, spread), (0.38, 0.17, spread - 0.5)):
            turn += rng.normal(0, 0.06)
            middle = (-0.05 + length * math.cos(turn), side * (0.1 + length * math.sin(turn)))
            canvas.veil(ellipse_points(*middle, length, broad, side * turn, 14), body[2], opacity)


_DRAW = {"ants": _ant, "bees": _bee}


# --- what is around it ------------------------------------------------------------------------------------------------


def _leaf(canvas: Canvas, rng: np.random.Generator, color: Color) -> None:
    x, y, angle, length = *rng.uniform(0, 1, 2), rng.uniform(0, math.pi), rng.uniform(0.15, 0.4)
    half = length * rng.uniform(0.2, 0.4)
    c, s = math.cos(angle), math.sin(angle)
    outline = [(-length, 0), (-0.4 * length, half), (0.3 * length, half), (length, 0)]
    outline += [(0.3 * length, -half), (-0.4 * length, -half)]
    canvas.polygon([(x + c * u - s * v, y + s * u + c * v) for u, v in outline], color)
    vein = color + rng.uniform(-0.2, 0.2)
    canvas.line([(x - c * length, y - s * length), (x + c * length, y + s * length)], vein, 0.015)


def _blossom(canvas: Canvas, rng: np.random.Generator, color: Color) -> None:
    x, y, radius, petals = *rng.uniform(0, 1, 2), rng.uniform(0.06, 0.16), int(rng.integers(5, 9))
    for i in range(petals):
        t = 2 * math.pi * i / petals
        canvas.ellipse(
            x + radius * math.cos(t), y + radius * math.sin(t), 0.6 * radius, 0.3 * radius, color, t, corners=10
        )
    canvas.ellipse(x, y, 0.4 * radius, 0.4 * radius, rng.uniform(0, 1, 3), corners=10)


def _stalk(canvas: Canvas, rng: np.random.Generator, color: Color) -> None:
    start, end = rng.uniform(-0.2, 1.2, (2, 2))
    bow = (start + end) / 2 + rng.normal(0, 0.08, 2)
    canvas.line([tuple(start), tuple(bow), tuple(end)], color, rng.uniform(0.01, 0.04))


def _background(rng: np.random.Generator, size: int) -> tuple[Canvas, Color]:
    """Leaves, stalks and blossoms in and about a color of the ground, and that color."""
    ground = rng.uniform(0.1, 0.9, 3)
    canvas = Canvas(size, ground)
    for _ in range(int(rng.integers(3, 9))):
        kind = (_leaf, _leaf, _stalk, _blossom)[rng.integers(4)]
        kind(canvas, rng, np.clip(ground + rng.normal(0, 0.12, 3), 0, 1))
    return canvas, ground


def _body_colors(rng: np.random.Generator, ground: Color) -> list[Color]:
    """Colors of an insect's body, bands and wings, (3,) each, different in brightness.

    The bands differ from the body; the body and the wings from the ground.
    """
    found = []
    for previous in (ground, None, ground):
        candidates = rng.uniform(0, 1, (12, 3))
        gap = np.abs((candidates - (found[-1] if previous is None else previous)).mean(axis=1))
        clear = np.flatnonzero(gap > 0.36)
        found.append(candidates[clear[0] if len(clear) else gap.argmax()])
    return found


# --- the task ---------------------------------------------------------------------------------------------------------


def render(label: int | str, rng: np.random.Generator, size: int = 64) -> np.ndarray:
    """Draw one picture of an ant or a bee.

    Args:
        label: index into `CLASSES`, or the class's name.
        rng: the source of everything that varies; the same state gives the same picture.
        size: height and width in pixels.

    Returns:
        uint8 RGB, (size, size, 3).

    Raises:
        ValueError: if there is no such class.
    """
    name = name_of(label, CLASSES)
    canvas, ground = _background(rng, size)
    camera = {
        "scale": rng.uniform(0.32, 0.43),
        "angle": math.pi / 2 + rng.uniform(-1.1, 1.1),
        "center": tuple(rng.uniform(0.4, 0.6, 2)),
        "squeeze": rng.uniform(0.8, 1.1),
    }
    canvas.look(pivot=(0.05, 0.0), **camera)
    _DRAW[name](canvas, rng, _body_colors(rng, ground))
    return photograph(canvas.pixels(), rng)


def make_split(seed: int, train: int = 120, test: int = 120, size: int = 64) -> Split:
    """Draw training and test images, half of them ants, half bees (of an odd number, one ant more).

    Args:
        seed: the same seed gives the same images; image number i of a class does not depend on how many are asked for.
        train: training images, of both classes together.
        test: test images, of both classes together.
        size: height and width in pixels; the embedded networks expect 64.

    Returns:
        Training images uint8 RGB (train, size, size, 3), their labels int64 (train,), and both for test. Class by
        class, in the order in which `captionlab.datasets.folders.list_images` lists what `write_folders` wrote.

    Raises:
        ValueError: if a class would get no image, or the size is below 16.
    """
    counts = [[(count + 1) // 2, count // 2] for count in (train, test)]
    return draw_split(render, seed, *counts, size)


def write_folders(split: Split, folder: str | Path) -> Path:
    """Write what `make_split` gives as PNG files `folder/{train,val}/{ants,bees}/image_NNNN.png`; gives back `folder`.

    The names are those of the photographs' folder, hymenoptera_data, whose validation images serve as test images.
    """
    return write_split(split, folder, SPLITS, CLASSES)
