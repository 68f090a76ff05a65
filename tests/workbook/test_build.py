"""``captionlab build``: what it writes, what it says about it in the files, and that it never destroys work."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner, Result

from captionlab.commands.build import build as build_command
from captionlab.exercises import LABS, ORDER_FILE, load_lab
from captionlab.workbook.build import build, built_files
from captionlab.workbook.derived import is_modified

LAB = "lab1_vgg16"
NOTEBOOK = Path("labs", LAB, f"{LAB}.ipynb")


@pytest.fixture(scope="module")
def built_once(request, tmp_path_factory) -> Path:
    """A course's folder with two labs, built."""
    root = request.config.rootpath
    course = tmp_path_factory.mktemp("course")
    for lab in (LAB, "lab4_captioning"):
        (course / "solutions" / lab).mkdir(parents=True)
        shutil.copy(root / "solutions" / lab / f"{lab}.md", course / "solutions" / lab)
    (course / "lib" / "captionlab" / "exercises" / LAB).mkdir(parents=True)
    build(course, [LAB, "lab4_captioning"])
    return course


@pytest.fixture
def course(built_once, tmp_path) -> Path:
    return shutil.copytree(built_once, tmp_path / "course")


def run(course: Path, *arguments: str) -> Result:
    return CliRunner().invoke(build_command, [*arguments, "--root", str(course)])


def edit(path: Path) -> None:
    """Answer an exercise in a notebook, and save it as Jupyter does."""
    notebook = nbformat.read(path, as_version=4)
    cell = next(cell for cell in notebook.cells if "NotImplementedError" in cell.source)
    cell.source = cell.source.replace("raise NotImplementedError()", "return 1")
    nbformat.write(notebook, path)


def test_build_writes_then_checks(course):
    (course / NOTEBOOK).unlink()
    missing = run(course, "lab1", "--check")
    assert missing.exit_code == 1
    assert f"not what a build gives: {NOTEBOOK}" in missing.output
    assert run(course, "lab1").output == f"wrote {NOTEBOOK}\n"
    assert run(course, "lab1", "--check").exit_code == 0
    assert run(course, "lab1").output == f"up to date: {LAB}\n"
    (course / NOTEBOOK).write_text((course / NOTEBOOK).read_text() + "\n")
    assert run(course, "lab1", "--check").exit_code == 1


def test_elsewhere_it_says_what_to_do(tmp_path):
    done = run(tmp_path)
    assert done.exit_code == 1
    assert "run this in the course's folder" in done.output


def test_a_text_without_a_lab_stops_the_build_of_all(course):
    for lab in LABS:
        (course / "solutions" / lab).mkdir(exist_ok=True)
    (course / "solutions" / "lab9_new").mkdir()
    (course / "solutions" / "lab9_new" / "lab9_new.md").write_text("# New\n")
    done = run(course)
    assert done.exit_code == 1
    assert "make its package lib/captionlab/exercises/lab9_new" in done.output


def test_each_derived_file_says_so_first(course):
    for path, text in built_files(course, "lab1").items() | built_files(course, "lab4").items():
        first = text.partition("\n")[0]
        if path.suffix == ".ipynb":
            first = "".join(json.loads(text)["cells"][0]["source"])
            assert first.startswith("# Lab ")
        assert "Made by `captionlab build` from" in first, path
        lab = LAB if path.name == ORDER_FILE else path.parent.name
        assert f"solutions/{lab}/{lab}.md" in first, path


def test_the_order_of_the_exercises_is_kept_in_the_package(course):
    order = course / "lib" / "captionlab" / "exercises" / LAB / ORDER_FILE
    assert order.read_text().splitlines()[1:] == list(load_lab(LAB).exercises)
    order.write_text("softmax\n")
    assert "order.txt" in run(course, "lab1", "--check").output
    assert "order.txt" in run(course, "lab1").output
    assert order.read_text().splitlines()[1:] == list(load_lab(LAB).exercises)


def test_a_course_that_uses_an_installed_library_gets_no_order_file(built_once):
    assert not (built_once / "lib" / "captionlab" / "exercises" / "lab4_captioning").exists()


