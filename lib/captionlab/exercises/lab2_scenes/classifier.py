"""The linear SVM: probe and misconceptions."""

from __future__ import annotations

from typing import Any

import numpy as np

from captionlab.exercises.drawing import draw
from captionlab.exercises.lab2_scenes.common import lab

OTHER_PARAMETERS = ("penalty", "loss", "multi_class", "class_weight", "fit_intercept", "tol", "random_state")


def scenes(rng, classes: int, count: int, dimensions: int, spread: float = 0.45) -> tuple[np.ndarray, np.ndarray]:
    """Feature vectors and labels: the direction depends on the class; the length, from 0.2 to 20, is random."""
    middles = np.abs(rng.standard_normal((classes, dimensions))) + 2 * np.eye(classes, dimensions)
    labels = rng.permutation(np.arange(count) % classes)
    features = middles[labels] + spread * rng.standard_normal((count, dimensions))
    return features * 10 ** rng.uniform(-0.7, 1.3, (count, 1)), labels


def _steps(classifier: Any) -> list[Any]:
    """A pipeline's steps, or the classifier that is none."""
    return [step for _, step in getattr(classifier, "steps", [("", classifier)])]


def _parameters(step: Any, names: tuple[str, ...]) -> list[str]:
    return [f"{name}={getattr(step, name, 'missing')!r}" for name in names]


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
    C = draw(rng, 2, 9) / 10
    made = scene_classifier(C=C)
    yield "the steps", [type(step).__name__ for step in _steps(made)], 2
    yield "the first step's norm", getattr(_steps(made)[0], "norm", "missing")
    yield f"C of the last step of scene_classifier(C={C})", float(getattr(_steps(made)[-1], "C", np.nan))
    yield "max_iter of the last step", getattr(_steps(made)[-1], "max_iter", None)
    yield "other parameters of the last step", _parameters(_steps(made)[-1], OTHER_PARAMETERS)
    yield "whether it is trained already", "trained" if hasattr(_steps(made)[-1], "classes_") else "not trained"
    classes, dimensions = draw(rng, 4, 5), draw(rng, 6, 8)
    features, labels = scenes(rng, classes, 40, dimensions)
    others, _ = scenes(rng, classes, 4, dimensions)
    trained = scene_classifier().fit(features, labels)
    label = f"{classes} classes, 40 training images, C not given: decision values of 4 other images"
    yield label, trained.decision_function(others), 3
    label = "decision values of the same images, each multiplied by a different number"
    yield label, trained.decision_function(others * rng.uniform(0.01, 90, (4, 1))), 2
    for C in (0.05, 20.0):
        features, labels = scenes(rng, 3, 30, dimensions)
        others, _ = scenes(rng, 3, 4, dimensions)
        values = scene_classifier(C).fit(features, labels).decision_function(others)
        yield f"3 classes, C = {C:g}: decision values of 4 other images", values, 3
    features, labels = scenes(rng, 3, 30, dimensions, spread=0.2)
    names = np.array([str(name) for name in rng.permutation(["coast", "forest", "kitchen"])])
    others, answers = scenes(rng, 3, 9, dimensions, spread=0.05)
    trained = scene_classifier(C=1.0).fit(features, names[labels])
    yield "3 named classes: the names predicted for 9 easy images", list(trained.predict(others))
    yield "their score against labels of which a third is wrong", float(trained.score(others, names[answers % 2]))


