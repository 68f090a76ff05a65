"""``captionlab demo``: the main job, offline, on embedded data."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click


@click.command()
@click.option("--lab", "prefixes", multiple=True, help="A lab to grade; may be given again.  [default: all]")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("grades-demo"), show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default="the number of cores")
def demo(prefixes: tuple[str, ...], out: Path, jobs: int) -> None:
    """Grade a small sample class, print the tables and write the reports, a folder a lab.

    The class has a student who is right, one half done, one who has not begun, some with typical mistakes,
    one with a broken cell, one with an endless loop and one that calls exit(0).
    """
    from captionlab.commands.grade import grade_and_report
    from captionlab.exercises import LABS, UnknownName, load_lab
    from captionlab.grading.pipeline import find_submissions
    from captionlab.grading.sandbox import Limits
    from captionlab.workbook.sample import write_sample_class

    try:
        labs = [load_lab(prefix) for prefix in prefixes or LABS]
    except UnknownName as error:
        raise click.ClickException(str(error)) from None
    for lab in labs:
        with tempfile.TemporaryDirectory(prefix="captionlab-demo-") as folder:
            write_sample_class(Path(folder), lab)
            found = find_submissions([Path(folder)], lab)
            click.echo(f"A class of {len(found)} hands in {lab.name}; each exercise is graded in a process of its own.")
            limits = Limits(wall_seconds=60, cpu_seconds=5)  # a busy machine fails nobody who is right
            grade_and_report(found, lab, b"the demonstration has no secret", out / lab.name, jobs, limits)
