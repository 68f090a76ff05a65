"""A lab with a module: built, cut and checked; the notebook beside it holds the checks only."""

from __future__ import annotations

import ast
import json
import shutil

import pytest

from captionlab.exercises import load_lab
from captionlab.grading.exercise import Lab
from captionlab.grading.expectation import expect
from captionlab.grading.judge import judge
from captionlab.grading.observation import observe
from captionlab.workbook import CheckFailed, check
from captionlab.workbook.build import built_files
from captionlab.workbook.errors import TextError
from captionlab.workbook.module import release_module, source_module
from captionlab.workbook.notebook import source_notebook
from captionlab.workbook.stub import BEGIN, END, solution_source, starter_source
from captionlab.workbook.student_module import BrokenModule, run_module
from captionlab.workbook.text import lab_cells, parse_text

LAB = "lab4_captioning"
HEADER = """```python module="answers.py"
import torch
import torch.nn.functional as F
from torch import nn
```

# First part

"""
MARKER = '```python exercise="to_positions"\n```\n'


@pytest.fixture
def small() -> Lab:
    """A lab with a module and one exercise of Lab 4."""
    lab = Lab(LAB, "Small", package="x", module_filename="answers.py")
    lab.exercises["to_positions"] = load_lab(LAB).exercises["to_positions"]
    return lab


@pytest.fixture(scope="module")
def built(request) -> dict[str, str]:
    """The built files of Lab 4, by folder and name."""
    root = request.config.rootpath
    return {f"{path.parts[0]}/{path.name}": text for path, text in built_files(root, LAB).items()}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A student's folder, with the notebook's kernel in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def namespace_of(text: str) -> dict:
    namespace: dict = {"__name__": "captioning"}
    exec(compile(text, "captioning.py", "exec"), namespace)
    return namespace


def test_the_solutions_earn_all_points(built):
    own = namespace_of(built["solutions/captioning.py"])
    for exercise in load_lab(LAB).exercises.values():
        verdict = judge(expect(exercise, 7), observe(exercise, own[exercise.name], 7))
        assert verdict.outcome == "right", f"{exercise.name}: {verdict}"


def test_the_students_module_runs_and_earns_nothing(built):
    own = namespace_of(built["labs/captioning.py"])
    for exercise in load_lab(LAB).exercises.values():
        verdict = judge(expect(exercise, 7), observe(exercise, own[exercise.name], 7))
        assert verdict.points == 0, exercise.name
        assert verdict.misconceptions == ((exercise.starter,) if exercise.starter else ())
        assert (verdict.outcome == "missing") is (exercise.starter is None)


def test_no_solution_is_in_the_students_module(built):
    source, release = built["solutions/captioning.py"], built["labs/captioning.py"]
    assert BEGIN not in release
    assert END not in release
    for exercise in load_lab(LAB).exercises.values():
        solution = solution_source(exercise)
        assert solution in source
        if exercise.starter:
            plain = "\n".join(line for line in solution.split("\n") if line.strip() not in (BEGIN, END))
            assert plain not in release
            assert starter_source(exercise) in release
        else:
            assert all(part.split(END)[0].strip() not in release for part in solution.split(BEGIN)[1:])


def test_both_modules_hold_the_exercises_in_order_under_the_texts_headings(built):
    for text in (built["solutions/captioning.py"], built["labs/captioning.py"]):
        definitions = [one.name for one in ast.parse(text).body if isinstance(one, (ast.FunctionDef, ast.ClassDef))]
        assert definitions == list(load_lab(LAB).exercises)
        assert text.index("# --- 1. Text ---") < text.index("# --- 2. Images ---")
        assert max(map(len, text.splitlines())) <= 120


def test_the_notebooks_hold_checks_and_no_answers(built):
    for name in ("solutions", "labs"):
        cells = json.loads(built[f"{name}/{LAB}.ipynb"])["cells"]
        ids = [cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in cells]
        for exercise in load_lab(LAB).exercises:
            assert f"{exercise}-check" in ids
            assert exercise not in ids
        assert "from nltk.translate.bleu_score import corpus_bleu\nfrom torch" not in json.dumps(cells)


@pytest.mark.parametrize(("times", "found"), [(0, "it holds 0"), (2, "it holds 2")])
def test_the_text_must_hold_the_modules_beginning_once(small, times, found):
    text = HEADER * times + MARKER
    with pytest.raises(TextError, match=found):
        source_module(small, parse_text(text))


