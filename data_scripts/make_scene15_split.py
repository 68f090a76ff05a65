"""Make lib/captionlab/datasets/scene15_split.json from a copy of 15-Scene that is already split.

python data_scripts/make_scene15_split.py MIRROR/15-Scene.zip          write the list
python data_scripts/make_scene15_split.py MIRROR/15-Scene.zip --check  fail if the list differs
"""

import json
import re
import zipfile
from pathlib import Path

import click

from captionlab.datasets import scene15

TARGET = Path(scene15.__file__).with_name("scene15_split.json")
ABOUT = "15-Scene: the numbers of each class's training images; every other number up to `images` is a test image."


def split_of(archive: Path) -> str:
    """The split of an archive with `15-Scene/{train,test}/<class>/image_NNNN.jpg`, as JSON.

    Raises:
        click.ClickException: if classes are missing, or the images of a class are not numbered from 1 without gaps.
    """
    numbers: dict[tuple[str, str], set[int]] = {}
    for name in zipfile.ZipFile(archive).namelist():
        if match := re.fullmatch(r"15-Scene/(train|test)/([a-z]+)/image_(\d{4})\.jpg", name):
            part, kind, number = match.groups()
            numbers.setdefault((kind, part), set()).add(int(number))
    classes = {}
    for public in sorted(scene15.PUBLIC_FOLDERS, key=scene15.class_name):
        kind = scene15.class_name(public)
        train, test = numbers.get((kind, "train"), set()), numbers.get((kind, "test"), set())
        total = len(train) + len(test)
        if train & test or train | test != set(range(1, total + 1)) or len(train) != 100:
            raise click.ClickException(
                f"class {kind}: {len(train)} training and {len(test)} test images; expected 100 training images, and "
                "numbers from 1 without gaps, none in both parts"
            )
        classes[kind] = {"public": public, "images": total, "train": sorted(train)}
    lines = ",\n".join(f"    {json.dumps(kind)}: {json.dumps(entry)}" for kind, entry in classes.items())
    return f'{{\n  "about": {json.dumps(ABOUT)},\n  "classes": {{\n{lines}\n  }}\n}}\n'


@click.command()
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Write nothing; fail if the list in the library differs.")
def main(archive: Path, check: bool) -> None:
    """Write the list of training images of ARCHIVE, a copy of 15-Scene.zip that is already split."""
    text = split_of(archive)
    if not check:
        TARGET.write_text(text, "utf-8")
    elif TARGET.read_text("utf-8") != text:
        raise click.ClickException(f"{TARGET.name} is not the split of {archive}; run this script without --check")
    click.echo(f"{TARGET.name}: the split of {archive.name}")


if __name__ == "__main__":
    main()
