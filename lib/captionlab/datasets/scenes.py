"""Fifteen kinds of scenes, drawn by code: a small stand-in for 15-Scene, offline and without files to ship.

What makes a scene is its layout (where the ground ends, where lines run to) and its textures (windows, trunks, goods
on shelves). Which of two neighboring regions is the lighter one is left to chance; camera, light, contrast, grain and
things in the way vary. So single pixels say little of the class, edges and textures and their places say much.

The classes have 15-Scene's names and order (Lazebnik, Schmid and Ponce, CVPR 2006); the drawings are the course's own.
"""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from captionlab.datasets.textures import Canvas, Point, Split, draw_split, name_of, photograph, tones, walk, write_split

SPLITS = ("train", "test")  # as in the folder of photographs, 15-Scene
FAR = (-0.6, 1.6)  # drawings reach beyond the picture, so that the camera may move
Tone = tuple[float]


# --- parts ------------------------------------------------------------------------------------------------------------


def _bushes(c: Canvas, rng: np.random.Generator, y: Point, tone: Tone, count: int, size: float) -> None:
    """Rounded clumps between two heights `y`, about `size` wide."""
    for _ in range(count):
        x, r = rng.uniform(-0.2, 1.2), size * rng.uniform(0.6, 1.4)
        c.ellipse(x, rng.uniform(*y), r, 0.7 * r, tone, corners=9)


def _room(canvas: Canvas, rng: np.random.Generator, floor: Tone) -> float:
    """Floor below a wall; gives back the height at which they meet."""
    ground = rng.uniform(0.66, 0.76)
    canvas.box(FAR[0], ground, FAR[1], FAR[1], floor)
    return ground


# --- outdoors ---------------------------------------------------------------------------------------------------------


def _coast(c: Canvas, rng: np.random.Generator, t: list[Tone]) -> None:
    """A level horizon; water with short level crests that grow towards the viewer; a beach across one corner."""
    horizon = rng.uniform(0.3, 0.5)
    c.box(FAR[0], horizon, FAR[1], FAR[1], t[1])
    for y in walk(horizon + 0.03, 1.2, 0.05, rng):
        near = (y - horizon) / 0.6
        for x in walk(FAR[0], FAR[1], 0.2 + 0.25 * near, rng, 0.6):
            length = (0.04 + 0.09 * near) * rng.uniform(0.6, 1.4)
            c.line([(x - length, y), (x, y - 0.02 * near), (x + length, y)], t[2], 0.012 + 0.012 * near)
    beach = rng.uniform(0.75, 1.1)
    c.polygon([(FAR[0], 0.72), (0.2, 0.8), (beach, 1.05), (1.2, 1.6), (FAR[0], 1.6)], t[3])


def _forest(c: Canvas, rng: np.random.Generator, t: list[Tone]) -> None:
    """Trunks from top to bottom, thick and thin, with boughs; leaves above, undergrowth below."""
    _bushes(c, rng, (-0.2, 0.25), t[2], 14, 0.09)
    for x in walk(-0.3, 1.3, 0.14, rng, 0.55):
        width, lean = rng.uniform(0.02, 0.09), rng.normal(0, 0.05)
        tone = t[1] if rng.random() < 0.75 else t[3]
        c.polygon([(x, FAR[0]), (x + 0.7 * width, FAR[0]), (x + lean + width, 1.1), (x + lean, 1.1)], tone)
        if rng.random() < 0.6:
            y, side = rng.uniform(0.0, 0.6), rng.choice([-1, 1])
            c.line([(x + width / 2, y), (x + side * 0.14, y - 0.16)], tone, 0.3 * width)
    _bushes(c, rng, (0.85, 1.2), t[2], 12, 0.08)


