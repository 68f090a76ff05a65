"""``captionlab check`` and ``captionlab labs``: for students."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from captionlab.grading.exercise import Lab


@click.command()
@click.argument("lab")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--exercise", "-e", "only", multiple=True, help="Check this exercise only; may be given again.")
def check(lab: str, path: Path | None, only: tuple[str, ...]) -> None:
    """Check your own work on LAB (such as lab1), on the public seed.

    PATH is your notebook, your module or their folder; by default what lies here or in labs/.
    """
    from rich.console import Console

    from captionlab.commands.terminal import print_verdicts
    from captionlab.exercises import UnknownName, find_exercise, load_lab
    from captionlab.grading.judge import format_points
    from captionlab.grading.pipeline import SubmissionFile, NothingToGrade, grade_submission
    from captionlab.grading.sandbox import CannotGrade, Sandbox
    from captionlab.workbook.kit import HIDDEN_SEEDS

    try:
        chosen = load_lab(lab)
        names = [find_exercise(name, chosen).name for name in only]
        handed = _own_work(path, chosen)
    except (UnknownName, NothingToGrade) as error:
        raise click.ClickException(str(error)) from None
    try:
        with Sandbox(chosen) as sandbox:
            graded = grade_submission(SubmissionFile("you", handed), chosen, sandbox, secret=None, only=names or None)
    except CannotGrade as error:
        raise click.ClickException(str(error)) from None
    if graded.problem:
        raise click.ClickException(graded.problem)
    print_verdicts(Console(), graded)
    click.echo(
        f"{format_points(graded.score)} of {format_points(graded.max_score)} points on the public seed. {HIDDEN_SEEDS}"
    )
    if any(verdict.outcome != "right" for verdict in graded.verdicts):
        raise SystemExit(1)


def _own_work(path: Path | None, lab: Lab) -> Path:
    """The notebook to check; with the module that lies beside it, their folder."""
    from captionlab.grading.pipeline import NothingToGrade

    usual = [Path(f"{lab.name}.ipynb"), Path("labs", lab.name, f"{lab.name}.ipynb")]
    candidates = [path] if path else usual
    for candidate in candidates:
        if candidate.exists():
            beside = lab.module_filename and candidate.suffix == ".ipynb" and (candidate.parent / lab.module_filename).is_file()
            return candidate.parent if beside else candidate
    listed = " or ".join(map(str, candidates))
    raise NothingToGrade(f"there is no {listed}" + ("" if path else "; name your notebook: captionlab check LAB PATH"))


@click.command()
def labs() -> None:
    """List the labs and their exercises, with points, difficulty and minutes."""
    from rich.console import Console
    from rich.table import Table

    from captionlab.exercises import LABS, load_lab
    from captionlab.grading.judge import format_points

    for name in LABS:
        lab = load_lab(name)
        table = Table(title=f"{lab.name}: {lab.title} ({format_points(lab.max_points)} points)", title_justify="left")
        for column in ("exercise", "points", "difficulty", "importance", "minutes"):
            table.add_column(column, justify="left" if column == "exercise" else "right", no_wrap=True)
        for one in lab.exercises.values():
            table.add_row(one.name, *map(str, (format_points(one.points), one.difficulty, one.importance, one.minutes)))
        Console().print(table)
