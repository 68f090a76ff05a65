"""Choosing C by cross-validation: probe and misconceptions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import joblib  # type: ignore[import-untyped]
import numpy as np
import sklearn
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, normalize
from sklearn.svm import LinearSVC

from captionlab.exercises.drawing import draw
from captionlab.exercises.lab2_scenes.classifier import scenes
from captionlab.exercises.lab2_scenes.common import lab


def _hard_scenes(rng, classes: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of classes that overlap, listed class by class as files are: how they are split matters."""
    features, labels = scenes(rng, classes, count, 4, spread=1.2)
    order = np.argsort(labels, kind="stable")
    return features[order], labels[order]


def _easy_scenes(rng) -> tuple[np.ndarray, np.ndarray]:
    """Classes of 12, 5 and 5 images: easy, except that a tiny C predicts the first class for everything."""
    labels = rng.permutation(np.repeat([0, 1, 2], (12, 5, 5)))
    features = np.eye(3, 4)[labels] + 0.02 * rng.standard_normal((22, 4))
    return features * rng.uniform(1, 3, (22, 1)), labels


@dataclass
class _Trainings:
    """The SVMs that are trained while features are known: their parameters, and the images that are held out."""

    features: np.ndarray
    parameters: set[str] = field(default_factory=set)
    held_out: set[tuple] = field(default_factory=set)

    def note(self, svm: LinearSVC, rows: np.ndarray) -> None:
        """Remember one training; the rows are known by their directions."""
        self.parameters.add(f"max_iter={svm.max_iter}, random_state={svm.random_state}")
        similar = normalize(np.asarray(rows, dtype=float)) @ normalize(self.features).T
        left = tuple(sorted(set(range(len(self.features))) - set(similar.argmax(axis=1).tolist())))
        if left:  # once more on all images is not part of the cross-validation
            self.held_out.add((float(svm.C), left))

    @property
    def folds(self) -> list[str]:
        """The images that are held out for each C, the folds in a fixed order."""
        return [f"C={C:g}: {', '.join(map(str, left))}" for C, left in sorted(self.held_out)]


@contextmanager
def _trainings(features: np.ndarray) -> Iterator[_Trainings]:
    """Notes the SVMs that are trained inside, in this process."""
    noted = _Trainings(features)
    fit = LinearSVC.fit

    def watched(self, rows, *args, **kwargs):
        noted.note(self, rows)
        return fit(self, rows, *args, **kwargs)

    LinearSVC.fit = watched
    try:
        yield noted
    finally:
        LinearSVC.fit = fit


def _quick(function: Callable) -> Callable:
    """The function, for which scikit-learn starts no processes and checks values less often."""

    def call(*args, **kwargs):
        quick = sklearn.config_context(assume_finite=True, skip_parameter_validation=True)
        with quick, joblib.parallel_config(backend="sequential"):
            return function(*args, **kwargs)

    return call


@lab.exercise(
    "captionlab.transfer.svm:choose_C", points=3, minutes=25, difficulty=3, importance=4, rtol=1e-3, atol=1e-3
)
def probe_choose_C(choose_C, rng):
    choose_C = _quick(choose_C)
    features, labels = _easy_scenes(rng)
    unit = draw(rng, 6, 9)
    candidates = [2 * unit / 10, 1e-6, unit / 10, 3 * unit / 10]
    best, accuracies = choose_C(features=features, labels=labels, candidates=candidates, folds=2)
    case = f"22 images that are easy for every C among {candidates} but the tiny one, 2 folds"
    yield f"{case}: the best C", best, 5
    yield f"{case}: mean accuracies", list(accuracies), 3
    folds, seed = 3, draw(rng, 1, 99)
    features, labels = _hard_scenes(rng, 2, 18)
    with _trainings(features) as trainings:
        _, accuracies = choose_C(features, labels, [2.0, 0.1], folds=folds, seed=seed)
    case = f"18 images of 2 classes, C among [2, 0.1], {folds} folds, seed {seed}"
    yield f"{case}: images held out", trainings.folds, 3
    yield f"{case}: mean accuracies", list(accuracies), 3
    features, labels = _hard_scenes(rng, 3, 24)
    with _trainings(features) as trainings:
        _, accuracies = choose_C(features, labels, [0.5])
    case = "24 images of 3 classes, C among [0.5], folds and seed not given"
    yield f"{case}: images held out", trainings.folds
    yield f"{case}: mean accuracies", list(accuracies), 3
    yield "the SVMs that are trained", sorted(trainings.parameters)


