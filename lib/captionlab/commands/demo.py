"""``captionlab demo``: grading, offline, on sample submissions."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from captionlab.commands.grade import JOBS


@click.command()
@click.option("--lab", "names", multiple=True, help="A lab to grade; can be given several times.  [default: all]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("grades-demo"),
    show_default=True,
    help="Reports go to OUT/<lab>/.",
)
@JOBS
def demo(names: tuple[str, ...], out: Path, jobs: int) -> None:
    """Grade sample submissions, print the tables and write the reports.

    Among the sample students are one who is right, one who did half of the lab, one who has not started, some with
    typical mistakes, one with a broken cell, one with an endless loop and one who calls exit(0).
    """
    from captionlab.commands.grade import grade_and_export
    from captionlab.exercises import LABS, UnknownName, load_lab
    from captionlab.grading.finding import find_submissions
    from captionlab.grading.pipeline import Grader
    from captionlab.grading.sandbox import Limits, SandboxUnavailable
    from captionlab.workbook.sample import write_sample_class

    limits = Limits(wall_seconds=60, cpu_seconds=5)  # a busy machine must not fail anyone who is right
    try:
        for lab in [load_lab(name) for name in names or LABS]:
            with tempfile.TemporaryDirectory(prefix="captionlab-demo-") as folder:
                write_sample_class(Path(folder), lab)
                found = find_submissions([Path(folder)], lab)
                click.echo(
                    f"grading {len(found)} sample submissions of {lab.name}; each exercise runs in its own process"
                )
                with Grader(lab, secret=b"the demonstration has no secret", limits=limits, jobs=jobs) as grader:
                    grade_and_export(grader, found, out)
    except (UnknownName, SandboxUnavailable) as error:
        raise click.ClickException(str(error)) from None
