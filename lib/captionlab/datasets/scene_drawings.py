"""How each class of `captionlab.datasets.drawn_scenes` is drawn: one function per class.

In every function `c` is the canvas, `rng` draws what varies, and `g` holds four gray levels, of which `g[0]` already
fills the canvas. The functions draw beyond the image, so that the camera may move.
"""

import math

import numpy as np

from captionlab.datasets.canvas import Canvas, Gray, Point, jittered_range

FAR = (-0.6, 1.6)  # how far the drawings extend, in both coordinates; the image shows about 0 to 1


# --- parts ------------------------------------------------------------------------------------------------------------


def _bushes(c: Canvas, rng: np.random.Generator, y: tuple[float, float], gray: Gray, count: int, size: float) -> None:
    """Ellipses with radii of about `size`, their centers between the two heights `y`."""
    for _ in range(count):
        x, r = rng.uniform(-0.2, 1.2), size * rng.uniform(0.6, 1.4)
        c.ellipse(x, rng.uniform(*y), r, 0.7 * r, gray, corners=9)


def _floor(c: Canvas, rng: np.random.Generator, gray: Gray) -> float:
    """A floor below a wall; returns the y at which they meet."""
    ground = rng.uniform(0.66, 0.76)
    c.box(FAR[0], ground, FAR[1], FAR[1], gray)
    return ground


# --- outdoors ---------------------------------------------------------------------------------------------------------


def draw_coast(c: Canvas, rng: np.random.Generator, g: list[Gray]) -> None:
    """A level horizon, short horizontal waves that are longer in the foreground, and a beach in one corner."""
    horizon = rng.uniform(0.3, 0.5)
    c.box(FAR[0], horizon, FAR[1], FAR[1], g[1])
    for y in jittered_range(horizon + 0.03, 1.2, 0.05, rng):
        near = (y - horizon) / 0.6
        for x in jittered_range(FAR[0], FAR[1], 0.2 + 0.25 * near, rng, 0.6):
            length = (0.04 + 0.09 * near) * rng.uniform(0.6, 1.4)
            c.line([(x - length, y), (x, y - 0.02 * near), (x + length, y)], g[2], 0.012 + 0.012 * near)
    beach = rng.uniform(0.75, 1.1)
    c.polygon([(FAR[0], 0.72), (0.2, 0.8), (beach, 1.05), (1.2, 1.6), (FAR[0], 1.6)], g[3])


def draw_forest(c: Canvas, rng: np.random.Generator, g: list[Gray]) -> None:
    """Thick and thin trunks from top to bottom, some with a branch; leaves above and undergrowth below."""
    _bushes(c, rng, (-0.2, 0.25), g[2], 14, 0.09)
    for x in jittered_range(-0.3, 1.3, 0.14, rng, 0.55):
        width, lean = rng.uniform(0.02, 0.09), rng.normal(0, 0.05)
        gray = g[1] if rng.random() < 0.75 else g[3]
        c.polygon([(x, FAR[0]), (x + 0.7 * width, FAR[0]), (x + lean + width, 1.1), (x + lean, 1.1)], gray)
        if rng.random() < 0.6:
            y, side = rng.uniform(0.0, 0.6), rng.choice([-1, 1])
            c.line([(x + width / 2, y), (x + side * 0.14, y - 0.16)], gray, 0.3 * width)
    _bushes(c, rng, (0.85, 1.2), g[2], 12, 0.08)


def draw_highway(c: Canvas, rng: np.random.Generator, g: list[Gray]) -> None:
    """A road that runs to a vanishing point on a low horizon, with lane markings and guard rails; flat land."""
    horizon, x = rng.uniform(0.36, 0.5), rng.uniform(0.35, 0.65)
    c.box(FAR[0], horizon, FAR[1], FAR[1], g[1])
    left, right = x - rng.uniform(0.7, 1.0), x + rng.uniform(0.7, 1.0)
    c.polygon([(x - 0.02, horizon), (x + 0.02, horizon), (right, 1.3), (left, 1.3)], g[2])
    for lane in (0.08, 0.36, 0.64, 0.92):
        end = left + lane * (right - left)
        for start in (0.05,) if lane in (0.08, 0.92) else (0.12, 0.3, 0.58):
            # In perspective, dashes of equal length grow with the distance from the horizon.
            stop = 1.0 if lane in (0.08, 0.92) else start * 1.5
            ends = [(x + s * (end - x), horizon + s * (1.3 - horizon)) for s in (start, stop)]
            c.line(ends, g[3], 0.012 + 0.022 * start)
    if rng.random() < 0.5:
        _bushes(c, rng, (horizon - 0.02, horizon), g[3], 6, 0.05)


