"""``captionlab build``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("labs", nargs=-1)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; fail when a built file is out of date.")
@click.option(
    "--root", type=click.Path(path_type=Path), default=Path("."), help="The course's folder (default: this one)."
)
def build(labs: tuple[str, ...], only_check: bool, root: Path) -> None:
    """Make the notebooks and modules of instructors (solutions/) and students (labs/) from the labs' texts.

    LABS are names or unique prefixes, such as lab1; all labs by default.
    """
    from captionlab.exercises import LABS, UnknownName, lab_name
    from captionlab.workbook import build as workbook
    from captionlab.workbook.errors import TextError

    try:
        names = tuple(lab_name(lab) for lab in labs) or LABS
        paths = workbook.outdated(root, names) if only_check else workbook.build(root, names)
    except (UnknownName, TextError) as error:
        raise click.ClickException(str(error)) from None
    if only_check and paths:
        listed = ", ".join(map(str, paths))
        raise click.ClickException(f"not what a build gives: {listed}; run `captionlab build` and commit the result")
    for path in paths:
        click.echo(f"wrote {path}")
    if not paths:
        click.echo(f"up to date: {', '.join(names)}")
