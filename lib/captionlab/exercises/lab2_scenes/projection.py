"""Fewer dimensions by principal components: probe and misconceptions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from captionlab.exercises.drawing import draw
from captionlab.exercises.lab2_scenes.common import lab


def _correlated(rng, count: int, directions: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Feature vectors that vary most along the first direction, and clearly less along each that follows."""
    sizes = 8.0 / 2.0 ** np.arange(len(directions))
    return center + (rng.standard_normal((count, len(directions))) * sizes) @ directions


def _parts(pca_project, *args, **kwargs) -> list[np.ndarray]:
    """The projected training and test features."""
    train, test = pca_project(*args, **kwargs)
    return [np.asarray(train), np.asarray(test)]


def _both(label: str, parts: list[np.ndarray], weight: float = 1) -> Iterator[tuple[str, np.ndarray, float]]:
    """Absolute values, since the signs of the directions are arbitrary."""
    for name, part in zip(("training", "test"), parts, strict=True):
        yield f"{label}: absolute values of the projected {name} images", np.abs(part), weight


@lab.exercise(
    "captionlab.transfer.svm:pca_project", points=2, minutes=15, difficulty=2, importance=3, rtol=1e-3, atol=1e-3
)
def probe_pca_project(pca_project, rng):
    step, high = float(draw(rng, 1, 4)), float(draw(rng, 3, 9))
    train = np.array([[0.0, 1.0], [step, 2.0], [5 * step, 1.0]])
    label = f"training images {train.tolist()}, test image {[6.0, high]}, 2 features to 1"
    yield from _both(label, _parts(pca_project, train, np.array([[6.0, high]]), components=1))
    for dimensions, components, shift in ((5, 2, 0.0), (6, draw(rng, 3, 4), 5.0)):
        directions = np.linalg.qr(rng.standard_normal((dimensions, dimensions)))[0]
        center = rng.uniform(2, 6, dimensions)
        train, test = (_correlated(rng, *case) for case in ((9, directions, center), (5, directions, center + shift)))
        label = f"9 training and 5 test images, {dimensions} features to {components}"
        label += ", the test images brighter" if shift else ""
        yield from _both(label, _parts(pca_project, train, test, components), 2)
    train = rng.standard_normal((8, 12)) * 3.0 ** -np.arange(12) + rng.uniform(1, 3, 12)
    projected = np.concatenate(_parts(pca_project, train=train, test=train[:3] + 1, components=2))
    distances = np.linalg.norm(projected[:, None] - projected[None], axis=2)
    yield "8 training and 3 test images, 12 features to 2: distances between all projected images", distances
    train, test = rng.standard_normal((10, 4)) * (9, 3, 1, 0.3), rng.standard_normal((5, 4))
    yield from _both("4 features to 4", _parts(pca_project, train, test, components=4))
    train[:, 1] = 1.0
    label = "a feature without variance, 4 features to 2"
    yield from _both(label, _parts(pca_project, train, test, 2))
    train, test = rng.standard_normal((510, 52)), rng.standard_normal((4, 52))
    label = (
        "510 training and 4 test images that vary about equally in all directions, 52 features to 3: absolute values"
    )
    yield f"{label} of the projected test images", np.abs(_parts(pca_project, train, test, 3)[1])


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
        "You center the test images by their own mean. Subtract the mean of the training images from both.",
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
    hint="You select some of the original columns. A principal component mixes all columns, so the later "
    "columns contribute too.",
)
def keeps_the_first_columns(train, test, components):
    mean = train.mean(axis=0)
    return (train - mean)[:, :components], (test - mean)[:, :components]


