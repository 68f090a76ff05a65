import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from captionlab.transfer.whitening import WithinClassWhitening


def drawn(images, features, seed=0):
    """Rows of three classes that differ a little in all features; within a class the first features vary most."""
    rng = np.random.default_rng(seed)
    labels = np.arange(images) % 3
    means = 0.3 * rng.normal(size=(3, features))
    return means[labels] + rng.normal(size=(images, features)) * np.geomspace(10, 0.1, features), labels


def covariance_within(rows, labels):
    differences = np.vstack([rows[labels == label] - rows[labels == label].mean(axis=0) for label in set(labels)])
    return differences.T @ differences / len(rows)


@pytest.mark.parametrize(("images", "features"), [(60, 8), (12, 30), (30, 30)])
@pytest.mark.parametrize("shrinkage", [0.1, 0.9, 1.0])
def test_the_inverse_root_of_the_shrunk_covariance(images, features, shrinkage):
    rows, labels = drawn(images, features)
    found = WithinClassWhitening(shrinkage).fit(rows, labels).transform(rows)
    within = covariance_within(rows, labels)
    shrunk = (1 - shrinkage) * within + shrinkage * np.trace(within) / features * np.eye(features)
    values, vectors = np.linalg.eigh(shrunk)
    np.testing.assert_allclose(found, rows @ (vectors / np.sqrt(values)) @ vectors.T, rtol=1e-6, atol=1e-9)


def test_with_little_shrinkage_a_class_varies_alike_in_all_directions():
    rows, labels = drawn(300, 6)
    found = WithinClassWhitening(1e-9).fit_transform(rows, labels)
    np.testing.assert_allclose(covariance_within(found, labels), np.eye(6), atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_classes_that_a_few_noisy_features_hide_are_told_apart(seed):
    rows, labels = drawn(400, 40, seed)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    plain = LinearSVC(random_state=0, max_iter=10_000)
    plain, whitened = (
        one.fit(rows[:90], labels[:90]).score(rows[90:], labels[90:])
        for one in (plain, make_pipeline(WithinClassWhitening(0.1), clone(plain)))
    )
    assert whitened > plain + 0.15


def test_rows_of_a_class_that_are_all_alike_stay_as_they_are():
    rows = np.repeat([[1.0, 2.0], [3.0, 4.0]], 2, axis=0)
    assert (WithinClassWhitening().fit_transform(rows, [0, 0, 1, 1]) == rows).all()


def test_float32_stays_float32():
    rows, labels = drawn(12, 30)
    found = WithinClassWhitening().fit_transform(rows.astype(np.float32), labels)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, WithinClassWhitening().fit_transform(rows, labels), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shrinkage", [0, -1, 1.1])
def test_shrinkage_out_of_range(shrinkage):
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        WithinClassWhitening(shrinkage).fit(*drawn(12, 4))


def test_labels_of_other_rows():
    rows, labels = drawn(12, 4)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        WithinClassWhitening().fit(rows, labels[:-1])
    with pytest.raises(NotFittedError):
        WithinClassWhitening().transform(rows)
