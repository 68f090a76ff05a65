"""Choosing C, and reducing dimensions: probes and misconceptions."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.svm import LinearSVC

from captionlab.exercises.drawing import draw
from captionlab.exercises.lab2_scenes.classifier import scenes
from captionlab.exercises.lab2_scenes.common import lab


def _hard_scenes(rng, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Sixty images, many of them mislabeled, sorted by class as files are listed: how they are split matters.

    Half of them belong to one class, so a tiny C predicts that class for everything.
    """
    features, labels = scenes(rng, classes, 60, 10, spread=0.9)
    labels = np.where(rng.random(60) < 0.3, rng.integers(0, classes, 60), labels)
    labels = np.where(rng.random(60) < 0.25, 0, labels)
    order = np.argsort(labels, kind="stable")
    return features[order], labels[order]


def _clear_scenes(rng) -> tuple[np.ndarray, np.ndarray]:
    """Twenty images of two classes that any classifier separates."""
    labels = np.arange(20) % 2
    features = np.eye(2, 4)[labels] + 0.05 * rng.standard_normal((20, 4))
    return features * rng.uniform(1, 3, (20, 1)), labels


@lab.exercise(
    "captionlab.transfer.svm:choose_C", points=3, minutes=25, difficulty=3, importance=4, rtol=1e-3, atol=1e-3
)
def probe_choose_C(choose_C, rng):
    features, labels = _hard_scenes(rng, 3)
    label = "60 images of 3 classes, C among [3, 0.001, 0.3]: mean accuracies"
    yield label, list(choose_C(features, labels, [3.0, 0.001, 0.3]))[1]
    for classes in (3, 4):
        folds, seed = draw(rng, 3, 4), draw(rng, 1, 99)
        features, labels = _hard_scenes(rng, classes)
        found = choose_C(features, labels, [5.0, 0.2], folds=folds, seed=seed)
        label = f"60 images of {classes} classes, C among [5, 0.2], {folds} folds, seed {seed}: mean accuracies"
        yield label, list(found)[1]
    features, labels = _unequal_scenes(rng)
    candidates = [1e-5, 2.0]
    label = f"classes of 40, 10 and 10 images, C among {candidates}: the best C"
    yield label, choose_C(features, labels, candidates, 2)[0]
    features, labels = _clear_scenes(rng)
    unit = draw(rng, 1, 4) / 2
    candidates = [10 * unit, unit, 60 * unit, 5 * unit]
    label = f"20 images that are easy for every C among {candidates}: the best C, then the accuracies"
    yield label, choose_C(features=features, labels=labels, candidates=candidates, folds=2)


def _unequal_scenes(rng) -> tuple[np.ndarray, np.ndarray]:
    """Classes of 40, 10 and 10 images: a tiny C predicts the first class for everything."""
    labels = rng.permutation(np.repeat([0, 1, 2], (40, 10, 10)))
    features = np.eye(3, 6)[labels] + 0.1 * rng.standard_normal((60, 6))
    return features * rng.uniform(1, 3, (60, 1)), labels


lab.misconceptions(
    "choose_C",
    training_accuracy=(
        "You measure on the images the classifier was trained on, which it may have memorized: measure each time on "
        "the held-out fold.",
        {"cross_val_score(classifier, ": "classifier.fit(features, labels).score(", ", cv=splitter).mean()": ")"},
    ),
    ties_to_the_largest=(
        "On a tie, you choose the largest C. Choose the smallest: it regularizes most.",
        {"min(C for C": "max(C for C"},
    ),
    ties_to_the_first=(
        "On a tie, you choose the C that is listed first, as argmax does. You need the smallest, and the candidates "
        "come in any order.",
        {"min(C for C": "next(C for C"},
    ),
    folds_not_shuffled=(
        "Your folds are not shuffled: `cv=folds` cuts each class in the order of its files, and neighboring files are "
        "often alike. Pass a shuffled StratifiedKFold to cross_val_score.",
        {"cv=splitter": "cv=folds"},
    ),
    folds_not_stratified=(
        "Your folds ignore the labels. If images are listed class by class, a class can be missing from the training "
        "folds altogether: use StratifiedKFold.",
        {"cv=splitter": "cv=KFold(folds)"},
        "from sklearn.model_selection import KFold",
    ),
    ignores_the_seed=(
        "The shuffling is always the same: pass `seed` on to StratifiedKFold.",
        {"random_state=seed": "random_state=0"},
    ),
)


@lab.misconception(
    "choose_C",
    hint="You hold out one part of the images, once. In cross-validation every fold is held out in turn, and the "
    "accuracies are averaged.",
)
def one_split_only(features, labels, candidates, folds=5, seed=0):
    parts = train_test_split(features, labels, test_size=1 / folds, stratify=labels, random_state=seed)
    accuracies = []
    for C in candidates:
        classifier = make_pipeline(Normalizer(), LinearSVC(C=C, max_iter=10_000, random_state=0))
        accuracies.append(float(classifier.fit(parts[0], parts[2]).score(parts[1], parts[3])))
    best = min(C for C, accuracy in zip(candidates, accuracies, strict=True) if accuracy == max(accuracies))
    return best, accuracies


