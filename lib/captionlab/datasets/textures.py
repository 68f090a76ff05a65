"""A canvas, tones and photographic accidents: what the small embedded image sets are painted with.

`captionlab.datasets.scenes` and `captionlab.datasets.insects` describe what is seen; here it is put on pixels. Shapes
are drawn by Pillow at `OVERSAMPLING` times the size and averaged, which is smooth at the edges and fast.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

OVERSAMPLING = 2
Point = tuple[float, float]
Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # training images, labels, test images, labels


class Canvas:
    """A square picture to paint on, in coordinates of the subject that a camera carries to pixels.

    Coordinates (x right, y down) are those of the subject. At first the picture shows 0 to 1 of both; `look` moves the
    camera. Colors are as long as the canvas has channels, in 0..1. Whatever lies outside the picture is cut off.

    Args:
        size: height and width in pixels.
        color: what it is filled with at first, (1,) for a gray canvas or (3,) for RGB.
    """

    def __init__(self, size: int, color: Sequence[float]) -> None:
        self.size = size
        self._pixels = size * OVERSAMPLING
        self._image = Image.new("RGB" if len(color) == 3 else "L", (self._pixels, self._pixels), _ink(color))
        self._draw = ImageDraw.Draw(self._image)
        self.look(scale=1.0)

    def look(
        self,
        *,
        scale: float,
        angle: float = 0.0,
        pivot: Point = (0.5, 0.5),
        center: Point = (0.5, 0.5),
        squeeze: float = 1.0,
        mirror: bool = False,
    ) -> None:
        """Point the camera: what is painted from now on lands elsewhere.

        Args:
            scale: how much of the picture's width a unit of the subject takes.
            angle: turns the subject, in radians, clockwise.
            pivot: the subject's point that lands at `center` of the picture, both as (x, y).
            center: in 0..1 of the picture.
            squeeze: how much wider than high a unit is.
            mirror: show left as right.
        """
        c, s = scale * math.cos(angle), scale * math.sin(angle)
        across = -squeeze if mirror else squeeze
        self._map = ((c * across, -s), (s * across, c))
        self._offset = tuple(at - a * pivot[0] - b * pivot[1] for at, (a, b) in zip(center, self._map, strict=True))
        self._width = scale

    def _at(self, points: Iterable[Point]) -> list[Point]:
        (a, b), (c, d) = self._map
        e, f = self._offset
        n = self._pixels
        return [((a * x + b * y + e) * n, (c * x + d * y + f) * n) for x, y in points]

    def polygon(self, points: Iterable[Point], color: Sequence[float]) -> None:
        """Fill a polygon, convex or not, given by its corners."""
        self._draw.polygon(self._at(points), fill=_ink(color))

    def box(self, x0: float, y0: float, x1: float, y1: float, color: Sequence[float]) -> None:
        """Fill a rectangle."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], color)

    def line(self, points: Iterable[Point], color: Sequence[float], width: float) -> None:
        """Draw a line through the points, `width` units wide, at least one pixel of the finished picture."""
        pixels = max(OVERSAMPLING, round(width * self._width * self._pixels))
        self._draw.line(self._at(points), fill=_ink(color), width=pixels, joint="curve" if pixels > 4 else None)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, color: Sequence[float], angle: float = 0.0, corners: int = 20
    ) -> None:
        """Fill an ellipse about (x, y) with half axes rx and ry, turned by `angle` radians."""
        self.polygon(ellipse_points(x, y, rx, ry, angle, corners), color)

    def veil(self, points: Iterable[Point], color: Sequence[float], opacity: float) -> None:
        """Fill a polygon so that `1 - opacity` of what is below shines through: a wing, a shadow, haze."""
        mask = Image.new("L", self._image.size, 0)
        ImageDraw.Draw(mask).polygon(self._at(points), fill=round(255 * opacity))
        self._image.paste(_ink(color), (0, 0, *self._image.size), mask)

    def pixels(self) -> np.ndarray:
        """What has been painted, float32 in 0..1, (size, size, channels)."""
        small = np.asarray(self._image.reduce(OVERSAMPLING), np.float32) / 255
        return small.reshape(self.size, self.size, -1)


def _ink(color: Sequence[float]) -> int | tuple[int, ...]:
    levels = tuple(min(255, max(0, round(255 * float(level)))) for level in color)
    return levels if len(levels) == 3 else levels[0]


def ellipse_points(x: float, y: float, rx: float, ry: float, angle: float = 0.0, corners: int = 20) -> list[Point]:
    """Corners of a polygon close to an ellipse about (x, y) with half axes rx and ry, turned by `angle` radians."""
    c, s = math.cos(angle), math.sin(angle)
    turns = [2 * math.pi * i / corners for i in range(corners)]
    return [
        (x + c * rx * math.cos(t) - s * ry * math.sin(t), y + s * rx * math.cos(t) + c * ry * math.sin(t))
        for t in turns
    ]


