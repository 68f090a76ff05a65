"""What a network expects of an image: size, interpolation, mean and standard deviation; one class for all networks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from captionlab.common.images import to_gray_or_rgb
from captionlab.vision.images import IMAGENET_MEAN, IMAGENET_STD

INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


@dataclass(frozen=True)
class Preprocessing:
    """From a PIL image to a network's input: resize, scale to 0..1, subtract the mean, divide by the std.

    The whole image is kept: it is resized to the input size whatever its aspect ratio, and nothing is cropped. With the
    default mean and std these are the values of :func:`captionlab.vision.images.prepare_image`.

    Attributes:
        size: height and width in pixels; one number if they are equal.
        mean: of red, green and blue, for values from 0 to 1.
        std: likewise.
        interpolation: "bilinear", "bicubic" or "nearest".

    Raises:
        ValueError: if a value is impossible.

    Example:
        >>> preprocess = Preprocessing(size=(48, 64), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        >>> tensor = preprocess(Image.new("RGB", (320, 200), "white"))
        >>> tensor.shape, tensor.max()
        (torch.Size([3, 48, 64]), tensor(1.))
    """

    size: int | tuple[int, int] = 224
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        sides = (self.size,) if isinstance(self.size, int) else self.size
        if len(sides) not in (1, 2) or min(sides) < 1:
            raise ValueError(f"size is {self.size}: give the side in pixels, or (height, width), at least 1")
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"interpolation is {self.interpolation!r}: give one of {', '.join(INTERPOLATIONS)}")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError(f"mean is {self.mean}, std is {self.std}: give three numbers each, std above 0")

    @property
    def height(self) -> int:
        """Height of the input, pixels."""
        return self.size if isinstance(self.size, int) else self.size[0]

    @property
    def width(self) -> int:
        """Width of the input, pixels."""
        return self.size if isinstance(self.size, int) else self.size[1]

    def with_size(self, size: int | tuple[int, int]) -> Preprocessing:
        """The same preprocessing for another input size."""
        return replace(self, size=size)

    def __call__(self, image: Image.Image) -> Tensor:
        """One image, of any size and mode, to ``(3, height, width)``, float32."""
        return self.batch([image])[0]

    def batch(self, images: Iterable[Image.Image]) -> Tensor:
        """Several images to ``(batch, 3, height, width)``, float32, channels last in memory."""
        shape = (self.height, self.width, 3)
        pixels = [np.broadcast_to(self.resize(image), shape) for image in images]
        return self.normalize(np.stack(pixels) if pixels else np.empty((0, *shape), np.uint8))

    def resize(self, image: Image.Image) -> np.ndarray:
        """Pixels of the resized image, uint8: ``(height, width, 3)``, or ``(height, width, 1)`` of a gray image.

        Raises:
            ValueError: if it is not clear what the values mean (see :func:`captionlab.common.images.to_8_bits`).
        """
        image = to_gray_or_rgb(image)  # a gray image is resized once, not three times
        resized = image.resize((self.width, self.height), INTERPOLATIONS[self.interpolation])
        return np.asarray(resized).reshape(self.height, self.width, -1)

    def normalize(self, pixels: np.ndarray) -> Tensor:
        """Normalize pixels that have the right size.

        Args:
            pixels: ``(batch, height, width, 3)``, uint8.

        Returns:
            ``(batch, 3, height, width)``, float32, channels last in memory.
        """
        mean, std = torch.tensor(self.mean)[:, None, None], torch.tensor(self.std)[:, None, None]
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()  # a view: already channels last in memory
        return images.div_(255 * std).sub_(mean / std)


IMAGENET = Preprocessing()  # of most of torchvision's networks
