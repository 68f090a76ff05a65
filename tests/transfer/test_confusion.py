import doctest
import warnings

import numpy as np
import pytest
from sklearn import metrics

from captionlab.transfer import confusion
from captionlab.transfer.confusion import accuracy_by_class, confusion_matrix


def test_examples_in_the_docstrings():
    result = doctest.testmod(confusion)
    assert (result.failed, result.attempted) == (0, 2)


@pytest.mark.parametrize("kind", [list, np.array])
def test_it_is_scikit_learns(kind):
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 5, 200).tolist(), rng.integers(0, 5, 200).tolist()
    found = confusion_matrix(kind(labels), kind(predictions), 5)
    assert found.dtype.kind == "i"
    assert (found == metrics.confusion_matrix(labels, predictions)).all()


def test_classes_without_images_have_rows_too():
    assert (confusion_matrix([], [], 2) == 0).all()
    assert confusion_matrix([3], [0], 4).tolist()[3] == [1, 0, 0, 0]


def test_labels_and_predictions_must_pair():
    with pytest.raises(ValueError, match="2 labels and 1 predictions"):
        confusion_matrix([0, 1], [0], 2)


def test_accuracy_by_class_without_warnings():
    counts = np.array([[3, 1, 0], [0, 0, 0], [2, 2, 4]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(accuracy_by_class(counts), [0.75, np.nan, 0.5])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, -1, 1], r"labels\[1\] is -1, expected integers \(n,\) from 0 to 1"),  # would count for the last class
        ([0, 1, 2], r"labels\[2\] is 2"),
        ([0.9, 0.2, 1.0], "labels is a ndarray of shape .3,. and type float64"),  # would be cut to whole numbers
        ([[1, 0], [0, 1], [0, 1]], r"shape \(3, 2\) .*take the argmax"),
        (np.eye(3, dtype=int), r"shape \(3, 3\) and type int64, .*take the argmax"),
        (np.array(["bee", "ant", "ant"]), "labels is a ndarray .* expected integers"),
        ([0, None, 1], "type object"),
        ([0, [1], 1], "labels is a list of length 3"),
    ],
)
def test_labels_that_are_no_classes_are_not_counted(labels, message):
    with pytest.raises((TypeError, ValueError), match=message):
        confusion_matrix(labels, [0, 1, 1], 2)
    with pytest.raises((TypeError, ValueError), match=message.replace("labels", "predictions")):
        confusion_matrix([0, 1, 1], labels, 2)


@pytest.mark.parametrize("classes", [0, 2.0, [0, 1], None])
def test_the_number_of_classes_is_checked(classes):
    with pytest.raises(TypeError, match=r"classes is .*, expected the number of classes"):
        confusion_matrix([0], [0], classes)


@pytest.mark.parametrize(
    "matrix", [np.ones(3), np.ones((2, 3)), np.eye(2) / 3, -np.eye(2), np.full((2, 2), np.nan), np.eye(2, dtype=bool)]
)
def test_accuracy_by_class_is_for_counts(matrix):
    with pytest.raises((TypeError, ValueError), match=r"^confusion .*expected"):
        accuracy_by_class(matrix)