def _highway(c: Canvas, rng: np.random.Generator, t: list[Tone]) -> None:
    """A road that runs to a point on a low horizon, with lane marks and rails; flat land on both sides."""
    horizon, x = rng.uniform(0.36, 0.5), rng.uniform(0.35, 0.65)
    c.box(FAR[0], horizon, FAR[1], FAR[1], t[1])
    left, right = x - rng.uniform(0.7, 1.0), x + rng.uniform(0.7, 1.0)
    c.polygon([(x - 0.02, horizon), (x + 0.02, horizon), (right, 1.3), (left, 1.3)], t[2])
    for lane in (0.08, 0.36, 0.64, 0.92):
        end = left + lane * (right - left)
        for start in (0.05,) if lane in (0.08, 0.92) else (0.12, 0.3, 0.58):
            # Seen in perspective, equal dashes grow with the distance from the horizon.
            stop = 1.0 if lane in (0.08, 0.92) else start * 1.5
            ends = [(x + s * (end - x), horizon + s * (1.3 - horizon)) for s in (start, stop)]
            c.line(ends, t[3], 0.012 + 0.022 * start)
    if rng.random() < 0.5:
        _bushes(c, rng, (horizon - 0.02, horizon), t[3], 6, 0.05)


def _mountain(c: Canvas, rng: np.random.Generator, t: list[Tone]) -> None:
    """Peaks of steep straight flanks, one behind the other, with a lit side and snow; no level line."""
    for row, base in enumerate((0.95, 1.25)):
        for x in walk(-0.25 + 0.2 * row, 1.3, 0.5, rng):
            top, half = rng.uniform(0.05, 0.3) + 0.3 * row, rng.uniform(0.4, 0.6)
            c.polygon([(x, top), (x + half, base), (x - half, base)], t[1 + row])
            ridge = [(x + rng.uniform(-0.02, 0.14) * s, top + s * (base - top)) for s in (0.3, 0.5, 0.75, 1.0)]
            c.polygon([(x, top), *ridge, (x + half, base)], t[2 + row])
            snow = [(0.22, 0.22), (0.08, 0.16), (0.0, 0.26), (-0.08, 0.15), (-0.2, 0.2)]
            c.polygon([(x, top), *[(x + u * half, top + v * (base - top)) for u, v in snow]], t[3])


def _opencountry(c: Canvas, rng: np.random.Generator, t: list[Tone]) -> None:
    """A rolling skyline, furrows that fan out over the fields, a few bushes; no water, no road."""
    y, phase = rng.uniform(0.4, 0.55), rng.uniform(0, 2 * math.pi)
    hill = [(x, y + 0.05 * math.sin(4 * x + phase)) for x in np.linspace(*FAR, 24)]
    c.polygon([*hill, (FAR[1], FAR[1]), (FAR[0], FAR[1])], t[1])
    x, step = rng.uniform(-0.3, 1.3), rng.uniform(0.12, 0.2)
    for turn in np.arange(-1.35, 1.35, step):
        if rng.random() < 0.85:
            far = [(x + s * math.sin(turn), y + 0.1 + s * math.cos(turn) * 0.8) for s in (0.12, 1.7)]
            c.line(far, t[2], 0.02)
    second = [(x, y + 0.14 + 0.04 * math.sin(3 * x + 2 * phase)) for x in np.linspace(*FAR, 24)]
    c.polygon([*hill, *reversed(second)], t[3])
    _bushes(c, rng, (y + 0.08, y + 0.2), t[2], int(rng.integers(3, 8)), 0.05)


def _suburb(c: Canvas, rng: np.random.Generator, t: list[Tone]) -> None:
    """A wide house with a low gable and a garage, a lawn with a drive, a picket fence or hedge."""
    ground, x = rng.uniform(0.6, 0.7), rng.uniform(0.2, 0.4)
    c.box(FAR[0], ground, FAR[1], FAR[1], t[2])
    _bushes(c, rng, (ground - 0.3, ground - 0.1), t[3], 6, 0.12)
    for left, right, eaves in ((x - 0.4, x + 0.2, 0.25), (x + 0.15, x + 0.75, 0.19)):
        top = ground - eaves
        c.box(left, top, right, ground, t[1])
        c.polygon([(left - 0.05, top), ((left + right) / 2, top - rng.uniform(0.1, 0.17)), (right + 0.05, top)], t[2])
    for at in (x - 0.3, x - 0.02):
        c.box(at, ground - 0.18, at + 0.1, ground - 0.07, t[2])
    c.box(x + 0.28, ground - 0.13, x + 0.6, ground, t[3])  # the garage's door
    c.polygon([(x + 0.28, ground), (x + 0.6, ground), (x + 0.85, 1.4), (x + 0.1, 1.4)], t[1])
    for at in walk(FAR[0], x + 0.2, 0.07, rng, 0.05):
        c.box(at, ground + 0.08, at + 0.03, ground + 0.22, t[3])


