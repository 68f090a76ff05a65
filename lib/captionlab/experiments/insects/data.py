"""The bees and ants of Lab 3: photographs where they have been fetched, else the embedded drawings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from captionlab.datasets.folders import ImageList, list_images, read_split
from captionlab.vision.images import IMAGENET_MEAN, IMAGENET_STD

DATA_SEED = 0  # of the embedded drawings: the experiments' seeds vary the training, not the images


@dataclass(frozen=True)
class Insects:
    """Decoded pictures of two classes; the test pictures serve for one look at the end of a run.

    Attributes:
        source: "hymenoptera", "embedded", or the name of a folder.
        classes: names of the classes.
        train, test: RGB pictures.
        train_labels, test_labels: int64 (n,), indices into ``classes``.
        left_out: unusable files, each with the reason.
    """

    source: str
    classes: tuple[str, ...]
    train: list[Image.Image]
    train_labels: np.ndarray
    test: list[Image.Image]
    test_labels: np.ndarray
    left_out: list[tuple[str, str]]


def load_insects(data: str | Path | None = None) -> Insects:
    """Read and decode the images; some 400 photographs take 0.3 GB of memory.

    Args:
        data: "hymenoptera" (the fetched photographs), "embedded" (drawings), or a folder with ``train/CLASS/`` and
            ``val/CLASS/``. None: the photographs where they have been fetched, else the drawings.

    Raises:
        DataError: if the images are not there (NotFetched tells how to fetch them), or no folders of images.
        ValueError: if training and validation folder have other classes.
    """
    from captionlab.datasets.errors import NotFetched

    if data == "embedded":
        return _drawn()
    if data is None:
        try:
            return load_insects("hymenoptera")
        except NotFetched:
            return _drawn()
    if data == "hymenoptera":
        parts = [read_split("hymenoptera", split) for split in ("train", "val")]
    else:
        parts = [list_images(Path(data) / split) for split in ("train", "val")]
    training, test = parts
    if training.classes != test.classes:
        raise ValueError(f"train has the classes {training.classes}, val {test.classes}: expected the same in both")
    return Insects(
        Path(data).name,
        tuple(training.classes),
        _decoded(training),
        np.array(training.labels),
        _decoded(test),
        np.array(test.labels),
        [(f"{path.parent.name}/{path.name}", reason) for part in parts for path, reason in part.left_out],
    )


def _drawn() -> Insects:
    from captionlab.datasets.insects import CLASSES, make_split

    train, train_labels, test, test_labels = make_split(DATA_SEED)
    pictures = [[Image.fromarray(pixels) for pixels in part] for part in (train, test)]
    return Insects("embedded", CLASSES, pictures[0], train_labels, pictures[1], test_labels, [])


def _decoded(images: ImageList) -> list[Image.Image]:
    decoded = []
    for path in images.paths:
        with Image.open(path) as image:
            decoded.append(image.convert("RGB"))
    return decoded


def prepared(pictures: list[Image.Image], transform) -> Tensor:
    """The pictures through a transform, as one tensor (n, 3, size, size)."""
    return torch.stack([torch.as_tensor(transform(picture)) for picture in pictures])


def whole_picture(size: int, margin: float = 1.0) -> v2.Compose:
    """A plain transform that loses less than the usual one: the shorter side to ``margin * size``, then the center.

    A network trained on random parts of photographs, enlarged to ``size``, sees objects larger than it does in the
    usual evaluation; larger test images make up for that (Touvron et al. 2019, arXiv:1906.06423).
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
