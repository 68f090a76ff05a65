"""Transforms for training and for evaluation: probe and misconceptions."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from captionlab.exercises.drawing import draw, torch_seed
from captionlab.exercises.lab3_bees_ants.common import lab

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
DRAWS = 64


def _draw_image(rng, width: int, height: int) -> Image.Image:
    """Smooth colors with some noise."""
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / draw(rng, 3, 9) + columns / draw(rng, 3, 9) + channel) for channel in range(3)]
    pixels = 127 + 80 * np.stack(waves, axis=2) + rng.normal(0, 15, (height, width, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _ramps() -> Image.Image:
    """Red increases from left to right, green from top to bottom: the color of a pixel is its position."""
    ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    return Image.fromarray(np.stack([ramp, ramp.T, np.zeros_like(ramp)], 2))


def _crops(transform) -> tuple[np.ndarray, np.ndarray]:
    """Of many results for the ramps: columns at the left and right, rows at the top and bottom, from 0 to 1."""
    with torch_seed(0):
        results = torch.stack([torch.as_tensor(transform(_ramps())) for _ in range(DRAWS)])
    mean, std = torch.tensor(IMAGENET_MEAN).view(3, 1, 1), torch.tensor(IMAGENET_STD).view(3, 1, 1)
    pixels = (results * std + mean).numpy()
    columns, rows = pixels[:, 0].mean(axis=1), pixels[:, 1].mean(axis=2)
    return columns[:, [0, -1]], rows[:, [0, -1]]


# PIL rounds to whole gray levels when it resizes, tensors do not: they differ by one level of 255 at most, 0.0175 after
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
        label = f"size {size}, evaluation of an image of {width} by {height} pixels"
        yield label, _seeded(evaluation, _draw_image(rng, width, height))
    one_color = Image.new("RGB", (40, 30), (draw(rng, 20, 90), draw(rng, 200, 240), draw(rng, 110, 150)))
    yield "training on an image of one color (which no crop changes)", _seeded(training, one_color)
    image, other = _draw_image(rng, 50, 40), draw(rng, 8, 12)
    label = "the same image five times: shape, and number of different results, in training and in evaluation"
    yield label, [_results(training, image), _results(evaluation, image)]
    columns, rows = _crops(training)
    label = f"training, {DRAWS} times: whether the image is ever mirrored left to right, ever not, ever upside down"
    mirrored = columns[:, 0] > columns[:, 1]
    yield label, [bool(mirrored.any()), bool((~mirrored).any()), bool((rows[:, 0] > rows[:, 1]).any())]
    areas = np.abs((columns[:, 1] - columns[:, 0]) * (rows[:, 1] - rows[:, 0])) * (size / (size - 1)) ** 2
    label = f"training, {DRAWS} times: whether a crop ever has less than 2/3 of the area, ever more, ever less than 1/4"
    yield label, [bool((areas < 0.66).any()), bool((areas > 0.66).any()), bool((areas < 0.25).any())]
    training, evaluation = make_transforms(size=other)
    label = f"size {other}, evaluation of a square image, then training on one color"
    yield label, [_seeded(evaluation, _draw_image(rng, 48, 48)), _seeded(training, one_color)]


def _seeded(transform, image):
    with torch_seed(0):
        return transform(image)


def _results(transform, image):
    with torch_seed(0):
        results = [transform(image) for _ in range(5)]
    return [list(results[0].shape), len({np.asarray(result).tobytes() for result in results})]


lab.misconceptions(
    "make_transforms",
    augments_evaluation=(
        "Evaluation is random too: the same image gives a different result, and a different accuracy, each time. "
        "Augment for training only.",
        {"*center_crop, *to_input": "*augment, *to_input"},
    ),
    does_not_augment=(
        "Training gets the plain image every time: where are the random crop and the horizontal flip?",
        {"*augment, *to_input": "*center_crop, *to_input"},
    ),
    swaps_the_pipelines=(
        "The two are swapped: the training pipeline is returned first.",
        {
            "v2.Compose([*augment, *to_input]), v2.Compose([*center_crop, *to_input])": "v2.Compose([*center_crop, "
            "*to_input]), v2.Compose([*augment, *to_input])"
        },
    ),
    does_not_normalize=(
        "The network was not trained on values from 0 to 1: end both pipelines with v2.Normalize and ImageNet's means "
        "and standard deviations.",
        {", v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)": ""},
    ),
    normalizes_training_only=(
        "Only training is normalized. Normalization is not augmentation: the network expects it of every image.",
        {"*center_crop, *to_input": "*center_crop, *to_input[:-1]"},
    ),
    forgets_to_scale=(
        "Your pixels go from 0 to 255 when they are normalized. v2.ToDtype changes only the type unless you ask for "
        "scale=True.",
        {", scale=True": ""},
    ),
    squashes_the_image=(
        "v2.Resize with a pair distorts the image to that shape. With a single number it resizes the shorter side and "
        "keeps the aspect ratio.",
        {"v2.Resize(size * 8 // 7)": "v2.Resize((size * 8 // 7, size * 8 // 7))"},
    ),
    crops_without_resizing=(
        "For evaluation you crop the center of an image of any size: of a large photograph, a few hairs. Resize its "
        "shorter side first.",
        {"v2.Resize(size * 8 // 7), ": ""},
    ),
    resizes_without_a_margin=(
        "For evaluation the shorter side becomes `size * 8 // 7`, a little larger than the square that is cropped; you "
        "resize it to `size`.",
        {"size * 8 // 7": "size"},
    ),
    flips_upside_down=(
        "Training turns images upside down: that is a vertical flip. Use v2.RandomHorizontalFlip.",
        {"RandomHorizontalFlip": "RandomVerticalFlip"},
    ),
    forgets_to_flip=(
        "The crops are right; images are never flipped in training.",
        {", v2.RandomHorizontalFlip()": ""},
    ),
    crops_too_little=(
        "By default v2.RandomResizedCrop goes down to 8% of the image, which may not show any of the insect. Set its "
        "scale as the docstring says.",
        {", scale=(0.35, 1)": ""},
    ),
    crops_at_one_scale=(
        "Your training crops move, but all have the same scale. v2.RandomResizedCrop draws the size of the crop as "
        "well as its position.",
        {"v2.RandomResizedCrop(size, scale=(0.35, 1))": "v2.Resize(size * 8 // 7), v2.RandomCrop(size)"},
    ),
)