# --- in town ----------------------------------------------------------------------------------------------------------


def _industrial(c: Canvas, rng: np.random.Generator, t: list[Tone]) -> None:
    """Chimneys with smoke over a saw-tooth roof, tanks with hoops before it."""
    roof, tooth = rng.uniform(0.55, 0.65), rng.uniform(0.16, 0.24)
    for x in walk(rng.uniform(-0.1, 0.2), 1.2, 0.3, rng, 0.5):
        width, top = rng.uniform(0.035, 0.06), rng.uniform(0.05, 0.3)
        c.polygon([(x - width, 1), (x - 0.7 * width, top), (x + 0.7 * width, top), (x + width, 1)], t[1])
        for i in range(4):
            r = 0.035 + 0.018 * i
            c.ellipse(x + 0.06 * i, top - 0.04 - 0.05 * i, 1.4 * r, r, t[2], corners=10)
    for x in np.arange(FAR[0], FAR[1], tooth):
        c.polygon([(x, 1.6), (x, roof - 0.5 * tooth), (x + tooth, roof), (x + tooth, 1.6)], t[3])
        c.polygon([(x, roof + 0.06), (x, roof - 0.4 * tooth), (x + 0.3 * tooth, roof + 0.06)], t[2])
    for x in walk(rng.uniform(-0.1, 0.2), 1.1, 0.42, rng, 0.2):
        r, top = rng.uniform(0.1, 0.16), rng.uniform(0.72, 0.8)
        c.box(x - r, top, x + r, 1.6, t[1])
        c.ellipse(x, top, r, 0.35 * r, t[1])
        for y in (top + 0.08, top + 0.16, top + 0.24):
            c.line([(x - r, y), (x, y + 0.03), (x + r, y)], t[2], 0.018)


def _insidecity(c: Canvas, rng: np.random.Generator, t: list[Tone]) -> None:
    """House fronts side by side, seen square on: each with its own tone, windows and cornice; shops and awnings."""
    shops = rng.uniform(0.7, 0.8)
    x, count = FAR[0], 0
    while x < FAR[1]:
        width, top = rng.uniform(0.32, 0.48), rng.uniform(-0.3, 0.15)
        front, pane = t[1 + count % 2], t[2 - count % 2]
        c.box(x, top, x + width, shops, front)
        wide, high, share = width / rng.integers(2, 4), rng.uniform(0.18, 0.26), rng.uniform(0.45, 0.65)
        for y in np.arange(top + 0.25 * high, shops - 0.6 * high, high):
            for at in np.arange(x + 0.25 * wide, x + width - 0.6 * wide, wide):
                c.box(at, y, at + share * wide, y + share * high, pane)
        c.box(x, top, x + width, top + 0.04, pane)
        c.box(x, shops, x + width, 1.05, pane)
        c.box(x + 0.05 * width, shops + 0.08, x + 0.45 * width, 1.02, front)
        for i in range(6):  # the awning
            c.box(x + i * width / 6, shops, x + (i + 1) * width / 6, shops + 0.08, (front, t[3])[i % 2])
        x, count = x + width, count + 1
    c.box(FAR[0], 1.02, FAR[1], FAR[1], t[3])


def _street(c: Canvas, rng: np.random.Generator, t: list[Tone]) -> None:
    """Fronts on both sides that run to one point, rows of windows with them; sky between, the street below."""
    x, y = rng.uniform(0.4, 0.6), rng.uniform(0.5, 0.62)
    c.polygon([(x, y), (1.9, 1.7), (-0.9, 1.7)], t[2])
    for side in (-1, 1):
        high = rng.uniform(0.75, 1.1)

        def at(s: float, h: float, side: int = side, high: float = high) -> Point:
            return x + side * s, y + s * (0.42 - h * (0.42 + high))  # s: nearness, h: height on the front

        near, far = 1.3, rng.uniform(0.06, 0.12)
        c.polygon([at(far, 0), at(far, 1), at(near, 1), at(near, 0)], t[1])
        columns = [far * (near / far) ** (i / 7) for i in range(8)]
        for i, s in enumerate(columns[:-1]):
            e = s + 0.55 * (columns[i + 1] - s)
            for h in (0.12, 0.34, 0.56, 0.78):
                c.polygon([at(s, h), at(s, h + 0.12), at(e, h + 0.12), at(e, h)], t[3])
    c.polygon([(x - 0.01, y + 0.03), (x + 0.01, y + 0.03), (x + 0.05, 1.3), (x - 0.05, 1.3)], t[3])