@lab.misconception(
    "pca_project",
    hint="Your directions are those of least variance: eigh sorts its eigenvalues in ascending order. Take "
    "the last ones.",
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
    standardized_first=(
        "You divide the columns by their standard deviation first. Features that vary little then count as much as "
        "those that vary a lot: subtract the mean only.",
        {
            "pca = PCA": "scale = train.std(axis=0)\n    train, test = train / scale, test / scale\n    pca = PCA",
        },
    ),
    largest_last=(
        "Your columns are in ascending order of variance. The direction with the most variance comes first.",
        {
            "pca.transform(train)": "pca.transform(train)[:, ::-1]",
            "pca.transform(test)": "pca.transform(test)[:, ::-1]",
        },
    ),
    test_not_centered=(
        "The test images are not centered. Subtract the mean of the training images from both.",
        {"pca.transform(test)": "test @ pca.components_.T"},
    ),
    fitted_on_the_test=(
        "You compute center and directions from the test images. Fit on the training images, and transform both.",
        {"fit(train)": "fit(test)"},
    ),
    keeps_all_directions=(
        "You keep all directions. Return only the first `components` columns.",
        {"PCA(components, ": "PCA("},
    ),
    returns_the_test_first=(
        "Your two results are in the wrong order: training features first, then test features.",
        {"pca.transform(train), pca.transform(test)": "pca.transform(test), pca.transform(train)"},
    ),
    forgets_the_singular_values=(
        "Your training columns all have the same length: U alone holds directions. Multiply by the singular values, or "
        "project the centered images.",
        {"pca.transform(train)": "pca.transform(train) / pca.singular_values_"},
    ),
    centered_by_one_number=(
        "You subtract one number, the mean of all values. Every feature has its own mean, over the images: axis=0.",
        {
            "pca = PCA": "mean = train.mean()\n    pca = PCA",
            "fit(train)": "fit(np.vstack([train - mean, mean - train]))",
            "pca.transform(train), pca.transform(test)": "pca.transform(train - mean), pca.transform(test - mean)",
        },
    ),
    takes_columns_of_vt=(
        "You take columns of the last matrix that svd returns. It is already transposed: its rows are the directions.",
        {
            'pca = PCA(components, svd_solver="full").fit(train)': "mean = train.mean(axis=0)\n"
            "    directions = np.linalg.svd(train - mean, full_matrices=False)[2][:, :components]",
            "pca.transform(train), pca.transform(test)": "(train - mean) @ directions, (test - mean) @ directions",
        },
    ),
    approximates=(
        "You use a randomized solver, which only approximates the directions of large matrices. The full one is exact.",
        {'svd_solver="full"': 'svd_solver="randomized", iterated_power=1, random_state=0'},
    ),
)


@lab.misconception(
    "pca_project",
    hint="You take rows of the matrix of eigenvectors. eigh and eig return one eigenvector per column.",
)
def takes_rows_of_eigenvectors(train, test, components):
    mean = train.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(train.T))
    directions = vectors[np.argsort(values)[::-1][:components]]
    return (train - mean) @ directions.T, (test - mean) @ directions.T


lab.other_spellings(
    "pca_project",
    not_centered=[
        {
            'pca = PCA(components, svd_solver="full").fit(train)': "directions = "
            "np.linalg.eigh(train.T @ train)[1][:, ::-1][:, :components]",
            "pca.transform(train), pca.transform(test)": "train @ directions, test @ directions",
        }
    ],
    fitted_on_each=[{"pca.transform(test)": 'PCA(components, svd_solver="full").fit_transform(test)'}],
    fitted_on_both=[{"fit(train)": "fit(np.vstack((test, train)))"}],
    whitened=[
        {
            "pca.transform(train)": "pca.transform(train) / pca.singular_values_",
            "pca.transform(test)": "pca.transform(test) / pca.singular_values_",
        },
        {
            "pca.transform(train)": "pca.transform(train) / pca.explained_variance_",
            "pca.transform(test)": "pca.transform(test) / pca.explained_variance_",
        },
    ],
    standardized_first=[
        {
            "pca = PCA": "train, test = (part / train.std(axis=0, ddof=1) for part in (train, test))\n    pca = PCA",
        },
    ],
    keeps_the_first_columns=[
        {
            "pca.transform(train), pca.transform(test)": "train[:, :components], test[:, :components]",
        },
    ],
)
