"""Fifteen kinds of scenes drawn by code: a small stand-in for 15-Scene that needs no download.

A class is defined by its layout (where the ground ends, where lines converge) and its textures (windows, trunks, goods
on shelves). Which of two neighboring regions is the lighter one is random; camera, light, contrast, noise and occluders
vary. Single pixels therefore tell little about the class; edges, textures and their positions tell a lot.

The classes have the names and the order of 15-Scene (Lazebnik, Schmid and Ponce, CVPR 2006); the drawings are the
course's own and are in `captionlab.datasets.scene_drawings`.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from captionlab.datasets import scene_drawings
from captionlab.datasets.canvas import Canvas, Gray, gray_levels, simulate_photo
from captionlab.datasets.drawn_splits import Split, class_name, draw_split, write_split

SPLITS = ("train", "test")  # folder names, as in the photographs of 15-Scene
_DRAW: dict[str, Callable[[Canvas, np.random.Generator, list[Gray]], None]] = {
    "bedroom": scene_drawings.draw_bedroom,
    "coast": scene_drawings.draw_coast,
    "forest": scene_drawings.draw_forest,
    "highway": scene_drawings.draw_highway,
    "industrial": scene_drawings.draw_industrial,
    "insidecity": scene_drawings.draw_insidecity,
    "kitchen": scene_drawings.draw_kitchen,
    "livingroom": scene_drawings.draw_livingroom,
    "mountain": scene_drawings.draw_mountain,
    "office": scene_drawings.draw_office,
    "opencountry": scene_drawings.draw_opencountry,
    "store": scene_drawings.draw_store,
    "street": scene_drawings.draw_street,
    "suburb": scene_drawings.draw_suburb,
    "tallbuilding": scene_drawings.draw_tallbuilding,
}
CLASSES: tuple[str, ...] = tuple(_DRAW)


def _draw_clutter(canvas: Canvas, rng: np.random.Generator) -> None:
    """Occlude the scene with up to four strokes and spots of any gray."""
    for _ in range(int(rng.integers(0, 5))):
        x, y, gray = *rng.uniform(0, 1, 2), (rng.uniform(0, 1),)
        if rng.random() < 0.5:
            rx, ry = rng.uniform(0.015, 0.08, 2)
            canvas.ellipse(x, y, rx, ry, gray, rng.uniform(0, 3), corners=9)
        else:
            dx, dy = rng.normal(0, 0.12, 2)
            canvas.line([(x - dx, y - dy), (x + dx, y + dy)], gray, rng.uniform(0.01, 0.04))


def render(label: int | str, rng: np.random.Generator, size: int = 64) -> np.ndarray:
    """Draw one image of a class.

    Args:
        label: index into `CLASSES`, or the name of the class.
        rng: draws everything that varies; the same state gives the same image.
        size: height and width in pixels.

    Returns:
        uint8 gray, (size, size).

    Raises:
        ValueError: if there is no such class.
    """
    name = class_name(label, CLASSES)
    grays = gray_levels(rng, 4)
    canvas = Canvas(size, grays[0])
    canvas.set_camera(
        scale=rng.uniform(0.75, 1.35),
        angle=rng.normal(0, 0.05),
        center=tuple(rng.uniform(0.35, 0.65, 2)),
        stretch=rng.uniform(0.82, 1.22),
        mirror=rng.random() < 0.5,
    )
    _DRAW[name](canvas, rng, grays)
    canvas.set_camera(scale=1.0)
    _draw_clutter(canvas, rng)
    return simulate_photo(canvas.pixels(), rng)[..., 0]


def make_split(seed: int, per_class_train: int = 20, per_class_test: int = 20, size: int = 64) -> Split:
    """Draw training and test images, equally many of each class.

    Args:
        seed: the same seed gives the same images; asking for more images leaves the others unchanged.
        per_class_train: training images per class.
        per_class_test: test images per class.
        size: height and width in pixels; the embedded networks expect 64.

    Returns:
        The images, uint8 gray (15 * per_class, size, size), and labels, class by class: the order in which
        `captionlab.datasets.folders.list_images` lists what `write_folders` has written.

    Raises:
        ValueError: if a number of images is below 1 or the size below 16.
    """
    train, test = ([count] * len(CLASSES) for count in (per_class_train, per_class_test))
    return draw_split(render, seed, train, test, size)


def write_folders(split: Split, folder: str | Path) -> Path:
    """Write a split as PNG files `folder/{train,test}/CLASS/image_NNNN.png`; returns `folder`."""
    return write_split(split, folder, SPLITS, CLASSES)
