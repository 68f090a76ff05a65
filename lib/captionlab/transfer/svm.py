"""A linear support vector machine on deep features: the classifier, the choice of C, and dimensionality reduction."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.svm import LinearSVC


def scene_classifier(C: float = 1.0) -> Pipeline:
    """An untrained scikit-learn pipeline that classifies feature vectors: L2 normalization, then a linear SVM.

    First step: ``Normalizer``, which divides each row by its L2 norm. Second step: ``LinearSVC``, which trains one
    linear classifier per class against all others (scikit-learn's default), with the given ``C``, at most 10,000
    iterations (``max_iter``) and ``random_state=0``. Everything else is scikit-learn's default.

    Args:
        C: weight of the training errors against the width of the margin; positive. Small values regularize more.

    Returns:
        A pipeline with ``fit(features, labels)``, ``predict(features)`` and ``score(features, labels)``, not fitted.

    Example:
        >>> classifier = scene_classifier(C=0.1)
        >>> [type(step).__name__ for _, step in classifier.steps]
        ['Normalizer', 'LinearSVC']
        >>> classifier.fit([[9.0, 1.0], [1.0, 9.0]], [0, 1]).predict([[0.02, 0.01], [500.0, 501.0]]).tolist()
        [0, 1]

    Source: Fan et al. 2008, "LIBLINEAR: A Library for Large Linear Classification", JMLR 9; scikit-learn's LinearSVC.
    """
    return make_pipeline(Normalizer(), LinearSVC(C=C, max_iter=10_000, random_state=0))


def choose_C(
    features: np.ndarray, labels: np.ndarray, candidates: list[float], folds: int = 5, seed: int = 0
) -> tuple[float, list[float]]:
    """Choose the C of the SVM by cross-validation on the training images; no test image is used.

    For every candidate, the pipeline ``Normalizer`` then ``LinearSVC(C=candidate, max_iter=10_000, random_state=0)``
    is trained ``folds`` times, each time on all folds but one, and its accuracy is measured on the held-out fold. The
    folds are those of ``StratifiedKFold(folds, shuffle=True, random_state=seed)``, the same for every candidate.

    Args:
        features: ``(n, d)``, the training images' features, one row per image, not normalized.
        labels: ``(n,)``, class of each image, integers; at least ``folds`` images of each class.
        candidates: values of C, positive, in any order, at least one.
        folds: number of folds the training images are split into.
        seed: seed of the shuffling before the split.

    Returns:
        ``(best, accuracies)``: the candidate with the highest mean accuracy over the folds, on a tie the smallest
        (more regularization, same result); and the mean accuracy of every candidate, 0 to 1, in the order of
        ``candidates``.

    Example:
        >>> features = np.array([[1.0, 0.1], [1.0, 0.2], [0.9, 0.0], [0.1, 1.0], [0.2, 1.0], [0.0, 0.9]])
        >>> labels = np.array([0, 0, 0, 1, 1, 1])
        >>> best, accuracies = choose_C(features, labels, candidates=[10.0, 1.0], folds=3)
        >>> best, [float(accuracy) for accuracy in accuracies]
        (1.0, [1.0, 1.0])

    Source: Hastie, Tibshirani and Friedman 2009, "The Elements of Statistical Learning", section 7.10.
    """
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    accuracies = []
    for C in candidates:
        classifier = make_pipeline(Normalizer(), LinearSVC(C=C, max_iter=10_000, random_state=0))
        accuracies.append(float(cross_val_score(classifier, features, labels, cv=splitter).mean()))
    best = min(C for C, accuracy in zip(candidates, accuracies, strict=True) if accuracy == max(accuracies))
    return best, accuracies


def pca_project(train: np.ndarray, test: np.ndarray, components: int) -> tuple[np.ndarray, np.ndarray]:
    """Project features onto the directions in which the training features vary most.

    The center and directions come from the training features alone (scikit-learn's ``PCA`` with
    ``svd_solver="full"``, which is exact). The test features are projected with the same center and directions.

    Args:
        train: ``(n, d)``, training features, one row per image; not modified.
        test: ``(m, d)``, test features; not modified.
        components: number of directions to keep, 1 to min(n, d), most variance first.

    Returns:
        ``(train, test)`` projected: ``(n, components)`` and ``(m, components)``.

    Example:
        >>> train = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]])
        >>> projected = pca_project(train, np.array([[6.0, 5.0]]), components=1)
        >>> [np.abs(part).ravel().tolist() for part in projected]
        [[2.0, 0.0, 2.0], [4.0]]

    Source: Jolliffe 2002, "Principal Component Analysis", chapter 1; scikit-learn's PCA.
    """
    pca = PCA(components, svd_solver="full").fit(train)
    return pca.transform(train), pca.transform(test)
