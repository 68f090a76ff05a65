"""From an image to the tensor that a network trained on ImageNet expects."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

# Mean and standard deviation of red, green and blue over ImageNet's training images, for values from 0 to 1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def prepare_image(image: Image.Image, size: int = 224) -> torch.Tensor:
    """Turn an image into a batch of one, as networks trained on ImageNet expect it.

    The whole image is kept: it is resized to a square, whatever its aspect ratio, and nothing is cropped. Values from
    0 (black) to 255 are scaled to 0..1, then each channel is normalized with its mean and standard deviation over
    ImageNet, ``IMAGENET_MEAN`` and ``IMAGENET_STD`` (red, green, blue, for values from 0 to 1).

    Args:
        image: an image of any size and any PIL mode: color, gray (``"L"``), with a palette, with transparency (which
            is ignored). A gray image becomes one with three equal channels. The image itself is not changed.
        size: height and width of the result in pixels; the image is resized with PIL's bilinear filter.

    Returns:
        ``(1, 3, size, size)``, float32: batch, channel (red, green, blue), height, width.

    Raises:
        ValueError: if the mode is ``"I;16"``, ``"I"`` or ``"F"`` (more than 8 bits per channel), whose values PIL's
            ``convert`` clips to white instead of scaling them.

    Example:
        >>> black = Image.new("L", (320, 200))
        >>> batch = prepare_image(black, size=64)
        >>> batch.shape, batch.dtype
        (torch.Size([1, 3, 64, 64]), torch.float32)
        >>> batch[0, :, 0, 0]
        tensor([-2.1179, -2.0357, -1.8044])

    Source: the preprocessing of torchvision's weights, https://docs.pytorch.org/vision/stable/models.html; Simonyan
    and Zisserman 2015, arXiv:1409.1556, section 2.1 (which subtracts the mean only).
    """
    if image.mode[0] in "IF":
        raise ValueError(f"the mode is {image.mode}, with more than 8 bits per channel: open the file with open_image")
    image = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=np.float32) / 255  # (size, size, 3)
    pixels = (pixels - np.array(IMAGENET_MEAN, np.float32)) / np.array(IMAGENET_STD, np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0)  # (1, 3, size, size)
