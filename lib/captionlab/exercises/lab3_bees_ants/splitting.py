"""Part of the training images set aside for validation: probe and misconceptions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from captionlab.exercises.drawing import draw, draw_different, torch_seed
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
_FIRST_OF_TORCH = int(torch.randint(1 << 40, (1,), generator=torch.Generator().manual_seed(1)))


@contextmanager
def _global_state(seed: int) -> Iterator[None]:
    """The global random states of NumPy and PyTorch, seeded inside and restored afterwards."""
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        with torch_seed(seed):
            yield
    finally:
        np.random.set_state(before)


def _states() -> list[str]:
    """Whether the global random states are as after seeding with 1."""
    same = {
        "NumPy": float(np.random.random()) == _FIRST_DRAW,
        "PyTorch": int(torch.randint(1 << 40, (1,))) == _FIRST_OF_TORCH,
    }
    return [f"{name}: {'unchanged' if is_same else 'changed'}" for name, is_same in same.items()]


@lab.exercise("captionlab.transfer.splitting:split_train_validation", points=2, minutes=20, difficulty=2, importance=5)
def probe_split_train_validation(split_train_validation, rng):
    sizes = [5 * size for size in draw_different(rng, 3, 12, 5)]
    labels, seed = _labels(rng, sizes, np.arange(5)).tolist(), draw(rng, 0, 1000)
    train, validation = split_train_validation(list(labels), 0.2, seed)
    case = f"five classes of {min(sizes)} to {max(sizes)} images, a fifth for validation: "
    yield case + "validation images of each class", _counts(labels, validation), 3
    yield case + "training images of each class", _counts(labels, train), 3
    twice, indices = set(train) & set(validation), {*train, *validation}
    neither = len(set(range(len(labels))) - indices)
    yield case + "how many are in both parts, and in neither", f"{len(twice)} in both, {neither} in neither", 4
    order = ["ascending" if list(part) == sorted(part) else "not ascending" for part in (train, validation)]
    yield case + "the order of the training and of the validation part", order
    types = [f"{type(part).__name__} of {type(part[0]).__name__}" for part in (train, validation)]
    yield case + "types of the parts and of their elements", types, 0.5

    labels = np.repeat([3, 8], [draw(rng, 15, 19) * 2, draw(rng, 21, 29) * 2])
    with _global_state(1):
        first = split_train_validation(labels=labels, validation_fraction=0.5, seed=seed)
        states = _states()
    with _global_state(2):
        again = split_train_validation(labels, 0.5, seed)
        other = split_train_validation(labels, 0.5, seed + 1)
    counts = _counts(labels, set(first[1]))
    case = "classes 3 and 8, one after the other, half for validation: "
    yield case + "different validation images of each class", counts, 2
    drawn = [
        f"the same seed: {'the same' if _same(first, again) else 'another'} split",
        f"another seed: {'the same' if _same(first, other) else 'another'} split",
        f"{'the first' if sorted(first[1]) == _first(labels, counts) else 'not just the first'} of each class",
    ]
    yield case + "what is drawn", drawn, 8
    yield case + "the global random states afterwards", states

    sizes = [10, 6, 14, draw(rng, 40, 60) * 4]
    labels = _labels(rng, sizes, [0, 1, 2, 3])
    validation = split_train_validation(labels, 0.25, 1)[1]
    yield f"classes of {sizes} images, a quarter for validation: validation images", _counts(labels, validation), 4
    sizes = [draw(rng, 21, 29), 2, 3]  # a twentieth of the first is rounded down
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
        "You take the first images of each class, whatever the seed. Files are often in a meaningful order "
        "(one photographer, one day): choose at random.",
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
        "You seed a global generator (np.random.seed, torch.manual_seed), from which all other code draws. Use a "
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
        "A part is not in ascending order: sort both before you return them.",
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
    rounds_up=(
        "You round up. The docstring says: to the nearest integer, halves up.",
        {"int(validation_fraction * len(indices) + 0.5)": "int(np.ceil(validation_fraction * len(indices)))"},
    ),
    draws_with_replacement=(
        "An image can be drawn twice for the validation part, which then has fewer images than its length says. Draw "
        "without replacement: shuffle, and take the first ones.",
        {"rng.permutation(indices)[:count]": "rng.choice(indices, count)"},
    ),
    assumes_consecutive_classes=(
        "You assume that the classes are 0, 1, 2, ... without gaps. The docstring says they need not be: loop over the "
        "labels that occur.",
        {"np.unique(labels)": "range(len(np.unique(labels)))"},
    ),
    accepts_a_class_of_one=(
        "A class with a single image is accepted, although it cannot be in both parts: raise "
        "the ValueError that the docstring promises.",
        {"if len(indices) < 2": ""},
    ),
)

CLIPPED = "min(max(int(validation_fraction * len(indices) + 0.5), 1), len(indices) - 1)"

lab.other_spellings(
    "split_train_validation",
    forgets_to_sort=[{"sorted(validation)": "validation"}],
    empties_a_class=[
        {CLIPPED: "max(int(validation_fraction * len(indices) + 0.5), 1)"},
        {CLIPPED: "min(int(validation_fraction * len(indices) + 0.5), len(indices) - 1)"},
    ],
    seeds_everybody=[
        {
            "rng = np.random.default_rng(seed)": "torch.manual_seed(seed)",
            "rng.permutation(indices)[:count]": "indices[torch.randperm(len(indices))[:count].numpy()]",
        }
    ],
    unseeded=[{"rng = np.random.default_rng(seed)": "", "rng.permutation": "np.random.permutation"}],
)
