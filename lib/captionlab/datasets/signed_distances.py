"""Signed distance functions of the drawn objects: outlines, textures, and figures composed of parts.

A signed distance is negative inside a shape and positive outside. A pixel's coverage follows from it, so edges are
antialiased without supersampling. Formulas follow Inigo Quilez, "2D distance functions",
https://iquilezles.org/articles/distfunctions2d/.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Frame:
    """The object's own coordinates at every pixel; the object extends from -1 to 1 in both.

    Attributes:
        u: to the object's right, (height, width).
        v: down, (height, width).
        pixels: length of one unit in pixels.
    """

    u: np.ndarray
    v: np.ndarray
    pixels: float


Layer = tuple[np.ndarray, int]  # signed distances in units, and the index of the color that fills them


# --- outlines ---------------------------------------------------------------------------------------------------------


def _norm(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sqrt(x * x + y * y)  # several times faster than np.hypot, and nothing here can overflow


def _ellipse(f: Frame, x: float, y: float, rx: float, ry: float, angle: float = 0.0) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    du, dv = f.u - x, f.v - y
    return (_norm((c * du + s * dv) / rx, (c * dv - s * du) / ry) - 1) * min(rx, ry)


def _box(f: Frame, x: float, y: float, half_width: float, half_height: float) -> np.ndarray:
    return np.maximum(np.abs(f.u - x) - half_width, np.abs(f.v - y) - half_height)


def _segment(f: Frame, start: tuple[float, float], end: tuple[float, float], half_width: float) -> np.ndarray:
    (ax, ay), (bx, by) = start, end
    along = ((f.u - ax) * (bx - ax) + (f.v - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2)
    along = np.clip(along, 0, 1)
    return _norm(f.u - ax - along * (bx - ax), f.v - ay - along * (by - ay)) - half_width


def _polygon(f: Frame, *corners: tuple[float, float]) -> np.ndarray:
    """Convex, with corners in clockwise order on the screen."""
    distances = []
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        length = math.hypot(bx - ax, by - ay)
        distances.append(((f.u - ax) * (by - ay) - (f.v - ay) * (bx - ax)) / length)
    return np.maximum.reduce(distances)


def _disc(f: Frame) -> np.ndarray:
    return _ellipse(f, 0, 0, 0.95, 0.95)


def _ring(f: Frame) -> np.ndarray:
    return np.abs(_norm(f.u, f.v) - 0.72) - 0.2


def _square(f: Frame) -> np.ndarray:
    return _box(f, 0, 0, 0.8, 0.8)


def _triangle(f: Frame) -> np.ndarray:
    return _polygon(f, (0, -0.95), (0.95, 0.7), (-0.95, 0.7))


def _star(f: Frame) -> np.ndarray:
    # By symmetry only the angle to the nearest tip matters.
    sector = 2 * math.pi / 5
    angle = np.abs((np.arctan2(f.u, -f.v) + sector / 2) % sector - sector / 2)
    r = _norm(f.u, f.v)
    # The straight edge from the tip, at radius 1, to the notch beside it.
    across, along = 0.42 * math.sin(sector / 2), 1 - 0.42 * math.cos(sector / 2)
    return ((r * np.cos(angle) - 1) * across + r * np.sin(angle) * along) / math.hypot(across, along)


def _cross(f: Frame) -> np.ndarray:
    return np.minimum(_box(f, 0, 0, 0.28, 0.92), _box(f, 0, 0, 0.92, 0.28))


def _heart(f: Frame) -> np.ndarray:
    half = Frame(np.abs(f.u), f.v, f.pixels)
    lobe = _ellipse(half, 0.44, -0.36, 0.5, 0.5)
    tip = _polygon(half, (-0.2, -0.36), (0.2, -0.5), (0.84, -0.06), (0, 0.92), (-0.84, -0.06))
    return np.minimum(lobe, tip)


def _crescent(f: Frame) -> np.ndarray:
    return np.maximum(_disc(f), -_ellipse(f, 0.42, 0, 0.78, 0.78))


OUTLINES: dict[str, Callable[[Frame], np.ndarray]] = {
    "disc": _disc,
    "ring": _ring,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "heart": _heart,
    "crescent": _crescent,
}

# --- textures ---------------------------------------------------------------------------------------------------------


def _fold(x: np.ndarray) -> np.ndarray:
    """Distance to the nearest integer: periodic with period 1, in 0..0.5."""
    return np.abs(x - np.round(x))


def _spiral(f: Frame, n: float) -> np.ndarray:
    return _fold(_norm(f.u, f.v) * n * 0.75 - np.arctan2(f.v, f.u) / (2 * math.pi)) - 0.25


def _checkerboard(f: Frame, n: float) -> np.ndarray:
    a, b = _fold(f.u * n * 0.7) - 0.25, _fold(f.v * n * 0.7) - 0.25
    return np.maximum(np.minimum(a, b), -np.maximum(a, b))


def _dots(f: Frame, n: float) -> np.ndarray:
    return _norm(_fold(f.u * n), _fold(f.v * n)) - 0.3


def _bricks(f: Frame, n: float) -> np.ndarray:
    row = np.floor(f.v * n)
    joint = f.u * n * 0.5 + (row % 2) / 2
    return 0.1 - np.minimum(_fold(f.v * n), 2 * _fold(joint))


def _grid(f: Frame, n: float) -> np.ndarray:
    return np.minimum(_fold(f.u * n), _fold(f.v * n)) - 0.11


# Each takes a frame and the number of periods per unit, and returns distances in periods.
TEXTURES: dict[str, Callable[[Frame, float], np.ndarray]] = {
    "horizontal stripes": lambda f, n: _fold(f.v * n) - 0.25,
    "vertical stripes": lambda f, n: _fold(f.u * n) - 0.25,
    "diagonal stripes": lambda f, n: _fold((f.u + f.v) * n * 0.7) - 0.25,
    "waves": lambda f, n: _fold(f.v * n + 0.45 * np.sin(f.u * 5.5)) - 0.25,
    "checkerboard": _checkerboard,
    "dots": _dots,
    "bricks": _bricks,
    "grid": _grid,
    "spiral": _spiral,
}


def texture_layers(name: str, f: Frame, rng: np.random.Generator) -> list[Layer]:
    """A texture inside a patch whose outline does not depend on the class.

    Args:
        name: key of `TEXTURES`.
        f: the object's coordinates.
        rng: draws the period, the phase and the outline.

    Returns:
        The patch and the texture, with distances in units of the frame, (height, width).
    """
    periods = rng.uniform(2.0, 3.2)
    wobble = rng.uniform(0, 0.12) * np.sin(int(rng.integers(2, 5)) * np.arctan2(f.v, f.u) + rng.uniform(0, 6.28))
    power = (2, 2, 6)[rng.integers(3)]  # a superellipse, from a disc to a rounded square
    patch = (np.abs(f.u) ** power + np.abs(f.v) ** power) ** (1 / power) - 0.87 - wobble
    # The center identifies a spiral, so only the other textures get a random phase.
    shift = (0.0, 0.0) if name == "spiral" else (rng.random(), rng.random())
    shifted = Frame(f.u + shift[0], f.v + shift[1], f.pixels)
    return [(patch, 0), (np.maximum(patch, TEXTURES[name](shifted, periods) / periods), 1)]


# --- figures ----------------------------------------------------------------------------------------------------------


def _beetle(f: Frame, rng: np.random.Generator) -> list[Layer]:
    legs = []
    for y, reach, drop in ((-0.25, 0.82, -0.35), (0.1, 0.92, 0.08), (0.4, 0.8, 0.45)):
        half = Frame(np.abs(f.u), f.v, f.pixels)
        legs.append(_segment(half, (0.2, y), (reach * 0.7, y + drop * 0.4), 0.06))
        legs.append(_segment(half, (reach * 0.7, y + drop * 0.4), (reach, y + drop), 0.05))
    antennae = _segment(Frame(np.abs(f.u), f.v, f.pixels), (0.1, -0.65), (0.4, -0.98), 0.04)
    shell = _ellipse(f, 0, 0.22, rng.uniform(0.4, 0.52), 0.66)
    seam = np.maximum(shell, _box(f, 0, 0.3, 0.045, 0.9))
    return [(np.minimum.reduce([*legs, antennae]), 1), (_ellipse(f, 0, -0.5, 0.3, 0.27), 1), (shell, 0), (seam, 1)]


def _butterfly(f: Frame, rng: np.random.Generator) -> list[Layer]:
    half = Frame(np.abs(f.u), f.v, f.pixels)
    upper = _ellipse(half, 0.5, -0.35, 0.52, rng.uniform(0.32, 0.42), -0.55)
    lower = _ellipse(half, 0.42, 0.4, 0.42, rng.uniform(0.25, 0.34), 0.6)
    spot = _ellipse(half, 0.58, -0.4, 0.16, 0.16)
    antennae = _segment(half, (0.03, -0.5), (0.25, -0.95), 0.04)
    body = _ellipse(f, 0, 0.02, 0.1, 0.62)
    return [(np.minimum(upper, lower), 0), (spot, 2), (np.minimum(body, antennae), 1)]


def _house(f: Frame, rng: np.random.Generator) -> list[Layer]:
    door_at = 0.35 if rng.random() < 0.5 else -0.35
    walls = _box(f, 0, 0.42, 0.72, 0.5)
    roof = _polygon(f, (0, -0.95), (0.95, -0.05), (-0.95, -0.05))
    door = _box(f, door_at, 0.58, 0.16, 0.34)
    window = _box(f, -door_at, 0.38, 0.2, 0.2)
    return [(walls, 0), (roof, 1), (door, 1), (window, 2)]


def _tree(f: Frame, rng: np.random.Generator) -> list[Layer]:
    trunk = _box(f, 0, 0.6, 0.13, 0.36)
    if rng.random() < 0.5:
        tiers = [_polygon(f, (0, top), (w, top + 0.75), (-w, top + 0.75)) for top, w in ((-0.98, 0.55), (-0.5, 0.75))]
        return [(trunk, 1), (np.minimum(*tiers), 0)]
    crown = [_ellipse(f, x, y, 0.46, 0.42) for x, y in ((0, -0.5), (-0.4, -0.05), (0.4, -0.05))]
    return [(trunk, 1), (np.minimum.reduce(crown), 0)]


def _fish(f: Frame, rng: np.random.Generator) -> list[Layer]:
    body = _ellipse(f, -0.2, 0, 0.76, rng.uniform(0.38, 0.5))
    tail = _polygon(f, (0.4, 0), (0.97, -0.5), (0.97, 0.5))
    fin = _polygon(f, (-0.25, -0.7), (0.2, -0.3), (-0.45, -0.3))
    return [(np.minimum(tail, fin), 1), (body, 0), (_ellipse(f, -0.62, -0.1, 0.11, 0.11), 2)]


def _flower(f: Frame, rng: np.random.Generator) -> list[Layer]:
    count, start = int(rng.integers(5, 8)), rng.uniform(0, math.pi)
    angles = [start + 2 * math.pi * i / count for i in range(count)]
    petals = [_ellipse(f, 0.6 * math.cos(t), 0.6 * math.sin(t), 0.36, 0.22, t) for t in angles]
    return [(np.minimum.reduce(petals), 0), (_ellipse(f, 0, 0, 0.3, 0.3), 1)]


def _boat(f: Frame, rng: np.random.Generator) -> list[Layer]:
    hull = _polygon(f, (-0.95, 0.4), (0.95, 0.4), (0.6, 0.85), (-0.6, 0.85))
    mast = _box(f, 0, -0.25, 0.06, 0.7)
    sail = _polygon(f, (0.12, -0.9), (rng.uniform(0.65, 0.85), 0.25), (0.12, 0.25))
    jib = _polygon(f, (-0.12, -0.65), (-0.12, 0.25), (-0.6, 0.25))
    return [(hull, 0), (mast, 1), (np.minimum(sail, jib), 2)]


FIGURES: dict[str, Callable[[Frame, np.random.Generator], list[Layer]]] = {
    "beetle": _beetle,
    "butterfly": _butterfly,
    "house": _house,
    "tree": _tree,
    "fish": _fish,
    "flower": _flower,
    "boat": _boat,
}
