"""Records of images with captions: what the readers of the datasets make."""

from __future__ import annotations

import io
import warnings
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from captionlab.captioning.text import tokenize
from captionlab.common.images import identify
from captionlab.datasets.errors import DataError
from captionlab.vision.sources import ImageSource

SPLITS = ("train", "dev", "test")
MAX_INVALID = 0.05  # share of a dataset's images that may be unusable before that is an error and not a warning


@dataclass(frozen=True)
class InMemoryImage:
    """An image in memory, as the bytes of its file."""

    data: bytes = field(repr=False)

    @classmethod
    def from_pixels(cls, pixels: np.ndarray) -> InMemoryImage:
        """An image of the given pixels, (height, width, 3), uint8."""
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        return cls(buffer.getvalue())

    def read(self) -> Image.Image:
        """The image, not decoded yet (:func:`captionlab.vision.open_image` does that)."""
        return identify(io.BytesIO(self.data))

    def cache_key(self) -> str:
        """A text that changes with the image."""
        return f"{len(self.data)} {zlib.crc32(self.data)}"


@dataclass(frozen=True)
class CaptionedImage:
    """An image and the captions that people wrote for it.

    Attributes:
        name: of the image, unique in its dataset.
        image: a file, or an object whose ``read()`` gives a PIL image.
        captions: as they were written.
    """

    name: str
    image: ImageSource
    captions: tuple[str, ...]

    def tokens(self) -> list[list[str]]:
        """The captions as words, without captions that have none."""
        return [words for words in map(tokenize, self.captions) if words]


@dataclass(frozen=True)
class DatasetSplits:
    """Captioned images in splits.

    Attributes:
        name: of the dataset.
        splits: the images of "train", "dev" and "test", as far as they are available.
        dropped: the images that were left out, each with the reason.
    """

    name: str
    splits: dict[str, list[CaptionedImage]]
    dropped: list[tuple[str, str]] = field(default_factory=list)

    def require(self, split: str) -> list[CaptionedImage]:
        """The images of a split.

        Raises:
            DataError: if the dataset has no such split, or the split has no images.
        """
        if not self.splits.get(split):
            available = ", ".join(name for name in SPLITS if self.splits.get(name)) or "none"
            raise DataError(
                f"{self.name} has no {split} split here, only: {available}; add its list, captions and images to the "
                "folder, or name a second folder or archive that has them with --extra-data"
            )
        return self.splits[split]


def drop_invalid(
    name: str, splits: dict[str, list[CaptionedImage]], dropped: Iterable[tuple[str, str]] = ()
) -> DatasetSplits:
    """The dataset without the images whose file is missing or that have no caption.

    Args:
        name: of the dataset.
        splits: all images.
        dropped: images that were dropped before, each with the reason.

    Raises:
        DataError: if more than a few images are invalid, no image is left, or an image is in two splits.
    """
    _refuse_overlap(name, splits)
    dropped = list(dropped)
    total = sum(map(len, splits.values())) + len(dropped)
    valid: dict[str, list[CaptionedImage]] = {}
    for split, images in splits.items():
        reasons = [(image, _why_invalid(image)) for image in images]
        dropped += [(image.name, reason) for image, reason in reasons if reason]
        valid[split] = [image for image, reason in reasons if not reason]
    if dropped:
        first = f"{dropped[0][0]} {dropped[0][1]}"
        if len(dropped) > MAX_INVALID * total:
            raise DataError(
                f"{len(dropped)} of {total} images of {name} cannot be used, first: {first}; fetch the dataset again "
                "(captionlab data verify shows what is missing)"
            )
        warnings.warn(f"{len(dropped)} of {total} images of {name} are left out, first: {first}", stacklevel=3)
    if not any(valid.values()):
        raise DataError(f"{name} has no captioned image: expected at least one")
    return DatasetSplits(name, valid, dropped)


def _refuse_overlap(name: str, splits: dict[str, list[CaptionedImage]]) -> None:
    split_of: dict[str, str] = {}
    for split, images in splits.items():
        for image in images:
            if split_of.setdefault(image.name, split) != split:
                raise DataError(
                    f"{image.name} is in the {split_of[image.name]} split of {name} and in its {split} split: scores "
                    "would be those of images known from training; take it out of one of the lists"
                )


def _why_invalid(image: CaptionedImage) -> str | None:
    if not image.tokens():
        return "has no caption with a word in it"
    if isinstance(image.image, Path) and not image.image.is_file():
        return "is not in the folder of images"
    return None
