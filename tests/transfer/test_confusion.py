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
