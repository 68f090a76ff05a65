"""The instructors' notebook, made from a lab's text and its exercises.

If a lab has a module, exercises are written there, and the notebook holds their checks only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from captionlab.grading.exercise import Exercise, Lab
from captionlab.grading.submission import LAB_METADATA
from captionlab.grading.verdict import format_points
from captionlab.workbook.derived import add_note, stamp_notebook
from captionlab.workbook.errors import TextError
from captionlab.workbook.stub import solution_source

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
MODEL_ANSWER, RUBRIC = "<!-- model answer -->", "<!-- rubric -->"
AWARD_BONUS = (
    "**Bonus.** This cell counts 0 points in nbgrader, so that a bonus raises the score and not the maximum. In "
    "formgrader, enter 0 as the score and up to {points} as extra credit (it counts only beside a score)."
)


def source_notebook(lab: Lab, cells: list[nbformat.NotebookNode]) -> nbformat.NotebookNode:
    """The instructors' notebook: solutions, model answers and rubrics; a valid nbgrader source.

    Args:
        lab: the lab.
        cells: the cells of its text (:func:`~captionlab.workbook.text.lab_cells`).

    Raises:
        TextError: a question is incomplete.
    """
    built: list[nbformat.NotebookNode] = []
    for cell in cells:
        if "exercise" in cell.metadata:
            built += _exercise_cells(lab.exercises[cell.metadata["exercise"]], lab.module_filename)
        elif "written" in cell.metadata:
            built += _written_cells(cell)
        elif "module" not in cell.metadata:
            built.append(new_code_cell(cell.source) if cell.cell_type == "code" else new_markdown_cell(cell.source))
    notebook = new_notebook(cells=built, metadata={"kernelspec": KERNEL, LAB_METADATA: {"lab": lab.name}})
    add_note(notebook, lab)
    _give_ids(notebook)
    stamp_notebook(notebook)
    return notebook


def _exercise_cells(exercise: Exercise, module: str | None) -> Iterator[nbformat.NotebookNode]:
    yield new_markdown_cell(
        f"### Exercise: `{exercise.name}`{f' in `{module}`' if module else ''}\n\n"
        f"**{_points(exercise.points)}** · difficulty {_dots(exercise.difficulty)} · "
        f"importance {_dots(exercise.importance)} · about {exercise.minutes} minutes"
    )
    if not module:
        yield new_code_cell(solution_source(exercise), metadata=_nbgrader(exercise.name, solution=True))
    yield new_code_cell(
        f'check("{exercise.name}")',
        metadata=_nbgrader(f"{exercise.name}-check", grade=True, locked=True, points=exercise.points),
    )


def _dots(level: int) -> str:
    return "●" * level + "○" * (5 - level)


def _written_cells(cell: nbformat.NotebookNode) -> Iterator[nbformat.NotebookNode]:
    identifier, points = f"written-{cell.metadata['written']}", cell.metadata.get("points")
    question, answer_marker, rest = cell.source.partition(MODEL_ANSWER)
    answer, rubric_marker, rubric = rest.partition(RUBRIC)
    if not (answer_marker and rubric_marker and question.strip() and answer.strip() and rubric.strip() and points):
        raise TextError(
            f"the question {identifier!r} needs points, a text, {MODEL_ANSWER} with text and {RUBRIC} with text"
        )
    bonus = bool(cell.metadata.get("bonus"))
    yield new_markdown_cell(
        f"### {_written_heading(points, bonus)}\n\n{question.strip()}",
        metadata=_nbgrader(f"{identifier}-question", locked=True),
    )
    award = f"\n\n{AWARD_BONUS.format(points=_points(points))}" if bonus else ""
    yield new_markdown_cell(
        f"**Model answer.** {answer.strip()}\n\n**Rubric.**\n\n{rubric.strip()}{award}",
        # nbgrader's maximum is the sum of the cells' points, so a bonus is worth 0 and is awarded as extra credit.
        metadata=_nbgrader(identifier, grade=True, solution=True, points=0 if bonus else points),
    )


def _written_heading(points: float, bonus: bool) -> str:
    if bonus:
        return f"Bonus written answer · up to {_points(points)} beyond the full mark · marked by hand, as extra credit"
    return f"Written answer · {_points(points)} · marked by hand"


def _points(points: float) -> str:
    return f"{format_points(points)} point{'' if points == 1 else 's'}"


def _nbgrader(
    grade_id: str, *, grade: bool = False, solution: bool = False, locked: bool = False, points: float | None = None
) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "grade": grade,
        "grade_id": grade_id,
        "locked": locked,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    return {"nbgrader": settings | ({"points": points} if points is not None else {})}


def _give_ids(notebook: nbformat.NotebookNode) -> None:
    """Cell ids that stay when other cells change, so that notebooks can be compared."""
    taken: set[str] = set()
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id") or cell.cell_type
        identifier = re.sub(r"[^\w-]", "-", name)[:50] if name != cell.cell_type else ""
        if not identifier:
            identifier = hashlib.sha256(cell.source.encode()).hexdigest()[:12]
        base, count = identifier, 1
        while identifier in taken:
            count += 1
            identifier = f"{base}-{count}"
        taken.add(identifier)
        cell["id"] = identifier


def to_text(notebook: nbformat.NotebookNode) -> str:
    """A notebook file's text; the same notebook gives the same bytes."""
    text: str = nbformat.writes(notebook, version=4)
    return text + "\n"
