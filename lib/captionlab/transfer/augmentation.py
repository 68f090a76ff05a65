"""From image files to training and evaluation examples: augmented for training, plain for evaluation."""

from __future__ import annotations

import torch
from PIL import Image
from torchvision.transforms import v2

from captionlab.vision.images import IMAGENET_MEAN, IMAGENET_STD


def make_transforms(size):
    """Make the two pipelines that turn a picture into a network's input, of torchvision's transforms v2.

    The training pipeline shows a picture differently each time it is called:

    1. a random part of it, resized to ``size`` by ``size`` (``v2.RandomResizedCrop``): of 35 % to 100 % of its area,
       its aspect as by default;
    2. mirrored left to right with probability 1/2 (``v2.RandomHorizontalFlip``).

    The evaluation pipeline has no randomness:

    1. the shorter side is resized to ``size * 8 // 7`` pixels, the aspect kept (``v2.Resize``);
    2. the central square of ``size`` by ``size`` pixels is cut out (``v2.CenterCrop``).

    Both work on the picture itself up to here, with the transforms' default interpolation (bilinear), and go on in
    the same way: they make it a tensor of float32 from 0 to 1 (``v2.ToImage``, ``v2.ToDtype`` with scaling) and
    normalize each color with ``IMAGENET_MEAN`` and ``IMAGENET_STD`` (``v2.Normalize``).

    Args:
        size: height and width of the result, in pixels.

    Returns:
        ``(training, evaluation)``, two callables; each takes a PIL picture of mode ``"RGB"`` and any size and gives
        ``(3, size, size)``, float32, normalized.

    Example::

        training, evaluation = make_transforms(size=112)
        picture = Image.new("RGB", (320, 200), "white")
        training(picture).shape, evaluation(picture).shape  # (torch.Size([3, 112, 112]), torch.Size([3, 112, 112]))
        evaluation(picture)[:, 0, 0]  # tensor([2.2489, 2.4286, 2.6400])
        evaluation.transforms[0].size  # [128]

    Source: https://docs.pytorch.org/vision/stable/transforms.html; Szegedy et al. 2015, "Going deeper with
    convolutions", arXiv:1409.4842, section 6, for the random crops.
    """
    to_input = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    training = v2.Compose([v2.RandomResizedCrop(size, scale=(0.35, 1)), v2.RandomHorizontalFlip(), *to_input])
    evaluation = v2.Compose([v2.Resize(size * 8 // 7), v2.CenterCrop(size), *to_input])
    return training, evaluation


def make_datasets(paths, labels, train, validation, transforms):
    """Make the training and the validation data set from image files.

    The training set has the images ``paths[i]`` for i in ``train``, transformed by the training transform; the
    validation set those for i in ``validation``, transformed by the evaluation transform. Files are opened and
    transformed when an example is asked for, and each time anew: that is how training sees other crops in every
    epoch.

    Args:
        paths: image files, of any mode and size; they are converted to RGB.
        labels: class of each file, as long as ``paths``.
        train: indices of the training images, into ``paths``.
        validation: indices of the validation images.
        transforms: ``(training, evaluation)``, two callables that take a PIL picture in RGB, as ``make_transforms``
            gives them.

    Returns:
        ``(training set, validation set)``. Each has a length and gives, for ``dataset[k]``, the example of the k-th of
        its indices: ``(what the transform gives, label)``. ``torch.utils.data.DataLoader`` takes them.

    Example::

        train, validation = split_train_validation(labels, fraction=0.2, seed=0)
        training, held_out = make_datasets(paths, labels, train, validation, make_transforms(224))
        len(training) + len(held_out) == len(paths)  # True
        image, label = held_out[0]  # of the file paths[validation[0]], the same tensor every time
        image.shape  # torch.Size([3, 224, 224])
    """

    class Images(torch.utils.data.Dataset):
        def __init__(self, indices, transform):
            self.indices, self.transform = list(indices), transform

        def __len__(self):
            return len(self.indices)

        def __getitem__(self, k):
            index = self.indices[k]
            with Image.open(paths[index]) as image:
                return self.transform(image.convert("RGB")), labels[index]

    training_transform, evaluation_transform = transforms
    return Images(train, training_transform), Images(validation, evaluation_transform)
