"""Transforms for training and for evaluation: probe and misconceptions."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from captionlab.exercises.drawing import draw, torch_seed
from captionlab.exercises.lab3_bees_ants.common import lab

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
MEAN, STD = torch.tensor(IMAGENET_MEAN).view(3, 1, 1), torch.tensor(IMAGENET_STD).view(3, 1, 1)
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
    image = _ramps()
    with torch_seed(0):
        results = torch.stack([torch.as_tensor(transform(image)) for _ in range(DRAWS)])
    pixels = (results * STD + MEAN).numpy()
    columns, rows = pixels[:, 0].mean(axis=1), pixels[:, 1].mean(axis=2)
    return columns[:, [0, -1]], rows[:, [0, -1]]


def _how_often(true: np.ndarray) -> str:
    """How many of the draws are true, in words; half of them within four standard deviations."""
    share = float(np.mean(true))
    words = {0.0: "never", 1.0: "always"}
    return words.get(share) or ("about half of the time" if 0.25 <= share <= 0.75 else "seldom or mostly")


def _seen(areas: np.ndarray, low: float, high: float) -> str:
    return "sometimes" if bool(((areas > low) & (areas < high)).any()) else "never"


# PIL rounds to whole gray levels when it resizes, tensors do not: they differ by one level of 255 at most, 0.0175 after
# normalizing. Mistakes are far larger. An image of one color is exact in both.
@lab.exercise(
    "captionlab.transfer.augmentation:make_transforms",
    points=3,
    minutes=25,
    difficulty=3,
    importance=5,
    atol=0.03,
)
def probe_make_transforms(make_transforms, rng):
    size, other = draw(rng, 18, 24), draw(rng, 8, 12)
    training, evaluation = make_transforms(size)
    color = draw(rng, 20, 90), draw(rng, 200, 240), draw(rng, 110, 150)
    one_color = Image.new("RGB", (40, 30), color)
    trained, evaluated = _seeded(training, one_color), _seeded(evaluation, one_color)
    case = f"size {size}, an image of one color, {color}, which no crop changes: "
    yield case + "the shapes in training and in evaluation", [list(trained.shape), list(evaluated.shape)]
    yield case + "a pixel in training", trained[:, 1, 1], 2
    yield case + "a pixel in evaluation", evaluated[:, 1, 1], 2
    dtypes = [str(each.dtype).removeprefix("torch.") for each in (trained, evaluated)]
    yield case + "dtypes in training and in evaluation", dtypes, 0.5
    image = _draw_image(rng, 50, 40)
    yield (
        "the same image five times: number of different results in evaluation",
        _number_of_results(evaluation, image),
        6,
    )
    yield "the same image five times: number of different results in training", _number_of_results(training, image)
    yield from _augmentation(training, size)
    for width, height in ((draw(rng, 60, 80), draw(rng, 35, 45)), (draw(rng, 30, 40), draw(rng, 50, 70))):
        label = f"size {size}, evaluation of an image of {width} by {height} pixels"
        yield label, _seeded(evaluation, _draw_image(rng, width, height)), 5
    training, evaluation = make_transforms(size=other)
    yield f"size {other}, evaluation of a square image", _seeded(evaluation, _draw_image(rng, 48, 48)), 2
    made = torch.stack([_seeded(training, one_color)[:, 0, 0], _seeded(evaluation, one_color)[:, 0, 0]])
    levels = (made * STD.flatten() + MEAN.flatten()) * 255
    yield f"size {other}, an image of color {color}: a pixel's gray levels without the normalization", levels, 2


def _augmentation(training, size):
    """What many training results for one image have in common; the crop's borders are read off its colors."""
    columns, rows = _crops(training)
    case = f"training, {DRAWS} times the same image: "
    yield case + "how often it is mirrored left to right", _how_often(columns[:, 0] > columns[:, 1]), 7
    yield case + "how often it is upside down", "upside down: " + _how_often(rows[:, 0] > rows[:, 1]), 2
    scale = size / (size - 1)
    widths, heights = np.abs(columns[:, 1] - columns[:, 0]) * scale, np.abs(rows[:, 1] - rows[:, 0]) * scale
    areas = widths * heights
    ranges = {"less than 1/4": (-1, 0.25), "35% to 47%": (0.33, 0.47), "85% or more": (0.85, 2)}
    label = case + "shares of the image's area that a crop has"
    yield label, [f"{name}: {_seen(areas, *ends)}" for name, ends in ranges.items()], 7
    shapes = {"wider": (1.12, 1.4), "higher": (0.7, 0.89), "twice as wide": (1.5, 9)}
    ratios = widths / np.maximum(heights, 1e-3)
    label = case + "shapes of the crops, in the image's own pixels"
    yield label, [f"{name}: {_seen(ratios, *ends)}" for name, ends in shapes.items()]


