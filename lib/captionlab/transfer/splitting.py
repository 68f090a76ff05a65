"""Setting a part of the training images aside, for choices and for stopping."""

from __future__ import annotations

import numpy as np


def split_train_validation(labels, fraction, seed):
    """Split images at random into a training and a validation part, each class in the same proportion.

    Of a class with n images, ``fraction * n`` go to the validation part, rounded to the nearest whole number (halves
    up), but at least one image and at most n - 1: every class is in both parts.

    Which images these are is drawn anew for each seed, class by class. The same seed gives the same split, and neither
    reads nor changes the global random states of numpy and torch.

    Args:
        labels: the class of each image, a sequence or array of whole numbers in any order; the numbers need not be
            0, 1, 2, ... without gaps.
        fraction: share of the validation part, between 0 and 1.
        seed: whole number that decides the draw.

    Returns:
        Two lists of Python integers, the indices (positions in ``labels``) of the training images and those of the
        validation images, each in ascending order. Every image is in exactly one of them.

    Raises:
        ValueError: if a class has fewer than two images.

    Example::

        labels = [0] * 6 + [1] * 4
        train, validation = split_train_validation(labels, fraction=0.3, seed=1)
        len(train), len(validation)  # (7, 3): 2 of the 6 images of class 0 (1.8, rounded) and 1 of the 4 of class 1
        sorted(train + validation) == list(range(10))  # True
    """
    labels = np.asarray(labels)
    rng = np.random.default_rng(seed)
    validation = []
    for label in np.unique(labels):
        images = np.flatnonzero(labels == label)
        if len(images) < 2:
            raise ValueError(f"class {label} has {len(images)} image, expected at least 2: one for each part")
        count = min(max(int(fraction * len(images) + 0.5), 1), len(images) - 1)
        validation += rng.permutation(images)[:count].tolist()
    train = np.setdiff1d(np.arange(len(labels)), validation).tolist()
    return train, sorted(validation)
