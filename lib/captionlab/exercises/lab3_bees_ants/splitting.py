"""Part of the training images set aside for validation: probe and misconceptions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from captionlab.exercises.drawing import draw, draw_different
from captionlab.exercises.lab3_bees_ants.common import lab
from captionlab.grading.probe_helpers import outcome_of


def _labels(rng, sizes, classes):
    """Labels in random order, ``sizes[k]`` of them ``classes[k]``."""
    return rng.permutation(np.repeat(classes, sizes))


def _counts(labels, part):
    """How many images of each class a part has."""
    return [int(np.sum(np.asarray(labels)[list(part)] == label)) for label in np.unique(labels)]


def _first(labels, counts):
    """The indices of the first images of each class, as many as ``counts`` says, in ascending order."""
    per_class = zip(np.unique(labels), counts, strict=True)
    return sorted(int(i) for label, count in per_class for i in np.flatnonzero(labels == label)[:count])


def _same(one, other):
    return [sorted(part) for part in one] == [sorted(part) for part in other]


_FIRST_DRAW = float(np.random.RandomState(1).random())


@contextmanager
def _global_state(seed: int) -> Iterator[None]:
    """NumPy's global random state, seeded inside and restored afterwards."""
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before)


@lab.exercise("captionlab.transfer.splitting:split_train_validation", points=2, minutes=20, difficulty=2, importance=5)
def probe_split_train_validation(split_train_validation, rng):
    sizes = [5 * size for size in draw_different(rng, 3, 12, 5)]
    labels, seed = _labels(rng, sizes, np.arange(5)).tolist(), draw(rng, 0, 1000)
    train, validation = split_train_validation(list(labels), 0.2, seed)
    case = f"five classes of {min(sizes)} to {max(sizes)} images, a fifth for validation: "
    yield case + "validation images of each class", _counts(labels, validation)
    yield case + "training images of each class", _counts(labels, train)
    twice = sorted(set(train) & set(validation))
    complete = sorted({*train, *validation}) == list(range(len(labels)))
    label = case + "training images, validation images, images in both, whether every image is in one"
    yield label, [len(train), len(validation), len(twice), complete]
    label = case + "whether each part is in ascending order, and how long it is"
    ascending = [list(part) == sorted(part) for part in (train, validation)]
    yield label, [*ascending, len(train), len(validation)]

    labels = np.repeat([3, 8], [draw(rng, 30, 40), draw(rng, 41, 60)])
    with _global_state(1):
        first = split_train_validation(labels=labels, validation_fraction=0.5, seed=seed)
        untouched = float(np.random.random()) == _FIRST_DRAW
    with _global_state(2):
        again = split_train_validation(labels, 0.5, seed)
        other = split_train_validation(labels, 0.5, seed + 1)
    counts = _counts(labels, first[1])
    case = "classes 3 and 8, one after the other: validation images of each class, and whether "
    yield case + "the same seed gives the same split", [counts, _same(first, again)]
    yield case + "another seed gives another split", [counts, not _same(first, other)]
    yield case + "NumPy's global random state is unchanged", [counts, untouched]
    yield case + "they are the first of their class", [counts, sorted(first[1]) == _first(labels, counts)]

    sizes = [10, 6, 14, draw(rng, 40, 60) * 4]
    labels = _labels(rng, sizes, [0, 1, 2, 3])
    validation = split_train_validation(labels, 0.25, 1)[1]
    yield f"classes of {sizes} images, a quarter for validation: validation images", _counts(labels, validation)
    sizes = [draw(rng, 17, 30), 2, 3]
    labels = _labels(rng, sizes, [0, 1, 2])
    case = f"classes of {sizes} images: validation images for a fraction of "
    yield case + "0.05", _counts(labels, split_train_validation(labels, 0.05, seed)[1])
    yield case + "0.9", _counts(labels, split_train_validation(labels, 0.9, seed)[1])
    yield "a class of one image", outcome_of(split_train_validation, [0, 0, 0, 1, 0], 0.5, seed)


@lab.misconception(
    "split_train_validation",
    hint="You draw from all images at once, so the proportions of the classes differ. Draw class by class: stratified.",
)
def not_stratified(labels, validation_fraction, seed):
    labels = np.asarray(labels)
    if np.unique(labels, return_counts=True)[1].min() < 2:
        raise ValueError("too few")
    order = np.random.default_rng(seed).permutation(len(labels)).tolist()
    count = int(validation_fraction * len(labels) + 0.5)
    return sorted(order[count:]), sorted(order[:count])


lab.misconceptions(
    "split_train_validation",
    parts_overlap=(
        "The validation images are in the training part as well: the network will have memorized the images it is "
        "validated on.",
        {"np.setdiff1d(np.arange(len(labels)), validation).tolist()": "list(range(len(labels)))"},
    ),
    takes_first_images=(
        "You take the first images of each class, whatever the seed. Files are often in a meaningful order (one "
        "photographer, one day): draw at random.",
        {"rng.permutation(indices)": "indices"},
    ),
    ignores_the_seed=(
        "Every seed gives the same split: pass `seed` to the generator.",
        {"default_rng(seed)": "default_rng(0)"},
    ),
    unseeded=(
        "The same seed gives a different split each time. Make a generator from the seed, np.random.default_rng(seed), "
        "and draw from it.",
        {"default_rng(seed)": "default_rng()"},
    ),
    seeds_everybody=(
        "The split is right, but np.random.seed changes the global state, which all other code draws from. Use a "
        "generator of your own, np.random.default_rng(seed).",
        {"rng = np.random.default_rng(seed)": "np.random.seed(seed)", "rng.permutation": "np.random.permutation"},
    ),
    positions_in_the_class=(
        "Your numbers are positions within a class, not in the whole list: image 3 of the bees is not image 3 of all. "
        "np.flatnonzero(labels == label) gives the indices of a class.",
        {"rng.permutation(indices)": "rng.permutation(len(indices))"},
    ),
    rounds_down=(
        "You round down. The docstring says: to the nearest integer, halves up.",
        {"len(indices) + 0.5": "len(indices)"},
    ),
    rounds_halves_to_even=(
        "Python's round() rounds halves to the even number: round(2.5) is 2. The docstring asks for halves up: add 0.5 "
        "and round down.",
        {"int(validation_fraction * len(indices) + 0.5)": "round(validation_fraction * len(indices))"},
    ),
    swaps_the_parts=(
        "The two parts are swapped: the training images come first.",
        {"train, sorted(validation)": "sorted(validation), train"},
    ),
    forgets_to_sort=(
        "The parts are right except for their order: return both in ascending order.",
        {
            "np.setdiff1d(np.arange(len(labels)), validation)": "rng.permutation([i for i in range(len(labels)) if i "
            "not in validation])",
            "sorted(validation)": "validation",
        },
    ),
    empties_a_class=(
        "One of the parts can end up without any image of a small class. Each part gets at least one: clip the count "
        "to 1 and n - 1.",
        {
            "min(max(int(validation_fraction * len(indices) + 0.5), 1), len(indices) - 1)": "int(validation_fraction "
            "* len(indices) + 0.5)"
        },
    ),
)
