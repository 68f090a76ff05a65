"""``captionlab check`` and ``captionlab labs``: for students."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from captionlab.exercises import UnknownName
    from captionlab.grading.exercise import Lab


EXPECTED = "a notebook (.ipynb), a module (.py), a zip archive or a folder"


@dataclass(frozen=True)
class Target:
    """What is checked: exercises of a lab (None: all) in a file or folder."""

    lab: Lab
    path: Path
    exercises: tuple[str, ...] | None


@click.command()
@click.argument("what", metavar="WHAT")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--exercise", "-e", "only", multiple=True, help="Check only this exercise; can be given several times.")
def check(what: str, path: Path | None, only: tuple[str, ...]) -> None:
    """Check your own work on the public seed.

    WHAT is an exercise (conv_output_size), a lab (lab1, 1, vgg) or your notebook, your module or the folder of both;
    a zip archive of them is checked, too.

    PATH is your notebook, module or folder if WHAT is an exercise or a lab; by default it is looked for in work/ and
    in the current folder.
    """
    from captionlab.exercises import UnknownName
    from captionlab.grading.finding import NoSubmissions
    from captionlab.grading.sandbox import SandboxUnavailable

    try:
        all_right = [check_target(target) for target in find_targets(what, path, only)]
    except (UnknownName, NoSubmissions, SandboxUnavailable) as error:
        raise click.ClickException(str(error)) from None
    if not all(all_right):
        raise SystemExit(1)


def check_target(target: Target) -> bool:
    """Check one lab's work and print the verdicts.

    Returns:
        whether everything is right.

    Raises:
        SandboxUnavailable: no worker can be started.
    """
    from rich.console import Console

    from captionlab.commands.terminal import print_verdicts
    from captionlab.grading.pipeline import Grader
    from captionlab.grading.submitted_file import SubmissionFile
    from captionlab.grading.verdict import format_points
    from captionlab.workbook.notebook_check import HIDDEN_SEEDS

    with Grader(target.lab) as grader:
        report = grader.grade_file(SubmissionFile("you", target.path), target.exercises)
    if report.problem:
        raise click.ClickException(report.problem)
    click.echo(f"{target.lab.name}: {target.path}")
    print_verdicts(Console(), report)
    score = f"{format_points(report.score)} of {format_points(report.max_score)} points"
    click.echo(f"{score} on the public seed. {HIDDEN_SEEDS}")
    return all(verdict.outcome == "right" for verdict in report.verdicts)


def find_targets(what: str, path: Path | None, only: tuple[str, ...]) -> list[Target]:
    """What the arguments of ``captionlab check`` mean.

    Raises:
        UnknownName: no such exercise or lab.
        NoSubmissions: there is no work to check.
    """
    from captionlab.exercises import UnknownName, find_exercise, load_lab

    if path is None and _is_path(what):
        return _targets_in(Path(what), only)
    try:
        lab = load_lab(what)
    except UnknownName as no_lab:
        try:
            exercise = find_exercise(what)
        except UnknownName:
            if path is None and Path(what).exists():
                return _targets_in(Path(what), only)
            raise _unknown(what, no_lab) from None
        lab = load_lab(exercise.lab)
        only = (exercise.name, *only)
    names = tuple(find_exercise(name, lab).name for name in only)
    return [Target(lab, _own_work(path, lab), names or None)]


def _is_path(what: str) -> bool:
    """Whether the text can only be a path, not the name of an exercise or a lab."""
    from captionlab.grading.file_kinds import named_kind

    return named_kind(what) is not None or what in (".", "..") or os.sep in what


def _unknown(what: str, no_lab: UnknownName) -> UnknownName:
    """The error for a name that is neither a lab's nor an exercise's nor a file's, with the nearest names."""
    from difflib import get_close_matches

    from captionlab.exercises import LABS, AmbiguousName, UnknownName, load_lab

    if isinstance(no_lab, AmbiguousName):
        return no_lab
    names = [*LABS, *(name for lab in LABS for name in load_lab(lab).exercises)]
    nearest = get_close_matches(what.lower(), names, n=3, cutoff=0.5)
    guess = f"did you mean {' or '.join(map(repr, nearest))}? " if nearest else ""
    return UnknownName(f"there is no lab, exercise or file {what!r}; {guess}`captionlab labs` lists labs and exercises")


