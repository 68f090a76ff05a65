"""The bees and ants of Lab 3: photographs if they have been fetched, else the embedded drawings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from captionlab.datasets.folders import ImageList
from captionlab.experiments.image_folders import choose_dataset, list_splits
from captionlab.vision.images import IMAGENET_MEAN, IMAGENET_STD
from captionlab.vision.sources import open_image

DATA_SEED = 0  # of the embedded drawings: an experiment's seeds vary the training, never the images


@dataclass(frozen=True)
class BeesAnts:
    """Decoded images of two classes; the test images are used once, at the end of a run.

    Attributes:
        source: "hymenoptera", "embedded", or the name of a folder.
        classes: names of the classes.
        train, test: RGB images.
        train_labels, test_labels: int64 ``(n,)``, indices into ``classes``.
        left_out: unusable files, each with the reason.
    """

    source: str
    classes: tuple[str, ...]
    train: list[Image.Image]
    train_labels: np.ndarray
    test: list[Image.Image]
    test_labels: np.ndarray
    left_out: list[tuple[str, str]]


def load_bees_ants(dataset: str | Path | None = None) -> BeesAnts:
    """Read and decode the images; some 400 photographs take 0.3 GB of memory.

    Args:
        dataset: "hymenoptera" (the fetched photographs), "embedded" (drawings), or a folder with ``train/CLASS/`` and
            ``val/CLASS/``. None: the photographs if they have been fetched, else the drawings.

    Raises:
        DataError, ValueError: see :func:`captionlab.experiments.image_folders.list_splits`.
    """
    dataset = choose_dataset(dataset, "hymenoptera")
    if dataset == "embedded":
        return _drawn()
    train, test = lists = list_splits(dataset, "hymenoptera", ("train", "val"))
    return BeesAnts(
        Path(dataset).name,
        tuple(train.classes),
        _decoded(train),
        np.array(train.labels),
        _decoded(test),
        np.array(test.labels),
        [(f"{path.parent.name}/{path.name}", reason) for images in lists for path, reason in images.left_out],
    )


def _drawn() -> BeesAnts:
    from captionlab.datasets.drawn_bees_ants import CLASSES, make_split

    train, train_labels, test, test_labels = make_split(DATA_SEED)
    images, test_images = ([Image.fromarray(pixels) for pixels in part] for part in (train, test))
    return BeesAnts("embedded", CLASSES, images, train_labels, test_images, test_labels, [])


def _decoded(images: ImageList) -> list[Image.Image]:
    return [open_image(path).convert("RGB") for path in images.paths]


def transform_all(images: Sequence[Image.Image], transform: Callable[[Image.Image], Tensor]) -> Tensor:
    """The images after a transform, as one tensor ``(n, 3, size, size)``."""
    return torch.stack([torch.as_tensor(transform(image)) for image in images])


def eval_transform(size: int, margin: float = 1.0) -> v2.Compose:
    """An evaluation transform: the shorter side to ``margin * size``, then the center crop, then normalization.

    The usual margin is 8/7; a margin of 1 loses less of the image. A network trained on random crops of photographs,
    enlarged to ``size``, sees objects larger than it does in the usual evaluation; larger test images make up for that.

    Args:
        size: side of the result, pixels.
        margin: the shorter side before cropping, divided by ``size``.

    Source: Touvron et al. 2019, "Fixing the train-test resolution discrepancy", arXiv:1906.06423.
    """
    return v2.Compose(
        [
            v2.Resize(round(size * margin)),
            v2.CenterCrop(size),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
