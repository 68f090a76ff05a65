"""From image files to training and evaluation examples: augmented for training, plain for evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image, ImageOps
from torchvision.transforms import v2

from captionlab.vision.images import IMAGENET_MEAN, IMAGENET_STD


def make_transforms(size: int) -> tuple[v2.Compose, v2.Compose]:
    """Make the two pipelines of torchvision's transforms v2 that turn an image into the input of a network.

    The training pipeline gives a different result each time it is called:

    1. a random crop, resized to ``size`` by ``size`` (``v2.RandomResizedCrop``): 35% to 100% of the image's area, with
       the default range of aspect ratios;
    2. a horizontal flip with probability 1/2 (``v2.RandomHorizontalFlip``).

    The evaluation pipeline has no randomness:

    1. the shorter side is resized to ``size * 8 // 7`` pixels, keeping the aspect ratio (``v2.Resize``);
    2. the central square of ``size`` by ``size`` pixels is cropped (``v2.CenterCrop``).

    So far both work on the PIL image, with the transforms' default interpolation (bilinear). They continue in the same
    way: convert to a float32 tensor with values from 0 to 1 (``v2.ToImage``, ``v2.ToDtype`` with scaling), then
    normalize each channel with ``IMAGENET_MEAN`` and ``IMAGENET_STD`` (``v2.Normalize``).

    Args:
        size: height and width of the result, in pixels.

    Returns:
        ``(training, evaluation)``, two callables; each takes a PIL image of mode ``"RGB"`` and any size and returns
        a normalized float32 tensor ``(3, size, size)``.

    Example:
        >>> training, evaluation = make_transforms(size=112)
        >>> image = Image.new("RGB", (320, 200), "white")
        >>> training(image).shape, evaluation(image).shape
        (torch.Size([3, 112, 112]), torch.Size([3, 112, 112]))
        >>> evaluation(image)[:, 0, 0]
        tensor([2.2489, 2.4286, 2.6400])

    Source: https://docs.pytorch.org/vision/stable/transforms.html; Szegedy et al. 2015, "Going deeper with
    convolutions", arXiv:1409.4842, section 6, for the random crops.
    """
    to_input = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    augment = [v2.RandomResizedCrop(size, scale=(0.35, 1)), v2.RandomHorizontalFlip()]
    center_crop = [v2.Resize(size * 8 // 7), v2.CenterCrop(size)]
    return v2.Compose([*augment, *to_input]), v2.Compose([*center_crop, *to_input])


def make_datasets(
    paths: Sequence[str | Path],
    labels: Sequence[int],
    train_indices: Sequence[int],
    validation_indices: Sequence[int],
    transforms: tuple[Callable, Callable],
) -> tuple[torch.utils.data.Dataset, torch.utils.data.Dataset]:
    """Make the training and the validation data set from image files.

    The training set holds the images ``paths[i]`` for i in ``train_indices``, transformed by the training transform;
    the validation set holds those for i in ``validation_indices``, transformed by the evaluation transform. A file is
    opened and transformed each time its example is requested, so that training sees other crops in every epoch.

    Args:
        paths: image files, of any mode and size; they are turned upright (``ImageOps.exif_transpose``) and converted to
            RGB.
        labels: class of each file, as long as ``paths``.
        train_indices: indices of the training images in ``paths``.
        validation_indices: indices of the validation images in ``paths``.
        transforms: ``(training, evaluation)``, two callables that take a PIL image of mode ``"RGB"``, such as
            ``make_transforms`` returns.

    Returns:
        ``(training set, validation set)``. Each has a length, and ``dataset[k]`` is the example of the k-th of its
        indices: ``(transformed image, label)``. ``torch.utils.data.DataLoader`` accepts them.

    Requesting an example raises ValueError if its file has more than 8 bits per channel (mode ``"I;16"``, ``"I"`` or
    ``"F"``), which PIL's ``convert`` would clip to white.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> paths = [folder / "ant.png", folder / "bee.png", folder / "wasp.png"]
        >>> for path in paths:
        ...     Image.new("RGB", (40, 30)).save(path)
        >>> training_set, validation_set = make_datasets(paths, [0, 1, 1], [0, 2], [1], make_transforms(28))
        >>> len(training_set), len(validation_set)
        (2, 1)
        >>> image, label = validation_set[0]  # the file paths[1]
        >>> image.shape, label
        (torch.Size([3, 28, 28]), 1)
    """

    class Images(torch.utils.data.Dataset):
        def __init__(self, indices: Sequence[int], transform: Callable[[Image.Image], torch.Tensor]) -> None:
            self.indices, self.transform = list(indices), transform

        def __len__(self) -> int:
            return len(self.indices)

        def __getitem__(self, k: int) -> tuple[torch.Tensor, int]:
            index = self.indices[k]
            with Image.open(paths[index]) as opened:
                image = ImageOps.exif_transpose(opened)  # cameras note how they were held
            if image.mode[0] in "IF":  # more than 8 bits per channel: convert would clip them to white
                raise ValueError(f"{paths[index]} has the mode {image.mode}: save it with 8 bits per channel")
            return self.transform(image.convert("RGB")), labels[index]

    training_transform, evaluation_transform = transforms
    return Images(train_indices, training_transform), Images(validation_indices, evaluation_transform)
