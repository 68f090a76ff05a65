"""What grading leaves behind: a gradebook, the verdicts as data, and a feedback page a student."""

from __future__ import annotations

import csv
import json
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from captionlab.grading.exercise import Lab
from captionlab.grading.judge import SYMBOLS, format_points
from captionlab.grading.pipeline import REPORT_MARK, GradeReport


def write_reports(out: Path, lab: Lab, graded: list[GradeReport]) -> list[Path]:
    """Write ``grades.csv``, ``verdicts.json`` and ``feedback/<student>.html``; the same bytes for the same grades."""
    out.mkdir(parents=True, exist_ok=True)
    written = [out / "grades.csv", out / REPORT_MARK]
    _write(written[0], _gradebook(lab, graded))
    _write(written[1], json.dumps([_as_data(one) for one in graded], indent=1, ensure_ascii=False) + "\n")
    pages = out / "feedback"
    pages.mkdir(exist_ok=True)
    for name, one in zip(_page_names(graded), graded, strict=True):
        written.append(pages / name)
        _write(written[-1], feedback_page(lab, one))
    return written


def _write(path: Path, text: str) -> None:
    """Write whole or not at all: a full disk leaves the old file."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _gradebook(lab: Lab, graded: list[GradeReport]) -> str:
    lines: list[list[Any]] = [["student_id", "lab", "score", "max_score", *lab.exercises]]
    for one in graded:
        points = [verdict.points for verdict in one.verdicts]
        lines.append([_cell(one.student), one.lab, *map(format_points, (one.score, one.max_score, *points))])
    buffer = _Lines()
    csv.writer(buffer, lineterminator="\n").writerows(lines)
    return "".join(buffer)


class _Lines(list):
    write = list.append


def _cell(text: str) -> str:
    """Text that a spreadsheet does not run as a formula."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _as_data(one: GradeReport) -> dict:
    verdicts = [
        {
            "exercise": verdict.exercise,
            "points": verdict.points,
            "max_points": verdict.max_points,
            "outcome": verdict.outcome,
            "misconception": verdict.misconception,
            "message": verdict.message,
        }
        for verdict in one.verdicts
    ]
    return {
        "student_id": one.student,
        "lab": one.lab,
        "score": one.score,
        "max_score": one.max_score,
        "problem": one.problem,
        "notes": one.notes,
        "verdicts": verdicts,
    }


def _page_names(graded: Iterable[GradeReport]) -> list[str]:
    names: list[str] = []
    for one in graded:
        stem = re.sub(r"[^\w.()-]+", "_", one.student).strip(".") or "student"
        stem = stem.encode()[:180].decode(errors="ignore")  # file names are limited in bytes
        name, count = f"{stem}.html", 1
        while name.lower() in (taken.lower() for taken in names):
            count += 1
            name = f"{stem}-{count}.html"
        names.append(name)
    return names


def feedback_page(lab: Lab, graded: GradeReport) -> str:
    """One student's feedback as HTML: outcome, hint, and an example from the public seed; no hidden value."""
    environment = Environment(
        loader=PackageLoader("captionlab.instructor"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["points"] = format_points
    template = environment.get_template("feedback.html")
    return template.render(lab=lab, graded=graded, symbols=SYMBOLS)
