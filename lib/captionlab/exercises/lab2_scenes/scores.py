"""Confusion matrix and accuracy by class: probes and misconceptions."""

from __future__ import annotations

import warnings
from typing import Any

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


def _array(matrix: Any) -> Any:
    """A matrix given as nested lists as an array: its values count, and what it is is asked separately."""
    return np.asarray(matrix) if isinstance(matrix, (list, tuple)) else matrix


def _kind(matrix: Any) -> str:
    """What a matrix is, and of which numbers."""
    if not hasattr(matrix, "dtype"):
        return type(matrix).__name__
    name = str(matrix.dtype).removeprefix("torch.")
    kinds = {"i": "integers", "u": "integers", "f": "floats"}
    return f"array of {kinds.get(name[:1], name)}"


@lab.exercise("captionlab.transfer.confusion:confusion_matrix", points=2, minutes=15, difficulty=2, importance=4)
def probe_confusion_matrix(confusion_matrix, rng):
    kinds = []

    def count(label: str, labels: Any, predictions: Any, *args: int, weight: float = 1, **classes: int) -> tuple:
        matrix = confusion_matrix(labels, predictions, *args, **classes)
        kinds.append(_kind(matrix))
        return label, _array(matrix), weight

    last = draw(rng, 0, 1)
    labels, predictions = [0, 0, 0, 1], [0, 1, 1, last]
    yield count(f"labels {labels}, predictions {predictions}, 3 classes", labels, predictions, classes=3, weight=2)
    for classes, images, weight in ((2, 9, 2), (3, draw(rng, 15, 20), 3), (draw(rng, 4, 6), 30, 2)):
        labels = _labels(rng, classes, images)
        predictions = _predictions(rng, labels, classes)
        yield count(f"{images} images of {classes} classes", labels, predictions, classes, weight=weight)
    absent = draw(rng, 2, 3)
    labels = _labels(rng, 5, 20, absent=absent)
    predictions = np.where(labels == 4, 0, labels)
    label = f"5 classes: no image of class {absent}, and nothing predicted as {absent} or 4"
    yield label, _array(confusion_matrix(labels=labels, predictions=predictions, classes=5)), 2
    yield "the type of the results above", kinds
    yield "5 labels and 4 predictions", outcome_of(confusion_matrix, [0, 1, 1, 0, 1], [0, 1, 0, 0], 2)
    yield "3 labels and 4 predictions", outcome_of(confusion_matrix, [0, 1, 1], [0, 1, 0, 0], 2)


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
        "No number is larger than 1: each pair is counted only once. `matrix[labels, predictions] += 1` does that; "
        "a loop over the images, or np.add.at, counts them all.",
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


