"""What a linear classifier is given of an image: blocks of features, how they are normalized and combined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline

from captionlab.experiments.scenes.data import FeatureBank
from captionlab.transfer.svm import scene_classifier
from captionlab.transfer.whitening import WithinClassWhitening


class FeatureBlock(NamedTuple):
    """Features of one layer for images of one size, each map averaged over the image or over each of its quarters.

    Quarters tell where in the image something is: the sky above, the street below.

    Source: Lazebnik, Schmid and Ponce 2006, "Beyond Bags of Features: Spatial Pyramid Matching", the paper that
    15-Scene comes from.
    """

    size: int
    layer: str
    pooling: str = "average"

    def __str__(self) -> str:
        """As in a table: ``layer4 in quarters at 64``."""
        return f"{self.layer}{' in quarters' if self.pooling == 'pyramid_2x2' else ''} at {self.size}"


@dataclass(frozen=True)
class FeatureSpec:
    """Which features of an image a linear classifier is given, and the classifier's settings.

    Attributes:
        blocks: normalized one by one, then concatenated.
        signed_sqrt: take the signed square root of every feature first, so that a few large ones do not dominate
            (Perronnin et al. 2010, "Improving the Fisher Kernel").
        hflip: "no"; "average", the mean of the features of the image and of its mirror image; or "rows", which also
            trains on both as samples of their own.
        shrinkage: of the covariance within classes by which the features are whitened, see
            :class:`captionlab.transfer.whitening.WithinClassWhitening`; None: they are not whitened.
        C: of the SVM.
    """

    blocks: tuple[FeatureBlock, ...]
    signed_sqrt: bool = False
    hflip: str = "no"
    shrinkage: float | None = None
    C: float = 1.0

    def __str__(self) -> str:
        """In one line, for a table."""
        mirrored = {"no": "", "average": ", mirror image averaged", "rows": ", mirror images averaged and trained on"}
        blocks = " + ".join(map(str, self.blocks))
        whitened = "" if self.shrinkage is None else f", whitened within classes (shrinkage {self.shrinkage:g})"
        return f"{blocks}{', square roots' if self.signed_sqrt else ''}{mirrored[self.hflip]}{whitened}, C={self.C:g}"

    def make_classifier(self) -> Pipeline:
        """The lab's classifier, untrained; whitening, if any, is its first step."""
        classifier = scene_classifier(self.C)
        if self.shrinkage is not None:
            classifier.steps.insert(0, ("whitening", WithinClassWhitening(self.shrinkage)))
        return classifier


def l2_normalize(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1; rows of zeros stay."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1)


def compute_features(bank: FeatureBank, split: str, spec: FeatureSpec, hflip: bool = False) -> np.ndarray:
    """Features of each image of a split, or of its mirror image, before any averaging.

    Returns:
        ``(n, features)``, rows of length 1.
    """
    blocks = [bank.get(split, *block, hflip) for block in spec.blocks]
    blocks = [np.sign(block) * np.sqrt(np.abs(block)) for block in blocks] if spec.signed_sqrt else blocks
    return l2_normalize(np.hstack([l2_normalize(block) for block in blocks]))


def design_matrices(bank: FeatureBank, split: str, spec: FeatureSpec) -> tuple[np.ndarray, list[np.ndarray]]:
    """The features to predict from, and those to train on.

    Returns:
        ``X``, ``(n, features)``; and one or two training matrices of the same shape and order, of which the classifier
        is trained on all rows.
    """
    plain = compute_features(bank, split, spec)
    if spec.hflip == "no":
        return plain, [plain]
    flipped = compute_features(bank, split, spec, hflip=True)
    average = l2_normalize(plain + flipped)
    return average, [plain, flipped] if spec.hflip == "rows" else [average]
