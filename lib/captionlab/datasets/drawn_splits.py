"""Data sets that are drawn by code: drawn split by split, and written as folders of images."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Split(NamedTuple):
    """Training and test images, class by class.

    Attributes:
        train_images: uint8, (n, size, size) in gray or (n, size, size, 3) in RGB.
        train_labels: int64, (n,).
        test_images: like the training images.
        test_labels: like the training labels.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def class_name(label: int | str, classes: Sequence[str]) -> str:
    """The name of a class that is given by its name or its index.

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

    Every image has its own random generator, seeded with the seed, the part (train or test), the label and the image's
    number within its class: asking for more images leaves the others unchanged, and no image is in both parts.

    Args:
        render: draws one image (size, size) or (size, size, 3) of a label.
        seed: the same seed gives the same images.
        train: number of training images per class.
        test: number of test images per class.
        size: height and width in pixels.

    Raises:
        ValueError: if a number of images is not positive, or the size is below 16.
    """
    if min(*train, *test) < 1 or size < 16:
        raise ValueError(
            f"got {train} training and {test} test images of {size} pixels: ask for at least 1 image per class and at "
            "least 16 pixels"
        )
    parts = []
    for part, counts in enumerate((train, test)):
        numbers = [(label, number) for label, count in enumerate(counts) for number in range(count)]
        images = [render(label, np.random.default_rng([seed, part, label, number]), size) for label, number in numbers]
        parts += [np.stack(images), np.array([label for label, _ in numbers])]
    return Split(*parts)


def write_split(split: Split, folder: str | Path, names: tuple[str, str], classes: Sequence[str]) -> Path:
    """Write a split as PNG files `folder/NAME/CLASS/image_NNNN.png`, numbered from 1 within a class.

    Args:
        split: the images to write.
        folder: created if necessary; files of the same names are replaced, others are left alone.
        names: folder names of the training and the test part.
        classes: folder names of the labels 0, 1, ...

    Returns:
        `folder` as a path.
    """
    from PIL import Image

    folder = Path(folder)
    for name, images, labels in ((names[0], *split[:2]), (names[1], *split[2:])):
        counters = [itertools.count(1) for _ in classes]
        for kind in classes:
            (folder / name / kind).mkdir(parents=True, exist_ok=True)
        for image, label in zip(images, labels, strict=True):
            path = folder / name / classes[label] / f"image_{next(counters[label]):04d}.png"
            Image.fromarray(image).save(path, compress_level=1)
    return folder
