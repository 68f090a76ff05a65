"""The linear SVM: probe and misconceptions."""

from __future__ import annotations

import numpy as np

from captionlab.exercises.drawing import draw
from captionlab.exercises.lab2_scenes.common import lab


def scenes(rng, classes: int, count: int, dimensions: int, spread: float = 0.45) -> tuple[np.ndarray, np.ndarray]:
    """Feature vectors and labels: the direction depends on the class; the length, from 0.2 to 20, is random."""
    middles = np.abs(rng.standard_normal((classes, dimensions))) + 2 * np.eye(classes, dimensions)
    labels = rng.permutation(np.arange(count) % classes)
    features = middles[labels] + spread * rng.standard_normal((count, dimensions))
    return features * 10 ** rng.uniform(-0.7, 1.3, (count, 1)), labels


# Implementations of the same SVM converge to slightly different solutions: values agree to about 1e-3. The mistakes
# below change them by tens of percent.
@lab.exercise(
    "captionlab.transfer.svm:scene_classifier",
    points=3,
    minutes=15,
    difficulty=2,
    importance=5,
    rtol=0.02,
    atol=0.02,
)
def probe_scene_classifier(scene_classifier, rng):
    classes, dimensions = draw(rng, 4, 5), draw(rng, 6, 8)
    features, labels = scenes(rng, classes, 50, dimensions)
    others, _ = scenes(rng, classes, 6, dimensions)
    trained = scene_classifier().fit(features, labels)
    label = f"{classes} classes, 50 training images, C not given: decision values of 6 other images"
    yield label, trained.decision_function(others)
    others, _ = scenes(rng, classes, 4, dimensions)
    label = "decision values of 4 more images, each multiplied by a different number"
    yield label, trained.decision_function(others * rng.uniform(0.01, 90, (4, 1)))
    for C in (0.05, 20.0):
        features, labels = scenes(rng, 4, 50, dimensions)
        others, _ = scenes(rng, 4, 5, dimensions)
        values = scene_classifier(C).fit(features, labels).decision_function(others)
        yield f"4 classes, C = {C:g}: decision values of 5 other images", values
    features, labels = scenes(rng, 3, 40, dimensions, spread=0.2)
    names = np.array([str(name) for name in rng.permutation(["coast", "forest", "kitchen"])])
    others, _ = scenes(rng, 3, 12, dimensions, spread=0.05)
    predicted = scene_classifier(C=1.0).fit(features, names[labels]).predict(others)
    yield "3 named classes: the names predicted for 12 easy images", list(predicted)


lab.misconceptions(
    "scene_classifier",
    without_normalization=(
        "The length of a row still matters. The first step of the pipeline has to scale every row to length 1.",
        {"Normalizer(), ": ""},
    ),
    standardizes_columns=(
        "You standardize the columns (StandardScaler). You need a length of 1 for each row: an image's features are "
        "scaled relative to each other, not to those of other images.",
        {"Normalizer()": "StandardScaler()"},
        "from sklearn.preprocessing import StandardScaler",
    ),
    normalizes_by_l1=(
        "Your rows are normalized by their L1 norm or their maximum; Normalizer's default is L2.",
        {"Normalizer()": 'Normalizer("l1")'},
    ),
    one_against_one=(
        "SVC trains one classifier per pair of classes, with any kernel. LinearSVC trains one per class, against all "
        "others, and is far faster on thousands of features.",
        {"LinearSVC(C=C, max_iter=10_000, random_state=0)": 'SVC(C=C, kernel="linear", random_state=0)'},
        "from sklearn.svm import SVC",
    ),
    radial_kernel=(
        "Your SVM is not linear: SVC's default kernel is radial. Use LinearSVC.",
        {"LinearSVC(C=C, max_iter=10_000, random_state=0)": "SVC(C=C, random_state=0)"},
        "from sklearn.svm import SVC",
    ),
    ignores_C=(
        "Your classifier is the same for every C: pass it on to LinearSVC.",
        {"C=C, ": ""},
    ),
    inverts_C=(
        "A larger C makes your classifier simpler. In scikit-learn, C weights the training errors: larger means less "
        "regularization.",
        {"C=C": "C=1 / C"},
    ),
    logistic_regression=(
        "This is a logistic regression: also linear, but with another loss. The course compares SVMs: use LinearSVC.",
        {"LinearSVC(C=C, max_iter=10_000, random_state=0)": "LogisticRegression(C=C, max_iter=10_000)"},
        "from sklearn.linear_model import LogisticRegression",
    ),
)
