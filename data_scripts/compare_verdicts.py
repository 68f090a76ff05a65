"""Compare two reports on the same submissions, such as those of two versions of the code.

    captionlab demo --out before      # with one version
    captionlab demo --out after       # with the other
    python data_scripts/compare_verdicts.py before after --renamed dense_parameters=linear_parameters

Each argument is a verdicts.json, a folder with one, or a folder with one folder per lab. For every student and exercise
the points and the outcome must be the same, and the same misconception must be recognized, whatever it is called. A
renamed exercise has other hidden seeds: there partial points may differ. Exit status 1: there are differences.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

VERDICTS = "verdicts.json"


def find_reports(path: Path) -> dict[str, Path]:
    """The reports below a path, by the name of the lab's folder; the name is empty for a single report."""
    if path.is_file():
        return {"": path}
    if (path / VERDICTS).is_file():
        return {"": path / VERDICTS}
    return {file.parent.name: file for file in sorted(path.glob(f"*/{VERDICTS}"))}


def verdicts_of(file: Path, renamed: Mapping[str, str]) -> dict[tuple[str, str], dict[str, Any]]:
    """The verdicts of a report by student and exercise, under the exercise's new name."""
    students = json.loads(file.read_text(encoding="utf-8"))
    return {
        (student["student_id"], renamed.get(verdict["exercise"], verdict["exercise"])): verdict
        for student in students
        for verdict in student["verdicts"]
    }


def compare_reports(before: Path, after: Path, renamed: Mapping[str, str]) -> tuple[int, list[str]]:
    """Compare two verdicts.json.

    Args:
        before, after: the files.
        renamed: new names of exercises by their old names.

    Returns:
        how many verdicts both have, and what differs.
    """
    old, new = verdicts_of(before, renamed), verdicts_of(after, {})
    found = [f"{' '.join(key)}: only in {before if key in old else after}" for key in sorted(old.keys() ^ new.keys())]
    common = sorted(old.keys() & new.keys())
    names: dict[tuple[str, str], str] = {}  # new names of misconceptions, by exercise and old name
    for key in common:
        one, other = old[key], new[key]
        if key[1] in renamed.values():
            one, other = _without_partial_points(one), _without_partial_points(other)
        for field in ("outcome", "points", "max_points"):
            if one[field] != other[field]:
                found.append(f"{' '.join(key)}: {field} was {one[field]}, is {other[field]}")
        was, now = (_misconceptions(each) for each in (one, other))
        expected = names.setdefault((key[1], was), now) if "None" not in (was, now) else was
        if now != expected:
            found.append(f"{' '.join(key)}: misconception was {was}, is {now}, expected {expected}")
    new_names = Counter((exercise, now) for (exercise, _), now in names.items())
    found += [f"{exercise}: several misconceptions are now {now}" for (exercise, now), n in new_names.items() if n > 1]
    return len(common), found


def _misconceptions(verdict: Mapping[str, Any]) -> str:
    """The misconceptions of a verdict; reports of earlier versions hold one at most, under another key."""
    names = verdict.get("misconceptions", [verdict.get("misconception")])
    return ", ".join(filter(None, names)) or "None"


def _without_partial_points(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict as if a partly right answer were wrong."""
    return {**verdict, "outcome": "wrong", "points": 0} if verdict["outcome"] == "partial" else dict(verdict)


def _pairs(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    for value in values:
        if value.count("=") != 1:
            raise click.BadParameter(f"expected OLD=NEW, got {value!r}")
    return dict(value.split("=") for value in values)


@click.command()
@click.argument("before", type=click.Path(path_type=Path, exists=True))
@click.argument("after", type=click.Path(path_type=Path, exists=True))
@click.option("--renamed", multiple=True, metavar="OLD=NEW", callback=_pairs, help="An exercise with a new name.")
def main(before: Path, after: Path, renamed: dict[str, str]) -> None:
    """Compare two reports on the same submissions: verdicts.json, or folders with one per lab."""
    old, new = find_reports(before), find_reports(after)
    if not old or not new:
        raise click.ClickException(f"there is no {VERDICTS} in {after if old else before}")
    found = [f"{lab}: only in {before if lab in old else after}" for lab in sorted(old.keys() ^ new.keys())]
    compared = 0
    for lab in sorted(old.keys() & new.keys()):
        count, differences = compare_reports(old[lab], new[lab], renamed)
        compared += count
        found += [f"{lab} {line}".strip() for line in differences]
    for line in found:
        click.echo(line)
    click.echo(f"{compared} verdicts compared, {len(found)} differences")
    sys.exit(1 if found or not compared else 0)


if __name__ == "__main__":
    main()
