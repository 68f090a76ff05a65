"""Setting part of the training images aside for choices and early stopping."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch


def split_train_validation(
    labels: Sequence[int] | np.ndarray | torch.Tensor, validation_fraction: float, seed: int
) -> tuple[list[int], list[int]]:
    """Split images at random into a training and a validation part with the same proportion of each class.

    Of a class with n images, ``validation_fraction * n`` go to the validation part, rounded to the nearest integer
    (halves up), but at least 1 image and at most n - 1: every class is in both parts.

    Which images these are is drawn class by class and depends on the seed. The same seed gives the same split, and
    the global random states of NumPy and PyTorch are neither used nor changed.

    Args:
        labels: class of each image, integers in any order; the integers need not be 0, 1, 2, ... without gaps.
        validation_fraction: fraction of the images that go to the validation part, between 0 and 1.
        seed: integer that determines the draw.

    Returns:
        Two lists of Python integers: the indices (positions in ``labels``) of the training images and those of the
        validation images, each in ascending order. Every image is in exactly one of them.

    Raises:
        ValueError: if a class has fewer than two images.

    Example:
        >>> labels = [0] * 6 + [1] * 4
        >>> train, validation = split_train_validation(labels, validation_fraction=0.3, seed=1)
        >>> len(train), len(validation)  # 0.3 * 6 = 1.8 is rounded to 2, and 0.3 * 4 = 1.2 to 1
        (7, 3)
        >>> sorted(train + validation)
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]

    Source: Kohavi 1995, "A study of cross-validation and bootstrap for accuracy estimation and model selection",
    IJCAI, on stratification.
    """
    labels = np.asarray(labels)
    rng = np.random.default_rng(seed)
    validation: list[int] = []
    for label in np.unique(labels):
        indices = np.flatnonzero(labels == label)
        if len(indices) < 2:
            raise ValueError(f"class {label} has {len(indices)} image, expected at least 2: one for each part")
        count = min(max(int(validation_fraction * len(indices) + 0.5), 1), len(indices) - 1)
        validation += rng.permutation(indices)[:count].tolist()
    train = np.setdiff1d(np.arange(len(labels)), validation).tolist()
    return train, sorted(validation)
