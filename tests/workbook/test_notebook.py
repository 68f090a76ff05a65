"""The built notebooks: the same bytes twice, nothing of the solutions in a release, stable cells."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import nbformat
import pytest

from captionlab.exercises import LABS, load_lab
from captionlab.grading.comparison import same_result
from captionlab.grading.exercise import Lab
from captionlab.grading.expectation import expect
from captionlab.grading.judge import judge
from captionlab.grading.observation import observe
from captionlab.workbook import CheckFailed, check
from captionlab.workbook.build import built_files, outdated
from captionlab.workbook.derived import text_path
from captionlab.workbook.errors import TextError
from captionlab.workbook.notebook import source_notebook
from captionlab.workbook.stub import BEGIN, END, inline_source, solution_source, starter_source
from captionlab.workbook.text import lab_cells, parse_text

HEADER = "# A lab\n\n"
MARKER = '```python exercise="conv_output_size"\n```\n'
WRITTEN = """<!-- #region written="why" points=2 -->
Why?
<!-- model answer -->
So.
<!-- rubric -->
- 2: so
<!-- #endregion -->
"""


@pytest.fixture
def one_exercise() -> Lab:
    """Lab 1 with its first exercise only."""
    lab = Lab("lab1_vgg16", "Lab 1", package="x")
    lab.exercises["conv_output_size"] = load_lab("lab1").exercises["conv_output_size"]
    return lab


def notebooks(root, lab) -> list[nbformat.NotebookNode]:
    """The built notebooks, that with solutions first."""
    files = built_files(root, lab)
    return [nbformat.reads(text, as_version=4) for path, text in files.items() if path.suffix == ".ipynb"]


@pytest.mark.parametrize("lab", LABS)
def test_building_twice_gives_the_same_bytes(root, lab):
    assert built_files(root, lab) == built_files(root, lab)


def test_committed_notebooks_are_what_a_build_gives(root):
    assert outdated(root) == []


@pytest.mark.parametrize("lab", LABS)
def test_a_release_holds_no_solution(root, lab):
    source, release = notebooks(root, lab)
    text = json.dumps(release)
    for word in ("BEGIN SOLUTION", "Model answer", "Rubric", "model answer -->"):
        assert word not in text
    assert all(not cell.get("outputs") for cell in release.cells)
    released = {cell.metadata.nbgrader.grade_id: cell for cell in release.cells if "nbgrader" in cell.metadata}
    for cell in source.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            stub = released[cell.metadata.nbgrader.grade_id].source
            if cell.cell_type == "markdown":
                assert stub == "YOUR ANSWER HERE"
                continue
            body = cell.source.split(BEGIN)[1].split(END)[0].strip()
            assert body not in stub
            start = load_lab(lab).exercises[cell.metadata.nbgrader.grade_id].starter
            assert ("There is a bug below" if start else "raise NotImplementedError()") in stub
            compile(stub, "stub", "exec")


@pytest.mark.parametrize("lab", LABS)
def test_exercises_and_written_answers_have_stable_ids_and_points(root, lab):
    source, _ = notebooks(root, lab)
    nbformat.validate(source)
    ids = [cell.metadata.nbgrader.grade_id for cell in source.cells if "nbgrader" in cell.metadata]
    assert len(ids) == len(set(ids))
    for exercise in load_lab(lab).exercises.values():
        check = next(cell for cell in source.cells if cell.id == f"{exercise.name}-check")
        assert check.source == f'check("{exercise.name}")'
        assert check.metadata.nbgrader.points == exercise.points
        assert check.metadata.nbgrader.locked


def test_a_written_answer_becomes_a_question_and_a_marked_cell(one_exercise):
    notebook = source_notebook(one_exercise, lab_cells(one_exercise, HEADER + MARKER + WRITTEN))
    question, answer = notebook.cells[-2:]
    assert question.metadata.nbgrader.locked
    assert question.source.endswith("Why?")
    assert answer.metadata.nbgrader.grade_id == "written-why"
    assert answer.metadata.nbgrader.points == 2
    assert "So." in answer.source
    assert "- 2: so" in answer.source


def test_bonus_points_are_extra_credit(one_exercise):
    bonus = WRITTEN.replace("points=2", "points=2 bonus=true")
    notebook = source_notebook(one_exercise, lab_cells(one_exercise, HEADER + MARKER + bonus))
    question, answer = notebook.cells[-2:]
    assert answer.metadata.nbgrader.points == 0
    assert answer.metadata.nbgrader.grade
    assert "Bonus" in question.source
    assert "up to 2 points beyond the full mark" in question.source  # students read this
    assert "enter 0 as the score and up to 2 points as extra credit" in answer.source  # instructors read this


@pytest.mark.parametrize("lab", LABS)
def test_the_maximum_in_nbgrader_is_the_full_mark_without_bonus(root, lab):
    questions = [
        cell.metadata for cell in parse_text((root / text_path(lab)).read_text()) if "written" in cell.metadata
    ]
    full = load_lab(lab).max_points + sum(one["points"] for one in questions if not one.get("bonus"))
    for notebook in notebooks(root, lab):
        settings = [cell.metadata.nbgrader for cell in notebook.cells if "nbgrader" in cell.metadata]
        assert sum(one.points for one in settings if one.grade) == full


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEADER, r"does not mark: \['conv_output_size'\]\. Where students are to write it"),
        (HEADER + MARKER + MARKER, r"marked twice: \['conv_output_size'\]"),
        (
            HEADER + MARKER + MARKER.replace("size", "sise"),
            "'conv_output_sise' that .* did you mean 'conv_output_size'",
        ),
        (
            HEADER + MARKER + MARKER.replace("conv_output_size", "xyz"),
            "'xyz' .* define it in lib/x, or remove the marker",
        ),
        (HEADER + MARKER + WRITTEN.replace("<!-- rubric -->", ""), "'written-why' needs points"),
        (HEADER + MARKER + WRITTEN.replace(" points=2", ""), "'written-why' needs points"),
        (HEADER + MARKER + WRITTEN + WRITTEN, r"several questions of the same name: \['why'\]"),
    ],
)
def test_an_incomplete_text_is_refused(one_exercise, text, reason):
    with pytest.raises(TextError, match=reason):
        source_notebook(one_exercise, lab_cells(one_exercise, text))


@pytest.mark.parametrize("lab", LABS)
def test_solutions_keep_signature_and_docstring_outside_the_markers(lab):
    for exercise in load_lab(lab).exercises.values():
        head = solution_source(exercise).split(BEGIN)[0]
        assert exercise.name in head
        assert head.count('"""') >= 2, exercise.name
        indent = head[len(head.rstrip(" ")) :]
        compile(head.rstrip() + f"\n{indent}pass", "head", "exec")


def test_a_find_the_bug_exercise_starts_from_its_misconception(one_exercise):
    exercise = replace(one_exercise.exercises["conv_output_size"], starter="rounds_up")
    source = starter_source(exercise)
    assert "def conv_output_size(" in source
    assert "Dumoulin" in source  # the reference's docstring
    assert "find it, explain it, repair it" in source
    namespace: dict = {"math": math}
    exec(source, namespace)
    with pytest.raises(CheckFailed, match="checks are right"):
        check("conv_output_size", namespace["conv_output_size"])
    assert same_result(
        exercise, expect(exercise, 5).misconceptions["rounds_up"], observe(exercise, namespace[exercise.name], 5)
    )
    assert judge(expect(exercise, 5), observe(exercise, namespace[exercise.name], 5)).points == 0


def test_a_misconception_stands_alone_under_the_exercises_name():
    for exercise in load_lab("lab1").exercises.values():
        for misconception in exercise.misconceptions.values():
            namespace: dict = {}
            exec(inline_source(misconception.source, misconception.module, exercise.name), namespace)
            assert callable(namespace[exercise.name])
