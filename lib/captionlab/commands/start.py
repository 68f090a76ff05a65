"""``captionlab start``: a copy of a lab to work in."""

from __future__ import annotations

import os
from pathlib import Path

import click

NOT_COPIED = (".*", "__pycache__", "*.bak", "*.bak[0-9]*")


@click.command()
@click.argument("lab")
@click.argument("folder", required=False, default=Path("work"), type=click.Path(path_type=Path, file_okay=False))
@click.option("--root", type=click.Path(path_type=Path), default=Path("."), help="The course's folder [default: .]")
def start(lab: str, folder: Path, root: Path) -> None:
    """Copy LAB (such as lab1) to FOLDER, by default work/, and work there.

    Files that are there already are never replaced: run it again to get back a file you deleted.
    """
    from captionlab.exercises import UnknownName, lab_name

    try:
        name = lab_name(lab)
        source, target = root / "labs" / name, folder / name
        if not source.is_dir():
            raise click.ClickException(f"there is no {source}: run this in the course's folder, or name it with --root")
        copied, kept = copy_missing(source, target)
    except UnknownName as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename or target} cannot be written: {error.strerror}") from None
    if copied:
        click.echo(f"copied to {target}: {', '.join(copied)}")
    if kept:
        click.echo(f"already in {target} and left as it is: {', '.join(kept)}")
    _say_how_to_continue(name, folder, sorted([*copied, *kept]))


def copy_missing(source: Path, target: Path) -> tuple[list[str], list[str]]:
    """Copy the files of a folder that another one lacks.

    Returns:
        names of the copied files, and of those that were there already, both sorted.

    Raises:
        OSError: the folder or a file cannot be written.
    """
    target.mkdir(parents=True, exist_ok=True)
    copied, kept = [], []
    for path in sorted(source.iterdir()):
        if not path.is_file() or any(path.match(pattern) for pattern in NOT_COPIED):
            continue
        try:
            with (target / path.name).open("xb") as copy:
                copy.write(path.read_bytes())
            copied.append(path.name)
        except FileExistsError:
            kept.append(path.name)
    return copied, kept


def _say_how_to_continue(name: str, folder: Path, files: list[str]) -> None:
    run = "uv run " if "UV" in os.environ else ""  # which `uv run` sets for what it runs
    place = "" if folder == Path("work") else f" {folder / name}"
    click.echo(f"open it:    {run}jupyter lab {folder / name / f'{name}.ipynb'}")
    for module in (file for file in files if file.endswith(".py")):
        click.echo(f"write in:   {folder / name / module}, with an editor; the notebook explains and checks it")
    click.echo(f"check it:   {run}captionlab check {name}{place}")
    click.echo(f"hand in:    {folder / name}, after saving")
