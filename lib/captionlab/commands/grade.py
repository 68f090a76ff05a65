"""``captionlab grade``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from captionlab.instructor.exporters import EXPORTERS

if TYPE_CHECKING:
    from captionlab.grading.finding import FoundSubmissions
    from captionlab.grading.pipeline import Grader, GradeReport

JOBS = click.option(
    "--jobs",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    show_default="number of cores",
    help="Submissions graded at the same time.",
)
WALL = "Seconds one exercise may take, and half as many of CPU time."


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--lab", "lab_name", required=True, help="The lab, such as lab1.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("grades"),
    show_default=True,
    help="Reports go to OUT/<lab>/.",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(list(EXPORTERS)),
    help="What to write besides verdicts.json; can be given several times.  [default: all]",
)
@JOBS
@click.option("--wall", type=click.FloatRange(1), default=20.0, show_default=True, help=WALL)
@click.option("--memory", type=click.FloatRange(0.1), default=1.0, show_default=True, help="GiB one exercise may use.")
def grade(
    paths: tuple[Path, ...],
    lab_name: str,
    out: Path,
    formats: tuple[str, ...],
    jobs: int,
    wall: float,
    memory: float,
) -> None:
    """Grade submissions of a lab.

    PATHS are notebooks, modules or zip archives (one per student, named after the file), folders named after a
    student, or folders of those. Writes grades.csv, verdicts.json and one feedback page per student. Files that are
    no submissions are listed, and written to not_read.json.
    """
    from captionlab.exercises import UnknownName, load_lab
    from captionlab.grading.finding import NoSubmissions, find_submissions
    from captionlab.grading.pipeline import Grader
    from captionlab.grading.sandbox import Limits, SandboxUnavailable
    from captionlab.grading.secret import UnusableSecret, course_secret

    try:
        lab = load_lab(lab_name)
        found = find_submissions(paths, lab)
        secret = course_secret()
    except (UnknownName, NoSubmissions, UnusableSecret) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename} cannot be read: {error.strerror}") from None
    limits = Limits(wall_seconds=wall, cpu_seconds=wall / 2, memory_bytes=int(memory * 2**30))
    try:
        with Grader(lab, secret=secret, limits=limits, jobs=min(jobs, len(found))) as grader:
            reports = grade_and_export(grader, found, out, formats)
    except SandboxUnavailable as error:
        raise click.ClickException(str(error)) from None
    if all(report.problem for report in reports):
        raise click.ClickException("no submission could be read; see the reasons above or in verdicts.json")


def grade_and_export(
    grader: Grader, found: FoundSubmissions, out: Path, formats: Sequence[str] = ()
) -> list[GradeReport]:
    """Grade with a progress bar, write the reports to ``out/<lab>/``, print the tables and what could not be read."""
    from rich.console import Console

    from captionlab.commands.terminal import class_table, exercise_table, remarks
    from captionlab.common.progress import progress_bar
    from captionlab.grading.sandbox import ISOLATION
    from captionlab.instructor import class_record, export

    lab, folder = grader.lab, out / grader.lab.name
    with progress_bar(f"grading {lab.name}", len(found), unit="submissions") as progress:
        reports = grader.grade_all(found, lambda report: progress.advance())
    try:
        # verdicts.json is always written: it marks the folder as a report, not a submission.
        written = export(
            class_record(lab, reports, found.unread), folder, dict.fromkeys(["json", *(formats or EXPORTERS)])
        )
    except OSError as error:
        raise click.ClickException(f"the reports cannot be written to {folder}: {error.strerror}") from None
    console = Console()
    console.print(class_table(lab, reports), exercise_table(lab, reports))
    for line in remarks(reports, found.unread):
        console.print(line, markup=False, highlight=False)
    shown = sorted({str(path) for path in written if path.parent == folder})
    pages = [f"{folder / 'feedback'}/<student>.html"] if len(shown) < len(written) else []
    console.print(f"wrote {', '.join([*shown, *pages])}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"({ISOLATION})", style="dim", markup=False, highlight=False)
    return reports
