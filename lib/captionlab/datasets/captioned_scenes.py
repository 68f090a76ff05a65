"""Drawn scenes with five captions each: the corpus that needs no download.

One or two of the objects of `captionlab.datasets.shapes`, in named colors, somewhere on sand, grass, snow or at night.
The captions are varied as people's are: some name the place, some the ground, some compare, and the words differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from captionlab.datasets.shapes import free_place, paint_object, smooth_noise

SIZE = 160  # pixels: objects are as large as those the embedded networks were trained on, in windows of 64
# What a caption calls each of the drawn classes.
NOUNS = {
    "disc": "ball",
    "ring": "ring",
    "square": "box",
    "triangle": "triangle",
    "star": "star",
    "cross": "cross",
    "heart": "heart",
    "crescent": "moon",
    "house": "house",
    "tree": "tree",
    "fish": "fish",
    "flower": "flower",
    "boat": "boat",
    "butterfly": "butterfly",
}
PLURALS = {"box": "boxes", "cross": "crosses", "fish": "fish", "butterfly": "butterflies"}
COLORS = {
    "red": (0.85, 0.1, 0.1),
    "orange": (1.0, 0.55, 0.05),
    "yellow": (0.98, 0.92, 0.15),
    "blue": (0.12, 0.25, 0.9),
    "purple": (0.6, 0.15, 0.7),
    "white": (0.98, 0.98, 0.98),
    "black": (0.05, 0.05, 0.05),
}
GROUNDS = {
    "on sand": (0.78, 0.66, 0.46),
    "on grass": (0.25, 0.55, 0.22),
    "on snow": (0.84, 0.89, 0.94),
    "at night": (0.1, 0.12, 0.26),
}
CONTRAST = 0.45  # least difference of brightness or of one color channel between an object and its ground


@dataclass(frozen=True)
class Thing:
    """A drawn object.

    Attributes:
        noun, color: as captions name them.
        box: (x0, y0, x1, y1) in pixels, x1 and y1 excluded.
    """

    noun: str
    color: str
    box: tuple[int, int, int, int]

    @property
    def middle(self) -> tuple[float, float]:
        """(x, y) in pixels."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


@dataclass(frozen=True)
class CaptionedScene:
    """A picture, what is said of it, and what is in it.

    Attributes:
        image: uint8 RGB, (SIZE, SIZE, 3).
        captions: five.
        things: the objects.
        ground: what they are on.
    """

    image: np.ndarray
    captions: tuple[str, ...]
    things: tuple[Thing, ...]
    ground: str

    def boxes(self, word: str) -> list[tuple[int, int, int, int]]:
        """Boxes of the objects that a word of a caption names; none if it names none."""
        return [thing.box for thing in self.things if word in (thing.noun, plural(thing.noun))]


def plural(noun: str) -> str:
    """The noun for several."""
    return PLURALS.get(noun, f"{noun}s")


def make_scenes(seed: int, count: int) -> list[CaptionedScene]:
    """Draw scenes, the same for the same seed; the first ones do not depend on the count.

    Raises:
        ValueError: if the count is negative.
    """
    if count < 0:
        raise ValueError(f"count is {count}: give the number of scenes")
    return [make_scene(np.random.default_rng([seed, number])) for number in range(count)]


