"""nbgrader with students who hand in late, at no readable time, or what formgrader could not show: none is dropped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from odd_submissions import LAB, NOTEBOOK, RIGHT, shorter

BIN = Path(sys.executable).parent
LATE = """
from nbgrader.plugins import BasePlugin


class OnePoint(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return 1 if total_seconds_late > 0 else None
"""
UNSHOWABLE = ["![](attachment:gone.png)", ">" * 3000 + " deep", "x ~~~ ![](attachment:gone.png)"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("nbgrader's students")]


def text_cell(source: str) -> dict:
    return {"cell_type": "markdown", "id": "own", "metadata": {}, "source": source}


@pytest.fixture(scope="module")
def course(tmp_path_factory, request):
    """A course in which everyone answered rightly; the folders' names say what is odd."""
    root, course = request.config.rootpath, tmp_path_factory.mktemp("course")
    (course / "solutions" / LAB).mkdir(parents=True)
    solved = json.loads((root / "solutions" / LAB / NOTEBOOK).read_text(encoding="utf-8"))
    (course / "solutions" / LAB / NOTEBOOK).write_text(json.dumps(shorter(solved)), encoding="utf-8")
    config = (root / "nbgrader_config.py").read_text()
    config += "c.AssignLatePenalties.plugin_class = 'late.OnePoint'\n"
    (course / "nbgrader_config.py").write_text(config)
    (course / "late.py").write_text(LATE)
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "CAPTIONLAB_SECRET": "of the test"}
    environment["PYTHONPATH"] = os.pathsep.join([str(course), os.environ.get("PYTHONPATH", "")])

    def run(*command: str) -> str:
        done = subprocess.run(
            [BIN / command[0], *command[1:]], cwd=course, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout + done.stderr

    run("nbgrader", "generate_assignment", LAB)
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        book.update_or_create_assignment(LAB, duedate="2026-01-10 12:00:00 UTC")
    released = json.loads((course / "labs" / LAB / NOTEBOOK).read_text(encoding="utf-8"))
    for cell in released["cells"]:
        if cell["metadata"]["nbgrader"]["grade_id"] == "conv_output_size":
            cell["source"] = RIGHT
    submitted = course / "submitted"
    for student, time in (("in_time", "2026-01-10 11:00:00 UTC"), ("late", "2026-01-10 13:00:00 UTC")):
        hand_in(submitted / student / LAB, released)
        (submitted / student / LAB / "timestamp.txt").write_text(time)
    hand_in(submitted / "at_no_time" / LAB, released)
    (submitted / "at_no_time" / LAB / "timestamp.txt").write_bytes(b"yesterday \xff")
    hand_in(submitted / "unshowable" / LAB, released | {"cells": [*released["cells"], *map(text_cell, UNSHOWABLE)]})
    hand_in(submitted / "with_data" / LAB, released)
    (submitted / "with_data" / LAB / "data").mkdir()
    (submitted / "with_data" / LAB / "data" / "table.csv").write_text("1")
    (submitted / "with_data" / LAB / "data" / "gone.csv").symlink_to("/nowhere")
    os.mkfifo(submitted / "with_data" / LAB / "data" / "pipe")
    (submitted / "no_folder").mkdir()
    (submitted / "no_folder" / LAB).write_text(json.dumps(released))
    (submitted / "linked").mkdir()
    (submitted / "linked" / LAB).symlink_to(submitted / "in_time" / LAB)
    hand_in(submitted / "empty" / LAB, {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    hand_in(submitted / "__MACOSX" / LAB, released)
    run("nbgrader", "autograde", LAB)
    run("nbgrader", "generate_feedback", LAB)
    run("captionlab", "grade", "submitted", "--lab", LAB, "--out", "ours", "--format", "json")
    return course


def hand_in(folder: Path, notebook: dict) -> None:
    folder.mkdir(parents=True)
    (folder / NOTEBOOK).write_text(json.dumps(notebook), encoding="utf-8")


STUDENTS = {"in_time": 2, "late": 2, "at_no_time": 2, "unshowable": 2, "with_data": 2, "no_folder": 2, "linked": 0}
STUDENTS["empty"] = 0


@pytest.fixture
def submissions(course):
    """nbgrader's records of what each student submitted."""
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        yield {one.student.id: one for one in book.assignment_submissions(LAB)}


def test_nobody_is_dropped_and_both_ways_give_the_same_points(course, submissions):
    points = {
        name: sum(grade.auto_score or 0 for grade in one.notebooks[0].grades) for name, one in submissions.items()
    }
    assert points == STUDENTS
    graded = json.loads((course / "ours" / LAB / "verdicts.json").read_text())
    assert {one["student_id"]: one["score"] for one in graded} == STUDENTS
    assert {path.name for path in (course / "feedback").iterdir()} == set(STUDENTS)


def test_late_penalties_and_times_are_nbgraders(submissions):
    penalties = {name: one.notebooks[0].late_submission_penalty for name, one in submissions.items()}
    assert {name for name, penalty in penalties.items() if penalty} == {"late"}
    assert submissions["in_time"].timestamp is not None
    assert submissions["at_no_time"].timestamp is None


def test_text_that_cannot_be_rendered_is_shown_as_it_was_typed(course):
    page = (course / "feedback" / "unshowable" / LAB / f"{LAB}.html").read_text(encoding="utf-8")
    assert "attachment:gone.png" in page
    graded = nbformat.read(course / "autograded" / "unshowable" / LAB / NOTEBOOK, as_version=4)
    texts = [cell.source for cell in graded.cells if cell.cell_type == "markdown"]
    assert "~~~text\n![](attachment:gone.png)\n~~~" in texts
    assert "~~~~text\nx ~~~ ![](attachment:gone.png)\n~~~~" in texts


def test_other_files_are_copied_but_no_links_and_pipes(course):
    copied = [path.name for path in (course / "autograded" / "with_data" / LAB).rglob("*") if path.is_file()]
    assert sorted(copied) == [NOTEBOOK, "table.csv"]


def test_why_there_are_no_points_is_said_in_the_feedback(course):
    page = (course / "feedback" / "linked" / LAB / f"{LAB}.html").read_text(encoding="utf-8")
    assert "is a symbolic link" in page


def test_a_missing_written_answer_needs_no_marking(submissions):
    waiting = {
        name: any(grade.needs_manual_grade for grade in one.notebooks[0].grades) for name, one in submissions.items()
    }
    assert not waiting["empty"]
    assert not waiting["in_time"]  # as it was released
