"""CSV: one row per student, one column per exercise."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from captionlab.common.files import write_atomically
from captionlab.grading.verdict import format_points
from captionlab.instructor.record import ClassRecord


def export_csv(record: ClassRecord, folder: Path) -> list[Path]:
    """Write ``grades.csv``."""
    rows: list[list[Any]] = [
        ["student_id", "lab", "score", "max_score", *(exercise.name for exercise in record.exercises)]
    ]
    for student in record.students:
        points = [student.score, student.max_score, *(verdict.points for verdict in student.verdicts)]
        rows.append([_escape(student.student_id), record.lab, *map(format_points, points)])
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    path = folder / "grades.csv"
    write_atomically(path, text.getvalue().encode())
    return [path]


def _escape(text: str) -> str:
    """Text that a spreadsheet does not run as a formula."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
