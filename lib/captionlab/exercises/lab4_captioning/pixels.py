"""Find the bug: images that are never normalized. Probe and misconceptions."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from captionlab.exercises.drawing import draw, draw_different
from captionlab.exercises.lab4_captioning.common import lab

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
    check_dtype=True,
    starter="never_normalizes",
)
def probe_encoder_input(encoder_input, rng):
    def pictures(height, width):
        return rng.integers(0, 256, (draw(rng, 1, 3), height, width, 3), dtype="uint8")

    size, height, width = draw_different(rng, 4, 9, 3)
    same = pictures(size, size)
    yield (
        f"{len(same)} pictures of {size}x{size}, to that size, with ImageNet's numbers",
        encoder_input(same, size, *IMAGENET),
    )
    yield "the same with Inception's: mean and standard deviation 0.5", encoder_input(same, size, *INCEPTION)
    label = f"pictures of height {height} and width {width}, to {size}x{size}"
    yield label, encoder_input(pixels=pictures(height, width), size=size, mean=IMAGENET[0], std=IMAGENET[1])
    own = tuple(rng.uniform(0.2, 0.8, 3).tolist()), tuple(rng.uniform(0.1, 0.4, 3).tolist())
    yield (
        f"pictures of 24x18, made smaller, to {size}x{size}, with other numbers",
        encoder_input(pictures(24, 18), size, *own),
    )


def _resized(pixels, size):
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True)


def _column(numbers):
    return torch.tensor(numbers).view(3, 1, 1)


@lab.misconception(
    "encoder_input",
    hint="This is the code you were given. Resized and scaled to 0..1, the images look right, and so do all shapes. "
    "What did the network's training do with its images after that, and which arguments are never used?",
)
def never_normalizes(pixels, size, mean, std):
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    images = F.interpolate(images, size=(size, size), mode="bilinear", antialias=True)
    return images


@lab.misconception(
    "encoder_input",
    hint="Mean and standard deviation are for values from 0 to 1; yours go from 0 to 255 when you subtract them. "
    "Divide by 255 first.",
)
def normalizes_before_scaling(pixels, size, mean, std):
    return (_resized(pixels, size) * 255 - _column(mean)) / _column(std)


@lab.misconception(
    "encoder_input", hint="You divide by the standard deviation first and then subtract the mean: the other way round."
)
def divides_first(pixels, size, mean, std):
    return _resized(pixels, size) / _column(std) - _column(mean)


@lab.misconception(
    "encoder_input",
    hint="The mean is subtracted, but nothing is divided by the standard deviation: values are four times too small.",
)
def subtracts_only(pixels, size, mean, std):
    return _resized(pixels, size) - _column(mean)


@lab.misconception(
    "encoder_input",
    hint="Each batch is normalized by its own mean and spread. The network knows those of its training images: use the "
    "arguments.",
)
def by_its_own_statistics(pixels, size, mean, std):
    images = _resized(pixels, size)
    return (images - images.mean(dim=(0, 2, 3), keepdim=True)) / images.std(dim=(0, 2, 3), keepdim=True)


@lab.misconception(
    "encoder_input",
    hint="ImageNet's numbers are built into your code. Other networks have others: use `mean` and `std`.",
)
def always_imagenet(pixels, size, mean, std):
    return (_resized(pixels, size) - _column(IMAGENET[0])) / _column(IMAGENET[1])


@lab.misconception(
    "encoder_input",
    hint="`reshape` cuts the row of numbers anew and mixes colors and pixels; `permute` moves the axis of colors to "
    "the front.",
)
def reshapes(pixels, size, mean, std):
    count, height, width, _ = pixels.shape
    images = torch.from_numpy(pixels).reshape(count, 3, height, width).float() / 255
    images = F.interpolate(images, size=(size, size), mode="bilinear", antialias=True)
    return (images - _column(mean)) / _column(std)


@lab.misconception(
    "encoder_input",
    hint="Without antialias=True most pixels of a picture that is made much smaller play no part. Photographs are "
    "larger than 224 pixels.",
)
def no_antialias(pixels, size, mean, std):
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    images = F.interpolate(images, size=(size, size), mode="bilinear")
    return (images - _column(mean)) / _column(std)


@lab.misconception(
    "encoder_input",
    hint="Red and blue are exchanged: pictures come in red, green, blue, and the network wants them so.",
)
def exchanges_red_and_blue(pixels, size, mean, std):
    return (_resized(pixels, size).flip(1) - _column(mean)) / _column(std)
