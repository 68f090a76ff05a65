"""Images for training, for choosing and for the end: probe and misconceptions."""

from __future__ import annotations

import random

from captionlab.exercises.drawing import draw, draw_different, on_copies
from captionlab.exercises.lab4_captioning.common import NOUNS, draw_words, lab


def _ids(rng, images: int) -> list[str]:
    """The image of each caption: three to five captions an image, in no order."""
    names = [f"{noun}_{number}.jpg" for noun in draw_words(rng, NOUNS, 4) for number in draw_different(rng, 10, 99, 10)]
    of_each = [name for name in names[:images] for _ in range(draw(rng, 3, 5))]
    return [of_each[at] for at in rng.permutation(len(of_each))]


@lab.exercise("captionlab.captioning.datasets:split_by_image", points=2, minutes=15, difficulty=2, importance=5)
def probe_split_by_image(split_by_image, rng):
    split_by_image = on_copies(split_by_image)
    images, seed = draw(rng, 17, 19), draw(rng, 1, 1000)
    ids = _ids(rng, images)
    train, dev, test = split_by_image(ids, (0.2, 0.15), seed)
    label = f"{len(ids)} captions of {images} images, fractions 0.2 and 0.15, seed {seed}: "
    yield (
        label + "how many images in each, and in two of them at once",
        [
            *map(len, (train, dev, test)),
            len(set(train) & set(dev)) + len(set(train) & set(test)) + len(set(dev) & set(test)),
        ],
    )
    yield label + "training", list(train)
    yield label + "dev", list(dev)
    yield label + "test", list(test)
    ids = _ids(rng, 13)
    yield "13 images, no test images", [list(part) for part in split_by_image(ids, (0.3, 0), seed + 1)]
    turned = [list(part) for part in split_by_image(image_ids=ids[::-1], fractions=(0.3, 0.2), seed=seed)]
    yield "13 images, their captions in another order", turned


def _shuffled(images, fractions, seed, number=round):
    """The images in the order they are dealt out, and how many go to dev and to test."""
    shuffled = list(images)
    random.Random(seed).shuffle(shuffled)
    return shuffled, *(number(fraction * len(images)) for fraction in fractions)


def _deal(images, fractions, seed, number=round):
    shuffled, dev, test = _shuffled(images, fractions, seed, number)
    return sorted(shuffled[dev + test :]), sorted(shuffled[:dev]), sorted(shuffled[dev : dev + test])


@lab.misconception(
    "split_by_image",
    hint="You deal out captions. The five captions of an image then lie in different parts, and the model is tested on "
    "images it has learnt by heart. Deal out images, each once.",
)
def by_caption(image_ids, fractions, seed):
    return tuple(sorted(set(part)) for part in _deal(sorted(image_ids), fractions, seed))


@lab.misconception(
    "split_by_image",
    hint="The images are shuffled in the order their captions come in, so another order gives another split. Sort them "
    "first.",
)
def in_the_captions_order(image_ids, fractions, seed):
    return _deal(list(dict.fromkeys(image_ids)), fractions, seed)


@lab.misconception(
    "split_by_image",
    hint="Nothing is shuffled: neighbors in the alphabet, often of one photographer or one day, end up in one part.",
)
def by_the_alphabet(image_ids, fractions, seed):
    images = sorted(set(image_ids))
    dev, test = (round(fraction * len(images)) for fraction in fractions)
    return images[dev + test :], images[:dev], images[dev : dev + test]


@lab.misconception("split_by_image", hint="Dev and test are exchanged: the dev images are dealt out first.")
def test_first(image_ids, fractions, seed):
    shuffled, dev, test = _shuffled(sorted(set(image_ids)), fractions, seed)
    return sorted(shuffled[dev + test :]), sorted(shuffled[test : dev + test]), sorted(shuffled[:test])


@lab.misconception(
    "split_by_image",
    hint="You deal out the training images first. Dev comes first, then test, and training is the rest.",
)
def training_first(image_ids, fractions, seed):
    shuffled, dev, test = _shuffled(sorted(set(image_ids)), fractions, seed)
    train = len(shuffled) - dev - test
    return sorted(shuffled[:train]), sorted(shuffled[train : train + dev]), sorted(shuffled[train + dev :])


@lab.misconception("split_by_image", hint="The split is the same for every seed. Shuffle with random.Random(seed).")
def one_split_for_all_seeds(image_ids, fractions, seed):
    return _deal(sorted(set(image_ids)), fractions, 0)


@lab.misconception(
    "split_by_image",
    hint="The parts come in the order of the shuffling. Sorted lists are easier to compare, and wanted.",
)
def leaves_them_shuffled(image_ids, fractions, seed):
    shuffled, dev, test = _shuffled(sorted(set(image_ids)), fractions, seed)
    return shuffled[dev + test :], shuffled[:dev], shuffled[dev : dev + test]


@lab.misconception(
    "split_by_image", hint="You round down. 0.15 of 18 images is 2.7, so 3 of them: round to the nearest."
)
def rounds_down(image_ids, fractions, seed):
    return _deal(sorted(set(image_ids)), fractions, seed, number=int)


@lab.misconception(
    "split_by_image",
    hint="The fractions are of the captions with you: with five an image that is five times too many images.",
)
def shares_of_the_captions(image_ids, fractions, seed):
    captions = len(image_ids) / len(set(image_ids))
    return _deal(sorted(set(image_ids)), [fraction * captions for fraction in fractions], seed)