def test_the_beginning_is_in_no_notebook(small):
    cells = lab_cells(small, HEADER + MARKER)
    notebook = source_notebook(small, cells)
    assert "import torch" not in json.dumps(notebook)
    source = source_module(small, cells)
    assert source.partition("\n")[2].startswith("import torch\n")
    assert "# --- First part ---" in source
    assert "raise NotImplementedError()" in release_module(small, source)


def test_check_reads_the_file_as_it_is_on_disk(here, capsys):
    path = here / "captioning.py"
    path.write_text("def to_positions(feature_maps):\n    raise NotImplementedError()\n")
    with pytest.raises(CheckFailed, match="not written yet"):
        check("to_positions")
    path.write_text("def to_positions(feature_maps):\n    return feature_maps.flatten(2)\n")
    with pytest.raises(CheckFailed, match="Positions come before channels"):
        check("to_positions")
    path.write_text("def to_positions(feature_maps):\n    return feature_maps.flatten(2).transpose(1, 2)\n")
    check("to_positions")
    assert "✔ to_positions\n" in capsys.readouterr().out


def test_the_module_wins_over_the_notebook(here, capsys):
    def to_positions(feature_maps):
        return feature_maps.flatten(2).transpose(1, 2)

    check("to_positions")  # no module: the notebook's own counts
    (here / "captioning.py").write_text("def to_positions(feature_maps):\n    raise NotImplementedError()\n")
    with pytest.raises(CheckFailed, match="not written yet"):
        check("to_positions")
    (here / "captioning.py").write_text("import torch\n")
    check("to_positions")
    assert capsys.readouterr().out.count("✔ to_positions") == 2


def test_an_exception_names_the_line_of_the_module(here):
    (here / "captioning.py").write_text(
        "def to_positions(feature_maps):\n    x = 1\n    return feature_maps / x.missing\n"
    )
    with pytest.raises(CheckFailed, match=r"module captioning.py, line 3: return feature_maps / x.missing"):
        check("to_positions")


def test_a_module_that_does_not_run_says_where(here):
    (here / "captioning.py").write_text("import torch\n\ndef to_positions(feature_maps:\n    pass\n")
    with pytest.raises(CheckFailed, match=r"captioning.py is not valid Python \(line 3"):
        check("to_positions")
    (here / "captioning.py").write_text("x = 1\ny = x / 0\n")
    with pytest.raises(CheckFailed, match=r"captioning.py stops in line 2: y = x / 0 \(ZeroDivisionError"):
        check("to_positions")
    (here / "captioning.py").write_bytes(b"\xff\xfe")
    with pytest.raises(BrokenModule, match="cannot be read"):
        run_module(here / "captioning.py")


def test_without_a_module_it_is_said(here):
    with pytest.raises(CheckFailed, match=r"there is no captioning\.py beside the notebook"):
        check("to_positions")
    (here / "captioning.py").write_text("import torch\n")
    with pytest.raises(CheckFailed, match=r"captioning\.py does not define it"):
        check("to_positions")


def test_the_librarys_own_is_refused_in_a_module(here):
    (here / "captioning.py").write_text("from captionlab.captioning.encoders import to_positions\n")
    with pytest.raises(CheckFailed, match="the library's own"):
        check("to_positions")


@pytest.mark.slow
def test_command_checks_notebook_and_module_together(here, root):
    from click.testing import CliRunner

    from captionlab.commands.check import check as command

    folder = here / "work" / LAB
    folder.mkdir(parents=True)
    for name in (f"{LAB}.ipynb", "captioning.py"):
        shutil.copy(root / "labs" / LAB / name, folder)
    text = (folder / "captioning.py").read_text()
    solved = (root / "solutions" / LAB / "captioning.py").read_text()
    start, end = (solved.index(f"def {name}(") for name in ("tokenize", "choose_words"))
    stub = text[text.index("def tokenize(") : text.index("def choose_words(")]
    (folder / "captioning.py").write_text(text.replace(stub, solved[start:end]))
    for path in ([], [str(folder)], [str(folder / f"{LAB}.ipynb")], [str(folder / "captioning.py")]):
        done = CliRunner().invoke(command, ["lab4", *path, "-e", "tokenize"])
        assert done.exit_code == 0, done.output
        assert "1 of 1 points" in done.output
