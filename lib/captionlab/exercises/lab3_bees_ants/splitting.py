"""A validation part of the training images: probe and misconceptions."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np

from captionlab.exercises.lab3_bees_ants.common import draw, draw_different, lab
from captionlab.grading.probe_helpers import outcome_of


def _labels(rng, sizes, numbers):
    """Labels in random order, ``sizes[k]`` of them ``numbers[k]``."""
    return rng.permutation(np.repeat(numbers, sizes))


def _counts(labels, part):
    """How many images of each class a part has."""
    return [int(np.sum(np.asarray(labels)[list(part)] == number)) for number in np.unique(labels)]


def _first(labels, counts):
    """The indices of the first images of each class, so many of each, ascending."""
    numbers = zip(np.unique(labels), counts, strict=True)
    return sorted(int(i) for number, count in numbers for i in np.flatnonzero(labels == number)[:count])


def _same(one, other):
    return [sorted(part) for part in one] == [sorted(part) for part in other]


_FIRST_DRAW = float(np.random.RandomState(1).random())


@contextmanager
def _global_state(seed):
    """Numpy's global random state, seeded inside and put back after."""
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
    about = f"five classes of {min(sizes)} to {max(sizes)} images, a fifth for validation: "
    yield about + "validation images of each class", _counts(labels, validation)
    yield about + "training images of each class", _counts(labels, train)
    twice = sorted(set(train) & set(validation))
    both = sorted({*train, *validation}) == list(range(len(labels)))
    label = about + "training images, validation images, images in both, whether each is in one"
    yield label, [len(train), len(validation), len(twice), both]
    label = about + "whether each part is in ascending order, and how long it is"
    ascending = [list(part) == sorted(part) for part in (train, validation)]
    yield label, [*ascending, len(train), len(validation)]

    labels = np.repeat([3, 8], [draw(rng, 30, 40), draw(rng, 41, 60)])
    with _global_state(1):
        first = split_train_validation(labels=labels, fraction=0.5, seed=seed)
        untouched = float(np.random.random()) == _FIRST_DRAW
    with _global_state(2):
        again = split_train_validation(labels, 0.5, seed)
        other = split_train_validation(labels, 0.5, seed + 1)
    counts, label = (
        _counts(labels, first[1]),
        "classes 3 and 8, one after the other: validation images of each class, and ",
    )
    yield label + "whether the same seed gives the same split", [counts, _same(first, again)]
    yield label + "whether another seed gives another split", [counts, not _same(first, other)]
    yield label + "whether numpy's own random state is as before", [counts, untouched]
    yield label + "whether they are the first of their class", [counts, sorted(first[1]) == _first(labels, counts)]

    sizes = [10, 6, 14, draw(rng, 40, 60) * 4]
    labels = _labels(rng, sizes, [0, 1, 2, 3])
    yield (
        f"classes of {sizes}, a quarter: validation images",
        _counts(labels, split_train_validation(labels, 0.25, 1)[1]),
    )
    sizes = [draw(rng, 17, 30), 2, 3]
    labels = _labels(rng, sizes, [0, 1, 2])
    label = f"classes of {sizes} images: validation images for a fraction of "
    yield label + "0.05", _counts(labels, split_train_validation(labels, 0.05, seed)[1])
    yield label + "0.9", _counts(labels, split_train_validation(labels, 0.9, seed)[1])
    yield "a class of one image", outcome_of(split_train_validation, [0, 0, 0, 1, 0], 0.5, seed)


@lab.misconception(
    "split_train_validation",
    hint="You draw from all images at once, and the classes come out uneven. Draw class by class: stratified.",
)
def not_stratified(labels, fraction, seed):
    labels = np.asarray(labels)
    if np.unique(labels, return_counts=True)[1].min() < 2:
        raise ValueError("too few")
    order = np.random.default_rng(seed).permutation(len(labels)).tolist()
    count = int(fraction * len(labels) + 0.5)
    return sorted(order[count:]), sorted(order[:count])


@lab.misconception(
    "split_train_validation",
    hint="The validation images are in the training part as well: whatever is measured on them has been learnt by "
    "heart.",
)
def parts_overlap(labels, fraction, seed):
    labels, rng, validation = np.asarray(labels), np.random.default_rng(seed), []
    for label in np.unique(labels):
        images = np.flatnonzero(labels == label)
        if len(images) < 2:
            raise ValueError("too few")
        validation += rng.permutation(images)[
            : min(max(int(fraction * len(images) + 0.5), 1), len(images) - 1)
        ].tolist()
    return list(range(len(labels))), sorted(validation)


@lab.misconception(
    "split_train_validation",
    hint="You take the first images of each class, whatever the seed. Files often lie in an order that means something "
    "(one photographer, one day): draw at random.",
)
def takes_first_images(labels, fraction, seed):
    labels, validation = np.asarray(labels), []
    for label in np.unique(labels):
        images = np.flatnonzero(labels == label)
        if len(images) < 2:
            raise ValueError("too few")
        validation += images[: min(max(int(fraction * len(images) + 0.5), 1), len(images) - 1)].tolist()
    return sorted(set(range(len(labels))) - set(validation)), sorted(validation)


