"""`captionlab grade` and nbgrader give the same points to every odd submission, and feedback to every student."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from odd_submissions import LAB, NOTEBOOK, ODD, RIGHT, cell, save, shorter

BIN = Path(sys.executable).parent
STUDENTS = {re.sub(r"\W+", "_", name): name for name in ODD}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("both ways")]


@pytest.fixture(scope="module")
def course(tmp_path_factory, request):
    """A course in which every odd submission was graded both ways."""
    root, course = request.config.rootpath, tmp_path_factory.mktemp("course")
    (course / "solutions" / LAB).mkdir(parents=True)
    solved = json.loads((root / "solutions" / LAB / NOTEBOOK).read_text(encoding="utf-8"))
    save(course / "solutions" / LAB / NOTEBOOK, shorter(solved))
    shutil.copy(root / "nbgrader_config.py", course)
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "CAPTIONLAB_SECRET": "of the test"}

    def run(*command: str) -> None:
        done = subprocess.run(
            [BIN / command[0], *command[1:]], cwd=course, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
        assert "Traceback" not in done.stdout + done.stderr

    run("nbgrader", "generate_assignment", LAB)
    released = json.loads((course / "labs" / LAB / NOTEBOOK).read_text(encoding="utf-8"))
    cell(released)["source"] = RIGHT
    for student, name in STUDENTS.items():
        folder = course / "submitted" / student / LAB
        folder.mkdir(parents=True)
        ODD[name].make(folder, copy.deepcopy(released))
    run("captionlab", "grade", "submitted", "--lab", LAB, "--out", "ours", "--format", "json")
    run("nbgrader", "autograde", LAB)
    run("nbgrader", "generate_feedback", LAB)
    return course


@pytest.fixture(scope="module")
def ours(course) -> dict[str, float]:
    """The points that `captionlab grade` gave."""
    verdicts = json.loads((course / "ours" / LAB / "verdicts.json").read_text())
    return {one["student_id"]: one["score"] for one in verdicts}


@pytest.fixture(scope="module")
def theirs(course) -> dict[str, float]:
    """The points that nbgrader gave for code."""
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        submissions = book.assignment_submissions(LAB)
        return {
            one.student.id: sum(grade.auto_score or 0 for notebook in one.notebooks for grade in notebook.grades)
            for one in submissions
        }


def test_there_are_enough_of_them():
    assert len(STUDENTS) == len(ODD) >= 60


@pytest.mark.parametrize("student", STUDENTS)
def test_both_ways_give_the_right_points(student, ours, theirs):
    assert (ours.get(student), theirs.get(student)) == (ODD[STUDENTS[student]].points,) * 2


@pytest.mark.parametrize("student", STUDENTS)
def test_every_student_gets_feedback(student, course):
    page = (course / "feedback" / student / LAB / f"{LAB}.html").read_text(encoding="utf-8")
    assert "conv_output_size" in page