def draw_mountain(c: Canvas, rng: np.random.Generator, g: list[Gray]) -> None:
    """Peaks with steep straight flanks, one behind the other, each with a lit side and snow; no horizontal line."""
    for row, base in enumerate((0.95, 1.25)):
        for x in jittered_range(-0.25 + 0.2 * row, 1.3, 0.5, rng):
            top, half = rng.uniform(0.05, 0.3) + 0.3 * row, rng.uniform(0.4, 0.6)
            c.polygon([(x, top), (x + half, base), (x - half, base)], g[1 + row])
            ridge = [(x + rng.uniform(-0.02, 0.14) * s, top + s * (base - top)) for s in (0.3, 0.5, 0.75, 1.0)]
            c.polygon([(x, top), *ridge, (x + half, base)], g[2 + row])
            snow = [(0.22, 0.22), (0.08, 0.16), (0.0, 0.26), (-0.08, 0.15), (-0.2, 0.2)]
            c.polygon([(x, top), *[(x + u * half, top + v * (base - top)) for u, v in snow]], g[3])


def draw_opencountry(c: Canvas, rng: np.random.Generator, g: list[Gray]) -> None:
    """Rolling hills, furrows that fan out over the fields and a few bushes; no water and no road."""
    y, phase = rng.uniform(0.4, 0.55), rng.uniform(0, 2 * math.pi)
    hill = [(x, y + 0.05 * math.sin(4 * x + phase)) for x in np.linspace(*FAR, 24)]
    c.polygon([*hill, (FAR[1], FAR[1]), (FAR[0], FAR[1])], g[1])
    x, step = rng.uniform(-0.3, 1.3), rng.uniform(0.12, 0.2)
    for turn in np.arange(-1.35, 1.35, step):
        if rng.random() < 0.85:
            far = [(x + s * math.sin(turn), y + 0.1 + s * math.cos(turn) * 0.8) for s in (0.12, 1.7)]
            c.line(far, g[2], 0.02)
    second = [(x, y + 0.14 + 0.04 * math.sin(3 * x + 2 * phase)) for x in np.linspace(*FAR, 24)]
    c.polygon([*hill, *reversed(second)], g[3])
    _bushes(c, rng, (y + 0.08, y + 0.2), g[2], int(rng.integers(3, 8)), 0.05)


def draw_suburb(c: Canvas, rng: np.random.Generator, g: list[Gray]) -> None:
    """A wide house with a low gable and a garage, a lawn with a driveway, and a picket fence."""
    ground, x = rng.uniform(0.6, 0.7), rng.uniform(0.2, 0.4)
    c.box(FAR[0], ground, FAR[1], FAR[1], g[2])
    _bushes(c, rng, (ground - 0.3, ground - 0.1), g[3], 6, 0.12)
    for left, right, eaves in ((x - 0.4, x + 0.2, 0.25), (x + 0.15, x + 0.75, 0.19)):
        top = ground - eaves
        c.box(left, top, right, ground, g[1])
        c.polygon([(left - 0.05, top), ((left + right) / 2, top - rng.uniform(0.1, 0.17)), (right + 0.05, top)], g[2])
    for at in (x - 0.3, x - 0.02):
        c.box(at, ground - 0.18, at + 0.1, ground - 0.07, g[2])
    c.box(x + 0.28, ground - 0.13, x + 0.6, ground, g[3])  # garage door
    c.polygon([(x + 0.28, ground), (x + 0.6, ground), (x + 0.85, 1.4), (x + 0.1, 1.4)], g[1])
    for at in jittered_range(FAR[0], x + 0.2, 0.07, rng, 0.05):
        c.box(at, ground + 0.08, at + 0.03, ground + 0.22, g[3])


# --- in town ----------------------------------------------------------------------------------------------------------


