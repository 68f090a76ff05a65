"""15-Scene: the public archive's folders, and the split that the course uses.

The public archive (Lazebnik, Schmid and Ponce, CVPR 2006) has one folder per class and no split. Papers train on 100
random images per class and test on the rest; the course fixes one such split, so that accuracies can be compared. It is
in `scene15_split.json`, which `data_scripts/make_scene15_split.py` makes from a copy that is already split. Class names
are the folder names without the initials of the laboratory that took the images (CAL, MIT, PAR).
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path

from captionlab.common.files import is_hidden
from captionlab.datasets.disk import remove
from captionlab.datasets.errors import DamagedFile

FOLDER = "15-Scene"
PUBLIC_FOLDERS = (
    "CALsuburb",
    "MITcoast",
    "MITforest",
    "MIThighway",
    "MITinsidecity",
    "MITmountain",
    "MITopencountry",
    "MITstreet",
    "MITtallbuilding",
    "PARoffice",
    "bedroom",
    "industrial",
    "kitchen",
    "livingroom",
    "store",
)


def class_name(public: str) -> str:
    """The name of a class, given its folder in the public archive.

    >>> class_name("CALsuburb"), class_name("store")
    ('suburb', 'store')
    """
    return re.sub(r"^(CAL|MIT|PAR)(?=[a-z])", "", public).lower()


def image_name(number: int) -> str:
    """The file name of an image, which is the same in every copy.

    >>> image_name(7)
    'image_0007.jpg'
    """
    return f"image_{number:04d}.jpg"


@cache
def load_split() -> dict[str, dict[str, tuple[int, ...]]]:
    """The course's split: 100 training images per class (1,500) and 2,985 test images.

    Returns:
        For each class name, the sorted numbers of the "train" and the "test" images.
    """
    recorded = json.loads((files("captionlab.datasets") / "scene15_split.json").read_text("utf-8"))
    return {
        name: {
            "train": tuple(entry["train"]),
            "test": tuple(sorted(set(range(1, entry["images"] + 1)) - set(entry["train"]))),
        }
        for name, entry in recorded["classes"].items()
    }


def arrange_folders(stage: Path) -> None:
    """Move the images of the public archive to `15-Scene/{train,test}/<class>/image_NNNN.jpg`.

    Args:
        stage: the folder in which the archive was unpacked. A copy that is already split is left unchanged.

    Raises:
        DamagedFile: if the folder has neither layout, or images are missing.
    """
    final = stage / FOLDER
    if (final / "train").is_dir() and (final / "test").is_dir():
        return
    source = _find_public_folders(stage)
    missing = []
    for public in PUBLIC_FOLDERS:
        name = class_name(public)
        for part, numbers in load_split()[name].items():
            folder = final / part / name
            folder.mkdir(parents=True)
            for number in numbers:
                try:
                    (source / public / image_name(number)).rename(folder / image_name(number))
                except FileNotFoundError:
                    missing.append(f"{public}/{image_name(number)}")
    if missing:
        raise DamagedFile(
            f"{len(missing)} of 4485 images are missing from the 15-Scene archive, the first is {missing[0]}; run the "
            "same command again with --force"
        )
    for path in stage.iterdir():
        if path != final:
            remove(path)


def _find_public_folders(stage: Path) -> Path:
    """The folder that contains the public archive's class folders: the stage or a folder in it."""
    for folder in (stage, *sorted(p for p in stage.iterdir() if p.is_dir() and not is_hidden(p.name))):
        if all((folder / public).is_dir() for public in PUBLIC_FOLDERS):
            return folder
    found = ", ".join(sorted(p.name for p in stage.iterdir())[:6]) or "nothing"
    raise DamagedFile(
        f"the 15-Scene archive contains {found}; expected 15-Scene/train and 15-Scene/test, or the public archive's "
        f"folders {PUBLIC_FOLDERS[0]}, {PUBLIC_FOLDERS[1]}, ...; use another copy"
    )