def _tallbuilding(c: Canvas, rng: np.random.Generator, t: list[Tone]) -> None:
    """One or two towers against much sky, narrower towards the top, with many small windows."""
    places = [(rng.uniform(0.35, 0.65), t[2])] if rng.random() < 0.5 else [(0.2, t[2]), (0.75, t[3])]
    for x, pane in places:
        half, top, taper = rng.uniform(0.17, 0.26), rng.uniform(-0.05, 0.2), rng.uniform(0.6, 0.85)

        def at(u: float, v: float, x: float = x, half: float = half, top: float = top, taper: float = taper) -> Point:
            return x + half * u * (taper + (1 - taper) * v), top + v * (1.35 - top)

        c.polygon([at(-1, 0), at(1, 0), at(1, 1), at(-1, 1)], t[1])
        columns, rows = int(rng.integers(5, 8)), int(rng.integers(12, 17))
        for v in np.arange(0.03, 1, 1 / rows):
            for u in np.arange(-0.88, 0.85, 1.85 / columns):
                e, b = u + 1.1 / columns, v + 0.55 / rows
                c.polygon([at(u, v), at(e, v), at(e, b), at(u, b)], pane)
        c.line([at(0, 0), (x, top - rng.uniform(0, 0.3))], t[1], 0.02)  # a mast
    _bushes(c, rng, (0.98, 1.1), t[3], 8, 0.07)


# --- indoors ----------------------------------------------------------------------------------------------------------


def _bedroom(c: Canvas, rng: np.random.Generator, t: list[Tone]) -> None:
    """A bed seen from its foot's corner: headboard, pillows, a blanket with folds; a table with a lamp."""
    ground, x = _room(c, rng, t[1]), rng.uniform(0.25, 0.4)
    w, mattress = rng.uniform(0.45, 0.58), ground - 0.14
    c.box(x, mattress - 0.24, x + w, ground, t[2])
    for p in (0.06, 0.53):
        c.ellipse(x + w * (p + 0.2), mattress - 0.04, 0.19 * w, 0.07, t[1])
    c.polygon([(x - 0.02, mattress), (x + w + 0.02, mattress), (x + w + 0.22, 1.0), (x - 0.22, 1.0)], t[3])
    c.box(x - 0.22, 1.0, x + w + 0.22, 1.12, t[2])
    for s in np.linspace(0.15, 0.85, 4):
        c.line([(x + s * w, mattress + 0.02), (x + w / 2 + (s - 0.5) * (w + 0.4), 1.0)], t[2], 0.014)
    lamp = x - 0.2 if rng.random() < 0.5 else x + w + 0.2
    c.box(lamp - 0.1, ground - 0.15, lamp + 0.1, ground + 0.05, t[2])
    c.line([(lamp, ground - 0.15), (lamp, ground - 0.3)], t[3], 0.02)
    foot, top = ground - 0.28, ground - 0.42
    c.polygon([(lamp - 0.1, foot), (lamp - 0.05, top), (lamp + 0.05, top), (lamp + 0.1, foot)], t[3])


def _kitchen(c: Canvas, rng: np.random.Generator, t: list[Tone]) -> None:
    """Cupboards with handles above and below a worktop, tiles between them; a hood or a tap."""
    top, step = rng.uniform(0.5, 0.6), rng.uniform(0.24, 0.32)
    for x in np.arange(FAR[0], FAR[1], 0.07):
        c.line([(x, 0.2), (x, top)], t[1], 0.012)
    for y in np.arange(0.26, top, 0.07):
        c.line([(FAR[0], y), (FAR[1], y)], t[1], 0.012)
    for y0, y1, grip in ((-0.15, 0.24, 0.19), (top + 0.05, 1.0, top + 0.12)):
        c.box(FAR[0], y0, FAR[1], y1, t[2])
        for x in np.arange(FAR[0] + rng.uniform(0, 0.3), FAR[1], step):
            c.box(x, y0 + 0.03, x + 0.02, y1 - 0.03, t[3])
            c.box(x + 0.07, grip, x + 0.17, grip + 0.025, t[3])
    c.box(FAR[0], top, FAR[1], top + 0.05, t[3])
    x = rng.uniform(0.3, 0.7)
    if rng.random() < 0.5:
        c.polygon([(x - 0.16, 0.28), (x - 0.05, 0.05), (x + 0.05, 0.05), (x + 0.16, 0.28)], t[1])
    for pot in (x - 0.1, x + 0.1):
        c.box(pot - 0.07, top - 0.1, pot + 0.07, top, t[2])
    c.box(FAR[0], 1.0, FAR[1], FAR[1], t[1])


