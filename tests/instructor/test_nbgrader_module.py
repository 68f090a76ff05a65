"""nbgrader for real on a lab with a module: it is released cut, travels with the notebook, and is what is graded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from captionlab.exercises import load_lab

LAB, MODULE = "lab4_captioning", "captioning.py"
BIN = Path(sys.executable).parent
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("nbgrader with a module")]


def run(*command: str, cwd: Path) -> str:
    """Run a command of this environment; its output."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "CAPTIONLAB_SECRET": "of the test"}
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def with_answers(stub: str, solved: str, *names: str) -> str:
    """The students' module with some of the solutions; each is followed by another definition."""
    for name in names:
        place = [text.index(f"def {name}(") for text in (stub, solved)]
        ends = [text.index("\n\n\n", at) for text, at in zip((stub, solved), place, strict=True)]
        stub = stub.replace(stub[place[0] : ends[0]], solved[place[1] : ends[1]])
    return stub


@pytest.fixture(scope="module")
def course(tmp_path_factory, request):
    """A course's folder in which three students went through nbgrader's exchange and were graded."""
    root = request.config.rootpath
    course, exchange = tmp_path_factory.mktemp("course"), tmp_path_factory.mktemp("exchange")
    exchange.chmod(0o777)
    to_exchange = (f"--Exchange.root={exchange}", "--course", "captionlab")
    shutil.copytree(root / "solutions" / LAB, course / "solutions" / LAB)
    shutil.copy(root / "nbgrader_config.py", course)
    run("nbgrader", "generate_assignment", LAB, cwd=course)
    run("nbgrader", "release_assignment", LAB, *to_exchange, cwd=course)
    student = tmp_path_factory.mktemp("student")
    run("nbgrader", "fetch_assignment", LAB, *to_exchange, cwd=student)
    fetched = student / LAB
    stub, solved = (path.read_text() for path in (fetched / MODULE, course / "solutions" / LAB / MODULE))
    (fetched / MODULE).write_text(with_answers(stub, solved, "tokenize", "encode"))
    run("nbgrader", "submit", LAB, *to_exchange, cwd=student)
    run("nbgrader", "collect", LAB, *to_exchange, cwd=course)
    collected = next((course / "submitted").iterdir())
    collected.rename(course / "submitted" / "bob")
    for name in ("ada", "cleo"):
        shutil.copytree(course / "submitted" / "bob", course / "submitted" / name)
    (course / "submitted" / "ada" / LAB / MODULE).write_text(solved)
    (course / "submitted" / "cleo" / LAB / MODULE).unlink()
    run("nbgrader", "autograde", LAB, cwd=course)
    return course


def points(course: Path, student: str) -> dict[str, float]:
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        grades = book.find_submission_notebook(LAB, LAB, student).grades
        return {one.name.removesuffix("-check"): one.auto_score for one in grades if one.name.endswith("-check")}


def test_the_release_is_what_our_build_gives(course, root):
    made = {path.name: path.read_bytes() for path in (course / "labs" / LAB).iterdir()}
    assert made == {path.name: path.read_bytes() for path in (root / "labs" / LAB).iterdir() if path.is_file()}
    assert set(made) == {f"{LAB}.ipynb", MODULE}


def test_the_module_came_through_the_exchange(course):
    text = (course / "submitted" / "bob" / LAB / MODULE).read_text()
    assert "re.findall" in text
    assert "BEGIN SOLUTION" in text  # of the two answers taken from the solutions
    assert text.count("raise NotImplementedError()") > 15


def test_the_module_is_graded_and_no_solution_takes_its_place(course):
    lab = load_lab(LAB)
    assert sum(points(course, "ada").values()) == lab.max_points
    assert {name for name, value in points(course, "bob").items() if value} == {"tokenize", "encode"}
    assert sum(points(course, "cleo").values()) == 0
    for student in ("ada", "bob", "cleo"):
        assert not (course / "autograded" / student / LAB / MODULE).exists()


def test_points_are_those_of_captionlab_grade(course, tmp_path):
    run("captionlab", "grade", "submitted", "--lab", "lab4", "--out", str(tmp_path), cwd=course)
    for one in json.loads((tmp_path / LAB / "verdicts.json").read_text()):
        expected = {verdict["exercise"]: verdict["points"] for verdict in one["verdicts"]}
        assert points(course, one["student_id"]) == expected


def test_a_release_without_the_built_module_is_refused(course, tmp_path):
    shutil.copytree(course / "solutions", tmp_path / "solutions")
    shutil.copy(course / "nbgrader_config.py", tmp_path)
    (tmp_path / "solutions" / LAB / MODULE).unlink()
    with pytest.raises(AssertionError, match="run `captionlab build`"):
        run("nbgrader", "generate_assignment", LAB, "--no-db", cwd=tmp_path)
