import doctest

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.svm import LinearSVC

from captionlab.transfer import svm
from captionlab.transfer.svm import choose_C, pca_project, scene_classifier


@pytest.fixture
def blobs():
    return make_blobs(90, n_features=8, centers=3, cluster_std=6.0, random_state=0)


def test_examples_in_the_docstrings():
    assert doctest.testmod(svm).failed == 0
    assert doctest.testmod(svm).attempted >= 6


def test_the_classifier_normalizes_rows_and_trains_one_against_all(blobs):
    features, labels = blobs
    classifier = scene_classifier(C=0.5).fit(features, labels)
    machine = classifier[-1]
    assert (machine.C, machine.max_iter, machine.random_state, machine.multi_class) == (0.5, 10_000, 0, "ovr")
    assert machine.coef_.shape == (3, 8)
    scaled = features * np.arange(1, 91)[:, None]
    assert (classifier.predict(scaled) == classifier.predict(features)).all()
    rows = features / np.linalg.norm(features, axis=1, keepdims=True)
    alone = LinearSVC(C=0.5, max_iter=10_000, random_state=0).fit(rows, labels)
    np.testing.assert_allclose(machine.coef_, alone.coef_)


def test_c_by_cross_validation(blobs):
    features, labels = blobs
    candidates = [1.0, 1e-6, 100.0]
    best, accuracies = choose_C(features, labels, candidates, folds=3, seed=4)
    assert best == candidates[int(np.argmax(accuracies))]
    assert len(accuracies) == 3
    assert (best, accuracies) == choose_C(features, labels, candidates, folds=3, seed=4)
    assert accuracies != choose_C(features, labels, candidates, folds=3, seed=5)[1]


def test_of_equally_good_c_the_smallest_is_taken():
    features = np.repeat(np.eye(3), 5, axis=0)
    best, accuracies = choose_C(features, np.repeat(range(3), 5), [8.0, 1.0, 4.0])
    assert accuracies == [1.0, 1.0, 1.0]
    assert best == 1.0


def test_pca_knows_the_training_features_only(blobs):
    features, _ = blobs
    train, test = features[:60], features[60:]
    before = train.copy(), test.copy()
    projected, other = pca_project(train, test, 3)
    assert (projected.shape, other.shape) == ((60, 3), (30, 3))
    np.testing.assert_allclose(projected.mean(axis=0), 0, atol=1e-9)
    # Whatever else is in the test set, an image's projection is the same.
    np.testing.assert_allclose(pca_project(train, test[:1], 3)[1], other[:1])
    _, _, directions = np.linalg.svd(train - train.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(other), np.abs((test - train.mean(axis=0)) @ directions[:3].T))
    assert (train == before[0]).all()
    assert (test == before[1]).all()