lab.misconceptions(
    "confusion_matrix",
    zips_what_does_not_fit=(
        "The error is missing: labels and predictions of different lengths must raise a ValueError. zip silently "
        "drops the surplus.",
        {
            "if len(labels)": "",
            "matrix = np.zeros": "labels, predictions = zip(*zip(labels, predictions, strict=False), strict=True)\n"
            "    matrix = np.zeros",
        },
    ),
    notices_missing_predictions_only=(
        "Too many predictions must raise a ValueError, just like too few.",
        {
            "len(labels) != len(predictions)": "len(labels) > len(predictions)",
            "matrix = np.zeros": "predictions = predictions[: len(labels)]\n    matrix = np.zeros",
        },
    ),
    wrong_ones_only=(
        "Your diagonal is empty: correctly classified images count as well.",
        {"return matrix": "return matrix * (1 - np.eye(classes, dtype=int))"},
    ),
    counts_both_ways=(
        "You count every image twice: your matrix is symmetric. Row: true class, column: predicted class.",
        {"return matrix": "return matrix + matrix.T"},
    ),
    normalized_over_all=(
        "Your matrix holds fractions of all images. Return counts.",
        {"return matrix": "return matrix / matrix.sum()"},
    ),
    normalized_by_column=(
        "Your columns hold fractions. Return counts: a fraction does not say how many images it is based on.",
        {"return matrix": "return matrix / np.maximum(matrix.sum(axis=0), 1)"},
    ),
    sized_by_the_labels=(
        "The size of your matrix depends on the labels that occur. It always has one row and one column per class: "
        "`classes` says how many.",
        {"matrix = np.zeros": "classes = max(*labels, *predictions) + 1\n    matrix = np.zeros"},
    ),
    counts_in_floats=(
        "Your counts are floats: np.zeros makes floats unless you pass a dtype.",
        {"np.zeros((classes, classes), dtype=int)": "np.zeros((classes, classes))"},
    ),
    returns_lists=(
        "You return nested lists. Return a NumPy array.",
        {"return matrix": "return matrix.tolist()"},
    ),
    one_class_too_many=(
        "Your matrix has one row and one column too many: classes are numbered from 0 to classes - 1.",
        {"np.zeros((classes, classes)": "np.zeros((classes + 1, classes + 1)"},
    ),
    counts_rights_per_class=(
        "You return one number per class. The matrix has one per pair of a true and a predicted class.",
        {"return matrix": "return np.diagonal(matrix)"},
    ),
)
lab.other_spellings(
    "confusion_matrix",
    transposed=[
        {
            "np.asarray(labels, dtype=int), np.asarray(predictions, dtype=int)": "np.asarray(predictions), "
            "np.asarray(labels)",
            "dtype=int)\n    #": ")\n    #",
        }
    ],
    normalized=[
        {"return matrix": "return matrix / np.maximum(matrix.sum(axis=1), 1)"},
        {"return matrix": "return np.nan_to_num(matrix / matrix.sum(axis=1, keepdims=True))"},
    ],
    zips_what_does_not_fit=[
        {
            "if len(labels)": "",
            "matrix = np.zeros": "labels, predictions = zip(*zip(labels, predictions, strict=False), strict=True)\n"
            "    matrix = np.zeros",
            "(classes, classes), dtype=int": "(classes, classes)",
        }
    ],
)


def _matrix(rng, classes: int, empty: int | None = None) -> np.ndarray:
    """Counts of a classifier that is usually right, different for each class; class ``empty`` has no images."""
    counts = rng.integers(0, 4, (classes, classes)) + np.diag(rng.permutation(np.arange(classes)) * 3 + 2)
    counts[0, 1] += 5  # row and column sums must differ
    if empty is not None:
        counts[empty] = 0
    return counts


def _quietly(function, *args) -> tuple:
    """The result of the call, and what it warned of."""
    with warnings.catch_warnings(record=True) as caught, np.errstate(divide="warn", invalid="warn"):
        warnings.simplefilter("always")
        result = function(*args)
    warned = any(issubclass(one.category, RuntimeWarning) for one in caught)
    return result, "a warning about a division" if warned else "no warning"


def _values(accuracies: Any) -> Any:
    """Accuracies as an array, whatever they came in."""
    return np.asarray(accuracies, dtype=float) if isinstance(accuracies, (list, tuple)) else accuracies


