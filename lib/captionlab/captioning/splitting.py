"""Splitting images into training, dev and test images."""

from __future__ import annotations

import random
from collections.abc import Iterable


def split_by_image(
    image_ids: Iterable[str], fractions: tuple[float, float], seed: int
) -> tuple[list[str], list[str], list[str]]:
    """Split images into training, dev and test images, so that all captions of an image stay together.

    The images are sorted alphabetically, shuffled with ``random.Random(seed).shuffle``, and split: the first are dev
    images, the next test images, and the rest training images.

    Args:
        image_ids: the image each caption belongs to, so most images occur several times.
        fractions: shares of the images for dev and test; the numbers of images are rounded to the nearest integer.
        seed: of the shuffle.

    Returns:
        ``(train, dev, test)``: sorted image ids, each in exactly one of the lists.

    Example:
        >>> train, dev, test = split_by_image(["a", "a", "b", "b", "c", "c", "d", "d"], (0.25, 0.25), seed=0)
        >>> len(train), len(dev), len(test)
        (2, 1, 1)
    """
    images = sorted(set(image_ids))
    shuffled = list(images)
    random.Random(seed).shuffle(shuffled)
    dev, test = (round(fraction * len(images)) for fraction in fractions)
    return sorted(shuffled[dev + test :]), sorted(shuffled[:dev]), sorted(shuffled[dev : dev + test])
