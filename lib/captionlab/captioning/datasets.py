"""Captioned images, from wherever they come, behind one small interface.

    corpus = load_dataset("flickr8k")
    image = corpus.splits["train"][0]
    image.name, image.captions, image.picture

Official splits are kept. Where there are none, images are split, never captions: two captions of one image tell the
same story, and one of them in training would give the other away.
"""

from __future__ import annotations

import functools
import io
import random
import warnings
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from captionlab.captioning.text import tokenize
from captionlab.datasets.errors import DataError
from captionlab.vision.extraction import Picture

SPLITS = ("train", "dev", "test")
MISSING_SHARE = 0.05  # of a corpus's images that may be missing before that is an error and not a warning
EMBEDDED_COUNTS = {"train": 1500, "dev": 200, "test": 200}


@dataclass(frozen=True)
class CaptionedImage:
    """An image and what people wrote about it.

    Attributes:
        name: of the image, unique in its corpus.
        picture: a file, or an object whose ``read()`` gives a PIL image.
        captions: as they were written.
    """

    name: str
    picture: Picture
    captions: tuple[str, ...]

    def tokens(self) -> list[list[str]]:
        """The captions as words; captions without a word are left out."""
        return [words for words in map(tokenize, self.captions) if words]


@dataclass(frozen=True)
class DatasetSplits:
    """Captioned images in splits.

    Attributes:
        name: of the corpus.
        splits: the images of "train", "dev", "test", as far as they are there.
        left_out: images that were left out, each with the reason.
    """

    name: str
    splits: dict[str, list[CaptionedImage]]
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def require(self, split: str) -> list[CaptionedImage]:
        """The images of a split.

        Raises:
            DataError: if the corpus has no such split, or no image in it.
        """
        if not self.splits.get(split):
            there = ", ".join(name for name in SPLITS if self.splits.get(name)) or "none"
            raise DataError(
                f"{self.name} has no {split} split here, only: {there}; add its list, captions and images to the "
                "folder, or name a second folder or archive that has them with --extra"
            )
        return self.splits[split]


@dataclass(frozen=True)
class InMemoryImage:
    """A picture in memory, as the file's bytes."""

    data: bytes = field(repr=False)

    def read(self) -> Image.Image:
        """The picture."""
        return Image.open(io.BytesIO(self.data))

    def cache_key(self) -> str:
        """Changes with the picture."""
        return f"{len(self.data)} {zlib.crc32(self.data)}"


def split_by_image(image_ids, fractions, seed):
    """Split images into training, dev and test images; all captions of an image go where it goes.

    The images are put in alphabetical order, shuffled by ``random.Random(seed).shuffle``, and dealt out: first the
    dev images, then the test images, the rest is for training.

    Args:
        image_ids: of each caption the image it belongs to, so most are there several times.
        fractions: ``(dev, test)``: shares of the images; the number of images is rounded to the nearest.
        seed: of the shuffling.

    Returns:
        ``(train, dev, test)``: sorted lists of image ids, each id in exactly one.

    Example::

        split_by_image(["a", "a", "b", "b", "c", "c", "d", "d"], (0.25, 0.25), seed=0)  # two, one and one image
    """
    images = sorted(set(image_ids))
    shuffled = list(images)
    random.Random(seed).shuffle(shuffled)
    dev, test = (round(fraction * len(images)) for fraction in fractions)
    return sorted(shuffled[dev + test :]), sorted(shuffled[:dev]), sorted(shuffled[dev : dev + test])


