"""Confusion matrix and accuracy by class: probes and misconceptions."""

from __future__ import annotations

import warnings

import numpy as np

from captionlab.exercises.drawing import draw
from captionlab.exercises.lab2_scenes.common import lab
from captionlab.grading.probe_helpers import outcome_of


def _labels(rng, classes: int, count: int, absent: int | None = None) -> np.ndarray:
    """Labels of every class except ``absent``, in random order; the first classes occur slightly more often."""
    present = [label for label in range(classes) if label != absent]
    extra = rng.choice(present[:2], count - len(present))
    return rng.permutation(np.concatenate([present, extra]))


def _predictions(rng, labels: np.ndarray, classes: int) -> np.ndarray:
    """Predictions, two thirds of them right; class 0 is often mistaken for class 1, never the other way around."""
    wrong = rng.integers(0, classes, len(labels))
    predictions = np.where(rng.random(len(labels)) < 0.66, labels, wrong)
    predictions[np.flatnonzero(labels == 0)[:2]] = 1
    predictions[(labels == 1) & (predictions == 0)] = 1
    return predictions


@lab.exercise("captionlab.transfer.confusion:confusion_matrix", points=2, minutes=15, difficulty=2, importance=4)
def probe_confusion_matrix(confusion_matrix, rng):
    for classes, count in ((2, 9), (3, draw(rng, 15, 20)), (draw(rng, 4, 6), 30)):
        labels = _labels(rng, classes, count)
        predictions = _predictions(rng, labels, classes)
        yield f"{count} images of {classes} classes", confusion_matrix(labels, predictions, classes)
    labels = _labels(rng, 4, draw(rng, 16, 20))
    predictions = _predictions(rng, labels, 4)
    yield "lists instead of arrays, 4 classes", confusion_matrix(labels.tolist(), predictions.tolist(), classes=4)
    absent = draw(rng, 2, 3)
    labels = _labels(rng, 5, 20, absent=absent)
    predictions = np.where(labels == 4, 0, labels)
    label = f"5 classes: no image of class {absent}, and nothing predicted as {absent} or 4"
    yield label, confusion_matrix(labels=labels, predictions=predictions, classes=5)
    yield "5 labels and 4 predictions", outcome_of(confusion_matrix, [0, 1, 1, 0, 1], [0, 1, 0, 0], 2)


lab.misconceptions(
    "confusion_matrix",
    transposed=(
        "Your matrix is transposed: rows are the true classes, columns the predicted ones. The sum of a row is the "
        "number of images of that class.",
        {"return matrix": "return matrix.T"},
    ),
    normalized=(
        "Your matrix holds fractions. Return counts: a fraction does not say how many images it is based on.",
        {"return matrix": "return matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)"},
    ),
    counts_each_pair_once=(
        "No number is larger than 1: `matrix[labels, predictions] += 1` counts a repeated pair only once. np.add.at, "
        "or a loop, counts them all.",
        {"np.add.at(matrix, (": "matrix[(", "), 1)": ")] += 1"},
    ),
)


@lab.misconception(
    "confusion_matrix",
    hint="You leave out classes that do not occur, and those after them move up. The matrix always has one row and "
    "one column per class.",
)
def drops_absent_classes(labels, predictions, classes):
    if len(labels) != len(predictions):
        raise ValueError("one prediction for each label")
    present = sorted(set(labels) | set(predictions))
    matrix = np.zeros((len(present), len(present)), dtype=int)
    for label, prediction in zip(labels, predictions, strict=True):
        matrix[present.index(label), present.index(prediction)] += 1
    return matrix


lab.misconceptions(
    "confusion_matrix",
    right_ones_only=(
        "You fill only the diagonal. The other entries are the point of the matrix: they show which class was "
        "mistaken for which.",
        {"return matrix": "return matrix * np.eye(classes, dtype=int)"},
    ),
)


@lab.misconception(
    "confusion_matrix",
    hint="The counts are right, but lists of different lengths must raise a ValueError: zip silently drops the "
    "surplus.",
)
def zips_what_does_not_fit(labels, predictions, classes):
    matrix = np.zeros((classes, classes), dtype=int)
    for label, prediction in zip(labels, predictions, strict=False):
        matrix[label, prediction] += 1
    return matrix


