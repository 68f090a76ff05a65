"""Folders of images with one subfolder per class: which files are usable images, and why others are left out.

The order is that of `torchvision.datasets.ImageFolder` (classes 0, 1, ... in alphabetical order, files sorted within a
class, subfolders included), but torch is not imported, and files that cannot be decoded are left out and reported.
ImageFolder would raise in the middle of an epoch.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from captionlab.common.files import is_hidden
from captionlab.common.progress import NullProgress, Progress
from captionlab.datasets.disk import as_data_error
from captionlab.datasets.errors import DataError

# What people name images, in lower case: torchvision's IMG_EXTENSIONS and more. The content decides how a file is read,
# and why it is not: a HEIC photograph is left out with the advice to export it as JPEG.
EXTENSIONS = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".mpo",
        ".png",
        ".apng",
        ".gif",
        ".bmp",
        ".dib",
        ".webp",
        ".avif",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".jp2",
        ".j2k",
        ".tga",
        ".heic",
        ".heif",
        ".jxl",
        ".dng",
        ".cr2",
        ".cr3",
        ".nef",
        ".arw",
        ".orf",
        ".raf",
        ".rw2",
        ".svg",
        ".psd",
    ]
)
# Stand-ins for photographs that are gone from the web, in lower case: hymenoptera has one among its ants.
PLACEHOLDERS = {"imagenotfound.gif"}


@dataclass(frozen=True)
class ImageList:
    """The images of a split.

    Attributes:
        paths: the image files, class by class.
        labels: the class of each file, as an index into `classes`.
        classes: names of the classes in alphabetical order.
        left_out: files that are not usable images, each with the reason; hidden files are not mentioned.
    """

    paths: list[Path]
    labels: list[int]
    classes: list[str]
    left_out: list[tuple[Path, str]]

    def __len__(self) -> int:
        return len(self.paths)

    def counts(self) -> dict[str, int]:
        """Number of images per class."""
        counts = Counter(self.labels)
        return {name: counts[label] for label, name in enumerate(self.classes)}


def list_images(folder: str | Path, *, decode: bool = True, progress: Progress | None = None) -> ImageList:
    """List a folder of images with one subfolder per class.

    Args:
        folder: such as hymenoptera_data/train.
        decode: decode every image completely, which finds truncated ones (about 1 ms per image); otherwise only the
            names and sizes of the files are checked.
        progress: counts files.

    Hidden files and folders (`captionlab.common.files.is_hidden`) are neither classes nor images.

    Raises:
        DataError: if the folder does not exist, has no subfolders, or a class has no usable image.
    """
    folder, progress = Path(folder), progress or NullProgress()
    if not folder.is_dir():
        raise DataError(
            f"{folder} does not exist; expected a folder with one subfolder per class (captionlab data fetch)"
        )
    with as_data_error(f"listing {folder}"):
        visible = sorted(entry for entry in folder.iterdir() if not is_hidden(entry.name))
        classes = [entry.name for entry in visible if entry.is_dir()]
        beside = [entry for entry in visible if not entry.is_dir()]
        files = [(path, label) for label, name in enumerate(classes) for path in visible_files(folder / name)]
    found = ImageList([], [], classes, [(path, "in no subfolder of a class") for path in beside])
    progress.start(f"reading {folder.name}", len(files), unit="files")
    try:
        for path, label in files:
            if reason := unusable_reason(path, decode=decode):
                found.left_out.append((path, reason))
            else:
                found.paths.append(path)
                found.labels.append(label)
            progress.advance(1)
    finally:
        progress.stop()
    if empty := [name for name, count in found.counts().items() if not count]:
        raise DataError(
            f"{folder} has no usable image of class {empty[0]}; add images or remove its folder (if the data set was "
            "fetched: captionlab data fetch NAME --force)"
        )
    if not classes:
        raise DataError(f"{folder} has no subfolders; expected one per class")
    return found


def read_split(name: str, split: str, root: str | Path | None = None, *, decode: bool = True) -> ImageList:
    """The images of a split of "hymenoptera" ("train", "val") or "scene15" ("train", "test").

    Raises:
        NotFetched: the data set has not been fetched; the message gives the command.
        DataError: if the data set has no such split, or is not a folder of images.
    """
    from captionlab.datasets.catalog import get_dataset
    from captionlab.datasets.store import locate

    splits = list(dict.fromkeys(part for part, _, _ in get_dataset(name).image_counts))
    if split not in splits:
        raise DataError(f"{name} has no folder of images {split!r}; there are: {', '.join(splits) or 'none'}")
    return list_images(locate(name, root) / split, decode=decode)


def unusable_reason(path: Path, *, decode: bool = True) -> str | None:
    """Why a file is not a usable image, in a few words; None if it is one.

    Args:
        path: the file.
        decode: decode it completely.
    """
    if path.name.lower() in PLACEHOLDERS:
        return "a placeholder for a photograph that was not found"
    if reason := _foreign_extension(path):
        return reason
    try:
        if path.stat().st_size == 0:
            return "empty file"
        return _decoding_error(path) if decode else None
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"


def _decoding_error(path: Path) -> str | None:
    from captionlab.common.images import UnreadableImage, read_image

    try:
        read_image(path, draft_size=(1, 1))  # reads a JPEG to its end, but skips most of the computation
    except UnreadableImage as error:
        return str(error)
    return None


def find_images(folder: Path) -> tuple[list[Path], list[tuple[Path, str]]]:
    """The images in a folder and its subfolders, by their extension, and the other files.

    Returns:
        ``(images, others)``, sorted; of each other file also the reason. Hidden files are in neither.
    """
    files = sorted(visible_files(folder))
    others = [(path, reason) for path in files if (reason := _foreign_extension(path))]
    return [path for path in files if not _foreign_extension(path)], others


def has_image_extension(name: str) -> bool:
    """Whether a file's name ends as the names of images do, in capital letters or not."""
    return Path(name).suffix.lower() in EXTENSIONS


def _foreign_extension(path: Path) -> str | None:
    if has_image_extension(path.name):
        return None
    return f"{path.suffix or 'no extension'}: not the extension of an image"


def visible_files(folder: Path) -> list[Path]:
    """All files in a folder and its subfolders, in ImageFolder's order, without hidden files and folders."""
    found = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not is_hidden(name)]
        found.append((parent, sorted(name for name in names if not is_hidden(name))))
    return [Path(parent) / name for parent, names in sorted(found) for name in names]
