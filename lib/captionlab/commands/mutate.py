"""``captionlab mutate``: for contributors, what the probe of an exercise does not notice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from captionlab.commands.options import seeds_option

if TYPE_CHECKING:
    from rich.table import Table

    from captionlab.grading.exercise import Exercise
    from captionlab.grading.mutation import MutationReport

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("names", nargs=-1, metavar="[EXERCISE|LAB]...")
@seeds_option(3, help="Number of hidden seeds, beside the public one.")
@click.option("--all", "everything", is_flag=True, help="All exercises of all labs.")
@click.option("--json", "json_file", type=FILE, help="Write the results to this JSON file.")
def mutate(names: tuple[str, ...], seeds: int, everything: bool, json_file: Path | None) -> None:
    """Find wrong answers that an exercise accepts.

    Each mutant is the exercise's reference with one small change. It should be killed: judged wrong on the public seed
    or on a hidden one. A mutant that survives shows what the probe does not check, unless it gives the same as the
    reference in every case; then it belongs, with the reason, on the list equivalent_mutants.toml in the lab's package.

    The exit status is 1 if other mutants survive or the list has entries that match no survivor.
    """
    from rich.console import Console

    from captionlab.exercises import UnknownName, load_lab
    from captionlab.grading.mutation import mutation_report, read_equivalents

    if everything == bool(names):
        raise click.UsageError("name exercises or labs, or give --all")
    try:
        exercises = _find_exercises(names)
    except UnknownName as error:
        raise click.ClickException(str(error)) from None
    reports = []
    for exercise in exercises:
        try:
            listed = read_equivalents(load_lab(exercise.lab)).get(exercise.name, [])
            reports.append(mutation_report(exercise, listed, seeds))
        except (RuntimeError, ValueError) as error:  # a mistake in the exercise or in its list
            raise click.ClickException(f"{exercise.name}: {error}") from None
        click.echo("\n".join(reports[-1].lines()))
    Console().print(_summary(reports))
    if json_file:
        json_file.write_text(json.dumps([one.as_dict() for one in reports], indent=1) + "\n", encoding="utf-8")
    if not all(one.is_clean for one in reports):
        raise SystemExit(1)


def _find_exercises(names: tuple[str, ...]) -> list[Exercise]:
    """The exercises that are meant, each once; no names mean all.

    Raises:
        UnknownName: no such exercise or lab.
    """
    from captionlab.exercises import LABS, UnknownName, find_exercise, load_lab

    found: list[Exercise] = []
    for name in names or LABS:
        try:
            found.append(find_exercise(name))
        except UnknownName as no_exercise:
            try:
                found += load_lab(name).exercises.values()
            except UnknownName:
                raise no_exercise from None
    return list(dict.fromkeys(found))


def _summary(reports: list[MutationReport]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title="mutants", title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("lab", no_wrap=True)
    for column in ("exercises", "mutants", "killed", "equivalent", "survived", "stale"):
        table.add_column(column, justify="right", no_wrap=True)
    labs = list(dict.fromkeys(one.lab for one in reports))
    rows = [(lab, [one for one in reports if one.lab == lab]) for lab in labs]
    if len(labs) > 1:
        rows.append(("all", reports))
    for name, group in rows:
        counts = [
            len(group),
            *(sum(one.total for one in group), sum(one.killed for one in group)),
            *(sum(len(one.equivalent) for one in group), sum(len(one.survivors) for one in group)),
            sum(len(one.stale) for one in group),
        ]
        table.add_row(name, *map(str, counts))
    return table
