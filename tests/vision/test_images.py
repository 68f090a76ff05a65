"""Image preparation against torchvision's transforms."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import VGG16_Weights
from torchvision.transforms import v2

from captionlab.vision import images
from captionlab.vision.images import IMAGENET_MEAN, IMAGENET_STD, prepare_image


def photograph(width: int, height: int, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def by_torchvision(image: Image.Image, size: int) -> torch.Tensor:
    steps = [v2.Resize((size, size)), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    return v2.Compose([*steps, v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)])(image.convert("RGB"))[None]


def test_example_of_the_docstring():
    assert doctest.testmod(images).failed == 0


def test_the_constants_are_those_of_the_weights():
    transforms = VGG16_Weights.IMAGENET1K_V1.transforms()
    assert list(IMAGENET_MEAN) == transforms.mean
    assert list(IMAGENET_STD) == transforms.std


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA", "CMYK", "1"])
@pytest.mark.parametrize(("width", "height", "size"), [(300, 180, 224), (20, 31, 16), (5, 4, 12)])
def test_every_mode_and_aspect(mode, width, height, size):
    image = photograph(width, height, mode)
    batch = prepare_image(image, size)
    assert batch.shape == (1, 3, size, size)
    assert batch.dtype == torch.float32
    torch.testing.assert_close(batch, by_torchvision(image, size))
    assert (image.mode, image.size) == (mode, (width, height))


def test_gray_has_three_equal_colors():
    batch = prepare_image(photograph(30, 20, "L"), 8)
    colors = batch[0] * torch.tensor(IMAGENET_STD)[:, None, None] + torch.tensor(IMAGENET_MEAN)[:, None, None]
    torch.testing.assert_close(colors[0], colors[1])
    torch.testing.assert_close(colors[0], colors[2])


def test_the_whole_picture_is_kept():
    pixels = np.zeros((10, 100, 3), np.uint8)
    pixels[:, :10] = 255  # a center crop would lose it
    assert prepare_image(Image.fromarray(pixels), 20)[0, 0, :, 0].min() > 2


def test_the_default_is_what_vgg_takes():
    assert prepare_image(photograph(50, 40)).shape == (1, 3, 224, 224)
