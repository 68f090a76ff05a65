"""nbgrader for real: release, submissions, autograde, feedback, export; the points are our judge's."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from captionlab.exercises import LABS, load_lab

LAB = "lab1_vgg16"
BIN = Path(sys.executable).parent
FORGED = """
class Equal(float):
    def __eq__(self, other):
        return True
    __hash__ = float.__hash__

def conv_output_size(size, kernel, stride=1, padding=0):
    return Equal(1)
"""
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nbgrader")]


def run(*command: str, cwd: Path) -> str:
    """Run a command of this environment; its output."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "CAPTIONLAB_SECRET": "of the test"}
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def cells(notebook: nbformat.NotebookNode) -> dict[str, nbformat.NotebookNode]:
    return {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells if "nbgrader" in cell.metadata}


def hand_in(course: Path, student: str, notebook: nbformat.NotebookNode) -> None:
    path = course / "submitted" / student / LAB / f"{LAB}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course's folder in which two students were graded by nbgrader."""
    root = Path(__file__).parents[2]
    course = tmp_path_factory.mktemp("course")
    shutil.copytree(root / "solutions" / LAB, course / "solutions" / LAB)
    (course / "solutions" / LAB / "answers.py").write_text("# a solution module must not be released\n")
    (course / "solutions" / LAB / f"{LAB}.ipynb.bak2").write_text("a backup of solutions must not, either\n")
    shutil.copy(root / "nbgrader_config.py", course)
    run("nbgrader", "generate_assignment", LAB, cwd=course)
    released = nbformat.read(course / "labs" / LAB / f"{LAB}.ipynb", as_version=4)
    solved = nbformat.read(course / "solutions" / LAB / f"{LAB}.ipynb", as_version=4)

    right = nbformat.from_dict(released)
    for name, cell in cells(right).items():
        if cell.metadata.nbgrader.solution:
            cell.source = cells(solved)[name].source
    hand_in(course, "ada", right)

    wrong = nbformat.from_dict(right)
    found = cells(wrong)
    found["conv_output_size"].source = FORGED
    found["conv_output_shape"].source = cells(released)["conv_output_shape"].source
    found["softmax"].source = "def softmax(logits):\n    return logits.exp() / logits.exp().sum(-1, keepdim=True)"
    found["same_padding-check"].source = "print('changed')"
    found["class_heat_map"].source = cells(released)["class_heat_map"].source
    found["written-" + written_ids(released)[0]].source = cells(released)["written-" + written_ids(released)[0]].source
    gone = ("softmax-check", "class_heat_map-check", "class_heat_map")
    wrong.cells = [cell for cell in wrong.cells if cell.metadata.get("nbgrader", {}).get("grade_id") not in gone]
    hand_in(course, "bob", wrong)

    run("nbgrader", "autograde", LAB, cwd=course)
    run("nbgrader", "generate_feedback", LAB, cwd=course)
    run("nbgrader", "export", cwd=course)
    return course


def written_ids(notebook: nbformat.NotebookNode) -> list[str]:
    return [
        name.removeprefix("written-")
        for name, cell in cells(notebook).items()
        if cell.metadata.nbgrader.grade and cell.metadata.nbgrader.solution
    ]


def points_in_nbgrader(course: Path, student: str) -> dict[str, float]:
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        grades = book.find_submission_notebook(LAB, LAB, student).grades
        return {
            grade.name.removesuffix("-check"): grade.auto_score for grade in grades if grade.name.endswith("-check")
        }


def test_the_release_is_what_our_build_gives_and_holds_nothing_else(course, root):
    folder = course / "labs" / LAB
    assert [path.name for path in folder.iterdir()] == [f"{LAB}.ipynb"]
    assert (folder / f"{LAB}.ipynb").read_bytes() == (root / "labs" / LAB / f"{LAB}.ipynb").read_bytes()


def test_points_are_those_of_captionlab_grade(course, tmp_path):
    run("captionlab", "grade", "submitted", "--lab", "lab1", "--out", str(tmp_path), cwd=course)
    verdicts = {one["student_id"]: one for one in json.loads((tmp_path / LAB / "verdicts.json").read_text())}
    assert set(verdicts) == {"ada", "bob"}
    for student, ours in verdicts.items():
        expected = {verdict["exercise"]: verdict["points"] for verdict in ours["verdicts"]}
        assert points_in_nbgrader(course, student) == expected
    maximum = sum(exercise.points for exercise in load_lab(LAB).exercises.values())
    assert verdicts["ada"]["score"] == verdicts["ada"]["max_score"] == maximum