def make_scene(rng: np.random.Generator) -> CaptionedScene:
    """Draw one scene: an object, two of a kind, or two of different kinds, each equally likely."""
    ground = str(rng.choice(list(GROUNDS)))
    canvas = np.array(GROUNDS[ground], np.float32) + 0.06 * smooth_noise(rng, (SIZE, SIZE), 16)
    kinds = [str(kind) for kind in rng.choice(list(NOUNS), 2, replace=False)]
    colors = [str(color) for color in rng.choice(_clear_colors(ground), 2, replace=False)]
    form = int(rng.integers(3))
    if form == 1:
        kinds, colors = [kinds[0]] * 2, [colors[0]] * 2
    places, things = _places(rng, 1 if form == 0 else 2), []
    for kind, color, (center, radius) in zip(kinds, colors, places, strict=False):
        box = paint_object(canvas, kind, center, radius, rng, _shades(color, ground))
        things.append(Thing(NOUNS[kind], color, box))
    noise = 0.02 * rng.standard_normal(canvas.shape, dtype=np.float32)
    image = (np.clip(canvas + noise, 0, 1) * 255 + 0.5).astype(np.uint8)
    sentences = (_one, _two_of_a_kind, _two)[form](things, ground)
    chosen = rng.choice(len(sentences), 5, replace=False)
    return CaptionedScene(image, tuple(sentences[number] for number in chosen), tuple(things), ground)


def _places(rng: np.random.Generator, count: int) -> list[tuple[np.ndarray, float]]:
    """Centers and radii of objects that do not overlap."""
    while True:
        places: list[tuple[np.ndarray, float]] = []
        try:
            for _ in range(count):
                places.append(free_place(rng, (SIZE, SIZE), places))
        except ValueError:
            continue  # the first one lies so that there is no room beside it
        return places


def _clear_colors(ground: str) -> list[str]:
    behind = np.array(GROUNDS[ground])
    return [name for name, color in COLORS.items() if np.abs(np.array(color) - behind).max() > CONTRAST]


def _shades(color: str, ground: str) -> np.ndarray:
    """(3, 3): the color, then darker and lighter ones of it for an object's parts."""
    main = np.array(COLORS[color], np.float32)
    return np.stack([main, 0.6 * main, 0.6 * main + 0.4]).astype(np.float32)


# --- what is said -----------------------------------------------------------------------------------------------------


def _named(thing: Thing) -> str:
    return f"{'an' if thing.color[0] in 'aeiou' else 'a'} {thing.color} {thing.noun}"


def _place(thing: Thing) -> str:
    x, y = thing.middle
    away_x, away_y = abs(x - SIZE / 2), abs(y - SIZE / 2)
    if max(away_x, away_y) < SIZE / 10:
        return "in the middle"
    if away_x > away_y:
        return "on the left" if x < SIZE / 2 else "on the right"
    return "at the top" if y < SIZE / 2 else "at the bottom"


def _one(things: list[Thing], ground: str) -> list[str]:
    name, place = _named(things[0]), _place(things[0])
    return [
        f"{name} {place}",
        f"there is {name} {place} of the picture",
        f"{name} {ground}",
        f"a picture of {name} {ground}",
        f"{name} {place} {ground}",
        f"there is only {name} {ground}",
    ]


def _two_of_a_kind(things: list[Thing], ground: str) -> list[str]:
    names = f"{things[0].color} {plural(things[0].noun)}"
    beside = _apart(things)[0] in ("to the left of", "to the right of")
    order = "side by side" if beside else "one above the other"
    return [
        f"two {names} {ground}",
        f"there are two {names} {order}",
        f"two {names} {order}",
        f"a pair of {names} {ground}",
        f"a picture of two {names} {ground}",
        f"two {names} {order} {ground}",
    ]


def _two(things: list[Thing], ground: str) -> list[str]:
    one, other = map(_named, things)
    relation, reverse = _apart(things)
    return [
        f"{one} {relation} {other}",
        f"{other} {reverse} {one}",
        f"{one} and {other} {ground}",
        f"there is {one} {relation} {other}",
        f"a picture of {one} and {other}",
        f"there is {one} and {other} {ground}",
    ]


def _apart(things: list[Thing]) -> tuple[str, str]:
    """How the first lies to the second, and the second to the first."""
    (x0, y0), (x1, y1) = things[0].middle, things[1].middle
    if abs(x0 - x1) > abs(y0 - y1):
        words = ("to the left of", "to the right of")
        return words if x0 < x1 else words[::-1]
    return ("above", "below") if y0 < y1 else ("below", "above")
