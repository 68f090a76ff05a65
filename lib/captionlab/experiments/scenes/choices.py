"""How an image is described for the classifier, and which description is best: chosen on the training images alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from captionlab.common.provenance import cores
from captionlab.experiments.scenes.data import FeatureBank, layers_of
from captionlab.transfer.svm import scene_classifier
from captionlab.transfer.whitening import WithinClassWhitening

FOLDS, SEED = 5, 0


class Block(NamedTuple):
    """Features of one layer for images of one size, each map pooled to its average, or to those of its quarters.

    Quarters tell where in the picture something is: the sky above, the street below. Source: Lazebnik, Schmid and Ponce
    2006, "Beyond Bags of Features: Spatial Pyramid Matching", the paper that 15-Scene comes from.
    """

    size: int
    layer: str
    pooling: str = "average"

    def words(self) -> str:
        """In a word or two, for a table."""
        return f"{self.layer}{' in quarters' if self.pooling == 'quarters' else ''} at {self.size}"


@dataclass(frozen=True)
class Description:
    """What a linear classifier is given of an image.

    Attributes:
        parts: blocks of features; they are normalized one by one and stand side by side.
        root: take the signed square root of every feature first, so that a few large ones do not drown the others
            (Perronnin et al. 2010, "Improving the Fisher Kernel").
        mirrored: "no"; "average", the mean of the image's and its mirror image's description; or "rows", which
            also trains on both as images of their own.
        whitened: how far the covariance within classes is shrunk before features are whitened by it, see
            :class:`captionlab.transfer.whitening.WithinClassWhitening`; None: they are not.
        C: of the SVM.
    """

    parts: tuple[Block, ...]
    root: bool = False
    mirrored: str = "no"
    whitened: float | None = None
    C: float = 1.0

    def words(self) -> str:
        """In a line, for a table."""
        mirrored = {"no": "", "average": ", mirror image averaged", "rows": ", mirror images averaged and trained on"}
        blocks = " + ".join(part.words() for part in self.parts)
        whitened = "" if self.whitened is None else f", whitened within classes (shrinkage {self.whitened:g})"
        return f"{blocks}{', square roots' if self.root else ''}{mirrored[self.mirrored]}{whitened}, C={self.C:g}"

    def classifier(self) -> Pipeline:
        """The lab's classifier, untrained; where features are whitened, that is its first step."""
        classifier = scene_classifier(self.C)
        if self.whitened is not None:
            classifier.steps.insert(0, ("whitening", WithinClassWhitening(self.whitened)))
        return classifier


def normalized(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)


def describe(bank: FeatureBank, split: str, description: Description, mirrored: bool = False) -> np.ndarray:
    """(n, d): the description of each image, or of its mirror image, before any averaging."""
    blocks = [bank.get(split, *part, mirrored) for part in description.parts]
    blocks = [np.sign(block) * np.sqrt(np.abs(block)) for block in blocks] if description.root else blocks
    return normalized(np.hstack([normalized(block) for block in blocks]))


def rows_of(bank: FeatureBank, split: str, description: Description) -> tuple[np.ndarray, list[np.ndarray]]:
    """What the classifier is asked about, (n, d), and the sets of rows it trains on, each (n, d)."""
    plain = describe(bank, split, description)
    if description.mirrored == "no":
        return plain, [plain]
    other = describe(bank, split, description, mirrored=True)
    both = normalized(plain + other)
    return both, [plain, other] if description.mirrored == "rows" else [both]


def cross_validated(
    asked: np.ndarray, trained: list[np.ndarray], labels: np.ndarray, classifier: BaseEstimator
) -> list[float]:
    """Accuracy on each of five folds of the training images.

    An image and its mirror image are always in the same fold: nothing that is asked about was trained on.

    Args:
        asked: (n, d), rows to be classified.
        trained: sets of rows to train on, each (n, d).
        classifier: of scikit-learn; it is left as it is, copies are trained.
    """

    def one(fold: tuple[np.ndarray, np.ndarray]) -> float:
        train, held_out = fold
        rows, classes = np.vstack([each[train] for each in trained]), np.tile(labels[train], len(trained))
        return float((clone(classifier).fit(rows, classes).predict(asked[held_out]) == labels[held_out]).mean())

    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    # Threads suffice: scikit-learn's linear SVM computes outside Python's lock. A fold has a core, so its matrix
    # products may not each ask for all of them.
    with threadpool_limits(1), ThreadPoolExecutor(cores()) as executor:
        return list(executor.map(one, splitter.split(asked, labels)))


