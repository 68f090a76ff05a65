"""``captionlab start``: a copy to work in, which is never overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from captionlab.cli import main

LAB = "lab4_captioning"
FILES = {f"{LAB}.ipynb", "captioning.py"}


@pytest.fixture(autouse=True)
def course(tmp_path, monkeypatch):
    """Run in a course's folder with one lab, in which somebody has worked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UV", raising=False)
    labs = Path("labs", LAB)
    (labs / ".ipynb_checkpoints").mkdir(parents=True)
    (labs / ".ipynb_checkpoints" / f"{LAB}-checkpoint.ipynb").write_text("{}")
    for name in (*FILES, f"{LAB}.ipynb.bak", f"{LAB}.ipynb.bak2", ".hidden"):
        (labs / name).write_text(f"the course's {name}")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["start", *map(str, arguments)])


def test_it_copies_what_students_receive_and_says_how_to_continue():
    done = invoke("lab4")
    assert done.exit_code == 0, done.output
    assert {path.name for path in Path("work", LAB).iterdir()} == FILES
    assert Path("work", LAB, "captioning.py").read_text() == "the course's captioning.py"
    for said in (
        f"copied to work/{LAB}: captioning.py, {LAB}.ipynb",
        f"jupyter lab work/{LAB}/{LAB}.ipynb",
        f"write in:   work/{LAB}/captioning.py",
        f"captionlab check {LAB}\n",
    ):
        assert said in done.output


def test_it_never_overwrites_and_brings_back_what_is_missing():
    invoke("lab4")
    mine = Path("work", LAB, "captioning.py")
    mine.write_text("mine")
    Path("work", LAB, f"{LAB}.ipynb").unlink()
    done = invoke("lab4")
    assert done.exit_code == 0, done.output
    assert mine.read_text() == "mine"
    assert f"copied to work/{LAB}: {LAB}.ipynb\n" in done.output
    assert f"already in work/{LAB} and left as it is: captioning.py" in done.output
    assert "copied" not in invoke("lab4").output


def test_another_folder(tmp_path):
    done = invoke("lab4", "ada/answers", "--root", tmp_path)
    assert {path.name for path in Path("ada", "answers", LAB).iterdir()} == FILES
    assert f"captionlab check {LAB} ada/answers/{LAB}" in done.output


def test_under_uv_the_commands_are_those_that_work_there(monkeypatch):
    monkeypatch.setenv("UV", "/usr/bin/uv")
    assert f"uv run jupyter lab work/{LAB}/{LAB}.ipynb" in invoke("lab4").output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lab7",), "there is no lab 'lab7'"),
        (("lab1",), "there is no labs/lab1_vgg16: run this in the course's folder"),
        (("lab4", f"labs/{LAB}/captioning.py"), "is a file"),
    ],
)
def test_mistakes_get_one_line(arguments, said):
    done = invoke(*arguments)
    assert done.exit_code != 0
    assert said in done.output
    assert "Traceback" not in done.output