lab.misconceptions(
    "choose_C",
    training_accuracy=(
        "You measure on the images the classifier was trained on, which it may have memorized: measure on the "
        "held-out fold each time.",
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
        "You return the index of the best C in the list. Return the value itself.",
        {"best = min(": "best = accuracies.index(max(accuracies))  # min("},
    ),
    sorts_the_candidates=(
        "Your accuracies are in the order of the sorted candidates, so they no longer match the caller's list.",
        {"accuracies = []": "accuracies, candidates = [], sorted(candidates)"},
    ),
    returns_the_best_accuracy=(
        "You return the highest accuracy instead of the C that reaches it.",
        {"return best, accuracies": "return max(accuracies), accuracies"},
    ),
    takes_the_worst=(
        "You choose the C with the lowest accuracy.",
        {"max(accuracies)": "min(accuracies)"},
    ),
    ignores_the_folds=(
        "The number of folds is always the same: pass `folds` on to StratifiedKFold.",
        {"StratifiedKFold(folds, ": "StratifiedKFold("},
    ),
    trains_on_one_fold=(
        "Training and held-out images are swapped: you train on one fold and measure on all the others.",
        {"cv=splitter": "cv=[parts[::-1] for parts in splitter.split(features, labels)]"},
    ),
    adds_the_folds_up=(
        "You add up the accuracies of the folds. Return their mean, which lies between 0 and 1.",
        {".mean())": ".sum())"},
    ),
    keeps_the_best_fold=(
        "You keep one fold's accuracy per candidate. Average over the folds: a single one depends on luck.",
        {".mean())": ".max())"},
    ),
    measures_errors=(
        "You return error rates. The accuracy is the fraction of correct predictions.",
        {"return best, accuracies": "return best, [1 - accuracy for accuracy in accuracies]"},
    ),
    returns_the_best_accuracies_first=(
        "You sort the accuracies. Keep them in the order of the candidates, so that they can be matched.",
        {"return best, accuracies": "return best, sorted(accuracies, reverse=True)"},
    ),
    svms_with_other_parameters=(
        "Your SVM has other parameters than the docstring says: check max_iter and random_state.",
        {", max_iter=10_000, random_state=0": ", max_iter=5_000"},
    ),
    standardizes=(
        "You standardize the columns. Choose C for the classifier you will use: Normalizer, then LinearSVC.",
        {"Normalizer()": "StandardScaler()"},
        "from sklearn.preprocessing import StandardScaler",
    ),
)
lab.other_spellings(
    "choose_C",
    folds_not_shuffled=[{"StratifiedKFold(folds, shuffle=True, random_state=seed)": "StratifiedKFold(folds)"}],
    folds_not_stratified=[
        {
            "StratifiedKFold(folds, ": "KFold(folds, ",
            "accuracies = []": "accuracies = []  #",
            "splitter = ": "from sklearn.model_selection import KFold\n    splitter = ",
        }
    ],
    ignores_the_seed=[{"random_state=seed": "random_state=42"}],
    svms_with_other_parameters=[
        {", max_iter=10_000, random_state=0": instead} for instead in ("", ", max_iter=10_000", ", random_state=0")
    ],
    keeps_the_best_fold=[{".mean())": "[-1])"}],
)
