"""``captionlab build``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("labs", nargs=-1)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; fail if a built file is out of date.")
@click.option("--force", is_flag=True, help="Replace changed files, too, and keep them as *.bak.")
@click.option("--root", type=click.Path(path_type=Path), default=Path("."), help="The course's folder [default: .]")
def build(labs: tuple[str, ...], only_check: bool, force: bool, root: Path) -> None:
    """Make the notebooks and modules of instructors (solutions/) and students (labs/) from the labs' texts.

    LABS are names or unique prefixes, such as lab1; all labs by default. A file that was changed since it was built is
    not replaced.
    """
    from captionlab.exercises import LABS, UnknownName, lab_name
    from captionlab.workbook import build as workbook
    from captionlab.workbook.errors import ModifiedFiles, TextError

    try:
        names = tuple(lab_name(lab) for lab in labs) or LABS
        outdated = workbook.outdated(root, names) if only_check else []
        written = [] if only_check else workbook.build(root, names, force=force)
    except (UnknownName, TextError, ModifiedFiles, OSError) as error:
        raise click.ClickException(str(error)) from None
    if outdated:
        listed = ", ".join(map(str, outdated))
        raise click.ClickException(f"not what a build gives: {listed}; run `captionlab build` and commit the result")
    for path, backup in written:
        click.echo(f"wrote {path}" + (f"; the changed file is kept as {backup}" if backup else ""))
    if not written:
        click.echo(f"up to date: {', '.join(names)}")
