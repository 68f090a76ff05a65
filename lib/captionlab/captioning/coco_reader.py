"""COCO's captions: JSON files of annotations, of 2014 or 2017, and the folders of images they describe."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from captionlab.captioning.caption_values import CaptionFilter
from captionlab.captioning.captioned_images import CaptionedImage, DatasetSplits, drop_invalid
from captionlab.captioning.splitting import split_by_image
from captionlab.common.files import find_visible, is_hidden
from captionlab.common.text import read_text
from captionlab.datasets.errors import DataError

ANNOTATIONS = ("annotations/captions_*.json", "captions_*.json")
PART = re.compile(r"captions_((train|val|test)\w*)\.json")
NUMBER = re.compile(r"(?:COCO_\w+_)?(\d{12})\.jpe?g", re.IGNORECASE)


def annotation_files(folder: Path) -> list[Path]:
    """COCO's files of captions in a folder; empty if there are none."""
    return sorted(path for pattern in ANNOTATIONS for path in folder.glob(pattern) if not is_hidden(path.name))


def coco(folder: Path, seed: int = 0) -> DatasetSplits:
    """COCO's captions: ``captions_{train,val}{2014,2017}.json`` and the folders of images.

    An image is found by the name that the file of captions gives it, or else by the number in its name, which is the
    same in 2014 and 2017. If there are no test captions, the validation images are split in half, into dev and test.

    Args:
        folder: with the files of captions, or with ``annotations/`` that has them; the folders of images, such as
            ``train2017``, are in it or in ``images/``.
        seed: of the split.

    Raises:
        DataError: if a file is not one of COCO's, or there are several for a split.
    """
    files = _files_by_part(folder)
    finder = _ImageFinder(folder)
    caption_filter = CaptionFilter("coco")
    images = {part: _read(path, finder, caption_filter) for part, path in files.items()}
    caption_filter.report()
    splits = {"train": images["train"]} if "train" in images else {}
    if "test" in images:
        splits |= {"test": images["test"], **({"dev": images["val"]} if "val" in images else {})}
    elif "val" in images:
        by_name = {image.name: image for image in images["val"]}
        rest, dev, test = split_by_image(by_name, (0.5, 0.5), seed)  # of an odd number of images one may be left
        splits |= {"dev": [by_name[name] for name in [*dev, *rest]], "test": [by_name[name] for name in test]}
    return drop_invalid("coco", splits)


def _files_by_part(folder: Path) -> dict[str, Path]:
    """The file of captions of each part: train, val, test."""
    files: dict[str, Path] = {}
    for path in annotation_files(folder):
        match = PART.fullmatch(path.name)
        if match is None:
            raise DataError(
                f"{path.name} is not one of COCO's files of captions: expected captions_train2014.json, "
                "captions_val2017.json or another year; rename it, or move it elsewhere"
            )
        other = files.setdefault(match[2], path)
        if other != path:
            names = " and ".join(str(each.relative_to(folder)) for each in (other, path))
            raise DataError(
                f"{names} both have {match[2]} captions, and the years share images: keep the files of one year, and "
                "move the others elsewhere"
            )
    return files


def _read(path: Path, finder: _ImageFinder, caption_filter: CaptionFilter) -> list[CaptionedImage]:
    """The captioned images of one file."""
    part = path.stem.removeprefix("captions_")
    captions: dict[Any, list[str]] = {}
    try:
        content = json.loads(read_text(path))
        names = {entry["id"]: str(entry["file_name"]) for entry in content.get("images", [])}
        captions.update((image_id, []) for image_id in names)
        for number, annotation in enumerate(content["annotations"], start=1):
            image_id, where = annotation["image_id"], f"annotation {number} of {path.name}"
            if image_id not in names:
                prefix = f"COCO_{part}_" if part.endswith("2014") else ""
                names[image_id] = f"{prefix}{int(image_id):012d}.jpg"
            captions.setdefault(image_id, []).extend(caption_filter.keep(annotation["caption"], where))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path.name} is not COCO's captions ({error!r}): expected annotations[].image_id and .caption"
        ) from error
    found = ((names[image_id], each) for image_id, each in captions.items())
    return [finder.captioned(name, part, tuple(each)) for name, each in found]


class _ImageFinder:
    """Finds images by name, or by COCO's number; the folders are listed once.

    Args:
        folder: of the dataset.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.by_name: dict[str, list[Path]] = {}
        self.by_number: dict[str, list[Path]] = {}
        for path in find_visible(folder, "*.*"):
            self.by_name.setdefault(path.name, []).append(path)
            if match := NUMBER.fullmatch(path.name):
                self.by_number.setdefault(match[1], []).append(path)

    def captioned(self, entry: str, part: str, captions: tuple[str, ...]) -> CaptionedImage:
        """An image with its captions; if its file is missing, the path is where it is expected.

        Args:
            entry: the name in the file of captions; it may begin with folders.
            part: such as "train2017", the folder that is preferred.

        Raises:
            DataError: if several folders have an image of that name, and none of them is that of the part.
        """
        name = entry.replace("\\", "/").rpartition("/")[2]
        number = NUMBER.fullmatch(name)
        found = self.by_name.get(name, []) or self.by_number.get(number[1] if number else "", [])
        preferred = [
            path for folder in (part, part.rstrip("0123456789")) for path in found if path.parent.name == folder
        ]
        if len(found) > 1 and not preferred and found[0].name == found[1].name:
            raise DataError(
                f"{found[0]} and {found[1]} have the same name, and one of them is meant: put the images of "
                f"captions_{part}.json into a folder {part}"
            )
        return CaptionedImage(name, (preferred or found or [self.folder / part / name])[0], captions)
