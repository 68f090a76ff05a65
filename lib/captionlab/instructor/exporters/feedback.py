"""HTML: one feedback page per student."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape

from captionlab.common.files import write_atomically
from captionlab.grading.verdict import format_points
from captionlab.instructor.record import ClassRecord, StudentRecord


def export_html(record: ClassRecord, folder: Path) -> list[Path]:
    """Write ``feedback/<student>.html`` for each student."""
    paths = [folder / "feedback" / name for name in _page_names(record.students)]
    for path, student in zip(paths, record.students, strict=True):
        write_atomically(path, feedback_page(record, student).encode())
    return paths


def feedback_page(record: ClassRecord, student: StudentRecord) -> str:
    """One student's feedback as HTML: outcomes, hints and examples from the public seed, no hidden value."""
    environment = Environment(
        loader=PackageLoader("captionlab.instructor"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["points"] = format_points
    return environment.get_template("feedback.html").render(record=record, student=student)


def _page_names(students: Sequence[StudentRecord]) -> list[str]:
    """File names that are valid everywhere and differ also where case does not count."""
    names: list[str] = []
    taken: set[str] = set()
    for student in students:
        stem = re.sub(r"[^\w.()-]+", "_", student.student_id).strip(".") or "student"
        stem = stem.encode()[:180].decode(errors="ignore")  # file names are limited in bytes
        name, count = f"{stem}.html", 1
        while name.lower() in taken:
            count += 1
            name = f"{stem}-{count}.html"
        names.append(name)
        taken.add(name.lower())
    return names