def _matrix(rng, classes: int, empty: int | None = None) -> np.ndarray:
    """Counts of a classifier that is usually right, different for each class; class ``empty`` has no images."""
    counts = rng.integers(0, 4, (classes, classes)) + np.diag(rng.permutation(np.arange(classes)) * 3 + 2)
    counts[0, 1] += 5  # row and column sums must differ
    if empty is not None:
        counts[empty] = 0
    return counts


def _quietly(function, *args) -> list:
    """The result of the call, and whether it warned about a division."""
    with warnings.catch_warnings(record=True) as caught, np.errstate(divide="warn", invalid="warn"):
        warnings.simplefilter("always")
        result = function(*args)
    return [result, any(issubclass(one.category, RuntimeWarning) for one in caught)]


@lab.exercise("captionlab.transfer.confusion:accuracy_by_class", points=1, minutes=8, difficulty=1, importance=4)
def probe_accuracy_by_class(accuracy_by_class, rng):
    for classes in (2, 3, draw(rng, 5, 7)):
        yield f"{classes} classes", accuracy_by_class(_matrix(rng, classes))
    yield "15 classes", accuracy_by_class(confusion=_matrix(rng, 15))
    perfect = np.diag(rng.integers(3, 30, 4))
    label = "4 classes, all images of one class wrong, all others right"
    yield label, accuracy_by_class(_one_class_wrong(perfect, draw(rng, 0, 2)))
    for empty in (0, draw(rng, 1, 3)):
        with np.errstate(all="ignore"):
            values = accuracy_by_class(_matrix(rng, 4, empty))
        yield f"4 classes, no images of class {empty}", values
    label = "5 classes, no images of class 2; then whether the call warned about a division"
    yield label, _quietly(accuracy_by_class, _matrix(rng, 5, 2))


def _one_class_wrong(matrix: np.ndarray, wrong: int) -> np.ndarray:
    """All images of a class mistaken for the next one."""
    matrix = matrix.copy()
    matrix[wrong, wrong + 1], matrix[wrong, wrong] = matrix[wrong, wrong], 0
    return matrix


lab.misconceptions(
    "accuracy_by_class",
    precision=(
        "You divide by the column sums. That is the precision: how many of the predicted kitchens are kitchens. You "
        "need the recall: how many of all kitchens were recognized.",
        {"axis=1": "axis=0"},
    ),
)


@lab.misconception(
    "accuracy_by_class",
    hint="All your values are equal: you repeat the accuracy over all images. Every class has its own.",
)
def overall_repeated(confusion):
    return np.full(len(confusion), np.trace(confusion) / confusion.sum())


lab.misconceptions(
    "accuracy_by_class",
    share_of_all_images=(
        "You divide by the number of all images, so your values sum to the overall accuracy. Divide each class by its "
        "own number of images.",
        {"np.diagonal(confusion), images": "np.diagonal(confusion), confusion.sum()"},
    ),
)


@lab.misconception(
    "accuracy_by_class",
    hint="You also count images of other classes as right if they were not predicted as this one. With fifteen "
    "classes, that is nearly all images for any classifier: use only the class's own row.",
)
def one_against_all_accuracy(confusion):
    right = np.diagonal(confusion)
    total = confusion.sum()
    shares = (total - confusion.sum(0) - confusion.sum(1) + 2 * right) / total
    return np.where(confusion.sum(1) > 0, shares, np.nan)


lab.misconceptions(
    "accuracy_by_class",
    absent_is_zero=(
        "A class without images gets 0, as if all of its images had been wrong. Its accuracy is unknown: return nan.",
        {"np.nan": "0.0"},
    ),
    warns_of_the_division=(
        "The values are right, but NumPy warns about a division by zero, which will worry readers of your notebook. "
        "Divide only where there are images.",
        {"np.divide(": "", "return accuracies": "return np.diagonal(confusion) / images"},
    ),
)