_SVM = "LinearSVC(C=C, max_iter=10_000, random_state=0)"
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
    standardizes_as_well=(
        "You standardize the columns besides normalizing the rows. Normalizer and LinearSVC are the only steps.",
        {"Normalizer()": "Normalizer(), StandardScaler()"},
        "from sklearn.preprocessing import StandardScaler",
    ),
    normalizes_by_l1=(
        "Your rows are normalized by their L1 norm; Normalizer's default is L2.",
        {"Normalizer()": 'Normalizer("l1")'},
    ),
    normalizes_by_the_largest=(
        "Your rows are divided by their largest value; Normalizer's default norm is L2.",
        {"Normalizer()": 'Normalizer("max")'},
    ),
    one_against_one=(
        "SVC trains one classifier per pair of classes, with any kernel. LinearSVC trains one per class, against all "
        "others, and is far faster on thousands of features.",
        {_SVM: 'SVC(C=C, kernel="linear", max_iter=10_000, random_state=0)'},
        "from sklearn.svm import SVC",
    ),
    radial_kernel=(
        "Your SVM is not linear: SVC's default kernel is radial. Use LinearSVC.",
        {_SVM: "SVC(C=C, max_iter=10_000, random_state=0)"},
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
    another_default_C=(
        "Your default for C is different: it should be 1.0.",
        {"C: float = 1.0": "C: float = 0.1"},
    ),
    logistic_regression=(
        "This is a logistic regression: also linear, but with another loss. The course compares SVMs: use LinearSVC.",
        {_SVM: "LogisticRegression(C=C, max_iter=10_000, random_state=0)"},
        "from sklearn.linear_model import LogisticRegression",
    ),
    all_classes_together=(
        "Your SVM trains all classes jointly (crammer_singer). LinearSVC's default trains one classifier per "
        "class, against all others.",
        {"random_state=0": 'random_state=0, multi_class="crammer_singer"'},
    ),
    another_loss=(
        "Your SVM uses the hinge loss. LinearSVC's default is the squared hinge; everything not mentioned stays at "
        "its default.",
        {"random_state=0": 'random_state=0, loss="hinge"'},
    ),
    balances_the_classes=(
        "You weight the classes (class_weight). Everything not mentioned stays at scikit-learn's default.",
        {"random_state=0": 'random_state=0, class_weight="balanced"'},
    ),
    without_intercept=(
        "Your SVM has no intercept. Everything not mentioned stays at scikit-learn's default.",
        {"random_state=0": "random_state=0, fit_intercept=False"},
    ),
    default_iterations=(
        "The SVM stops after scikit-learn's default of 1,000 iterations, or after some other number, which "
        "may be too early for thousands of features: set max_iter.",
        {"max_iter=10_000, ": ""},
    ),
    unseeded=(
        "LinearSVC visits the training images in random order: without random_state=0, results differ from run to run.",
        {", random_state=0": ""},
    ),
    bare_svm=(
        "Two parameters of the SVM are missing or wrong: max_iter and random_state.",
        {", max_iter=10_000, random_state=0": ""},
    ),
    steps_in_the_wrong_order=(
        "The steps are in the wrong order: the rows are normalized first, then classified.",
        {f"Normalizer(), {_SVM}": f"{_SVM}, Normalizer()"},
    ),
)
lab.other_spellings(
    "scene_classifier",
    without_normalization=[{f"make_pipeline(Normalizer(), {_SVM})": _SVM}],
    ignores_C=[{"C=C, max_iter=10_000, random_state=0": ""}],
    one_against_one=[
        {_SVM: instead, "return": "from sklearn.svm import SVC\n    return"}
        for instead in ('SVC(C=C, kernel="linear")', 'SVC(C=C, kernel="linear", random_state=0)')
    ],
    radial_kernel=[{_SVM: "SVC(C=C)", "return": "from sklearn.svm import SVC\n    return"}],
    default_iterations=[{"10_000": "1_000"}, {"10_000": "100_000"}],
    unseeded=[{"random_state=0": "random_state=42"}],
    standardizes_columns=[
        {
            f"Normalizer(), {_SVM}": "StandardScaler(), LinearSVC(C=C)",
            "return": "from sklearn.preprocessing import StandardScaler\n    return",
        }
    ],
    logistic_regression=[
        {
            _SVM: "LogisticRegression(C=C, max_iter=10_000)",
            "return": "from sklearn.linear_model import LogisticRegression\n    return",
        }
    ],
)
