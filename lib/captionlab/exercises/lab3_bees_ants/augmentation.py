"""Transforms for training and for evaluation: probe and misconceptions."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from captionlab.exercises.lab3_bees_ants.common import draw, lab, torch_seed

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
DRAWS = 64


def _picture(rng, width: int, height: int) -> Image.Image:
    """Smooth colors with some noise."""
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / draw(rng, 3, 9) + columns / draw(rng, 3, 9) + color) for color in range(3)]
    pixels = 127 + 80 * np.stack(waves, axis=2) + rng.normal(0, 15, (height, width, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _ramps() -> Image.Image:
    """Red rises from left to right, green from top to bottom: the colors of a pixel are its place."""
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    return Image.fromarray(
        np.stack([np.tile(ramp, (64, 1)), np.tile(ramp, (64, 1)).T, np.zeros((64, 64), np.uint8)], 2)
    )


def _places(transform) -> tuple[np.ndarray, np.ndarray]:
    """Of many results for the ramps: columns left and right, and rows at top and bottom, as shares of the picture."""
    with torch_seed(0):
        results = torch.stack([torch.as_tensor(transform(_ramps())) for _ in range(DRAWS)])
    mean, std = torch.tensor(IMAGENET_MEAN).view(3, 1, 1), torch.tensor(IMAGENET_STD).view(3, 1, 1)
    results = (results * std + mean).numpy()
    columns, rows = results[:, 0].mean(axis=1), results[:, 1].mean(axis=2)
    return columns[:, [0, -1]], rows[:, [0, -1]]


# PIL rounds to whole gray levels while it resizes, tensors do not: one level of 255 apart at most, 0.0175 after
# normalizing. Mistakes are far larger.
@lab.exercise(
    "captionlab.transfer.augmentation:make_transforms",
    points=3,
    minutes=25,
    difficulty=3,
    importance=5,
    atol=0.03,
    check_dtype=True,
)
def probe_make_transforms(make_transforms, rng):
    size = draw(rng, 18, 24)
    training, evaluation = make_transforms(size)
    for width, height in ((draw(rng, 60, 80), draw(rng, 35, 45)), (draw(rng, 30, 40), draw(rng, 50, 70))):
        label = f"size {size}, evaluation of a picture of {width} by {height}"
        yield label, _seeded(evaluation, _picture(rng, width, height))
    one_color = Image.new("RGB", (40, 30), tuple(draw_color(rng)))
    yield "training on a picture of one color (no crop changes it)", _seeded(training, one_color)
    picture, other = _picture(rng, 50, 40), draw(rng, 8, 12)
    label = "the same picture five times: shape, and how many different results, in training and in evaluation"
    yield label, [_results(training, picture), _results(evaluation, picture)]
    columns, rows = _places(training)
    label = f"training, {DRAWS} times: whether the picture is ever mirrored left to right, ever not, ever upside down"
    mirrored = columns[:, 0] > columns[:, 1]
    yield label, [bool(mirrored.any()), bool((~mirrored).any()), bool((rows[:, 0] > rows[:, 1]).any())]
    areas = np.abs((columns[:, 1] - columns[:, 0]) * (rows[:, 1] - rows[:, 0])) * (size / (size - 1)) ** 2
    label = (
        f"training, {DRAWS} times: whether a part is ever less than 2/3 of the picture, ever more, ever less than 1/4"
    )
    yield label, [bool((areas < 0.66).any()), bool((areas > 0.66).any()), bool((areas < 0.25).any())]
    training, evaluation = make_transforms(size=other)
    label = f"size {other}, evaluation of a square picture, then training on one color"
    yield label, [_seeded(evaluation, _picture(rng, 48, 48)), _seeded(training, one_color)]


def draw_color(rng) -> list[int]:
    return [draw(rng, 20, 90), draw(rng, 200, 240), draw(rng, 110, 150)]


def _seeded(transform, picture):
    with torch_seed(0):
        return transform(picture)


def _results(transform, picture):
    with torch_seed(0):
        results = [transform(picture) for _ in range(5)]
    return [list(results[0].shape), len({np.asarray(result).tobytes() for result in results})]


@lab.misconception(
    "make_transforms",
    hint="Evaluation is random too: the same picture gives another result, and another accuracy, each time. Augment "
    "for training only.",
)
def augments_evaluation(size):
    to_input = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    steps = [v2.RandomResizedCrop(size, scale=(0.35, 1)), v2.RandomHorizontalFlip(), *to_input]
    return v2.Compose(steps), v2.Compose(steps)


@lab.misconception(
    "make_transforms", hint="Training sees the plain picture each time: where are the random crop and the mirroring?"
)
def does_not_augment(size):
    to_input = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    steps = [v2.Resize(size * 8 // 7), v2.CenterCrop(size), *to_input]
    return v2.Compose(steps), v2.Compose(steps)


@lab.misconception("make_transforms", hint="The two are swapped: the training pipeline is returned first.")
def swaps_the_pipelines(size):
    to_input = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    training = [v2.RandomResizedCrop(size, scale=(0.35, 1)), v2.RandomHorizontalFlip(), *to_input]
    return v2.Compose([v2.Resize(size * 8 // 7), v2.CenterCrop(size), *to_input]), v2.Compose(training)


@lab.misconception(
    "make_transforms",
    hint="Values from 0 to 1 are not what the network was trained on: end both pipelines with v2.Normalize of "
    "ImageNet's means and standard deviations.",
)
def does_not_normalize(size):
    to_input = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    training = [v2.RandomResizedCrop(size, scale=(0.35, 1)), v2.RandomHorizontalFlip(), *to_input]
    return v2.Compose(training), v2.Compose([v2.Resize(size * 8 // 7), v2.CenterCrop(size), *to_input])


@lab.misconception(
    "make_transforms",
    hint="Only training is normalized. Normalizing is no augmentation but what the network expects of every picture.",
)
def normalizes_training_only(size):
    to_input = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    training = [v2.RandomResizedCrop(size, scale=(0.35, 1)), v2.RandomHorizontalFlip(), *to_input]
    evaluation = [v2.Resize(size * 8 // 7), v2.CenterCrop(size), *to_input]
    return v2.Compose([*training, v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)]), v2.Compose(evaluation)


@lab.misconception(
    "make_transforms",
    hint="Your pixels go from 0 to 255 when they are normalized. v2.ToDtype changes the type only, unless you ask for "
    "scale=True.",
)
def forgets_to_scale(size):
    to_input = [v2.ToImage(), v2.ToDtype(torch.float32), v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    training = [v2.RandomResizedCrop(size, scale=(0.35, 1)), v2.RandomHorizontalFlip(), *to_input]
    return v2.Compose(training), v2.Compose([v2.Resize(size * 8 // 7), v2.CenterCrop(size), *to_input])


@lab.misconception(
    "make_transforms",
    hint="v2.Resize with a pair squashes the picture to that shape. With a single number the shorter side gets it, and "
    "the aspect stays.",
)
def squashes_the_picture(size):
    to_input = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    training = [v2.RandomResizedCrop(size, scale=(0.35, 1)), v2.RandomHorizontalFlip(), *to_input]
    larger = size * 8 // 7
    return v2.Compose(training), v2.Compose([v2.Resize((larger, larger)), v2.CenterCrop(size), *to_input])


@lab.misconception(
    "make_transforms",
    hint="For evaluation you cut the middle out of a picture of any size: of a large photograph, a few hairs. Resize "
    "its shorter side first.",
)
def cuts_without_resizing(size):
    to_input = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    training = [v2.RandomResizedCrop(size, scale=(0.35, 1)), v2.RandomHorizontalFlip(), *to_input]
    return v2.Compose(training), v2.Compose([v2.CenterCrop(size), *to_input])


@lab.misconception(
    "make_transforms",
    hint="For evaluation the shorter side becomes `size * 8 // 7`, a little larger than the square that is cut out; "
    "you resize it to `size` itself.",
)
def resizes_without_a_margin(size):
    to_input = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    training = [v2.RandomResizedCrop(size, scale=(0.35, 1)), v2.RandomHorizontalFlip(), *to_input]
    return v2.Compose(training), v2.Compose([v2.Resize(size), v2.CenterCrop(size), *to_input])


@lab.misconception(
    "make_transforms",
    hint="Training turns pictures upside down. A vertical flip is not what was asked for; use v2.RandomHorizontalFlip.",
)
def flips_upside_down(size):
    to_input = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    training = [v2.RandomResizedCrop(size, scale=(0.35, 1)), v2.RandomVerticalFlip(), *to_input]
    return v2.Compose(training), v2.Compose([v2.Resize(size * 8 // 7), v2.CenterCrop(size), *to_input])


@lab.misconception("make_transforms", hint="The crops are right; pictures are never mirrored in training.")
def forgets_to_mirror(size):
    to_input = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    evaluation = [v2.Resize(size * 8 // 7), v2.CenterCrop(size), *to_input]
    return v2.Compose([v2.RandomResizedCrop(size, scale=(0.35, 1)), *to_input]), v2.Compose(evaluation)


@lab.misconception(
    "make_transforms",
    hint="By default v2.RandomResizedCrop goes down to 8 % of the picture, where there may be no insect left. Set its "
    "scale as the docstring says.",
)
def crops_too_little(size):
    to_input = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    training = [v2.RandomResizedCrop(size), v2.RandomHorizontalFlip(), *to_input]
    return v2.Compose(training), v2.Compose([v2.Resize(size * 8 // 7), v2.CenterCrop(size), *to_input])


@lab.misconception(
    "make_transforms",
    hint="Your training crops move, but all have the same scale. v2.RandomResizedCrop draws the size of the part as "
    "well as its place.",
)
def crops_at_one_scale(size):
    to_input = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    training = [v2.Resize(size * 8 // 7), v2.RandomCrop(size), v2.RandomHorizontalFlip(), *to_input]
    return v2.Compose(training), v2.Compose([v2.Resize(size * 8 // 7), v2.CenterCrop(size), *to_input])