def draw_industrial(c: Canvas, rng: np.random.Generator, g: list[Gray]) -> None:
    """Smoking chimneys above a sawtooth roof, with storage tanks in front."""
    roof, tooth = rng.uniform(0.55, 0.65), rng.uniform(0.16, 0.24)
    for x in jittered_range(rng.uniform(-0.1, 0.2), 1.2, 0.3, rng, 0.5):
        width, top = rng.uniform(0.035, 0.06), rng.uniform(0.05, 0.3)
        c.polygon([(x - width, 1), (x - 0.7 * width, top), (x + 0.7 * width, top), (x + width, 1)], g[1])
        for i in range(4):
            r = 0.035 + 0.018 * i
            c.ellipse(x + 0.06 * i, top - 0.04 - 0.05 * i, 1.4 * r, r, g[2], corners=10)
    for x in np.arange(FAR[0], FAR[1], tooth):
        c.polygon([(x, 1.6), (x, roof - 0.5 * tooth), (x + tooth, roof), (x + tooth, 1.6)], g[3])
        c.polygon([(x, roof + 0.06), (x, roof - 0.4 * tooth), (x + 0.3 * tooth, roof + 0.06)], g[2])
    for x in jittered_range(rng.uniform(-0.1, 0.2), 1.1, 0.42, rng, 0.2):
        r, top = rng.uniform(0.1, 0.16), rng.uniform(0.72, 0.8)
        c.box(x - r, top, x + r, 1.6, g[1])
        c.ellipse(x, top, r, 0.35 * r, g[1])
        for y in (top + 0.08, top + 0.16, top + 0.24):
            c.line([(x - r, y), (x, y + 0.03), (x + r, y)], g[2], 0.018)


def draw_insidecity(c: Canvas, rng: np.random.Generator, g: list[Gray]) -> None:
    """A row of facades seen head-on, each with its own gray, windows and cornice; shops with awnings below."""
    shops = rng.uniform(0.7, 0.8)
    x, count = FAR[0], 0
    while x < FAR[1]:
        width, top = rng.uniform(0.32, 0.48), rng.uniform(-0.3, 0.15)
        front, pane = g[1 + count % 2], g[2 - count % 2]
        c.box(x, top, x + width, shops, front)
        wide, high, share = width / rng.integers(2, 4), rng.uniform(0.18, 0.26), rng.uniform(0.45, 0.65)
        for y in np.arange(top + 0.25 * high, shops - 0.6 * high, high):
            for at in np.arange(x + 0.25 * wide, x + width - 0.6 * wide, wide):
                c.box(at, y, at + share * wide, y + share * high, pane)
        c.box(x, top, x + width, top + 0.04, pane)
        c.box(x, shops, x + width, 1.05, pane)
        c.box(x + 0.05 * width, shops + 0.08, x + 0.45 * width, 1.02, front)
        for i in range(6):  # awning
            c.box(x + i * width / 6, shops, x + (i + 1) * width / 6, shops + 0.08, (front, g[3])[i % 2])
        x, count = x + width, count + 1
    c.box(FAR[0], 1.02, FAR[1], FAR[1], g[3])


def draw_street(c: Canvas, rng: np.random.Generator, g: list[Gray]) -> None:
    """Facades with rows of windows on both sides, running to one vanishing point; sky above, the street below."""
    x, y = rng.uniform(0.4, 0.6), rng.uniform(0.5, 0.62)
    c.polygon([(x, y), (1.9, 1.7), (-0.9, 1.7)], g[2])
    for side in (-1, 1):
        high = rng.uniform(0.75, 1.1)

        def at(s: float, h: float, side: int = side, high: float = high) -> Point:
            return x + side * s, y + s * (0.42 - h * (0.42 + high))  # s: nearness, h: height on the facade

        near, far = 1.3, rng.uniform(0.06, 0.12)
        c.polygon([at(far, 0), at(far, 1), at(near, 1), at(near, 0)], g[1])
        columns = [far * (near / far) ** (i / 7) for i in range(8)]
        for i, s in enumerate(columns[:-1]):
            e = s + 0.55 * (columns[i + 1] - s)
            for h in (0.12, 0.34, 0.56, 0.78):
                c.polygon([at(s, h), at(s, h + 0.12), at(e, h + 0.12), at(e, h)], g[3])
    c.polygon([(x - 0.01, y + 0.03), (x + 0.01, y + 0.03), (x + 0.05, 1.3), (x - 0.05, 1.3)], g[3])


