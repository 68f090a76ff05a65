"""The module students complete, if a lab has one: its exercises in the text's order, under the text's headings.

The text holds the module's beginning, docstring and imports, as a code cell marked ``module``, which no notebook shows.
The instructors' module is the source, as with notebooks: the students' is cut from it.
"""

from __future__ import annotations

import ast
import re

import nbformat

from captionlab.grading.exercise import Exercise, Lab
from captionlab.workbook.derived import stamp_module, text_path
from captionlab.workbook.errors import TextError
from captionlab.workbook.stub import cut, solution_source, starter_source

HEADING = re.compile(r"^# (.+)$", re.MULTILINE)
WIDTH = 120


def source_module(lab: Lab, cells: list[nbformat.NotebookNode]) -> str:
    """The instructors' module of a lab, from the cells of its text: a file's text, solutions between markers.

    Raises:
        TextError: the text does not hold the module's beginning, or holds two.
    """
    beginnings = [cell.source.strip() for cell in cells if "module" in cell.metadata]
    if len(beginnings) != 1:
        raise TextError(
            f"{text_path(lab.name)} must hold one code cell marked module, with the docstring and the imports of "
            f"{lab.module_filename}; it holds {len(beginnings)}"
        )
    parts, heading, latest = beginnings, "", ""
    for cell in cells:
        if cell.cell_type == "markdown":
            heading = (HEADING.findall(cell.source) or [heading])[-1]
        elif "exercise" in cell.metadata:
            if heading != latest:
                parts.append(f"# --- {heading} {'-' * (WIDTH - 7 - len(heading))}")
                latest = heading
            parts.append(solution_source(lab.exercises[cell.metadata["exercise"]]))
    return stamp_module(lab, parts[0] + "\n\n" + "\n\n\n".join(parts[1:]) + "\n")


def release_module(lab: Lab, source: str) -> str:
    """The students' module of an instructors' module."""
    lines = source.split("\n")
    for definition in reversed(ast.parse(source).body):
        exercise: Exercise | None = lab.exercises.get(getattr(definition, "name", ""))
        if exercise and exercise.starter:
            lines[definition.lineno - 1 : definition.end_lineno] = [starter_source(exercise)]
    return stamp_module(lab, cut("\n".join(lines)))
