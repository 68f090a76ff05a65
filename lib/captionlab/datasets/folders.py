"""Reading folders of images, one folder a class: which files are images, and which are left out and why.

The listing is that of `torchvision.datasets.ImageFolder` (classes in alphabetical order are 0, 1, ...; files sorted
within a class, folders in them walked as well) without loading torch, and with one difference: a file that cannot be
decoded is left out and reported, where ImageFolder would raise in the middle of an epoch.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from captionlab.common.progress import NullProgress, Progress
from captionlab.datasets.disk import said_plainly
from captionlab.datasets.errors import DataError

# torchvision.datasets.folder.IMG_EXTENSIONS, so that both list the same files.
EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class ImageList:
    """The images of a split.

    Attributes:
        paths: the image files, class by class.
        labels: for each path its class, an index into `classes`.
        classes: names of the classes, in alphabetical order.
        left_out: files that are no usable images, each with the reason.
    """

    paths: list[Path]
    labels: list[int]
    classes: list[str]
    left_out: list[tuple[Path, str]]

    def __len__(self) -> int:
        return len(self.paths)

    def counts(self) -> dict[str, int]:
        """Number of images by class."""
        found = Counter(self.labels)
        return {name: found[label] for label, name in enumerate(self.classes)}


def list_images(folder: str | Path, *, decode: bool = True, progress: Progress | None = None) -> ImageList:
    """List a folder of images, one subfolder a class.

    Args:
        folder: such as hymenoptera_data/train.
        decode: read every image to its end, so that truncated ones are found (about 1 ms an image); otherwise only
            names and empty files are looked at.
        progress: counts files.

    Raises:
        DataError: no such folder, no class folders in it, or a class without a usable image.
    """
    folder, progress = Path(folder), progress or NullProgress()
    if not folder.is_dir():
        raise DataError(f"{folder} is not there; expected a folder with one subfolder a class (captionlab data fetch)")
    with said_plainly(f"listing {folder}"):
        classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        files = [(path, label) for label, name in enumerate(classes) for path in _files(folder / name)]
    found = ImageList([], [], classes, [])
    progress.start(f"reading {folder.name}", len(files), unit="files")
    try:
        for path, label in files:
            if reason := unusable(path, decode=decode):
                found.left_out.append((path, reason))
            else:
                found.paths.append(path)
                found.labels.append(label)
            progress.advance(1)
    finally:
        progress.stop()
    if empty := [name for name, count in found.counts().items() if not count]:
        raise DataError(
            f"{folder} has no usable image of class {empty[0]}; add images to it or remove its folder (a fetched data "
            "set: captionlab data fetch NAME --force)"
        )
    if not classes:
        raise DataError(f"{folder} has no subfolders; expected one for each class")
    return found


def read_split(name: str, split: str, root: str | Path | None = None, *, decode: bool = True) -> ImageList:
    """The images of a split of "hymenoptera" ("train", "val") or "scene15" ("train", "test").

    Raises:
        NotFetched: the data set has not been fetched; the message gives the command.
        DataError: the data set has no such split, or is no folder of images.
    """
    from captionlab.datasets.catalog import get
    from captionlab.datasets.store import locate

    splits = list(dict.fromkeys(part for part, _, _ in get(name).counts))
    if split not in splits:
        raise DataError(f"{name} has no folder of images {split!r}; it has: {', '.join(splits) or 'none'}")
    return list_images(locate(name, root) / split, decode=decode)


def unusable(path: Path, *, decode: bool = True) -> str | None:
    """Why a file is no usable image, in a few words; None if it is one.

    Args:
        path: the file.
        decode: read it to its end.
    """
    if path.suffix.lower() not in EXTENSIONS:
        return f"{path.suffix or 'no ending'}: not the ending of an image file that is read here"
    try:
        if path.stat().st_size == 0:
            return "empty file"
        return _undecodable(path) if decode else None
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"


def _undecodable(path: Path) -> str | None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            # A JPEG's stream is read to its end even so, and most of the arithmetic is spared.
            image.draft("L", (1, 1))
            image.load()
    except UnidentifiedImageError:
        return "not an image, whatever its name says"
    except Image.DecompressionBombError:
        return "too large to be a photograph"
    except (OSError, SyntaxError, ValueError) as error:
        return f"damaged: {error}"
    return None


def _files(folder: Path) -> list[Path]:
    """All files below a folder in ImageFolder's order; hidden ones, which file managers make, are not listed."""
    return [
        Path(where) / name
        for where, _, names in sorted(os.walk(folder, followlinks=True))
        for name in sorted(names)
        if not name.startswith(".")
    ]