def walk(start: float, stop: float, step: float, rng: np.random.Generator, jitter: float = 0.3) -> Iterator[float]:
    """Values from start to stop about `step` apart, each step longer or shorter by up to `jitter` of it."""
    at = start
    while at < stop:
        yield at
        at += step * rng.uniform(1 - jitter, 1 + jitter)


def tones(rng: np.random.Generator, count: int) -> list[tuple[float]]:
    """Grays in 0..1, any two at least 0.55 / (count - 1) apart, in random order.

    Which of two neighbors is the lighter one is left to chance, so that brightness alone says nothing.
    """
    step = 0.88 / (count - 1)
    levels = 0.06 + step * (np.arange(count) + rng.uniform(-0.18, 0.18, count))
    return [(float(tone),) for tone in rng.permutation(levels)]


def smooth_noise(rng: np.random.Generator, size: int, cells: int, channels: int = 1) -> np.ndarray:
    """Random values in -1..1 at `cells` knots across and down, smooth between: float32 (size, size, channels)."""
    knots = rng.integers(0, 256, (cells + 1, cells + 1, channels), dtype=np.uint8)
    planes = [Image.fromarray(knots[..., i]).resize((size, size), Image.Resampling.BICUBIC) for i in range(channels)]
    return np.stack([np.asarray(plane, np.float32) for plane in planes], axis=2) / 127.5 - 1


def photograph(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light from one side, stains and mottles, contrast, exposure and grain; then 8 bits.

    Args:
        picture: float32 in 0..1, (size, size, channels).
        rng: draws all of it.

    Returns:
        uint8, (size, size, channels).
    """
    size, _, channels = picture.shape
    angle, slope = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.35)
    ramp = np.linspace(-slope, slope, size, dtype=np.float32)
    light = 1 + math.cos(angle) * ramp[None, :, None] + math.sin(angle) * ramp[:, None, None]
    stains = rng.uniform(0.02, 0.1) * smooth_noise(rng, size, int(rng.integers(3, 9)))
    mottles = rng.uniform(0.01, 0.06) * smooth_noise(rng, size, int(rng.integers(16, 33)), channels)
    contrast, brightness = rng.uniform(0.65, 1.1), rng.uniform(0.4, 0.6)
    picture = (picture * light + stains + mottles - 0.5) * contrast + brightness
    picture += rng.uniform(0.01, 0.04) * rng.standard_normal(picture.shape, dtype=np.float32)
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def name_of(label: int | str, classes: Sequence[str]) -> str:
    """The name of a class given by its name or its index.

    Raises:
        ValueError: if there is no such class.
    """
    if isinstance(label, str) and label in classes:
        return label
    if not isinstance(label, str) and 0 <= label < len(classes):
        return classes[label]
    raise ValueError(f"no class {label!r}: give 0 to {len(classes) - 1} or one of {', '.join(classes)}")


def draw_split(
    render: Callable[[int, np.random.Generator, int], np.ndarray],
    seed: int,
    train: Sequence[int],
    test: Sequence[int],
    size: int,
) -> Split:
    """Draw training and test images class by class.

    Args:
        render: draws one image (size, size) or (size, size, 3) of a label.
        seed: every image has a generator of its own, made from the seed, the part, the label and the image's number in
            its class: asking for more images leaves the others as they are, and training and test never meet.
        train: number of training images of each class.
        test: number of test images of each class.
        size: height and width in pixels.

    Raises:
        ValueError: if a number of images is not positive, or the size is below 16.
    """
    if min(*train, *test) < 1 or size < 16:
        raise ValueError(f"got {train} training and {test} test images of {size} pixels: give 1 or more, 16 or larger")
    parts: list[np.ndarray] = []
    for stream, counts in enumerate((train, test)):
        labels = np.repeat(np.arange(len(counts)), counts)
        numbers = np.concatenate([np.arange(count) for count in counts])
        pairs = zip(labels.tolist(), numbers.tolist(), strict=True)
        images = [render(label, np.random.default_rng([seed, stream, label, i]), size) for label, i in pairs]
        parts += [np.stack(images), labels]
    return tuple(parts)


def write_split(split: Split, folder: str | Path, names: tuple[str, str], classes: Sequence[str]) -> Path:
    """Write a split as PNG files `folder/NAME/CLASS/image_NNNN.png`, numbered from 1 within a class.

    Args:
        split: images uint8 (n, h, w) or (n, h, w, 3) and labels (n,), for training and for test.
        folder: is made if need be; files of the same names are replaced, others are left alone.
        names: folder names of the two parts.
        classes: folder names of the labels 0, 1, ...

    Returns:
        `folder` as a path.
    """
    folder = Path(folder)
    for name, images, labels in ((names[0], *split[:2]), (names[1], *split[2:])):
        counts = [0] * len(classes)
        for class_name in classes:
            (folder / name / class_name).mkdir(parents=True, exist_ok=True)
        for image, label in zip(images, labels, strict=True):
            counts[label] += 1
            path = folder / name / classes[label] / f"image_{counts[label]:04d}.png"
            Image.fromarray(image).save(path, compress_level=1)
    return folder