def _targets_in(path: Path, only: tuple[str, ...]) -> list[Target]:
    """The labs that a notebook, module or folder answers."""
    from captionlab.exercises import LABS, find_exercise, load_lab
    from captionlab.grading.finding import NoSubmissions
    from captionlab.grading.reader import answered_labs

    path = _existing(path)
    labs = [load_lab(name) for name in LABS]
    if only:
        wanted = {find_exercise(name).lab for name in only}
        labs = [lab for lab in labs if lab.name in wanted]
    targets = []
    for lab in answered_labs(path, labs):
        names = tuple(name for name in lab.exercises if name in only)
        targets.append(Target(lab, _with_module(path, lab), names or None))
    if not targets:
        raise NoSubmissions(f"{path} answers no exercise of {', '.join(lab.name for lab in labs)}{_reason(path, labs)}")
    return targets


def _reason(path: Path, labs: list[Lab]) -> str:
    """Why a file that answers nothing cannot be read, if it cannot."""
    from captionlab.grading.file_kinds import kind_of
    from captionlab.grading.reader import read_submission
    from captionlab.grading.submitted_file import SubmissionFile, UnreadableSubmission

    if path.is_dir():
        return ""
    kind = kind_of(path)
    if not kind.reader:
        return f": it is {kind.description}; expected {EXPECTED}"
    try:
        read_submission(SubmissionFile("you", path), labs[0])
    except UnreadableSubmission as error:
        return f": {error}"
    return ""


def _existing(path: Path) -> Path:
    """The path; for a link to a folder, that folder.

    Raises:
        NoSubmissions: there is nothing.
    """
    from captionlab.grading.finding import NoSubmissions

    if not path.exists():
        raise NoSubmissions(f"{path} not found: expected {EXPECTED}")
    return path.resolve() if path.is_symlink() and path.is_dir() else path


def _own_work(path: Path | None, lab: Lab) -> Path:
    """Where the work on a lab is: at ``path``, or where `captionlab start` puts it."""
    from captionlab.grading.finding import NoSubmissions

    if path:
        return _with_module(_existing(path), lab)
    usual = [folder / f"{lab.name}.ipynb" for folder in (Path("work", lab.name), Path(lab.name), Path("."))]
    for notebook in usual:
        if notebook.exists():
            return _with_module(notebook, lab)
    raise NoSubmissions(
        f"none of {', '.join(map(str, usual))} found; get the notebook with `captionlab start {lab.name}`, or name "
        f"yours: captionlab check {lab.name} PATH"
    )


def _with_module(path: Path, lab: Lab) -> Path:
    """The path; for a notebook with the lab's module next to it, the folder of both."""
    from captionlab.grading.file_kinds import NOTEBOOK, kind_of

    has_module = lab.module_filename is not None and (path.parent / lab.module_filename).is_file()
    return path.parent if has_module and path.is_file() and kind_of(path) == NOTEBOOK else path


@click.command()
def labs() -> None:
    """List the labs and their exercises with points, difficulty, importance and minutes."""
    from rich.console import Console
    from rich.table import Table

    from captionlab.exercises import LABS, load_lab
    from captionlab.grading.verdict import format_points

    for name in LABS:
        lab = load_lab(name)
        table = Table(title=f"{lab.name}: {lab.title} ({format_points(lab.max_points)} points)", title_justify="left")
        for column in ("exercise", "points", "difficulty", "importance", "minutes"):
            table.add_column(column, justify="left" if column == "exercise" else "right", no_wrap=True)
        for one in lab.exercises.values():
            table.add_row(one.name, *map(str, (format_points(one.points), one.difficulty, one.importance, one.minutes)))
        Console().print(table)
