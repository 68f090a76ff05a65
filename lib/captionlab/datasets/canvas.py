"""Drawing with Pillow: a canvas with a camera, random gray levels, and the imperfections of photographs.

`captionlab.datasets.drawn_scenes` and `captionlab.datasets.drawn_bees_ants` describe the subjects; this module turns
them into pixels. Shapes are drawn at `OVERSAMPLING` times the size and averaged, which is fast and antialiases edges.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw

OVERSAMPLING = 2
Point = tuple[float, float]
Gray = tuple[float]  # in 0..1
Color = Sequence[float] | np.ndarray  # (1,) in gray or (3,) in RGB, each in 0..1


class Canvas:
    """A square image to draw on, in the subject's coordinates (x right, y down), which a camera maps to pixels.

    Initially the image shows 0 to 1 of both coordinates; `set_camera` changes that. Whatever lies outside the image is
    clipped. Colors have as many values as the canvas has channels, each in 0..1.
    """

    def __init__(self, size: int, color: Color) -> None:
        """Create a canvas of one color.

        Args:
            size: height and width in pixels.
            color: (1,) makes a gray canvas, (3,) an RGB canvas.
        """
        self.size = size
        self._pixels = size * OVERSAMPLING
        self._image = Image.new("RGB" if len(color) == 3 else "L", (self._pixels, self._pixels), _fill(color))
        self._draw = ImageDraw.Draw(self._image)
        self.set_camera(scale=1.0)

    def set_camera(
        self,
        *,
        scale: float,
        angle: float = 0.0,
        pivot: Point = (0.5, 0.5),
        center: Point = (0.5, 0.5),
        stretch: float = 1.0,
        mirror: bool = False,
    ) -> None:
        """Set the affine map from coordinates to pixels for everything drawn from now on.

        Args:
            scale: the share of the image's width that one unit takes.
            angle: rotation in radians, clockwise.
            pivot: the point (x, y) of the subject that is mapped to `center`.
            center: the point (x, y) of the image, each in 0..1.
            stretch: width of a unit divided by its height.
            mirror: flip horizontally.
        """
        c, s = scale * math.cos(angle), scale * math.sin(angle)
        across = -stretch if mirror else stretch
        self._matrix = ((c * across, -s), (s * across, c))
        self._offset = tuple(at - a * pivot[0] - b * pivot[1] for at, (a, b) in zip(center, self._matrix, strict=True))
        self._scale = scale

    def _to_pixels(self, points: Iterable[Point]) -> list[Point]:
        (a, b), (c, d) = self._matrix
        e, f = self._offset
        n = self._pixels
        return [((a * x + b * y + e) * n, (c * x + d * y + f) * n) for x, y in points]

    def polygon(self, points: Iterable[Point], color: Color) -> None:
        """Fill a polygon, convex or not."""
        self._draw.polygon(self._to_pixels(points), fill=_fill(color))

    def box(self, x0: float, y0: float, x1: float, y1: float, color: Color) -> None:
        """Fill a rectangle."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], color)

    def line(self, points: Iterable[Point], color: Color, width: float) -> None:
        """Draw a line through the points, `width` units wide but at least one pixel of the final image."""
        pixels = max(OVERSAMPLING, round(width * self._scale * self._pixels))
        self._draw.line(self._to_pixels(points), fill=_fill(color), width=pixels, joint="curve" if pixels > 4 else None)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, color: Color, angle: float = 0.0, corners: int = 20
    ) -> None:
        """Fill an ellipse with center (x, y) and half-axes `rx` and `ry`, rotated by `angle` radians."""
        self.polygon(ellipse_points(x, y, rx, ry, angle, corners), color)

    def translucent(self, points: Iterable[Point], color: Color, opacity: float) -> None:
        """Blend a polygon over what is there, such as a wing: 0 leaves it unchanged, 1 covers it."""
        mask = Image.new("L", self._image.size, 0)
        ImageDraw.Draw(mask).polygon(self._to_pixels(points), fill=round(255 * opacity))
        self._image.paste(_fill(color), (0, 0, *self._image.size), mask)

    def pixels(self) -> np.ndarray:
        """The drawing, float32 in 0..1, (size, size, channels)."""
        small = np.asarray(self._image.reduce(OVERSAMPLING), np.float32) / 255
        return small.reshape(self.size, self.size, -1)


def _fill(color: Color) -> int | tuple[int, ...]:
    """The color as Pillow takes it, in 0..255."""
    levels = tuple(min(255, max(0, round(255 * float(level)))) for level in color)
    return levels if len(levels) == 3 else levels[0]


def ellipse_points(x: float, y: float, rx: float, ry: float, angle: float = 0.0, corners: int = 20) -> list[Point]:
    """Corners of a polygon that approximates an ellipse; arguments as for `Canvas.ellipse`."""
    c, s = math.cos(angle), math.sin(angle)
    angles = [2 * math.pi * i / corners for i in range(corners)]
    return [
        (x + c * rx * math.cos(t) - s * ry * math.sin(t), y + s * rx * math.cos(t) + c * ry * math.sin(t))
        for t in angles
    ]


def jittered_range(
    start: float, stop: float, step: float, rng: np.random.Generator, jitter: float = 0.3
) -> Iterator[float]:
    """Values from `start` to `stop`, each step being `step` times a random factor in 1 - jitter .. 1 + jitter."""
    at = start
    while at < stop:
        yield at
        at += step * rng.uniform(1 - jitter, 1 + jitter)


def gray_levels(rng: np.random.Generator, count: int) -> list[Gray]:
    """Gray levels in 0..1, any two at least 0.55 / (count - 1) apart, in random order.

    Which of two regions is the lighter one is random, so brightness alone does not tell the class.
    """
    step = 0.88 / (count - 1)
    levels = 0.06 + step * (np.arange(count) + rng.uniform(-0.18, 0.18, count))
    return [(float(level),) for level in rng.permutation(levels)]


def _smooth_noise(rng: np.random.Generator, size: int, cells: int, channels: int = 1) -> np.ndarray:
    """Value noise in -1..1 with `cells` by `cells` random knots, bicubic between them: (size, size, channels)."""
    knots = rng.integers(0, 256, (cells + 1, cells + 1, channels), dtype=np.uint8)
    planes = [Image.fromarray(knots[..., i]).resize((size, size), Image.Resampling.BICUBIC) for i in range(channels)]
    return np.stack([np.asarray(plane, np.float32) for plane in planes], axis=2) / 127.5 - 1


def simulate_photo(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add what a photograph has: a light gradient, stains, mottling, contrast, exposure and grain; quantize to 8 bits.

    Args:
        image: float32 in 0..1, (size, size, channels).
        rng: draws all of these.

    Returns:
        uint8, (size, size, channels).
    """
    size, _, channels = image.shape
    angle, slope = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.35)
    ramp = np.linspace(-slope, slope, size, dtype=np.float32)
    light = 1 + math.cos(angle) * ramp[None, :, None] + math.sin(angle) * ramp[:, None, None]
    stains = rng.uniform(0.02, 0.1) * _smooth_noise(rng, size, int(rng.integers(3, 9)))
    mottling = rng.uniform(0.01, 0.06) * _smooth_noise(rng, size, int(rng.integers(16, 33)), channels)
    contrast, brightness = rng.uniform(0.65, 1.1), rng.uniform(0.4, 0.6)
    image = (image * light + stains + mottling - 0.5) * contrast + brightness
    image += rng.uniform(0.01, 0.04) * rng.standard_normal(image.shape, dtype=np.float32)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
