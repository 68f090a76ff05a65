"""A made-up class for the demonstration: submissions of every kind, derived from the lab's own exercises."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from captionlab.grading.exercise import Exercise, Lab
from captionlab.grading.submission import LAB_METADATA
from captionlab.workbook.notebook import to_text
from captionlab.workbook.stub import STUB, Definition, inline_source, reference_source, student_functions

ENDLESS = "while True:\n    pass"
EXITS = "exit(0)"


def write_sample_class(folder: Path, lab: Lab) -> None:
    """Write ``<student>/<lab>.ipynb`` for each student of the sample class.

    The class: one all right, one half done, one who has not begun, one for each rank of typical
    mistake, one with a broken cell, one with an endless loop, one that calls ``exit(0)``.
    """
    exercises = list(lab.exercises.values())
    right = {one.name: reference_source(one) for one in exercises}
    stubs = {one.name: _with_body(one, right[one.name], STUB) for one in exercises}
    half = {one.name: right[one.name] if at % 2 == 0 else stubs[one.name] for at, one in enumerate(exercises)}
    first, last = exercises[0], exercises[-1]
    students = {
        "all-right": right,
        "half-done": half,
        "not-begun": stubs,
        "broken-cell": {**right, last.name: right[last.name].replace(":", "", 1)},
        "endless-loop": {**right, first.name: _with_body(first, right[first.name], ENDLESS)},
        "calls-exit": {**right, first.name: _with_body(first, right[first.name], EXITS)},
    }
    for rank in range(max(len(one.misconceptions) for one in exercises)):
        students[f"mistakes-{rank + 1:02}"] = {one.name: _mistaken(one, rank, right) for one in exercises}
    for student, answers in students.items():
        (folder / student).mkdir(parents=True, exist_ok=True)
        path = folder / student / f"{lab.name}.ipynb"
        path.write_text(to_text(_notebook(lab, list(answers.values()))), encoding="utf-8")


def _notebook(lab: Lab, sources: list[str]) -> nbformat.NotebookNode:
    cells = [new_code_cell(source, id=f"cell-{at}") for at, source in enumerate(sources)]
    return new_notebook(cells=cells, metadata={LAB_METADATA: {"lab": lab.name}})


def _with_body(exercise: Exercise, source: str, body: str) -> str:
    """Source of the exercise with another body in place of what students write, its imports and helpers kept."""
    tree = ast.parse(source)
    definition = next(one for one in tree.body if isinstance(one, Definition) and one.name == exercise.name)
    for function in student_functions(exercise, definition):
        function.body = ast.parse(body).body
    return ast.unparse(tree)


def _mistaken(exercise: Exercise, rank: int, right: dict[str, str]) -> str:
    known = list(exercise.misconceptions.values())
    if rank >= len(known):
        return right[exercise.name]
    return inline_source(known[rank].source, known[rank].module, exercise.name)