def _seeded(transform, image):
    with torch_seed(0):
        return torch.as_tensor(transform(image))


def _number_of_results(transform, image):
    with torch_seed(0):
        return len({np.asarray(transform(image)).tobytes() for _ in range(5)})


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
        "The two pipelines are swapped: return the training pipeline first.",
        {
            "v2.Compose([*augment, *to_input]), v2.Compose([*center_crop, *to_input])": "v2.Compose([*center_crop, "
            "*to_input]), v2.Compose([*augment, *to_input])"
        },
    ),
    does_not_normalize=(
        "Your values are not normalized: end both pipelines with v2.Normalize and ImageNet's means and "
        "standard deviations.",
        {", v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)": ""},
    ),
    normalizes_training_only=(
        "Only training is normalized. Normalization is not augmentation: the network expects it for every image.",
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
    forgets_the_center_crop=(
        "Your evaluation images are not square: after resizing the shorter side, crop the central square with "
        "v2.CenterCrop.",
        {", v2.CenterCrop(size)": ""},
    ),
    resizes_to_256=(
        "You always resize to 256, which only suits inputs of 224 pixels. Compute the shorter side from `size`.",
        {"v2.Resize(size * 8 // 7)": "v2.Resize(256)"},
    ),
    other_means=(
        "You do not normalize with ImageNet's numbers. A pretrained network expects IMAGENET_MEAN and IMAGENET_STD.",
        {"IMAGENET_MEAN, IMAGENET_STD": "(0.5, 0.5, 0.5), (0.5, 0.5, 0.5)"},
    ),
    swaps_mean_and_std=(
        "v2.Normalize takes the means first, then the standard deviations; yours are swapped.",
        {"IMAGENET_MEAN, IMAGENET_STD": "IMAGENET_STD, IMAGENET_MEAN"},
    ),
    forgets_to_crop=(
        "Training always shows the whole image: the random crop (v2.RandomResizedCrop) is missing.",
        {"v2.RandomResizedCrop(size, scale=(0.35, 1))": "v2.Resize((size, size))"},
    ),
    always_flips=(
        "Every training image is mirrored: a flip with probability 1 augments nothing. Its probability is 1/2.",
        {"RandomHorizontalFlip()": "RandomHorizontalFlip(p=1)"},
    ),
    crops_without_resizing=(
        "For evaluation you crop the center of an image without resizing, which is a tiny part of a large "
        "photograph. Resize its shorter side first.",
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
        "Images are never flipped in training: add v2.RandomHorizontalFlip.",
        {", v2.RandomHorizontalFlip()": ""},
    ),
    crops_too_little=(
        "By default v2.RandomResizedCrop goes down to 8% of the image, which may not show any of the insect. Set its "
        "scale as the docstring says.",
        {", scale=(0.35, 1)": ""},
    ),
    crops_at_one_scale=(
        "All your training crops have the same scale. v2.RandomResizedCrop draws the size of the crop as well "
        "as its position.",
        {"v2.RandomResizedCrop(size, scale=(0.35, 1))": "v2.Resize(size * 8 // 7), v2.RandomCrop(size)"},
    ),
)

lab.other_spellings(
    "make_transforms",
    squashes_the_image=[{"v2.Resize(size * 8 // 7), v2.CenterCrop(size)": "v2.Resize((size, size))"}],
    crops_at_one_scale=[{"v2.RandomResizedCrop(size, scale=(0.35, 1))": "v2.RandomCrop(size)"}],
)
