"""Find the bug: images that are never normalized. Probe and misconceptions."""

from __future__ import annotations

import numpy as np

from captionlab.exercises.drawing import draw, draw_different
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.exercises.observing import dtype_of

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
INCEPTION = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@lab.exercise(
    "captionlab.captioning.encoders:encoder_input",
    points=1,
    minutes=10,
    difficulty=1,
    importance=5,
    rtol=1e-3,
    atol=1e-4,
    starter="never_normalizes",
)
def probe_encoder_input(encoder_input, rng):
    def images(height, width):
        return rng.integers(0, 256, (draw(rng, 1, 3), height, width, 3), dtype="uint8")

    small = rng.integers(0, 256, (1, 3, 3, 3), dtype="uint8")
    label = "one image of 3x3, to the same size, with ImageNet's mean and standard deviation"
    yield label, encoder_input(small, 3, *IMAGENET)
    black = np.zeros((1, 10, 10, 3), dtype="uint8")
    result = encoder_input(black, 2, *INCEPTION)
    yield "a black image of 10x10, to 2x2, with mean and standard deviation 0.5", result
    result = encoder_input(rng.integers(0, 256, (4, 3, 3, 3), dtype="uint8"), 5, *IMAGENET)
    yield "4 images of 3x3, to 5x5: shape and dtype", f"{list(result.shape)} {dtype_of(result)}", 0.25
    size, height, width = draw_different(rng, 4, 9, 3)
    same = images(size, size)
    yield (
        f"{len(same)} images of {size}x{size}, to the same size, with ImageNet's mean and standard deviation",
        encoder_input(same, size, *IMAGENET),
    )
    yield (
        "images of the same size, with Inception's mean and standard deviation of 0.5",
        encoder_input(same, size, *INCEPTION),
    )
    label = f"images of height {height} and width {width}, to {size}x{size}"
    yield label, encoder_input(images=images(height, width), size=size, mean=IMAGENET[0], std=IMAGENET[1])
    own = tuple(rng.uniform(0.2, 0.8, 3).tolist()), tuple(rng.uniform(0.1, 0.4, 3).tolist())
    yield (
        f"images of 24x18, reduced to {size}x{size}, with another mean and standard deviation",
        encoder_input(images(24, 18), size, *own),
    )


# In the reference.
MEAN, STD = "torch.tensor(mean).view(3, 1, 1)", "torch.tensor(std).view(3, 1, 1)"

lab.misconceptions(
    "encoder_input",
    never_normalizes=(
        "This does the same as the code you were given. The images look fine when resized and scaled to 0..1. "
        "What did the network's training do with its images next, and which arguments are never used?",
        {f"(resized - {MEAN}) / {STD}": "resized"},
    ),
    normalizes_before_scaling=(
        "Mean and standard deviation are for values from 0 to 1; yours range from 0 to 255 when you subtract the mean. "
        "Divide by 255 first.",
        {"(resized -": "(resized * 255 -"},
    ),
    divides_first=(
        "You divide by the standard deviation first and then subtract the mean. Swap the two steps.",
        {f"(resized - {MEAN}) / {STD}": f"resized / {STD} - {MEAN}"},
    ),
    subtracts_only=(
        "You do not divide by the standard deviation, so the values are too small.",
        {f" / {STD}": ""},
    ),
    divides_by_the_variance=(
        "You divide by the variance, the square of the standard deviation. `std` is the standard deviation itself.",
        {f" / {STD}": f" / {STD} ** 2"},
    ),
    multiplies_by_std=(
        "You multiply by the standard deviation. Divide by it.",
        {f" / {STD}": f" * {STD}"},
    ),
    adds_the_mean=(
        "You add the mean. Subtract it.",
        {"(resized -": "(resized +"},
    ),
    along_the_width=(
        "Mean and standard deviation are applied along the last axis, the width, not along the colors. Reshape them so "
        "that their three numbers lie along the axis of the colors.",
        {MEAN: "torch.tensor(mean)", STD: "torch.tensor(std)"},
    ),
    scales_by_256=(
        "You divide by 256. The largest value of uint8 is 255, and it becomes 1.",
        {" / 255": " / 256"},
    ),
    by_its_own_statistics=(
        "You normalize each batch by its own mean and standard deviation. The network expects those of its training "
        "images: use the arguments.",
        {
            MEAN: "resized.mean(dim=(0, 2, 3), keepdim=True)",
            STD: "resized.std(dim=(0, 2, 3), keepdim=True)",
        },
    ),
    always_imagenet=(
        "ImageNet's numbers are built into your code. Other networks have others: use `mean` and `std`.",
        {
            "torch.tensor(mean)": "torch.tensor((0.485, 0.456, 0.406))",
            "torch.tensor(std)": "torch.tensor((0.229, 0.224, 0.225))",
        },
    ),
    reshapes=(
        "`reshape` keeps the numbers in their order and mixes up colors and pixels; `permute` moves the color axis to "
        "the front.",
        {"permute(0, 3, 1, 2)": "reshape(len(images), 3, *images.shape[1:3])"},
    ),
    no_antialias=(
        "Without antialias=True, most pixels of a much larger image are ignored. Photographs are much larger "
        "than 224 pixels.",
        {", antialias=True": ""},
    ),
    swaps_red_and_blue=(
        "Red and blue are swapped: the images are red, green, blue, and the network expects this order.",
        {"(resized -": "(resized.flip(1) -"},
    ),
)