def _livingroom(c: Canvas, rng: np.random.Generator, t: list[Tone]) -> None:
    """A sofa with round arms and cushions, pictures on the wall above it, a low table and a carpet before it."""
    ground, x = _room(c, rng, t[1]), rng.uniform(0.4, 0.6)
    c.ellipse(x, 1.02, 0.65, 0.16, t[2])
    half, seat = rng.uniform(0.36, 0.44), ground - 0.02
    c.box(x - half, seat - 0.24, x + half, seat + 0.14, t[2])
    for i in range(3):
        at = x - half + (2 * i + 1) * half / 3
        c.ellipse(at, seat - 0.1, 0.27 * half, 0.09, t[3], corners=8)
    c.line([(x - half, seat), (x + half, seat)], t[3], 0.02)
    for side in (-1, 1):
        c.box(x + side * half - 0.06, seat - 0.08, x + side * half + 0.06, seat + 0.16, t[3])
        c.ellipse(x + side * half, seat - 0.09, 0.08, 0.07, t[3])
    for at in (x - 0.25, x + 0.12) if rng.random() < 0.6 else (x - 0.1,):
        w, y = rng.uniform(0.2, 0.3), rng.uniform(0.02, 0.1)
        c.box(at, y, at + w, y + 0.24, t[3])
        c.box(at + 0.03, y + 0.03, at + w - 0.03, y + 0.21, t[2])
    c.box(x - 0.22, 0.94, x + 0.22, 0.99, t[3])
    for leg in (-0.2, 0.17):
        c.box(x + leg, 0.99, x + leg + 0.03, 1.12, t[3])


def _office(c: Canvas, rng: np.random.Generator, t: list[Tone]) -> None:
    """A desk with a screen, drawers and a swivel chair before a window with blinds."""
    ground, x = _room(c, rng, t[1]), rng.uniform(0.35, 0.65)
    c.box(x - 0.5, -0.1, x + 0.5, 0.42, t[2])
    for y in np.arange(-0.08, 0.4, 0.055):
        c.box(x - 0.48, y, x + 0.48, y + 0.026, t[1])
    desk = ground - 0.12
    c.box(x - 0.6, desk, x + 0.6, desk + 0.05, t[3])
    for side in (-0.58, 0.32):
        c.box(x + side, desk + 0.05, x + side + 0.26, ground + 0.14, t[2])
        for y in (0.1, 0.18):
            c.box(x + side + 0.08, desk + y, x + side + 0.18, desk + y + 0.022, t[3])
    at = x + rng.uniform(-0.25, 0.25)
    c.box(at - 0.17, desk - 0.28, at + 0.17, desk - 0.05, t[3])
    c.box(at - 0.14, desk - 0.25, at + 0.14, desk - 0.08, t[0])
    c.box(at - 0.03, desk - 0.05, at + 0.03, desk, t[3])
    seat = x - 0.06
    c.ellipse(seat, desk + 0.08, 0.13, 0.15, t[0])
    c.line([(seat, desk + 0.2), (seat, ground + 0.24)], t[3], 0.03)
    c.line([(seat - 0.14, ground + 0.3), (seat, ground + 0.22), (seat + 0.14, ground + 0.3)], t[3], 0.03)


