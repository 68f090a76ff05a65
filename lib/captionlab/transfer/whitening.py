"""Whitening within classes: features that vary about equally in all directions within a class."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, check_X_y


class WithinClassWhitening(TransformerMixin, BaseEstimator):
    """Transform feature vectors so that those of one class vary more evenly in all directions.

    Directions in which images of one class differ are poor at separating classes, so they are shrunk; directions in
    which the images of a class agree are stretched. ``transform`` multiplies rows by ``W ** -0.5``. ``W`` is
    ``(1 - shrinkage)`` times the covariance of the training rows around their class means, plus ``shrinkage`` times a
    sphere of the same average variance. Without the sphere, ``W`` could not be inverted for fewer rows than features.

    Args:
        shrinkage: above 0, at most 1; 1 only rescales all rows.

    Attributes:
        map_: ``(d, r)``, float; the directions that are rescaled, as columns of length 1; r is at most n.
        factors_: ``(r,)``, scale factor of each of these directions, relative to all other directions.
        scale_: scale factor of all other directions.

    Raises:
        ValueError: in ``fit``, if ``shrinkage`` is out of range, or the numbers of rows and labels differ.

    Example:
        >>> rows = np.array([[0.0, 0.0], [0.0, 4.0], [1.0, 0.0], [1.0, 4.0]])
        >>> WithinClassWhitening(shrinkage=0.5).fit_transform(rows, [0, 0, 1, 1]).round(2).tolist()
        [[0.0, 0.0], [0.0, 2.31], [1.0, 0.0], [1.0, 2.31]]

    Source: Hatch, Kajarekar and Stolcke 2006, "Within-Class Covariance Normalization for SVM-based Speaker
    Recognition", Interspeech.
    """

    def __init__(self, shrinkage: float = 0.9) -> None:
        self.shrinkage = shrinkage

    def fit(self, rows: np.ndarray, labels: np.ndarray) -> WithinClassWhitening:
        """Measure the covariance of training rows ``(n, d)`` within their classes ``(n,)``."""
        if not 0 < self.shrinkage <= 1:
            raise ValueError(f"shrinkage is {self.shrinkage:g}, but must be above 0 and at most 1")
        rows, labels = check_X_y(rows, labels)
        differences = np.empty_like(rows, dtype=np.result_type(rows, np.float32))
        for label in np.unique(labels):
            of_class = labels == label
            differences[of_class] = rows[of_class] - rows[of_class].mean(axis=0)
        variances, self.map_ = _axes(differences / len(rows) ** 0.5)
        # 0 if all rows of each class are equal: there is nothing to even out.
        sphere = float(self.shrinkage * variances.sum() / rows.shape[1]) or 1.0
        self.scale_ = sphere**-0.5
        self.factors_ = ((1 - self.shrinkage) * variances / sphere + 1) ** -0.5
        return self

    def transform(self, rows: np.ndarray) -> np.ndarray:
        """Whiten rows: ``(n, d)`` to ``(n, d)``."""
        check_is_fitted(self)
        rows = np.asarray(rows)
        return self.scale_ * (rows + (rows @ self.map_ * (self.factors_ - 1)) @ self.map_.T)


def _axes(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squares ``(r,)`` of the nonzero singular values of ``(n, d)`` rows, and their directions ``(d, r)``.

    Uses the eigenvectors of the smaller of the two products, which takes a fifth of the time of an SVD.
    """
    wide = rows.shape[0] < rows.shape[1]
    squares, vectors = np.linalg.eigh(rows @ rows.T if wide else rows.T @ rows)
    real = squares > squares[-1] * len(squares) * np.finfo(squares.dtype).eps
    squares, vectors = squares[real], vectors[:, real]
    return squares, rows.T @ (vectors / np.sqrt(squares)) if wide else vectors
