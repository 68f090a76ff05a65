"""Classifiers for a few hundred images that need no training of a network: what fine-tuning has to beat.

Both classifiers take rows of numbers, which may be the raw pixels of small pictures or features of a pretrained
network. The SVM's C is chosen by cross-validation on the rows it is given, never on test rows.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC

FEATURE_CANDIDATES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
PIXEL_CANDIDATES = (1e-5, 1e-4, 1e-3, 1e-2)  # thousands of standardized columns: the useful values are much smaller
FOLDS, TREES = 5, 500


def raw_pixels(pictures: list[Image.Image], side: int = 32) -> np.ndarray:
    """Pictures as rows of numbers, as they are: resized to a square, values from 0 to 1.

    Args:
        pictures: RGB, any sizes.
        side: pixels; the aspect is not kept.

    Returns:
        float32 (n, side * side * 3).
    """
    small = [picture.convert("RGB").resize((side, side), Image.Resampling.BOX) for picture in pictures]
    return np.stack([np.asarray(picture, np.float32).ravel() / 255 for picture in small])


def feature_svm(features: np.ndarray, labels: np.ndarray, seed: int = 0) -> GridSearchCV:
    """A linear SVM on rows normalized to length 1, fitted with the C of the best cross-validated accuracy.

    Args:
        features: (n, d).
        labels: (n,); each class has at least 5 images.
        seed: of the folds and of the solver.

    Returns:
        The fitted search: ``predict`` and ``score`` use the SVM refitted on all rows; ``best_params_`` and
        ``best_score_`` tell the choice. Among equals the first, smallest C is taken.

    Raises:
        ValueError: if there are fewer than two classes, or too few images of one.
    """
    return _chosen(Normalizer(), FEATURE_CANDIDATES, features, labels, seed)


def pixel_svm(pixels: np.ndarray, labels: np.ndarray, seed: int = 0) -> GridSearchCV:
    """The same on raw pixels, each column standardized instead (see :func:`feature_svm`)."""
    return _chosen(StandardScaler(), PIXEL_CANDIDATES, pixels, labels, seed)


def forest(rows: np.ndarray, labels: np.ndarray, seed: int = 0, trees: int = TREES) -> RandomForestClassifier:
    """A random forest, fitted; it needs no scaling and, mostly, no choices.

    Source: Breiman 2001, "Random forests", Machine Learning 45.
    """
    return RandomForestClassifier(trees, random_state=seed).fit(rows, labels)


def _chosen(scaling, candidates: tuple[float, ...], rows: np.ndarray, labels: np.ndarray, seed: int) -> GridSearchCV:
    pipeline: Pipeline = make_pipeline(scaling, LinearSVC(max_iter=20_000, random_state=seed))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    return GridSearchCV(pipeline, {"linearsvc__C": list(candidates)}, cv=folds, scoring="accuracy").fit(rows, labels)
