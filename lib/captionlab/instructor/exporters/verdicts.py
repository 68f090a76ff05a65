"""JSON: every verdict as data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from captionlab.common.files import write_atomically
from captionlab.grading.finding import REPORT_FILE, UNREAD_FILE
from captionlab.grading.verdict import Verdict
from captionlab.instructor.record import ClassRecord, StudentRecord


def export_json(record: ClassRecord, folder: Path) -> list[Path]:
    """Write ``verdicts.json``: a list of students, each with a list of verdicts.

    If files among the submissions were not read, ``not_read.json`` lists them with the reasons.
    """
    students = folder / REPORT_FILE
    _write(students, [_student_data(record, student) for student in record.students])
    unread = folder / UNREAD_FILE
    if not record.unread:
        unread.unlink(missing_ok=True)  # of an earlier run
        return [students]
    _write(unread, [{"name": file.name, "reason": file.reason} for file in record.unread])
    return [students, unread]


def _write(path: Path, data: list[dict[str, Any]]) -> None:
    write_atomically(path, (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())


def _student_data(record: ClassRecord, student: StudentRecord) -> dict[str, Any]:
    return {
        "student_id": student.student_id,
        "lab": record.lab,
        "score": student.score,
        "max_score": student.max_score,
        "problem": student.problem,
        "notes": list(student.notes),
        "verdicts": [_verdict_data(verdict) for verdict in student.verdicts],
    }


def _verdict_data(verdict: Verdict) -> dict[str, Any]:
    return {
        "exercise": verdict.exercise,
        "points": verdict.points,
        "max_points": verdict.max_points,
        "outcome": verdict.outcome,
        "misconceptions": list(verdict.misconceptions),
        "message": verdict.message,
    }
