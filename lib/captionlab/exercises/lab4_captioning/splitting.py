"""Images for training, for model selection and for the final test: probe and misconceptions."""

from __future__ import annotations

from captionlab.exercises.drawing import draw, draw_different, on_copies
from captionlab.exercises.lab4_captioning.common import NOUNS, draw_words, lab
from captionlab.exercises.observing import GlobalGenerators


def _ids(rng, images: int) -> list[str]:
    """The image of each caption: three to five captions per image, in random order."""
    names = [f"{noun}_{number}.jpg" for noun in draw_words(rng, NOUNS, 4) for number in draw_different(rng, 10, 99, 10)]
    of_each = [name for name in names[:images] for _ in range(draw(rng, 3, 5))]
    return [of_each[at] for at in rng.permutation(len(of_each))]


@lab.exercise("captionlab.captioning.splitting:split_by_image", points=2, minutes=15, difficulty=2, importance=5)
def probe_split_by_image(split_by_image, rng):
    split_by_image = on_copies(split_by_image)
    generators = GlobalGenerators()
    parts = generators.call(split_by_image, [*"aabbccdd"], (0.25, 0.25), seed=0)
    yield (
        "8 captions of the images a, b, c and d, fractions 0.25 and 0.25, seed 0: the number of images in each part",
        [*map(len, parts)],
    )
    images, seed = draw(rng, 17, 19), draw(rng, 1, 1000)
    ids = _ids(rng, images)
    train, dev, test = split_by_image(ids, (0.2, 0.15), seed)
    label = f"{len(ids)} captions of {images} images, fractions 0.2 and 0.15, seed {seed}: "
    yield label + "the number of images in each part", list(map(len, (train, dev, test)))
    common = (set(train) & set(dev)) | (set(train) & set(test)) | (set(dev) & set(test))
    yield label + "images in two parts at once", len(common)
    yield label + "training images", list(train)
    yield label + "dev images", list(dev)
    yield label + "test images", list(test)
    ids = _ids(rng, 13)
    yield "13 images, no test images", [list(part) for part in split_by_image(ids, (0.3, 0), seed + 1)]
    turned = [list(part) for part in split_by_image(image_ids=ids[::-1], fractions=(0.3, 0.2), seed=seed)]
    yield "13 images, their captions in another order", turned
    yield "global random generators that were used", generators.used, 0.5


# What the reference returns.
PARTS = "sorted(shuffled[dev + test :]), sorted(shuffled[:dev]), sorted(shuffled[dev : dev + test])"

lab.misconceptions(
    "split_by_image",
    by_caption=(
        "You split captions. The captions of one image then end up in different parts, and the model is tested on "
        "images it has memorized. Split images, each of them once.",
        {
            "sorted(set(image_ids))": "sorted(image_ids)",
            PARTS: PARTS.replace("sorted(", "sorted(set(").replace("])", "]))"),
        },
    ),
    in_the_captions_order=(
        "The images are shuffled in the order of their captions, so a different order gives a different split. Sort "
        "them first.",
        {"sorted(set(image_ids))": "list(dict.fromkeys(image_ids))"},
    ),
    by_the_alphabet=(
        "Nothing is shuffled: neighbors in the alphabet, often from one photographer or one day, end up in one part.",
        {"random.Random(seed).shuffle(shuffled)": ""},
    ),
    test_first=(
        "Dev and test are swapped: the dev images come first.",
        {"shuffled[:dev]": "shuffled[test : dev + test]", "shuffled[dev : dev + test]": "shuffled[:test]"},
    ),
    training_first=(
        "Your training images come first. Dev comes first, then test, and the rest is for training.",
        {
            "return ": "train = len(images) - dev - test\n    return ",
            PARTS: "sorted(shuffled[:train]), sorted(shuffled[train : train + dev]), sorted(shuffled[train + dev :])",
        },
    ),
    one_split_for_all_seeds=(
        "The split is the same for every seed. Shuffle with random.Random(seed).",
        {"Random(seed)": "Random(0)"},
    ),
    leaves_them_shuffled=(
        "The images of each part are in shuffled order. Return sorted lists, which are easier to compare.",
        {PARTS: "shuffled[dev + test :], shuffled[:dev], shuffled[dev : dev + test]"},
    ),
    dev_test_train=(
        "Your parts are in the wrong order: return training images first, then dev, then test.",
        {PARTS: "sorted(shuffled[:dev]), sorted(shuffled[dev : dev + test]), sorted(shuffled[dev + test :])"},
    ),
    shuffled_by_numpy=(
        "NumPy's generators shuffle differently, so the same seed gives a different split. Use random.Random(seed).",
        {"random.Random(seed)": "np.random.default_rng(seed)"},
        "import numpy as np",
    ),
    global_generator=(
        "You seed Python's global generator, which changes the random numbers of all other code. Make one of your own: "
        "random.Random(seed).",
        {"random.Random(seed).shuffle": "random.seed(seed)\n    random.shuffle"},
    ),
    sorts_nothing=(
        "Nothing is sorted: neither the images before the shuffle, so that the order of the captions changes the "
        "split, nor the lists you return.",
        {
            "sorted(set(image_ids))": "list(dict.fromkeys(image_ids))",
            PARTS: "shuffled[dev + test :], shuffled[:dev], shuffled[dev : dev + test]",
        },
    ),
    rounds_down=(
        "You round down. 0.15 of 18 images is 2.7, so 3 images: round to the nearest integer.",
        {"round(": "int("},
    ),
    shares_of_the_captions=(
        "You take the fractions of the captions, not of the images: with five captions per image, that is five times "
        "too many.",
        {"fraction * len(images)": "fraction * len(image_ids)"},
    ),
)

lab.other_spellings(
    "split_by_image",
    training_first=[
        {
            "return ": "train = len(images) - dev - test\n    return ",
            PARTS: "shuffled[:train], shuffled[train : train + dev], shuffled[train + dev :]",
        }
    ],
    test_first=[
        {PARTS: "shuffled[dev + test :], shuffled[test : dev + test], shuffled[:test]"},
    ],
    dev_test_train=[{PARTS: "shuffled[:dev], shuffled[dev : dev + test], shuffled[dev + test :]"}],
)
