"""Classifiers for a few hundred images that need no training of a network: the baselines for fine-tuning.

They are fitted to an array ``(images, features)``: the raw pixels of small images, or features from a pretrained
network. The SVM's C is chosen by cross-validation on the training images, never on test images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from sklearn.base import TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from captionlab.common.images import to_gray_or_rgb

FEATURE_CANDIDATES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
PIXEL_CANDIDATES = (1e-5, 1e-4, 1e-3, 1e-2)  # much smaller: there are thousands of standardized features
FOLDS, TREES = 5, 500


def raw_pixels(images: Sequence[Image.Image], side: int = 32) -> np.ndarray:
    """The pixels of images resized to a square, as features from 0 to 1.

    Args:
        images: of any mode and size.
        side: height and width after resizing, in pixels; the aspect ratio is not kept.

    Returns:
        float32 ``(images, side * side * 3)``.
    """
    small = [to_gray_or_rgb(image).convert("RGB").resize((side, side), Image.Resampling.BOX) for image in images]
    return np.stack([np.asarray(image, np.float32).ravel() / 255 for image in small])


def feature_svm(X: np.ndarray, y: np.ndarray, seed: int = 0) -> GridSearchCV:
    """Fit a linear SVM to features normalized to length 1, with the C of the best cross-validated accuracy.

    Args:
        X: ``(images, features)``.
        y: ``(images,)``, the class of each image; each class has at least 5 images.
        seed: of the folds and of the solver.

    Returns:
        The fitted search: ``predict`` and ``score`` use the SVM refitted to all images; ``best_params_`` and
        ``best_score_`` are the choice and its accuracy. Among equals the smallest C is chosen.

    Raises:
        ValueError: if there are fewer than two classes, or too few images of one.
    """
    return _search_C(Normalizer(), FEATURE_CANDIDATES, X, y, seed)


def pixel_svm(X: np.ndarray, y: np.ndarray, seed: int = 0) -> GridSearchCV:
    """The same for raw pixels, which are standardized instead of normalized (see :func:`feature_svm`)."""
    return _search_C(StandardScaler(), PIXEL_CANDIDATES, X, y, seed)


def forest(X: np.ndarray, y: np.ndarray, seed: int = 0, n_estimators: int = TREES) -> RandomForestClassifier:
    """Fit a random forest; it needs no scaling of the features and hardly any hyperparameter search.

    Source: Breiman 2001, "Random forests", Machine Learning 45.
    """
    return RandomForestClassifier(n_estimators, random_state=seed).fit(X, y)


def _search_C(
    scaler: TransformerMixin, candidates: tuple[float, ...], X: np.ndarray, y: np.ndarray, seed: int
) -> GridSearchCV:
    pipeline = make_pipeline(scaler, LinearSVC(max_iter=20_000, random_state=seed))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    return GridSearchCV(pipeline, {"linearsvc__C": list(candidates)}, cv=folds, scoring="accuracy").fit(X, y)
