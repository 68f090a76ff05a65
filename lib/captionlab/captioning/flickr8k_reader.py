"""Flickr8k's text files: a token file with all captions, and one list of images per split."""

from __future__ import annotations

import re
import shutil
import tempfile
import zlib
from collections.abc import Container, Iterable
from pathlib import Path

from captionlab.captioning.caption_values import CaptionFilter
from captionlab.captioning.captioned_images import SPLITS, CaptionedImage, DatasetSplits, drop_invalid
from captionlab.common.files import find_visible, is_hidden
from captionlab.common.text import NotText, read_lines
from captionlab.datasets.archives import unpack
from captionlab.datasets.errors import DataError

TOKENS = "Flickr8k.token.txt"
IMAGES = ("Flicker8k_Dataset", "Flickr8k_Dataset")  # the first spelling is the original's
UNPACKED_LIMIT = 3 * 1000**3
# Separators that are no line ends, where another record begins behind them: some editors save them instead.
RECORD_ENDS = re.compile("[\u2028\u2029\x85\v\f](?=[^\t\u2028\u2029\x85\v\f]+#\\d+\t|$)")
INVISIBLE = "\ufeff\u200b"  # byte order mark and zero-width space, which str.strip leaves
QUOTES = "\"'`“”‘’"


def flickr8k(folder: Path, extra_data: Path | str | None = None) -> DatasetSplits:
    """Flickr8k: captions in ``Flickr8k.token.txt``, a list of images for each split.

    Args:
        extra_data: a second folder, or a zip archive, with more of these files, such as the test split.

    Raises:
        DataError: if a file is missing, empty or not text, or a line has another format.
    """
    roots = [folder, *([_unpacked(Path(extra_data), folder)] if extra_data is not None else [])]
    caption_filter = CaptionFilter("flickr8k")
    captions: dict[str, list[str]] = {}
    for root in roots:
        for path in find_visible(root, TOKENS):
            for number, name, caption in _token_lines(path):
                known = captions.setdefault(name, [])
                known += [
                    each for each in caption_filter.keep(caption, f"line {number} of {path.name}") if each not in known
                ]
    caption_filter.report()
    files = {path.name: path for root in roots for path in _image_files(root)}
    splits: dict[str, list[CaptionedImage]] = {}
    for split in SPLITS:
        lists = [path for root in roots for path in find_visible(root, f"Flickr_8k.{split}Images.txt")]
        names = dict.fromkeys(name for path in lists for name in _listed_names(path, captions.keys() | files.keys()))
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
    folders = [path for name in IMAGES for path in find_visible(root, name) if path.is_dir()]
    return (path for each in folders for path in each.iterdir() if not is_hidden(path.name))


def _data_lines(path: Path) -> list[str]:
    try:
        return read_lines(path)
    except NotText as error:
        raise DataError(str(error)) from error


def _token_lines(path: Path) -> Iterable[tuple[int, str, str]]:
    """(number of the line, image, caption) of each line ``image.jpg#0<TAB>caption``."""
    lines = _data_lines(path)
    if not any(line.strip() for line in lines):
        raise DataError(f"{path.name} is empty: expected lines of image.jpg#0, a tab, and the caption; fetch it again")
    for number, line in enumerate(lines, start=1):
        for record in RECORD_ENDS.split(line):
            if not record.strip():
                continue
            key, tab, caption = record.partition("\t")
            name, mark, _ = key.rpartition("#")
            if not (tab and mark and name):
                raise DataError(
                    f"line {number} of {path.name} is {record[:60]!r}: expected image.jpg#0, a tab, and the caption"
                )
            yield number, _file_name(name), caption


def _listed_names(path: Path, known: Container[str]) -> Iterable[str]:
    """The images in a list; one per line, or several with separators between them."""
    for line in _data_lines(path):
        entry = line.strip().strip(INVISIBLE).strip()
        parts = [_file_name(part) for part in re.split(r"[\s,;]+", entry) if part]
        if entry in known or not any(part in known for part in parts):
            parts = [_file_name(entry)] if entry else []  # a name may contain spaces
        yield from parts


def _file_name(entry: str) -> str:
    """The file name in an entry: without quotes, and without the folders before it."""
    return entry.strip().strip(QUOTES + INVISIBLE).replace("\\", "/").rpartition("/")[2].strip()
