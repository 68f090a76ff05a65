"""Where a classifier goes wrong: its confusion matrix and its per-class accuracy.

Both refuse arguments of another kind or shape with a TypeError or a ValueError.
"""

from __future__ import annotations

import numpy as np

from captionlab.common.checking import checked, describe


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


def check_labels(labels: np.ndarray | list[int], name: str, classes: int) -> None:
    """Check that labels are integers from 0 to ``classes - 1``, one per image.

    Args:
        labels: list or array.
        name: what a message calls them.
        classes: number of classes.

    Raises:
        TypeError: if they are of another kind, such as probabilities or one-hot vectors.
        ValueError: if one is out of range.
    """
    expected = f"expected integers (n,) from 0 to {classes - 1}, one per image"
    try:
        array = np.asarray(labels)
    except ValueError:  # lists of different lengths
        array = np.array(None)
    if array.shape == (0,):
        return  # of no kind
    if array.ndim != 1 or array.dtype.kind not in "iub":
        found = describe(array if array.ndim and not hasattr(labels, "shape") else labels)
        advice = ": take the argmax over the classes" if array.ndim == 2 else ""
        raise TypeError(f"{name} is {found}, {expected}{advice}")
    wrong = np.flatnonzero((array < 0) | (array >= classes))
    if len(wrong):
        raise ValueError(f"{name}[{wrong[0]}] is {array[wrong[0]]}, {expected}")


def _check_confusion_matrix(
    labels: np.ndarray | list[int], predictions: np.ndarray | list[int], classes: int
) -> tuple[np.ndarray | list[int], np.ndarray | list[int], int]:
    if not isinstance(classes, int | np.integer) or classes < 1:
        raise TypeError(f"classes is {describe(classes)}, expected the number of classes, at least 1")
    check_labels(labels, "labels", classes)
    check_labels(predictions, "predictions", classes)
    return labels, predictions, classes


def _check_counts(confusion: np.ndarray) -> tuple[np.ndarray]:
    counts = np.asarray(confusion)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.dtype.kind not in "iuf":
        raise TypeError(f"confusion is {describe(counts)}, expected a matrix of counts (classes, classes)")
    if not (np.isfinite(counts) & (counts >= 0) & (counts == np.rint(counts))).all():
        raise ValueError("confusion holds fractions, negative numbers or NaN, expected the numbers of images")
    return (counts,)


# A label of -1 would count for the last class, and one of 0.9 for the first.
confusion_matrix = checked(confusion_matrix, _check_confusion_matrix)
accuracy_by_class = checked(accuracy_by_class, _check_counts)
