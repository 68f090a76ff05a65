"""Where a classifier goes wrong: its confusion matrix and its per-class accuracy."""

from __future__ import annotations

import numpy as np


def confusion_matrix(labels: np.ndarray | list[int], predictions: np.ndarray | list[int], classes: int) -> np.ndarray:
    """Count how often images of each class were predicted as each class.

    Args:
        labels: ``(n,)``, the true class of each image, integers from 0 to ``classes - 1``; list or array.
        predictions: ``(n,)``, the predicted class of each image, in the same form.
        classes: number of classes; a class may have no images.

    Returns:
        ``(classes, classes)``, integers: row i, column j is the number of images of class i predicted as class j.

    Raises:
        ValueError: if the number of predictions differs from the number of labels.

    Example:
        >>> confusion_matrix(labels=[0, 0, 0, 1], predictions=[0, 1, 1, 1], classes=3)
        array([[1, 2, 0],
               [0, 1, 0],
               [0, 0, 0]])
    """
    if len(labels) != len(predictions):
        raise ValueError(f"found {len(labels)} labels and {len(predictions)} predictions: give one of each per image")
    matrix = np.zeros((classes, classes), dtype=int)
    # Not matrix[labels, predictions] += 1, which counts a repeated pair only once.
    np.add.at(matrix, (np.asarray(labels, dtype=int), np.asarray(predictions, dtype=int)), 1)
    return matrix


def accuracy_by_class(confusion: np.ndarray) -> np.ndarray:
    """The fraction of each class's images that were recognized (recall).

    Args:
        confusion: ``(classes, classes)``, counts; rows are true classes, columns predicted ones.

    Returns:
        ``(classes,)``, floats from 0 to 1, in the order of the classes; ``nan``, without a warning, for a class
        without images.

    Example:
        >>> accuracy_by_class(np.array([[1, 3, 0], [0, 5, 0], [0, 0, 0]]))
        array([0.25, 1.  ,  nan])
    """
    images = confusion.sum(axis=1)
    accuracies = np.full(len(confusion), np.nan)
    np.divide(np.diagonal(confusion), images, out=accuracies, where=images > 0)
    return accuracies