@lab.misconception("split_train_validation", hint="Every seed gives the same split: hand `seed` to the generator.")
def ignores_the_seed(labels, fraction, seed):
    labels, rng, validation = np.asarray(labels), np.random.default_rng(0), []
    for label in np.unique(labels):
        images = np.flatnonzero(labels == label)
        if len(images) < 2:
            raise ValueError("too few")
        validation += rng.permutation(images)[
            : min(max(int(fraction * len(images) + 0.5), 1), len(images) - 1)
        ].tolist()
    return sorted(set(range(len(labels))) - set(validation)), sorted(validation)


@lab.misconception(
    "split_train_validation",
    hint="The same seed gives another split each time. Make a generator from the seed, np.random.default_rng(seed), "
    "and draw from that.",
)
def unseeded(labels, fraction, seed):
    labels, rng, validation = np.asarray(labels), np.random.default_rng(), []
    for label in np.unique(labels):
        images = np.flatnonzero(labels == label)
        if len(images) < 2:
            raise ValueError("too few")
        validation += rng.permutation(images)[
            : min(max(int(fraction * len(images) + 0.5), 1), len(images) - 1)
        ].tolist()
    return sorted(set(range(len(labels))) - set(validation)), sorted(validation)


@lab.misconception(
    "split_train_validation",
    hint="The split is right, but np.random.seed changes the state everybody else draws from. Use a generator of your "
    "own, np.random.default_rng(seed).",
)
def seeds_everybody(labels, fraction, seed):
    np.random.seed(seed)
    labels, validation = np.asarray(labels), []
    for label in np.unique(labels):
        images = np.flatnonzero(labels == label)
        if len(images) < 2:
            raise ValueError("too few")
        count = min(max(int(fraction * len(images) + 0.5), 1), len(images) - 1)
        validation += np.random.permutation(images)[:count].tolist()
    return sorted(set(range(len(labels))) - set(validation)), sorted(validation)


@lab.misconception(
    "split_train_validation",
    hint="Your numbers count inside a class, not in the whole list: number 3 of the bees is another image than number "
    "3 of all. np.flatnonzero(labels == label) gives a class's indices.",
)
def positions_in_the_class(labels, fraction, seed):
    labels, rng, validation = np.asarray(labels), np.random.default_rng(seed), []
    for label in np.unique(labels):
        size = int((labels == label).sum())
        if size < 2:
            raise ValueError("too few")
        validation += rng.permutation(size)[: min(max(int(fraction * size + 0.5), 1), size - 1)].tolist()
    return sorted(set(range(len(labels))) - set(validation)), sorted(validation)


@lab.misconception(
    "split_train_validation", hint="You round down. The docstring says: to the nearest whole number, halves up."
)
def rounds_down(labels, fraction, seed):
    labels, rng, validation = np.asarray(labels), np.random.default_rng(seed), []
    for label in np.unique(labels):
        images = np.flatnonzero(labels == label)
        if len(images) < 2:
            raise ValueError("too few")
        validation += rng.permutation(images)[: min(max(int(fraction * len(images)), 1), len(images) - 1)].tolist()
    return sorted(set(range(len(labels))) - set(validation)), sorted(validation)


@lab.misconception(
    "split_train_validation",
    hint="Python's round() takes halves to the even number: round(2.5) is 2. The docstring asks for halves up: add 0.5 "
    "and cut off.",
)
def rounds_halves_to_even(labels, fraction, seed):
    labels, rng, validation = np.asarray(labels), np.random.default_rng(seed), []
    for label in np.unique(labels):
        images = np.flatnonzero(labels == label)
        if len(images) < 2:
            raise ValueError("too few")
        validation += rng.permutation(images)[: min(max(round(fraction * len(images)), 1), len(images) - 1)].tolist()
    return sorted(set(range(len(labels))) - set(validation)), sorted(validation)


@lab.misconception("split_train_validation", hint="The two parts are swapped: the training images come first.")
def swaps_the_parts(labels, fraction, seed):
    labels, rng, validation = np.asarray(labels), np.random.default_rng(seed), []
    for label in np.unique(labels):
        images = np.flatnonzero(labels == label)
        if len(images) < 2:
            raise ValueError("too few")
        validation += rng.permutation(images)[
            : min(max(int(fraction * len(images) + 0.5), 1), len(images) - 1)
        ].tolist()
    return sorted(validation), sorted(set(range(len(labels))) - set(validation))


@lab.misconception(
    "split_train_validation", hint="The parts are right but for their order: return both in ascending order."
)
def forgets_to_sort(labels, fraction, seed):
    labels, rng, train, validation = np.asarray(labels), np.random.default_rng(seed), [], []
    for label in np.unique(labels):
        images = rng.permutation(np.flatnonzero(labels == label)).tolist()
        if len(images) < 2:
            raise ValueError("too few")
        count = min(max(int(fraction * len(images) + 0.5), 1), len(images) - 1)
        train, validation = train + images[count:], validation + images[:count]
    return train, validation


@lab.misconception(
    "split_train_validation",
    hint="A small class can lose all its images to one part, or give the other none. At least one goes to each: clip "
    "the count to 1 and n - 1.",
)
def empties_a_class(labels, fraction, seed):
    labels, rng, validation = np.asarray(labels), np.random.default_rng(seed), []
    for label in np.unique(labels):
        images = np.flatnonzero(labels == label)
        if len(images) < 2:
            raise ValueError("too few")
        validation += rng.permutation(images)[: int(fraction * len(images) + 0.5)].tolist()
    return sorted(set(range(len(labels))) - set(validation)), sorted(validation)