def draw_tallbuilding(c: Canvas, rng: np.random.Generator, g: list[Gray]) -> None:
    """One or two towers that taper towards the top, with many small windows, against a large sky."""
    towers = [(rng.uniform(0.35, 0.65), g[2])] if rng.random() < 0.5 else [(0.2, g[2]), (0.75, g[3])]
    for x, pane in towers:
        half, top, taper = rng.uniform(0.17, 0.26), rng.uniform(-0.05, 0.2), rng.uniform(0.6, 0.85)

        def at(u: float, v: float, x: float = x, half: float = half, top: float = top, taper: float = taper) -> Point:
            return x + half * u * (taper + (1 - taper) * v), top + v * (1.35 - top)

        c.polygon([at(-1, 0), at(1, 0), at(1, 1), at(-1, 1)], g[1])
        columns, rows = int(rng.integers(5, 8)), int(rng.integers(12, 17))
        for v in np.arange(0.03, 1, 1 / rows):
            for u in np.arange(-0.88, 0.85, 1.85 / columns):
                e, b = u + 1.1 / columns, v + 0.55 / rows
                c.polygon([at(u, v), at(e, v), at(e, b), at(u, b)], pane)
        c.line([at(0, 0), (x, top - rng.uniform(0, 0.3))], g[1], 0.02)  # antenna
    _bushes(c, rng, (0.98, 1.1), g[3], 8, 0.07)


# --- indoors ----------------------------------------------------------------------------------------------------------


def draw_bedroom(c: Canvas, rng: np.random.Generator, g: list[Gray]) -> None:
    """A bed seen from its foot, with headboard, pillows and a creased blanket; a bedside table with a lamp."""
    ground, x = _floor(c, rng, g[1]), rng.uniform(0.25, 0.4)
    w, mattress = rng.uniform(0.45, 0.58), ground - 0.14
    c.box(x, mattress - 0.24, x + w, ground, g[2])
    for p in (0.06, 0.53):
        c.ellipse(x + w * (p + 0.2), mattress - 0.04, 0.19 * w, 0.07, g[1])
    c.polygon([(x - 0.02, mattress), (x + w + 0.02, mattress), (x + w + 0.22, 1.0), (x - 0.22, 1.0)], g[3])
    c.box(x - 0.22, 1.0, x + w + 0.22, 1.12, g[2])
    for s in np.linspace(0.15, 0.85, 4):
        c.line([(x + s * w, mattress + 0.02), (x + w / 2 + (s - 0.5) * (w + 0.4), 1.0)], g[2], 0.014)
    lamp = x - 0.2 if rng.random() < 0.5 else x + w + 0.2
    c.box(lamp - 0.1, ground - 0.15, lamp + 0.1, ground + 0.05, g[2])
    c.line([(lamp, ground - 0.15), (lamp, ground - 0.3)], g[3], 0.02)
    foot, top = ground - 0.28, ground - 0.42
    c.polygon([(lamp - 0.1, foot), (lamp - 0.05, top), (lamp + 0.05, top), (lamp + 0.1, foot)], g[3])


def draw_kitchen(c: Canvas, rng: np.random.Generator, g: list[Gray]) -> None:
    """Cabinets with handles above and below a countertop, tiles between them, pots, sometimes a range hood."""
    top, step = rng.uniform(0.5, 0.6), rng.uniform(0.24, 0.32)
    for x in np.arange(FAR[0], FAR[1], 0.07):
        c.line([(x, 0.2), (x, top)], g[1], 0.012)
    for y in np.arange(0.26, top, 0.07):
        c.line([(FAR[0], y), (FAR[1], y)], g[1], 0.012)
    for y0, y1, grip in ((-0.15, 0.24, 0.19), (top + 0.05, 1.0, top + 0.12)):
        c.box(FAR[0], y0, FAR[1], y1, g[2])
        for x in np.arange(FAR[0] + rng.uniform(0, 0.3), FAR[1], step):
            c.box(x, y0 + 0.03, x + 0.02, y1 - 0.03, g[3])
            c.box(x + 0.07, grip, x + 0.17, grip + 0.025, g[3])
    c.box(FAR[0], top, FAR[1], top + 0.05, g[3])
    x = rng.uniform(0.3, 0.7)
    if rng.random() < 0.5:
        c.polygon([(x - 0.16, 0.28), (x - 0.05, 0.05), (x + 0.05, 0.05), (x + 0.16, 0.28)], g[1])
    for pot in (x - 0.1, x + 0.1):
        c.box(pot - 0.07, top - 0.1, pot + 0.07, top, g[2])
    c.box(FAR[0], 1.0, FAR[1], FAR[1], g[1])


