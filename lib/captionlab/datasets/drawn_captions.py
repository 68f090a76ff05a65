"""Drawn scenes with five captions each: a captioning data set that needs no download.

A scene shows one or two objects of `captionlab.datasets.drawn_objects` in named colors, on sand, grass or snow or at
night. As in captions written by people, the content and the wording vary: some give the position, some the background,
some compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from captionlab.datasets.drawn_objects import draw_object, find_free_position, value_noise

SIZE = 160  # pixels; the objects are as large as in the 64-pixel images the embedded networks were trained on
# The noun for each drawn class.
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
BACKGROUNDS = {
    "on sand": (0.78, 0.66, 0.46),
    "on grass": (0.25, 0.55, 0.22),
    "on snow": (0.84, 0.89, 0.94),
    "at night": (0.1, 0.12, 0.26),
}
MIN_CONTRAST = 0.45  # of an object and its background, in at least one color channel


@dataclass(frozen=True)
class DrawnObject:
    """An object in a scene.

    Attributes:
        noun: as in captions.
        color: as in captions.
        box: (x0, y0, x1, y1) in pixels, x1 and y1 exclusive.
    """

    noun: str
    color: str
    box: tuple[int, int, int, int]

    @property
    def center(self) -> tuple[float, float]:
        """The box's center (x, y) in pixels."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


@dataclass(frozen=True)
class CaptionedScene:
    """An image, its captions and its content.

    Attributes:
        image: uint8 RGB, (SIZE, SIZE, 3).
        captions: five captions.
        objects: what the image shows.
        background: as in captions, such as "on sand".
    """

    image: np.ndarray
    captions: tuple[str, ...]
    objects: tuple[DrawnObject, ...]
    background: str

    def boxes(self, word: str) -> list[tuple[int, int, int, int]]:
        """Bounding boxes of the objects whose noun, singular or plural, is `word`."""
        return [drawn.box for drawn in self.objects if word in (drawn.noun, pluralize(drawn.noun))]


def pluralize(noun: str) -> str:
    """The plural of a noun of `NOUNS`.

    >>> pluralize("box"), pluralize("star")
    ('boxes', 'stars')
    """
    return PLURALS.get(noun, f"{noun}s")


def make_scenes(seed: int, count: int) -> list[CaptionedScene]:
    """Draw scenes.

    Args:
        seed: the same seed gives the same scenes; asking for more scenes leaves the others unchanged.
        count: number of scenes.

    Raises:
        ValueError: if the count is negative.
    """
    if count < 0:
        raise ValueError(f"count is {count}, expected a number of scenes, 0 or more")
    return [make_scene(np.random.default_rng([seed, number])) for number in range(count)]


def make_scene(rng: np.random.Generator) -> CaptionedScene:
    """Draw one scene: a single object, two of the same kind, or two of different kinds, with equal probability."""
    background = str(rng.choice(list(BACKGROUNDS)))
    canvas = np.array(BACKGROUNDS[background], np.float32) + 0.06 * value_noise(rng, (SIZE, SIZE), 16)
    classes = [str(name) for name in rng.choice(list(NOUNS), 2, replace=False)]
    colors = [str(color) for color in rng.choice(_visible_colors(background), 2, replace=False)]
    layout = int(rng.integers(3))
    if layout == 1:
        classes, colors = [classes[0]] * 2, [colors[0]] * 2
    objects = []
    positions = _find_positions(rng, 1 if layout == 0 else 2)
    for name, color, (center, radius) in zip(classes, colors, positions, strict=False):
        box = draw_object(canvas, name, center, radius, rng, _shades(color))
        objects.append(DrawnObject(NOUNS[name], color, box))
    noise = 0.02 * rng.standard_normal(canvas.shape, dtype=np.float32)
    image = (np.clip(canvas + noise, 0, 1) * 255 + 0.5).astype(np.uint8)
    sentences = (_describe_one, _describe_same_kind, _describe_two)[layout](objects, background)
    chosen = rng.choice(len(sentences), 5, replace=False)
    return CaptionedScene(image, tuple(sentences[number] for number in chosen), tuple(objects), background)


def _find_positions(rng: np.random.Generator, count: int) -> list[tuple[np.ndarray, float]]:
    """Centers and radii of objects that do not overlap."""
    while True:
        positions: list[tuple[np.ndarray, float]] = []
        try:
            for _ in range(count):
                positions.append(find_free_position(rng, (SIZE, SIZE), positions))
        except ValueError:
            continue  # the first object leaves no room for another
        return positions


def _visible_colors(background: str) -> list[str]:
    behind = np.array(BACKGROUNDS[background])
    return [name for name, color in COLORS.items() if np.abs(np.array(color) - behind).max() > MIN_CONTRAST]


def _shades(color: str) -> np.ndarray:
    """(3, 3): the color, a darker and a lighter shade of it for an object's parts."""
    main = np.array(COLORS[color], np.float32)
    return np.stack([main, 0.6 * main, 0.6 * main + 0.4]).astype(np.float32)


# --- captions --------------------------------------------------------------------------------------------------------


def _name(drawn: DrawnObject) -> str:
    """As in "an orange box"."""
    return f"{'an' if drawn.color[0] in 'aeiou' else 'a'} {drawn.color} {drawn.noun}"


def _position(drawn: DrawnObject) -> str:
    """As in "on the left"."""
    x, y = drawn.center
    offset_x, offset_y = abs(x - SIZE / 2), abs(y - SIZE / 2)
    if max(offset_x, offset_y) < SIZE / 10:
        return "in the middle"
    if offset_x > offset_y:
        return "on the left" if x < SIZE / 2 else "on the right"
    return "at the top" if y < SIZE / 2 else "at the bottom"


def _describe_one(objects: list[DrawnObject], background: str) -> list[str]:
    name, position = _name(objects[0]), _position(objects[0])
    return [
        f"{name} {position}",
        f"there is {name} {position} of the picture",
        f"{name} {background}",
        f"a picture of {name} {background}",
        f"{name} {position} {background}",
        f"there is only {name} {background}",
    ]


def _describe_same_kind(objects: list[DrawnObject], background: str) -> list[str]:
    names = f"{objects[0].color} {pluralize(objects[0].noun)}"
    side_by_side = _relation(objects)[0] in ("to the left of", "to the right of")
    order = "side by side" if side_by_side else "one above the other"
    return [
        f"two {names} {background}",
        f"there are two {names} {order}",
        f"two {names} {order}",
        f"a pair of {names} {background}",
        f"a picture of two {names} {background}",
        f"two {names} {order} {background}",
    ]


def _describe_two(objects: list[DrawnObject], background: str) -> list[str]:
    one, other = map(_name, objects)
    relation, inverse = _relation(objects)
    return [
        f"{one} {relation} {other}",
        f"{other} {inverse} {one}",
        f"{one} and {other} {background}",
        f"there is {one} {relation} {other}",
        f"a picture of {one} and {other}",
        f"there is {one} and {other} {background}",
    ]


def _relation(objects: list[DrawnObject]) -> tuple[str, str]:
    """The position of the first object relative to the second, and the inverse relation."""
    (x0, y0), (x1, y1) = objects[0].center, objects[1].center
    if abs(x0 - x1) > abs(y0 - y1):
        words = ("to the left of", "to the right of")
        return words if x0 < x1 else words[::-1]
    return ("above", "below") if y0 < y1 else ("below", "above")