def load_dataset(name: str | Path = "flickr8k", extra: Path | str | None = None, seed: int = 0) -> DatasetSplits:
    """Find captioned images.

    Args:
        name: "flickr8k", "flickr30k" or "coco" (fetched by ``captionlab data fetch``), "embedded" (drawn scenes), or a
            folder laid out like one of them.
        extra: for Flickr8k, a second folder or zip archive whose lists, captions and images are added.
        seed: of the drawn scenes, and of a split where the corpus has none.

    Raises:
        DataError: if it is not there or not readable (NotFetched tells how to fetch it).
    """
    from captionlab.captioning import readers

    drawn = str(name) == "embedded"
    folder = None if drawn else _folder(name)
    if folder and (folder / "Flickr8k.token.txt").is_file():
        return readers.flickr8k(folder, extra)
    if extra is not None:
        raise DataError(f"--extra adds to Flickr8k; {name} is none: it has no Flickr8k.token.txt")
    if drawn:
        return embedded_dataset(seed)
    if any(folder.glob("*.parquet")):
        return readers.flickr30k(folder)
    if any(folder.glob("annotations/captions_*.json")):
        return readers.coco(folder, seed)
    raise DataError(
        f"{folder} is no captioned corpus: expected Flickr8k.token.txt, *.parquet or annotations/captions_*.json in it"
    )


def _folder(name: str | Path) -> Path:
    from captionlab.datasets.catalog import DATASETS
    from captionlab.datasets.store import locate

    if str(name) in DATASETS:
        return locate(str(name))
    if not Path(name).is_dir():
        raise DataError(f"there is no corpus {str(name)!r}: give flickr8k, flickr30k, coco, embedded or a folder")
    return Path(name)


def embedded_dataset(seed: int = 0, counts: dict[str, int] | None = None) -> DatasetSplits:
    """Drawn scenes with five captions each; see :mod:`captionlab.datasets.drawn_captions`."""
    counts = counts or EMBEDDED_COUNTS
    images, splits, start = _drawn_images(seed, sum(counts.values())), {}, 0
    for split, count in counts.items():
        splits[split] = list(images[start : start + count])
        start += count
    return DatasetSplits("embedded", splits)


@functools.cache
def _drawn_images(seed: int, count: int) -> tuple[CaptionedImage, ...]:
    """Drawn once in a process, which takes half a minute: an experiment asks for them before and after each run."""
    from captionlab.datasets.drawn_captions import make_scenes

    return tuple(
        CaptionedImage(f"scene-{number:05d}", drawn(scene.image), tuple(scene.captions))
        for number, scene in enumerate(make_scenes(seed, count))
    )


def drawn(pixels: np.ndarray) -> InMemoryImage:
    """A picture of (height, width, 3) uint8 pixels."""
    kept = io.BytesIO()
    Image.fromarray(pixels).save(kept, "PNG")
    return InMemoryImage(kept.getvalue())


def drop_invalid(
    name: str, splits: dict[str, list[CaptionedImage]], left_out: Iterable[tuple[str, str]] = ()
) -> DatasetSplits:
    """A corpus without the images that are not there or have no caption.

    Raises:
        DataError: if more than a few are, nothing is left, or an image is in two splits.
    """
    left_out = list(left_out)
    seen: dict[str, str] = {}
    for split, images in splits.items():
        for image in images:
            if seen.setdefault(image.name, split) != split:
                raise DataError(
                    f"{image.name} is in the {seen[image.name]} split of {name} and in its {split} split: scores would "
                    "be those of images known from training; take it out of one of the lists"
                )
    kept: dict[str, list[CaptionedImage]] = {}
    for split, images in splits.items():
        reasons = [(image, _unusable(image)) for image in images]
        left_out += [(image.name, reason) for image, reason in reasons if reason]
        kept[split] = [image for image, reason in reasons if not reason]
    total = sum(map(len, splits.values()))
    if left_out and len(left_out) > MISSING_SHARE * total:
        first = f"{left_out[0][0]} {left_out[0][1]}"
        raise DataError(
            f"{len(left_out)} of {total} images of {name} cannot be used, first: {first}; "
            "fetch the corpus anew (captionlab data verify tells what is missing)"
        )
    if left_out:
        warnings.warn(
            f"{len(left_out)} of {total} images of {name} are left out, first: {left_out[0][0]} {left_out[0][1]}",
            stacklevel=3,
        )
    if not any(kept.values()):
        raise DataError(f"{name} has no captioned image: expected at least one")
    return DatasetSplits(name, kept, left_out)


def _unusable(image: CaptionedImage) -> str | None:
    if not image.tokens():
        return "has no caption with a word in it"
    if isinstance(image.picture, Path) and not image.picture.is_file():
        return "is not in the folder of images"
    return None