def test_mistakes_forgeries_and_deleted_cells(course):
    points = points_in_nbgrader(course, "bob")
    assert points["conv_output_size"] == 0  # an __eq__ that is always true
    assert points["conv_output_shape"] == 0  # not written
    assert 0 < points["softmax"] < 2  # a misconception, its check deleted
    assert points["same_padding"] == 1  # right, its check changed
    assert points["class_heat_map"] == 0  # answer and check both deleted


def test_restored_cells_and_hints_are_in_the_feedback(course):
    graded = nbformat.read(course / "autograded" / "bob" / LAB / f"{LAB}.ipynb", as_version=4)
    found = cells(graded)
    assert 'check("same_padding")' in found["same_padding-check"].source
    assert "was missing from the submission" in found["softmax-check"].source
    page = (course / "feedback" / "bob" / LAB / f"{LAB}.html").read_text(encoding="utf-8")
    assert "hint" in page
    assert "not written yet" in page


def test_written_answers_wait_for_manual_grading(course):
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        for student, waiting in (("ada", True), ("bob", True)):
            assert book.find_submission(LAB, student).needs_manual_grade is waiting
        grades = {grade.name: grade for grade in book.find_submission_notebook(LAB, LAB, "bob").grades}
        written = [name for name in grades if name.startswith("written-")]
        assert len(written) >= 8
        unanswered = [name for name in written if not grades[name].needs_manual_grade]
        assert len(unanswered) == 1  # left as released: no points, nothing to mark


def test_a_bonus_raises_the_score_and_not_the_maximum(course, tmp_path):
    from nbgrader.api import Gradebook

    from captionlab.workbook.text import parse_text

    text = (course / "solutions" / LAB / f"{LAB}.md").read_text(encoding="utf-8")
    questions = [cell.metadata for cell in parse_text(text) if "written" in cell.metadata]
    full = load_lab(LAB).max_points + sum(one["points"] for one in questions if not one.get("bonus"))
    bonus = next(one for one in questions if one.get("bonus"))
    shutil.copy(course / "gradebook.db", tmp_path)
    with Gradebook(f"sqlite:///{tmp_path}/gradebook.db") as book:
        submission = book.find_submission(LAB, "ada")
        before = submission.score
        assert submission.max_score == full
        grade = book.find_grade(f"written-{bonus['written']}", LAB, LAB, "ada")
        assert grade.needs_manual_grade
        grade.manual_score, grade.extra_credit = 0, bonus["points"]  # as formgrader does
        book.db.commit()
        assert (submission.score, submission.max_score) == (before + bonus["points"], full)


def test_the_export_has_both_students(course):
    with (course / "grades.csv").open() as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert float(rows["ada"]["raw_score"]) == load_lab(LAB).max_points
    assert float(rows["bob"]["raw_score"]) == pytest.approx(sum(points_in_nbgrader(course, "bob").values()))


def test_validate_tells_right_from_wrong(course, tmp_path):
    """On one exercise, as a run of the whole notebook is tested elsewhere."""
    for answer, verdict in (("size + 2 * padding - kernel) // stride + 1", True), ("0)", False)):
        notebook = nbformat.read(course / "labs" / LAB / f"{LAB}.ipynb", as_version=4)
        kept = ("conv_output_size", "conv_output_size-check")
        notebook.cells = [notebook.cells[1]] + [
            cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") in kept
        ]
        cells(notebook)["conv_output_size"].source = (
            "def conv_output_size(size, kernel, stride=1, padding=0):\n"
            "    if kernel > size + 2 * padding:\n        raise ValueError('too large')\n"
            f"    return ({answer}"
        )
        notebook.cells[0] = nbformat.v4.new_code_cell("from captionlab.workbook import check")
        nbformat.write(notebook, tmp_path / f"{LAB}.ipynb")
        output = run("nbgrader", "validate", f"{LAB}.ipynb", cwd=tmp_path)
        assert ("Success" in output) is verdict, output


@pytest.mark.parametrize("lab", LABS)
def test_every_source_is_valid_for_nbgrader(lab, root, tmp_path):
    shutil.copytree(root / "solutions" / lab, tmp_path / "solutions" / lab)
    shutil.copy(root / "nbgrader_config.py", tmp_path)
    run("nbgrader", "generate_assignment", lab, "--no-db", cwd=tmp_path)
    made = {path.name: path.read_bytes() for path in (tmp_path / "labs" / lab).iterdir()}
    assert made == {path.name: path.read_bytes() for path in (root / "labs" / lab).iterdir() if path.is_file()}
