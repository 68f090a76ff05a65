"""Which features are best for a linear classifier: cross-validated on the training images, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from captionlab.common.logs import logger
from captionlab.common.provenance import available_cores
from captionlab.experiments.scenes.data import FeatureBank, layers_of
from captionlab.experiments.scenes.feature_specs import FeatureBlock, FeatureSpec, design_matrices

FOLDS, SEED = 5, 0


def cross_val_scores(
    X: np.ndarray, training_sets: list[np.ndarray], y: np.ndarray, classifier: BaseEstimator
) -> list[float]:
    """Accuracy on each of five folds of the training images.

    An image and its mirror image are always in the same fold: no image predicted was trained on.

    Args:
        X: ``(n, features)``, rows to predict from.
        training_sets: matrices like ``X`` to train on, all of them together.
        y: ``(n,)``, the classes.
        classifier: of scikit-learn; copies of it are trained.
    """

    def score(fold: tuple[np.ndarray, np.ndarray]) -> float:
        train, held_out = fold
        rows, classes = np.vstack([each[train] for each in training_sets]), np.tile(y[train], len(training_sets))
        return float(accuracy_score(y[held_out], clone(classifier).fit(rows, classes).predict(X[held_out])))

    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    # Threads are enough: scikit-learn's linear SVM releases Python's global lock. Each fold has one core, so its matrix
    # products must not use all of them.
    with threadpool_limits(1), ThreadPoolExecutor(available_cores()) as executor:
        return list(executor.map(score, splitter.split(X, y)))


def cross_validate(bank: FeatureBank, spec: FeatureSpec) -> dict:
    """Cross-validated accuracy of a spec on the training images, its number of features, and the seconds that took."""
    X, training_sets = design_matrices(bank, "train", spec)
    begin = time.perf_counter()
    scores = cross_val_scores(X, training_sets, bank.scenes.labels["train"], spec.make_classifier())
    return {
        "description": str(spec),
        "features": X.shape[1],
        "cv_accuracy": float(np.mean(scores)),
        "cv_spread": float(np.std(scores)),
        "seconds": time.perf_counter() - begin,
    }


def test(bank: FeatureBank, spec: FeatureSpec) -> tuple[np.ndarray, float]:
    """Train on all training images and classify the test images: the predictions, and the seconds training took."""
    _, training_sets = design_matrices(bank, "train", spec)
    X_test, _ = design_matrices(bank, "test", spec)
    rows, classes = np.vstack(training_sets), np.tile(bank.scenes.labels["train"], len(training_sets))
    begin = time.perf_counter()
    classifier = spec.make_classifier().fit(rows, classes)
    return classifier.predict(X_test), time.perf_counter() - begin


Variants = Callable[[FeatureSpec], list[FeatureSpec]]


def steps(start: FeatureSpec, layers: tuple[str, ...], larger: int) -> Iterator[tuple[str, Variants]]:
    """The steps from plain features to the best: each has a name and offers variants of the best spec so far."""
    last = layers[-1]
    others = [layer for layer in layers[2:] if layer != last]
    size = start.blocks[0].size

    def in_quarters(best: FeatureSpec) -> list[FeatureSpec]:
        """One block at a time."""
        return [
            replace(best, blocks=(*best.blocks[:at], block._replace(pooling="pyramid_2x2"), *best.blocks[at + 1 :]))
            for at, block in enumerate(best.blocks)
        ]

    def enlarged(best: FeatureSpec) -> tuple[FeatureBlock, ...]:
        return tuple(block._replace(size=larger) for block in best.blocks)

    def original(best: FeatureSpec) -> tuple[FeatureBlock, ...]:
        return tuple(dict.fromkeys(block._replace(size=size) for block in best.blocks))

    yield "square roots", lambda best: [replace(best, signed_sqrt=True)]
    yield (
        "a second layer",
        lambda best: [replace(best, blocks=(*best.blocks, FeatureBlock(size, layer))) for layer in others],
    )
    yield "quarters", in_quarters
    yield "larger images", lambda best: [replace(best, blocks=enlarged(best))]
    yield "both sizes", lambda best: [replace(best, blocks=(*original(best), *enlarged(best)))]
    yield "mirror images", lambda best: [replace(best, hflip=way) for way in ("average", "rows")]
    yield "whitening", lambda best: [replace(best, shrinkage=shrinkage) for shrinkage in (0.5, 0.75, 0.9, 0.97)]
    yield "C", lambda best: [replace(best, C=C) for C in (0.3, 3.0)]


def greedy_search(bank: FeatureBank, larger: int) -> tuple[list[dict], FeatureSpec]:
    """At each step keep the variant with the best cross-validated accuracy if it beats the best so far.

    The test images have no part in it.

    Args:
        bank: features of the images.
        larger: side of the larger images, pixels.

    Returns:
        Every variant tried (see :func:`cross_validate`; with ``step`` and ``kept``), in order; and the best spec.
    """
    layers = layers_of(bank.classifier)
    best = start = FeatureSpec((FeatureBlock(bank.classifier.input_size, layers[-1]),))
    rows = [{"step": "plain", **cross_validate(bank, best), "kept": True}]
    top = rows[0]["cv_accuracy"]
    logger.info("plain: %.4f", top)
    for name, variants in steps(start, layers, larger):
        specs = variants(best)
        tried = []
        for spec in specs:
            tried.append({"step": name, **cross_validate(bank, spec), "kept": False})
            logger.info("%s: %s %.4f", name, spec, tried[-1]["cv_accuracy"])
        rows += tried
        at = int(np.argmax([row["cv_accuracy"] for row in tried]))
        if tried[at]["cv_accuracy"] > top:
            best, top, tried[at]["kept"] = specs[at], tried[at]["cv_accuracy"], True
    return rows, best