def validated(bank: FeatureBank, description: Description) -> dict:
    """Cross-validated accuracy of a description, its number of features, and the seconds that took."""
    asked, trained = rows_of(bank, "train", description)
    begin = time.perf_counter()
    folds = cross_validated(asked, trained, bank.scenes.labels["train"], description.classifier())
    return {
        "description": description.words(),
        "features": asked.shape[1],
        "cv_accuracy": float(np.mean(folds)),
        "cv_spread": float(np.std(folds)),
        "seconds": time.perf_counter() - begin,
    }


def tested(bank: FeatureBank, description: Description) -> tuple[np.ndarray, float]:
    """Train on all training images and classify the test images: the predictions, and the seconds training took."""
    _, trained = rows_of(bank, "train", description)
    asked, _ = rows_of(bank, "test", description)
    rows, labels = np.vstack(trained), np.tile(bank.scenes.labels["train"], len(trained))
    begin = time.perf_counter()
    classifier = description.classifier().fit(rows, labels)
    return classifier.predict(asked), time.perf_counter() - begin


def steps(start: Description, layers: tuple[str, ...], larger: int) -> Iterator[tuple[str, Callable]]:
    """The steps from a plain description to the best: each has a name and offers variants of the best so far."""
    last = layers[-1]
    others = [layer for layer in layers[2:] if layer != last]
    size = start.parts[0].size

    def quartered(best: Description) -> list[Description]:
        """One part at a time."""
        return [
            replace(best, parts=(*best.parts[:at], part._replace(pooling="quarters"), *best.parts[at + 1 :]))
            for at, part in enumerate(best.parts)
        ]

    def resized(best: Description) -> tuple[Block, ...]:
        return tuple(part._replace(size=larger) for part in best.parts)

    def smaller(best: Description) -> tuple[Block, ...]:
        return tuple(dict.fromkeys(part._replace(size=size) for part in best.parts))

    yield "square roots", lambda best: [replace(best, root=True)]
    yield "a second layer", lambda best: [replace(best, parts=(*best.parts, Block(size, layer))) for layer in others]
    yield "quarters", quartered
    yield "larger images", lambda best: [replace(best, parts=resized(best))]
    yield "both sizes", lambda best: [replace(best, parts=(*smaller(best), *resized(best)))]
    yield "mirror images", lambda best: [replace(best, mirrored=way) for way in ("average", "rows")]
    yield "whitening", lambda best: [replace(best, whitened=shrinkage) for shrinkage in (0.5, 0.75, 0.9, 0.97)]
    yield "C", lambda best: [replace(best, C=C) for C in (0.3, 3.0)]


def climb(bank: FeatureBank, larger: int, report: Callable[[str], None] = print) -> tuple[list[dict], Description]:
    """Go through the steps; of each keep the variant of the best cross-validated accuracy, if it beats the best so far.

    The test images have no part in it.

    Returns:
        Every variant tried (see `validated`; with ``step``, ``kept``), in order; and the best description.
    """
    layers = layers_of(bank.classifier)
    best = start = Description((Block(bank.classifier.input_size, layers[-1]),))
    rows = [{"step": "plain", **validated(bank, best), "kept": True}]
    top = rows[0]["cv_accuracy"]
    report(f"plain: {top:.4f}")
    for name, variants in steps(start, layers, larger):
        offered = variants(best)
        found = [{"step": name, **validated(bank, each), "kept": False} for each in offered]
        rows += found
        at = int(np.argmax([row["cv_accuracy"] for row in found]))
        if found[at]["cv_accuracy"] > top:
            best, top, found[at]["kept"] = offered[at], found[at]["cv_accuracy"], True
        report(f"{name}: " + "; ".join(f"{row['description']} {row['cv_accuracy']:.4f}" for row in found))
    return rows, best