def test_work_in_a_built_notebook_is_not_replaced(course):
    edit(course / NOTEBOOK)
    before = {path: path.read_bytes() for path in course.rglob("*") if path.is_file()}
    (course / "solutions" / LAB / f"{LAB}.ipynb").unlink()  # another file that would be written
    done = run(course, "lab1")
    assert done.exit_code == 1
    assert f"changed since they were built: {NOTEBOOK}. Nothing was written" in done.output
    assert "captionlab start" in done.output
    assert (course / NOTEBOOK).read_bytes() == before[course / NOTEBOOK]
    assert not (course / "solutions" / LAB / f"{LAB}.ipynb").exists()


def test_forced_it_keeps_every_replaced_file(course):
    kept = []
    for suffix in (".bak", ".bak2"):
        edit(course / NOTEBOOK)
        kept.append((course / NOTEBOOK).read_bytes())
        done = run(course, "lab1", "--force")
        assert done.exit_code == 0, done.output
        assert f"wrote {NOTEBOOK}; the changed file is kept as {NOTEBOOK}{suffix}" in done.output
        edit(course / NOTEBOOK)  # the second time with other work in it
        notebook = json.loads((course / NOTEBOOK).read_text())
        notebook["cells"][0]["source"] = ["mine"]
        (course / NOTEBOOK).write_text(json.dumps(notebook))
    backups = [course / f"{NOTEBOOK}{suffix}" for suffix in (".bak", ".bak2")]
    assert backups[0].read_bytes() == kept[0]
    assert b"mine" in backups[1].read_bytes()


def test_a_changed_module_is_not_replaced(course):
    module = course / "labs" / "lab4_captioning" / "captioning.py"
    module.write_text(module.read_text().replace("raise NotImplementedError()", "return 1", 1))
    assert "labs/lab4_captioning/captioning.py" in run(course, "lab4").output
    assert run(course, "lab4", "--force").exit_code == 0
    assert "return 1" in module.with_name("captioning.py.bak").read_text()


def test_what_an_earlier_build_wrote_is_replaced(course):
    """After the text was changed, and with a notebook that Jupyter merely opened and saved."""
    notebook = nbformat.read(course / NOTEBOOK, as_version=4)
    notebook.metadata["language_info"] = {"name": "python", "version": "3.11.0"}
    notebook.cells[0].metadata["tags"] = []
    nbformat.write(notebook, course / NOTEBOOK)
    text = course / "solutions" / LAB / f"{LAB}.md"
    text.write_text(text.read_text().replace("# Lab 1:", "# The first lab:"))
    done = run(course, "lab1")
    assert done.exit_code == 0, done.output
    assert "The first lab" in (course / NOTEBOOK).read_text()
    assert not list(course.rglob("*.bak"))


@pytest.mark.parametrize("change", ["outputs", "cells", "points", "attachments"])
def test_anything_that_may_be_work_counts(course, change):
    notebook = nbformat.read(course / NOTEBOOK, as_version=4)
    assert not is_modified(course / NOTEBOOK)
    if change == "outputs":
        code = next(cell for cell in notebook.cells if cell.cell_type == "code")
        code.outputs = [nbformat.v4.new_output("stream", text="1")]
    elif change == "cells":
        del notebook.cells[3]
    elif change == "points":
        next(cell for cell in notebook.cells if "nbgrader" in cell.metadata).metadata.nbgrader.points = 9
    else:
        notebook.cells[0].attachments = {"a.png": {"image/png": "AA=="}}
    nbformat.write(notebook, course / NOTEBOOK)
    assert is_modified(course / NOTEBOOK)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"cells": [], "metadata": {}}', b"<<<<<<< HEAD\n"])
def test_what_no_build_wrote_counts_as_work(tmp_path, content):
    for name in ("a.ipynb", "a.py"):
        (tmp_path / name).write_bytes(content)
        assert is_modified(tmp_path / name)
    assert not is_modified(tmp_path / "absent.ipynb")
