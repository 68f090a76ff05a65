"""Baselines: raw pixels, an SVM whose C is chosen on the training data, a random forest."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from captionlab.transfer.baselines import (
    FEATURE_CANDIDATES,
    PIXEL_CANDIDATES,
    feature_svm,
    forest,
    pixel_svm,
    raw_pixels,
)


def rows(seed: int = 0, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    features = rng.random((count, 12)).astype(np.float32)
    features[:, 0] += labels
    return features, labels


def test_raw_pixels():
    half = Image.new("RGB", (64, 20), "white")
    half.paste((0, 0, 0), (0, 0, 32, 20))
    found = raw_pixels([half, half.convert("L")], side=8)
    assert found.shape == (2, 8 * 8 * 3)
    assert found.dtype == np.float32
    assert np.array_equal(found[0].reshape(8, 8, 3)[:, 4:], np.ones((8, 4, 3)))
    assert found[:, : 4 * 3].max() == 0
    assert np.array_equal(found[0], found[1])


@pytest.mark.parametrize(("fit", "candidates"), [(feature_svm, FEATURE_CANDIDATES), (pixel_svm, PIXEL_CANDIDATES)])
def test_svm(fit, candidates):
    (train, labels), (test, test_labels) = rows(0), rows(1)
    search = fit(train, labels, seed=2)
    assert search.best_params_["linearsvc__C"] in candidates
    assert search.score(test, test_labels) > 0.75
    assert np.array_equal(search.predict(test), fit(train, labels, seed=2).predict(test))


def test_feature_svm_ignores_the_length_of_features():
    (train, labels), (test, _) = rows(0), rows(1)
    assert np.array_equal(feature_svm(train, labels).predict(test), feature_svm(5 * train, labels).predict(3 * test))


def test_forest_by_seed():
    (train, labels), (test, test_labels) = rows(0), rows(1)
    assert forest(train, labels, seed=0, n_estimators=30).score(test, test_labels) > 0.75
    first, again, other = (forest(train, labels, seed=seed, n_estimators=30).predict_proba(test) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