def _store(c: Canvas, rng: np.random.Generator, t: list[Tone]) -> None:
    """Shelves from top to bottom, packed with boxes, bottles and tins of all widths and tones."""
    step = rng.uniform(0.18, 0.24)
    for y in np.arange(-0.3 + rng.uniform(0, step), 1.4, step):
        kind, tone = int(rng.integers(3)), int(rng.integers(1, 4))
        for x in walk(FAR[0], FAR[1], rng.uniform(0.07, 0.12), rng, 0.2):
            width, high = rng.uniform(0.05, 0.08), step * rng.uniform(0.5, 0.75)
            shade = t[1 + (tone + int(rng.integers(2))) % 3]
            c.box(x, y - high, x + width, y, shade)
            if kind == 0:  # bottles have necks
                c.box(x + 0.3 * width, y - high - 0.04, x + 0.7 * width, y - high, shade)
            elif kind == 1:
                c.ellipse(x + width / 2, y - high, width / 2, 0.02, shade, corners=8)
        c.box(FAR[0], y, FAR[1], y + 0.035, t[1])


_DRAW: dict[str, Callable[[Canvas, np.random.Generator, list[Tone]], None]] = {
    "bedroom": _bedroom,
    "coast": _coast,
    "forest": _forest,
    "highway": _highway,
    "industrial": _industrial,
    "insidecity": _insidecity,
    "kitchen": _kitchen,
    "livingroom": _livingroom,
    "mountain": _mountain,
    "office": _office,
    "opencountry": _opencountry,
    "store": _store,
    "street": _street,
    "suburb": _suburb,
    "tallbuilding": _tallbuilding,
}
CLASSES: tuple[str, ...] = tuple(_DRAW)


# --- the task ---------------------------------------------------------------------------------------------------------


def _clutter(canvas: Canvas, rng: np.random.Generator) -> None:
    """Things in the way, as before any camera: a few strokes and spots anywhere, of any tone."""
    for _ in range(int(rng.integers(0, 5))):
        x, y, tone = *rng.uniform(0, 1, 2), (rng.uniform(0, 1),)
        if rng.random() < 0.5:
            canvas.ellipse(x, y, *rng.uniform(0.015, 0.08, 2), tone, rng.uniform(0, 3), corners=9)
        else:
            dx, dy = rng.normal(0, 0.12, 2)
            canvas.line([(x - dx, y - dy), (x + dx, y + dy)], tone, rng.uniform(0.01, 0.04))


def render(label: int | str, rng: np.random.Generator, size: int = 64) -> np.ndarray:
    """Draw one picture of a scene.

    Args:
        label: index into `CLASSES`, or the class's name.
        rng: the source of everything that varies; the same state gives the same picture.
        size: height and width in pixels.

    Returns:
        uint8 gray, (size, size).

    Raises:
        ValueError: if there is no such class.
    """
    name = name_of(label, CLASSES)
    grays = tones(rng, 4)
    canvas = Canvas(size, grays[0])
    canvas.look(
        scale=rng.uniform(0.75, 1.35),
        angle=rng.normal(0, 0.05),
        center=tuple(rng.uniform(0.35, 0.65, 2)),
        squeeze=rng.uniform(0.82, 1.22),
        mirror=rng.random() < 0.5,
    )
    _DRAW[name](canvas, rng, grays)
    canvas.look(scale=1.0)
    _clutter(canvas, rng)
    return photograph(canvas.pixels(), rng)[..., 0]


def make_split(seed: int, per_class_train: int = 20, per_class_test: int = 20, size: int = 64) -> Split:
    """Draw training and test images, equally many of each class.

    Args:
        seed: the same seed gives the same images; image number i of a class does not depend on how many are asked for.
        per_class_train: training images of each class.
        per_class_test: test images of each class.
        size: height and width in pixels; the embedded networks expect 64. `ValueError` below 16, as for counts below 1.

    Returns:
        Training images uint8 gray (15 * per_class_train, size, size), their labels int64, and both for test. Class by
        class, in the order in which `captionlab.datasets.folders.list_images` lists what `write_folders` wrote.
    """
    counts = [[count] * len(CLASSES) for count in (per_class_train, per_class_test)]
    return draw_split(render, seed, *counts, size)


def write_folders(split: Split, folder: str | Path) -> Path:
    """Write what `make_split` gives as PNG files `folder/{train,test}/CLASS/image_NNNN.png`; gives back `folder`."""
    return write_split(split, folder, SPLITS, CLASSES)
