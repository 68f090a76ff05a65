"""Readers of the datasets' files: Flickr8k's text files, Flickr30k's parquet tables, COCO's JSON."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image

from captionlab.captioning.captioned_images import SPLITS, CaptionedImage, DatasetSplits, drop_invalid
from captionlab.captioning.splitting import split_by_image
from captionlab.datasets.archives import unpack
from captionlab.datasets.errors import DataError

IMAGES = ("Flicker8k_Dataset", "Flickr8k_Dataset")  # the first spelling is the original's
OTHER_NAMES = {"val": "dev", "validation": "dev", "restval": "train"}
UNPACKED_LIMIT = 3 * 1000**3


def flickr8k(folder: Path, extra_data: Path | str | None = None) -> DatasetSplits:
    """Flickr8k: captions in ``Flickr8k.token.txt``, a list of images for each split.

    Args:
        extra_data: a second folder, or a zip archive, with more of these files, such as the test split.

    Raises:
        DataError: if a file is missing or empty, or a line has another format.
    """
    roots = [folder, *([_unpacked(Path(extra_data), folder)] if extra_data is not None else [])]
    captions: dict[str, list[str]] = {}
    for root in roots:
        for path in sorted(root.rglob("Flickr8k.token.txt")):
            for name, caption in _token_lines(path):
                captions.setdefault(name, [])
                if caption not in captions[name]:
                    captions[name].append(caption)
    files = {path.name: path for root in roots for path in _image_files(root)}
    splits: dict[str, list[CaptionedImage]] = {}
    for split in SPLITS:
        lists = [path for root in roots for path in sorted(root.rglob(f"Flickr_8k.{split}Images.txt"))]
        names = dict.fromkeys(name for path in lists for name in path.read_text(encoding="utf-8").split())
        if names:
            missing = folder / IMAGES[0]
            splits[split] = [
                CaptionedImage(name, files.get(name, missing / name), tuple(captions.get(name, ()))) for name in names
            ]
    if not splits:
        raise DataError(f"{folder} has no Flickr_8k.trainImages.txt or devImages.txt: fetch it again")
    return drop_invalid("flickr8k", splits)


def _unpacked(extra_data: Path, folder: Path) -> Path:
    """The folder itself, or the archive's contents, unpacked once beside the dataset."""
    if extra_data.is_dir():
        return extra_data
    if not extra_data.is_file():
        raise DataError(f"--extra-data names {extra_data}, which is neither a folder nor an archive")
    status = extra_data.stat()
    key = zlib.crc32(f"{extra_data.resolve()} {status.st_size} {status.st_mtime_ns}".encode())
    target = folder.parent / f"{folder.name}-{extra_data.stem}-{key:08x}"
    if not target.is_dir():
        stage = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
        try:
            unpack(extra_data, stage, max_size=UNPACKED_LIMIT)
            stage.rename(target)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    return target


def _image_files(root: Path) -> Iterable[Path]:
    folders = [path for name in IMAGES for path in root.rglob(name) if path.is_dir()]
    return (path for each in folders for path in each.iterdir())


def _token_lines(path: Path) -> Iterable[tuple[str, str]]:
    """(image, caption) of each line ``image.jpg#0<TAB>caption``."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if not any(line.strip() for line in lines):
        raise DataError(f"{path.name} is empty: expected lines of image.jpg#0, a tab, and the caption; fetch it again")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        key, tab, caption = line.partition("\t")
        name, mark, _ = key.rpartition("#")
        if not (tab and mark and name):
            raise DataError(
                f"line {number} of {path.name} is {line[:60]!r}: expected image.jpg#0, a tab, and the caption"
            )
        yield name, caption


def flickr30k(folder: Path) -> DatasetSplits:
    """Flickr30k as Hugging Face's parquet files: columns ``image`` (bytes), ``alt_text`` (captions), ``split``.

    Captions are read now, images when they are used: the files have four gigabytes of them.

    Raises:
        DataError: if a file is damaged or lacks a column.
    """
    import pyarrow
    from pyarrow import parquet

    splits: dict[str, list[CaptionedImage]] = {}
    for path in sorted(folder.glob("*.parquet")):
        try:
            with parquet.ParquetFile(path) as table:
                names = set(table.schema_arrow.names)
                if lacking := {"image", "alt_text"} - names:
                    raise DataError(
                        f"{path.name} has no column {', '.join(sorted(lacking))}: expected image and alt_text"
                    )
                columns = sorted({"alt_text", "split", "filename"} & names)
                for group in range(table.num_row_groups):
                    for number, row in enumerate(table.read_row_group(group, columns).to_pylist()):
                        split = row.get("split") or path.stem.split("-")[0]
                        name = row.get("filename") or f"{path.stem}-{group}-{number}"
                        image = CaptionedImage(name, ParquetImage(path, group, number), _captions(row["alt_text"]))
                        splits.setdefault(OTHER_NAMES.get(split, split), []).append(image)
        except (pyarrow.ArrowException, OSError, KeyError, TypeError) as error:
            raise DataError(f"{path.name} cannot be read as a table of captions ({error}): fetch it again") from error
    return drop_invalid("flickr30k", splits)


def _captions(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


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
        """Decode the image.

        Raises:
            ValueError: if the row has no image.
        """
        value = _images_of(self.path, self.group)[self.number]
        data = value["bytes"] if isinstance(value, dict) else value
        if not data:
            raise ValueError(f"row {self.number} of group {self.group} has no image bytes")
        return Image.open(io.BytesIO(data))

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


def coco(folder: Path, seed: int = 0) -> DatasetSplits:
    """COCO's captions: ``annotations/captions_{train,val}2014.json`` and the folders of images they name.

    There are no test captions: the validation images are split in half, into dev and test.

    Raises:
        DataError: if a file is not one of COCO's.
    """
    splits: dict[str, list[CaptionedImage]] = {}
    for path in sorted(folder.glob("annotations/captions_*.json")):
        part = path.stem.removeprefix("captions_")
        captions: dict[str, list[str]] = {}
        try:
            for annotation in json.loads(path.read_text(encoding="utf-8"))["annotations"]:
                name = f"COCO_{part}_{int(annotation['image_id']):012d}.jpg"
                captions.setdefault(name, []).append(str(annotation["caption"]))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path.name} is not COCO's captions ({error!r}): expected annotations[].image_id and .caption"
            ) from error
        images = {name: CaptionedImage(name, folder / part / name, tuple(each)) for name, each in captions.items()}
        if part.startswith("train"):
            splits["train"] = list(images.values())
        else:
            _, dev, test = split_by_image(images, (0.5, 0.5), seed)
            splits |= {"dev": [images[name] for name in dev], "test": [images[name] for name in test]}
    return drop_invalid("coco", splits)
