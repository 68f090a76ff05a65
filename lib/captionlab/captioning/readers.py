"""Readers of the datasets' files: here parquet tables such as Flickr30k's; Flickr8k and COCO have their own modules."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from captionlab.captioning.caption_values import CaptionFilter
from captionlab.captioning.captioned_images import SPLITS, CaptionedImage, DatasetSplits, drop_invalid
from captionlab.captioning.coco_reader import coco
from captionlab.captioning.flickr8k_reader import flickr8k
from captionlab.captioning.splitting import split_by_image
from captionlab.common.files import is_hidden
from captionlab.common.images import identify
from captionlab.common.logs import logger
from captionlab.datasets.errors import DataError

__all__ = ["ParquetImage", "coco", "flickr8k", "flickr30k", "table_files"]

CAPTION_COLUMNS = ("alt_text", "captions", "caption", "sentences")  # the first that a table has is read
NUMBERED_CAPTION = re.compile(r"(?:caption|alt_text|sentence)s?_?\d+")
SPLIT_NAMES = {name: name for name in SPLITS} | {"val": "dev", "valid": "dev", "validation": "dev", "restval": "train"}
NEW_SPLITS = (0.1, 0.1)  # shares of dev and test images, if a table has no splits


def table_files(folder: Path) -> list[Path]:
    """The parquet files of a folder, or of ``data/`` in it, where Hugging Face's repositories have them."""
    patterns = ("*.parquet", "data/*.parquet")
    return sorted(path for pattern in patterns for path in folder.glob(pattern) if not is_hidden(path.name))


def flickr30k(folder: Path, seed: int = 0) -> DatasetSplits:
    """Flickr30k as Hugging Face's parquet files: columns ``image`` (bytes), ``alt_text`` (captions), ``split``.

    Captions are read now, images when they are used: the files have four gigabytes of them. Other tables may name the
    captions as in `CAPTION_COLUMNS`, have them in ``caption_0``, ``caption_1``, ..., or have a row for each caption.
    Without a column ``split``, the names of the files give the splits, such as ``train-00000-of-00009.parquet``; if
    they do not either, the images are split.

    Args:
        seed: of the split, if the dataset has none.

    Raises:
        DataError: if a file is damaged or lacks a column, or a value is not a caption.
    """
    import pyarrow

    splits: dict[str, dict[str, CaptionedImage]] = {}
    caption_filter = CaptionFilter("flickr30k")
    for path in table_files(folder):
        try:
            for row in _rows(path):
                captions = tuple(caption_filter.keep(row.captions, f"{row.image}"))
                images = splits.setdefault(row.split, {})
                known = images.get(row.name)
                images[row.name] = (
                    CaptionedImage(row.name, row.image, captions) if known is None else _joined(known, row, captions)
                )
        except (pyarrow.ArrowException, OSError, KeyError, TypeError) as error:
            raise DataError(f"{path.name} cannot be read as a table of captions ({error}): fetch it again") from error
    caption_filter.report()
    return _with_splits({split: list(images.values()) for split, images in splits.items()}, seed)


@dataclass(frozen=True)
class _Row:
    """A row of a table: an image, its captions as they are stored, and its split, "" if there is none."""

    name: str
    image: ParquetImage
    captions: Any
    split: str


def _rows(path: Path) -> Iterable[_Row]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as table:
        names = table.schema_arrow.names
        columns = [name for name in CAPTION_COLUMNS if name in names][:1]
        columns = columns or [name for name in names if NUMBERED_CAPTION.fullmatch(name)]
        if lacking := [*([] if "image" in names else ["image"]), *([] if columns else ["alt_text"])]:
            raise DataError(
                f"{path.name} has no column {', '.join(sorted(lacking))}: expected image and alt_text (or "
                f"{', '.join(CAPTION_COLUMNS[1:])}), found {', '.join(names)}"
            )
        wanted = [*columns, *(name for name in ("split", "filename") if name in names)]
        for group in range(table.num_row_groups):
            for number, row in enumerate(table.read_row_group(group, wanted).to_pylist()):
                yield _Row(
                    row.get("filename") or f"{path.stem}-{group}-{number}",
                    ParquetImage(path, group, number),
                    row[columns[0]] if len(columns) == 1 else [row[name] for name in columns],
                    row.get("split") or _split_in_name(path.stem),
                )


def _split_in_name(stem: str) -> str:
    """The split that a file's name says; empty if it says none, or several."""
    found = [word for word in re.findall(r"[a-z]+", stem.lower()) if word in SPLIT_NAMES]
    return found[0] if len(found) == 1 else ""


def _joined(known: CaptionedImage, row: _Row, captions: tuple[str, ...]) -> CaptionedImage:
    """An image with the captions of another of its rows: some tables have a row for each caption.

    Raises:
        DataError: if the rows have different images.
    """
    first = known.image
    assert isinstance(first, ParquetImage)
    if first.value() != row.image.value():
        raise DataError(
            f"{first} and {row.image} have the same filename {row.name!r} and different images: give each image a name "
            "of its own"
        )
    return replace(known, captions=known.captions + captions)


def _with_splits(found: dict[str, list[CaptionedImage]], seed: int) -> DatasetSplits:
    """The dataset in its own splits, by their usual names, or in new ones if it has none."""
    if list(found) == [""]:
        by_name = {image.name: image for image in found[""]}
        parts = split_by_image(by_name, NEW_SPLITS, seed)
        logger.info("the tables have no splits: %d images are split into train, dev and test", len(by_name))
        splits = {split: [by_name[name] for name in part] for split, part in zip(SPLITS, parts, strict=True) if part}
        return drop_invalid("flickr30k", splits)
    splits, dropped = {}, []
    for name, images in found.items():
        split = SPLIT_NAMES.get(name.strip().lower())
        if split is None:
            reason = f"is in the split {name!r}, which is none of {', '.join(SPLIT_NAMES)}"
            dropped += [(image.name, reason) for image in images]
        else:
            splits.setdefault(split, []).extend(images)
    return drop_invalid("flickr30k", splits, dropped)


@dataclass(frozen=True)
class ParquetImage:
    """An image in a row of a parquet file.

    Attributes:
        path: of the file.
        group: index of the row group.
        number: index of the row in its group.
    """

    path: Path
    group: int
    number: int

    def read(self) -> Image.Image:
        """The image, not decoded yet (:func:`captionlab.vision.open_image` does that).

        Raises:
            ValueError: if the row has no image.
        """
        value = self.value()
        data = value["bytes"] if isinstance(value, dict) else value
        if not data:
            raise ValueError(f"row {self.number} of group {self.group} has no image bytes")
        return identify(io.BytesIO(data))

    def value(self) -> Any:
        """The image as it is stored: bytes, or a mapping that contains them."""
        return _images_of(self.path, self.group)[self.number]

    def cache_key(self) -> str:
        """A text that changes with the file."""
        status = self.path.stat()
        return f"{self.path.name} {status.st_size} {status.st_mtime_ns} {self.group} {self.number}"

    def __str__(self) -> str:
        return f"row {self.number} of group {self.group} of {self.path.name}"


@lru_cache(maxsize=2)
def _images_of(path: Path, group: int) -> list:
    """The images of a row group; they are read in order, so the last two groups are kept."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as table:
        return table.read_row_group(group, ["image"]).column("image").to_pylist()
