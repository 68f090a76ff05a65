"""``captionlab grade``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from captionlab.grading.exercise import Lab
    from captionlab.grading.pipeline import GradeReport, SubmissionFile
    from captionlab.grading.sandbox import Limits


WALL = "Seconds an exercise may take, half of them of processor time."


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--lab", "lab_prefix", required=True, help="The lab, such as lab1.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("grades"), show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default="the number of cores")
@click.option("--wall", type=click.FloatRange(1), default=20.0, show_default=True, help=WALL)
@click.option("--memory", type=click.FloatRange(0.1), default=1.0, show_default=True, help="GiB an exercise may take.")
def grade(paths: tuple[Path, ...], lab_prefix: str, out: Path, jobs: int, wall: float, memory: float) -> None:
    """Grade submissions of a lab.

    PATHS are notebooks or modules (a student each, named after the file), folders named after a student,
    or folders of those. Writes grades.csv, verdicts.json and a feedback page a student to --out.
    """
    from captionlab.exercises import UnknownName, load_lab
    from captionlab.grading.pipeline import NothingToGrade, course_secret, find_submissions
    from captionlab.grading.sandbox import CannotGrade, Limits

    for path in paths:
        if not path.exists():
            click.echo(f"there is no {path}; the others are graded", err=True)
    try:
        lab = load_lab(lab_prefix)
        found = find_submissions(paths, lab)
        secret = course_secret()
    except (UnknownName, NothingToGrade) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename} cannot be read: {error.strerror}") from None
    limits = Limits(wall_seconds=wall, cpu_seconds=wall / 2, memory_bytes=int(memory * 2**30))
    try:
        graded = grade_and_report(found, lab, secret, out, jobs, limits)
    except CannotGrade as error:
        raise click.ClickException(str(error)) from None
    if all(one.problem for one in graded):
        raise click.ClickException("no submission could be read; the reasons stand above and in verdicts.json")


def grade_and_report(
    found: list[SubmissionFile], lab: Lab, secret: bytes, out: Path, jobs: int, limits: Limits
) -> list[GradeReport]:
    """Grade with a progress bar, print the table and what could not be read, write the reports."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from captionlab.commands.terminal import class_table, exercise_table
    from captionlab.grading.pipeline import grade_class
    from captionlab.grading.sandbox import ISOLATION
    from captionlab.instructor.report import write_reports

    console = Console()
    columns = TextColumn("grading {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(lab.name, total=len(found))
        graded = grade_class(found, lab, secret, jobs, limits, lambda one: bar.advance(task))
    try:
        write_reports(out, lab, graded)
    except OSError as error:
        raise click.ClickException(f"the reports cannot be written to {out}: {error.strerror}") from None
    console.print(class_table(lab, graded), exercise_table(lab, graded))
    for one in graded:
        for line in ([one.problem] if one.problem else []) + one.notes:
            console.print(f"{one.student}: {line}", markup=False, highlight=False)
    console.print(
        f"{out}/grades.csv, {out}/verdicts.json, {out}/feedback/<student>.html", markup=False, highlight=False
    )
    console.print(f"({ISOLATION})", style="dim", markup=False, highlight=False)
    return graded