def draw_livingroom(c: Canvas, rng: np.random.Generator, g: list[Gray]) -> None:
    """A sofa with round arms and cushions, pictures on the wall above it, a coffee table and a rug in front."""
    ground, x = _floor(c, rng, g[1]), rng.uniform(0.4, 0.6)
    c.ellipse(x, 1.02, 0.65, 0.16, g[2])
    half, seat = rng.uniform(0.36, 0.44), ground - 0.02
    c.box(x - half, seat - 0.24, x + half, seat + 0.14, g[2])
    for i in range(3):
        at = x - half + (2 * i + 1) * half / 3
        c.ellipse(at, seat - 0.1, 0.27 * half, 0.09, g[3], corners=8)
    c.line([(x - half, seat), (x + half, seat)], g[3], 0.02)
    for side in (-1, 1):
        c.box(x + side * half - 0.06, seat - 0.08, x + side * half + 0.06, seat + 0.16, g[3])
        c.ellipse(x + side * half, seat - 0.09, 0.08, 0.07, g[3])
    for at in (x - 0.25, x + 0.12) if rng.random() < 0.6 else (x - 0.1,):
        w, y = rng.uniform(0.2, 0.3), rng.uniform(0.02, 0.1)
        c.box(at, y, at + w, y + 0.24, g[3])
        c.box(at + 0.03, y + 0.03, at + w - 0.03, y + 0.21, g[2])
    c.box(x - 0.22, 0.94, x + 0.22, 0.99, g[3])
    for leg in (-0.2, 0.17):
        c.box(x + leg, 0.99, x + leg + 0.03, 1.12, g[3])


def draw_office(c: Canvas, rng: np.random.Generator, g: list[Gray]) -> None:
    """A desk with a monitor, drawers and a swivel chair, in front of a window with blinds."""
    ground, x = _floor(c, rng, g[1]), rng.uniform(0.35, 0.65)
    c.box(x - 0.5, -0.1, x + 0.5, 0.42, g[2])
    for y in np.arange(-0.08, 0.4, 0.055):
        c.box(x - 0.48, y, x + 0.48, y + 0.026, g[1])
    desk = ground - 0.12
    c.box(x - 0.6, desk, x + 0.6, desk + 0.05, g[3])
    for side in (-0.58, 0.32):
        c.box(x + side, desk + 0.05, x + side + 0.26, ground + 0.14, g[2])
        for y in (0.1, 0.18):
            c.box(x + side + 0.08, desk + y, x + side + 0.18, desk + y + 0.022, g[3])
    at = x + rng.uniform(-0.25, 0.25)
    c.box(at - 0.17, desk - 0.28, at + 0.17, desk - 0.05, g[3])
    c.box(at - 0.14, desk - 0.25, at + 0.14, desk - 0.08, g[0])
    c.box(at - 0.03, desk - 0.05, at + 0.03, desk, g[3])
    seat = x - 0.06
    c.ellipse(seat, desk + 0.08, 0.13, 0.15, g[0])
    c.line([(seat, desk + 0.2), (seat, ground + 0.24)], g[3], 0.03)
    c.line([(seat - 0.14, ground + 0.3), (seat, ground + 0.22), (seat + 0.14, ground + 0.3)], g[3], 0.03)


def draw_store(c: Canvas, rng: np.random.Generator, g: list[Gray]) -> None:
    """Shelves from top to bottom, packed with boxes, bottles and cans of all widths and grays."""
    step = rng.uniform(0.18, 0.24)
    for y in np.arange(-0.3 + rng.uniform(0, step), 1.4, step):
        kind, gray = int(rng.integers(3)), int(rng.integers(1, 4))
        for x in jittered_range(FAR[0], FAR[1], rng.uniform(0.07, 0.12), rng, 0.2):
            width, high = rng.uniform(0.05, 0.08), step * rng.uniform(0.5, 0.75)
            shade = g[1 + (gray + int(rng.integers(2))) % 3]
            c.box(x, y - high, x + width, y, shade)
            if kind == 0:  # bottles have necks
                c.box(x + 0.3 * width, y - high - 0.04, x + 0.7 * width, y - high, shade)
            elif kind == 1:
                c.ellipse(x + width / 2, y - high, width / 2, 0.02, shade, corners=8)
        c.box(FAR[0], y, FAR[1], y + 0.035, g[1])
