"""Captioned images of all datasets behind one small interface.

    dataset = load_dataset("flickr8k")
    example = dataset.splits["train"][0]
    example.name, example.captions, example.image

Official splits are kept. If there are none, the images are split, not the captions: two captions of an image describe
the same scene, and one of them in the training split would give the other away.
"""

from __future__ import annotations

import functools
from pathlib import Path

from captionlab.captioning import readers
from captionlab.captioning.captioned_images import CaptionedImage, DatasetSplits, InMemoryImage
from captionlab.captioning.coco_reader import annotation_files
from captionlab.captioning.flickr8k_reader import TOKENS
from captionlab.common.files import is_hidden
from captionlab.common.logs import logger
from captionlab.common.suggestions import did_you_mean
from captionlab.datasets.errors import DataError

NAMES = ("flickr8k", "flickr30k", "coco", "embedded")
EMBEDDED_COUNTS = {"train": 1500, "dev": 200, "test": 200}


def load_dataset(name: str | Path = "flickr8k", extra_data: Path | str | None = None, seed: int = 0) -> DatasetSplits:
    """Load captioned images; the images themselves are read when they are used.

    Args:
        name: "flickr8k", "flickr30k" or "coco" (fetched by ``captionlab data fetch``), "embedded" (drawn scenes), or a
            folder with the files of one of them.
        extra_data: for Flickr8k, a second folder or zip archive with more lists, captions and images.
        seed: of the drawn scenes, and of the split if a dataset has none.

    Raises:
        DataError: if it does not exist or is not readable (NotFetched says how to fetch it).
    """
    folder = None if str(name) == "embedded" else _find_folder(name)
    if folder and any(path.is_file() for pattern in (TOKENS, f"*/{TOKENS}") for path in folder.glob(pattern)):
        return readers.flickr8k(folder, extra_data)
    if extra_data is not None:
        raise DataError(f"--extra-data adds to Flickr8k, but {name} has no Flickr8k.token.txt")
    if folder is None:
        return embedded_dataset(seed)
    if readers.table_files(folder):
        return readers.flickr30k(folder, seed)
    if annotation_files(folder):
        return readers.coco(folder, seed)
    packed = sorted(path.name for path in folder.glob("*.zip") if not is_hidden(path.name))
    advice = f"; unpack {', '.join(packed)} in it" if packed else ""
    raise DataError(
        f"{folder} is not a captioned dataset: expected {TOKENS}, *.parquet or annotations/captions_*.json{advice}"
    )


def _find_folder(name: str | Path) -> Path:
    from captionlab.datasets.catalog import DATASETS
    from captionlab.datasets.store import locate

    if str(name) in DATASETS:
        return locate(str(name))
    if Path(name).is_file():
        raise DataError(
            f"{name} is a file: unpack it if it is an archive, and give the folder with the dataset's files"
        )
    if not Path(name).is_dir():
        raise DataError(
            f"there is no dataset {str(name)!r}: give {', '.join(NAMES)} or a folder{did_you_mean(name, NAMES)}"
        )
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
    """Drawing takes half a minute and is done once per process: experiments load the dataset before and after a run."""
    from captionlab.datasets.drawn_captions import make_scenes

    logger.info("drawing %d scenes", count)
    return tuple(
        CaptionedImage(f"scene-{number:05d}", InMemoryImage.from_pixels(scene.image), tuple(scene.captions))
        for number, scene in enumerate(make_scenes(seed, count))
    )
