"""Green in the notebook means points: the check grades what would be submitted, as the grader would."""

from __future__ import annotations

import json

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from nbformat.v4 import new_code_cell, new_notebook, writes

from captionlab.exercises import load_lab
from captionlab.grading.sandbox import Limits
from captionlab.workbook import as_graded, session
from captionlab.workbook.session import line_to_add

RIGHT = """
def conv_output_size(size, kernel, stride=1, padding=0):
    if size + 2 * padding < kernel:
        raise ValueError("does not fit")
    return (size + 2 * padding - kernel) // stride + 1
"""
CHECK = 'check("conv_output_size")'


def _notebook_text(*cells: str) -> str:
    return writes(new_notebook(cells=[new_code_cell(cell) for cell in cells]))


@pytest.fixture
def notebook(tmp_path, monkeypatch, capsys):
    """Runs cells in a folder of their own and returns what the last one printed; a cell may be given with its id."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(session, "_cells", None)
    shell = InteractiveShell.instance()
    shell.reset()
    shell.history_manager.reset()

    def run(*cells):
        for cell in ("from captionlab.workbook import check, session\nsession.watch_session()", *cells):
            source, cell_id = cell if isinstance(cell, tuple) else (cell, None)
            capsys.readouterr()
            shell.run_cell(source, store_history=True, cell_id=cell_id)
        said = capsys.readouterr()
        return said.out + said.err

    yield run
    InteractiveShell.clear_instance()


def test_what_is_right_and_is_graded_right_is_green(notebook):
    assert "✔ conv_output_size" in notebook(RIGHT, CHECK)


@pytest.mark.parametrize(
    "above",
    [
        "import torch\ndevice = torch.device('cpu')",
        "device = len('computed')",
        "from pathlib import *\ndevice = Path('x')",
    ],
)
def test_computed_names_stay_green(notebook, above):
    assert "✔" in notebook(above, RIGHT.replace("return", "device\n    return"), CHECK)


def test_the_name_used_again_below_stays_green(notebook):
    assert "✔" in notebook(RIGHT, "conv_output_size = 3", CHECK)


def test_what_would_be_lost_is_said_with_the_line_to_add(notebook):
    uses = RIGHT.replace("return", "assert WIDTH\n    return")
    said = notebook("exec('WIDTH = 224')", uses, CHECK)
    assert "! conv_output_size: right here, but graded it would earn 0 of 2 points" in said
    assert "no cell defines WIDTH" in said
    assert "add       to the cell of conv_output_size the line: WIDTH = 224" in said


def test_a_name_that_only_a_file_gives_is_said(notebook, tmp_path):
    (tmp_path / "sizes.txt").write_text("224")
    said = notebook("width = int(open('sizes.txt').read())", RIGHT.replace("return", "width\n    return"), CHECK)
    assert "right here, but graded" in said
    assert "width is computed in cell [2], which fails or takes too long" in said  # as In [2] shows it


def test_the_librarys_solutions_and_modules_beside_the_notebook_are_not_there(notebook, tmp_path):
    said = notebook("from captionlab.common.text import decode", RIGHT.replace("return", "decode\n    return"), CHECK)
    assert "the import of decode in cell [2] fails during grading" in said
    (tmp_path / "my_helpers_of_lab1.py").write_text("def floor(n): return n")
    said = notebook("from my_helpers_of_lab1 import floor", RIGHT.replace("return", "floor\n    return"), CHECK)
    assert "the import of floor" in said
    assert "add " not in said  # importing it in the answer would not help


def test_an_imported_or_assembled_answer_is_said_to_be_refused(notebook):
    said = notebook(
        "from functools import partial\nsoftmax = partial(lambda logits: logits.softmax(-1))", 'check("softmax")'
    )
    assert "right here, but graded it would earn 0 of 2 points: softmax is assigned, not defined" in said


def test_an_earlier_version_of_a_cell_does_not_count(notebook):
    uses = RIGHT.replace("return", "helper()\n    return")
    said = notebook(("def helper(): pass", "a"), (uses, "b"), ("x = 1", "a"), CHECK)
    assert "right here, but graded" in said
    assert "no cell defines helper" in said


def test_a_cell_that_is_gone_from_the_saved_notebook_is_said(notebook, tmp_path, monkeypatch):
    uses = RIGHT.replace("return", "helper()\n    return").strip()
    path = tmp_path / "lab1_vgg16.ipynb"
    path.write_text(_notebook_text(uses))
    said = notebook("def helper(): pass", uses, CHECK)
    assert "✔ conv_output_size" in said
    assert "as it is saved, the notebook would lose this" in said
    path.write_text(_notebook_text("def helper(): pass", uses))
    assert "as it is saved" not in notebook(CHECK)
    path.write_text(_notebook_text("an older version"))
    assert "as it is saved" not in notebook(CHECK)


def test_an_answer_that_does_not_end_is_stopped(notebook, monkeypatch):
    monkeypatch.setattr(as_graded, "LIMITS", Limits(wall_seconds=1, cpu_seconds=0.5))
    said = notebook(RIGHT.replace("return", "while True: pass\n    return"), CHECK)
    assert "stopped after 1 s, or 0.5 s of CPU time: look for a loop that does not end" in said


def test_an_experiment_below_the_answer_is_not_run_by_the_check(notebook):
    said = notebook(RIGHT + "\nprint('experiment')", CHECK)
    assert "experiment" not in said


def test_a_wrong_answer_is_told_as_ever(notebook):
    said = notebook(RIGHT.replace("2 * padding - kernel", "padding - kernel"), CHECK)
    assert "conv_output_size" in said
    assert "expected" in said
    assert "right here" not in said


def test_the_folder_and_the_output_are_as_before(notebook, tmp_path, capsys):
    notebook(RIGHT, CHECK)
    from pathlib import Path

    assert Path.cwd() == tmp_path


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("device", torch.device("cpu"), "device = torch.device('cpu')"),
        ("dtype", torch.float32, "dtype = torch.float32"),
        ("np", json, "import json as np"),
        ("json", json, "import json"),
        ("load", json.loads, "from json import loads as load"),
        ("WIDTH", 224, "WIDTH = 224"),
        ("NAME", "x" * 100, None),
        ("weights", torch.zeros(3), None),
        ("lab", load_lab, None),
    ],
)
def test_lines_to_add(name, value, line):
    assert line_to_add(name, value) == line