@lab.exercise("captionlab.transfer.confusion:accuracy_by_class", points=1, minutes=8, difficulty=1, importance=4)
def probe_accuracy_by_class(accuracy_by_class, rng):
    right = draw(rng, 2, 4)
    matrix = np.array([[right, 1], [2 * right, right]])
    yield f"the matrix {matrix.tolist()}", _values(accuracy_by_class(matrix))
    for classes, weight in ((3, 3), (draw(rng, 5, 7), 2)):
        yield f"{classes} classes", _values(accuracy_by_class(confusion=_matrix(rng, classes))), weight
    perfect = np.diag(rng.integers(3, 30, 4))
    label = "4 classes, all images of one class wrong, all others right"
    yield label, _values(accuracy_by_class(_one_class_wrong(perfect, draw(rng, 0, 2)))), 2
    with np.errstate(all="ignore"):
        matrix = np.array([[1, right, 0], [0, 1, 0], [0, 0, 0]])
        label = f"the matrix {matrix.tolist()}, one image of class 1 and none of class 2"
        yield label, _values(accuracy_by_class(matrix)), 2
        yield "4 classes, no images of class 0", _values(accuracy_by_class(_matrix(rng, 4, 0))), 3
    values, warned = _quietly(accuracy_by_class, _matrix(rng, 5, 2))
    yield "5 classes, no images of class 2", _values(values)
    yield "the type of the result", _kind(values)
    yield "whether a class without images causes a warning", warned if values is not None else "nothing came back"


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
    hint="You also count images of other classes as correct if they were not predicted as this one. With "
    "fifteen classes, that is nearly all images for any classifier: use only the class's own row.",
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
        "Your division by zero triggers a NumPy warning. Divide only where there are images.",
        {"np.divide(": "", "return accuracies": "return np.diagonal(confusion) / images"},
    ),
)
lab.misconceptions(
    "accuracy_by_class",
    one_number=(
        "You return a single number, the accuracy over all images. Every class has its own.",
        {"return accuracies": "return np.trace(confusion) / confusion.sum()"},
    ),
    mean_over_classes=(
        "You average over the classes at the end. Return the accuracy of each.",
        {"return accuracies": "return np.nanmean(accuracies)"},
    ),
    counts_instead_of_fractions=(
        "You return the number of correct predictions. Divide by the number of images of each class.",
        {"return accuracies": "return np.where(images > 0, np.diagonal(confusion), np.nan)"},
    ),
    shares_of_errors=(
        "You return the fraction of each class's images that were misclassified. The recall is the fraction "
        "that was classified correctly.",
        {"return accuracies": "return 1 - accuracies"},
    ),
    percentages=(
        "You return percentages. Return fractions from 0 to 1.",
        {"return accuracies": "return 100 * accuracies"},
    ),
    returns_a_list=(
        "You return a list. Return a NumPy array, with nan for classes without images.",
        {"return accuracies": "return accuracies.tolist()"},
    ),
    unrecognized_is_nan=(
        "A class whose images were all wrong gets nan. Its accuracy is 0: only a class without images has none.",
        {"where=images > 0": "where=np.diagonal(confusion) > 0"},
    ),
    absent_is_one=(
        "A class without images gets 1, as if all of its images had been right. Its accuracy is unknown: return nan.",
        {"np.nan": "1.0"},
    ),
    leaves_absent_classes_out=(
        "You leave classes without images out, and those after them move up. Every class has a value: nan if "
        "it has no images.",
        {"return accuracies": "return accuracies[images > 0]"},
    ),
    largest_of_the_row=(
        "You use the largest number of each row. Correct predictions are on the diagonal, even where another "
        "number is larger.",
        {"np.diagonal(confusion)": "confusion.max(axis=1)"},
    ),
    f1_score=(
        "You combine precision and recall. Return the recall only: the diagonal over the row sums.",
        {
            "images = confusion.sum(axis=1)": "images = (confusion.sum(axis=1) + confusion.sum(axis=0)) / 2",
            "where=images > 0": "where=confusion.sum(axis=1) > 0",
        },
    ),
    without_the_right_ones=(
        "You divide correct predictions by wrong ones. Divide by all images of the class, including the correct ones.",
        {"images = confusion.sum(axis=1)": "images = confusion.sum(axis=1) - np.diagonal(confusion)"},
    ),
)
lab.other_spellings(
    "accuracy_by_class",
    precision=[
        {
            "return accuracies": 'with np.errstate(all="ignore"):\n        '
            "return np.diagonal(confusion) / confusion.sum(axis=0)"
        },
        {"return accuracies": "return np.diagonal(confusion) / np.maximum(confusion.sum(axis=0), 1)"},
        {"np.divide(": "", "return accuracies": "return np.diagonal(confusion) / confusion.sum(axis=0)"},
    ],
    absent_is_zero=[
        {"return accuracies": f"return np.diagonal(confusion) / {images}"}
        for images in ("(images + 1e-9)", "np.maximum(images, 1)")
    ],
    share_of_all_images=[{"return accuracies": "return np.diagonal(confusion) / confusion.sum()"}],
)
