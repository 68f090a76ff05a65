"""15-Scene: the public archive's folders, and the split that every copy of it is given.

The public archive (Lazebnik, Schmid and Ponce, CVPR 2006) holds one folder a class and no split. Papers train on 100
images a class, drawn at random, and test on the rest; the course fixes one such draw, so that two students' accuracies
can be compared. The draw is in `scene15_split.json`, which `data_scripts/make_scene15_split.py` makes from a split
copy. Class names are the folders' names without the initials of the laboratory that took the pictures (CAL, MIT, PAR).
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path

from captionlab.datasets.disk import remove
from captionlab.datasets.errors import DamagedFile

FOLDER = "15-Scene"
PUBLIC = (
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
    """A class's name from its folder's in the public archive: "CALsuburb" gives "suburb", "store" itself."""
    return re.sub(r"^(CAL|MIT|PAR)(?=[a-z])", "", public).lower()


def image_name(number: int) -> str:
    """The file name of an image, in every copy: 7 gives "image_0007.jpg"."""
    return f"image_{number:04d}.jpg"


@cache
def split() -> dict[str, dict[str, tuple[int, ...]]]:
    """The course's split: class name, then "train" or "test", to the sorted numbers of the images.

    100 training images a class (1,500) and 2,985 test images.
    """
    recorded = json.loads((files("captionlab.datasets") / "scene15_split.json").read_text("utf-8"))
    return {
        name: {
            "train": tuple(entry["train"]),
            "test": tuple(sorted(set(range(1, entry["images"] + 1)) - set(entry["train"]))),
        }
        for name, entry in recorded["classes"].items()
    }


def arrange(stage: Path) -> None:
    """Bring an unpacked copy, split or public, to `15-Scene/{train,test}/<class>/image_NNNN.jpg` in `stage`.

    Args:
        stage: where the archive was unpacked. A copy that is split already is left as it is.

    Raises:
        DamagedFile: the archive holds neither layout, or images are missing from it.
    """
    final = stage / FOLDER
    if (final / "train").is_dir() and (final / "test").is_dir():
        return
    home = _public_home(stage)
    lacking = []
    for public in PUBLIC:
        name = class_name(public)
        for part, numbers in split()[name].items():
            folder = final / part / name
            folder.mkdir(parents=True)
            for number in numbers:
                try:
                    (home / public / image_name(number)).rename(folder / image_name(number))
                except FileNotFoundError:
                    lacking.append(f"{public}/{image_name(number)}")
    if lacking:
        raise DamagedFile(
            f"the 15-Scene archive lacks {len(lacking)} of 4485 images, the first {lacking[0]}; run the same command "
            "again with --force"
        )
    for rest in stage.iterdir():
        if rest != final:
            remove(rest)


def _public_home(stage: Path) -> Path:
    """The folder that holds the public archive's class folders: the stage, or a folder in it."""
    for folder in (stage, *sorted(p for p in stage.iterdir() if p.is_dir())):
        if all((folder / public).is_dir() for public in PUBLIC):
            return folder
    found = ", ".join(sorted(p.name for p in stage.iterdir())[:6]) or "nothing"
    raise DamagedFile(
        f"the 15-Scene archive holds {found}; expected 15-Scene/train and 15-Scene/test, or the public archive's "
        f"folders {PUBLIC[0]}, {PUBLIC[1]}, ...; take another copy"
    )