lab.misconceptions(
    "choose_C",
    without_the_normalizer=(
        "The features are not normalized in your cross-validation. Choose C for the classifier you will use: the "
        "whole pipeline.",
        {"make_pipeline(Normalizer(), LinearSVC(": "(LinearSVC("},
    ),
    returns_the_place=(
        "You return the index of the best C in the list. Return the value itself: candidates[index].",
        {"best = min(": "best = accuracies.index(max(accuracies))  # min("},
    ),
    sorts_the_candidates=(
        "Your accuracies are in the order of the sorted candidates, so they no longer match the caller's list.",
        {"accuracies = []": "accuracies, candidates = [], sorted(candidates)"},
    ),
)


def _correlated(rng, count: int, directions: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Feature vectors that vary most along the first direction, and clearly less along each that follows."""
    sizes = 8.0 / 2.0 ** np.arange(len(directions))
    return center + (rng.standard_normal((count, len(directions))) * sizes) @ directions


def _projections(pca_project, rng, dimensions: int, components: int, shift: float = 0.0):
    """Projected training and test features as absolute values, since the signs of the directions are arbitrary."""
    directions = np.linalg.qr(rng.standard_normal((dimensions, dimensions)))[0]
    center = rng.uniform(2, 6, dimensions)
    train = _correlated(rng, 30, directions, center)
    test = _correlated(rng, 7, directions, center + shift)
    return [np.abs(np.asarray(part)) for part in pca_project(train, test, components)]


@lab.exercise(
    "captionlab.transfer.svm:pca_project", points=2, minutes=15, difficulty=2, importance=3, rtol=1e-3, atol=1e-3
)
def probe_pca_project(pca_project, rng):
    for dimensions, components, shift in ((5, 1, 0.0), (draw(rng, 5, 6), 2, 0.0), (6, draw(rng, 3, 4), 5.0)):
        label = f"30 training and 7 test images, {dimensions} features to {components}: absolute values"
        label += ", the test images brighter" if shift else ""
        yield label, _projections(pca_project, rng, dimensions, components, shift)
    train = rng.standard_normal((8, 12)) * 3.0 ** -np.arange(12) + rng.uniform(1, 3, 12)
    projected = [np.asarray(part) for part in pca_project(train=train, test=train[:3] + 1, components=2)]
    distances = [np.linalg.norm(part[:, None] - part[None], axis=2) for part in projected]
    yield "8 training images, 12 features to 2: distances between the projected images", distances
    train, test = rng.standard_normal((20, 4)) * (9, 3, 1, 0.3), rng.standard_normal((5, 4))
    before = train.copy(), test.copy()
    found = [np.abs(np.asarray(part)) for part in pca_project(train, test, components=4)]
    label = "4 features to 4: absolute values, then whether training and test features are unchanged"
    yield label, [found, bool((train == before[0]).all() and (test == before[1]).all())]


lab.misconceptions(
    "pca_project",
    fitted_on_both=(
        "You compute the center and directions from training and test images together. Fit on the training images "
        "only: the test images represent images you have not seen yet.",
        {"fit(train)": "fit(np.concatenate([train, test]))"},
    ),
    fitted_on_each=(
        "The test images get their own directions, so the same column means something different in training and in "
        "test. Fit once, on the training images; transform twice.",
        {"transform(train), pca.transform(test)": "fit_transform(train), pca.fit_transform(test)"},
    ),
    test_centered_by_itself=(
        "The directions come from the training images, but the test images are centered by their own mean. Subtract "
        "the mean of the training images from both.",
        {"pca.transform(test)": "(test - test.mean(axis=0)) @ pca.components_.T"},
    ),
)


@lab.misconception(
    "pca_project",
    hint="Your features are not centered, so your first direction points toward the mean. Subtract the training "
    "images' mean first.",
)
def not_centered(train, test, components):
    _, _, directions = np.linalg.svd(train, full_matrices=False)
    return train @ directions[:components].T, test @ directions[:components].T


lab.misconceptions(
    "pca_project",
    whitened=(
        "You whiten: all directions come out with the same variance, so noise counts as much as signal.",
        {'"full"': '"full", whiten=True'},
    ),
)


@lab.misconception(
    "pca_project",
    hint="You keep some of the columns. A principal component mixes all columns, so the later columns contribute too.",
)
def keeps_the_first_columns(train, test, components):
    mean = train.mean(axis=0)
    return (train - mean)[:, :components], (test - mean)[:, :components]


@lab.misconception(
    "pca_project",
    hint="These are the directions of least variance: eigh sorts its eigenvalues in ascending order. Take the last "
    "ones.",
)
def least_variance_first(train, test, components):
    mean = train.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(train.T))
    return (train - mean) @ vectors[:, :components], (test - mean) @ vectors[:, :components]


lab.misconceptions(
    "pca_project",
    projects_back=(
        "You project back to the full number of features at the end. Return the few projected features: they are the "
        "input of the SVM.",
        {
            "pca.transform(train)": "pca.inverse_transform(pca.transform(train))",
            "pca.transform(test)": "pca.inverse_transform(pca.transform(test))",
        },
    ),
)
