"""What students receive, by nbgrader's own steps: ``nbgrader generate_assignment`` and our build give the same."""

from __future__ import annotations

import logging
from pathlib import Path

import nbformat
from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import (
    ClearSolutions,
    IncludeHeaderFooter,
    InstantiateTests,
    NbGraderPreprocessor,
    SaveCells,
)

from captionlab.exercises import load_lab
from captionlab.grading.submission import LAB_METADATA
from captionlab.workbook.derived import stamp_notebook
from captionlab.workbook.module import release_module
from captionlab.workbook.stub import starter_source


class StubSolutions(ClearSolutions):
    """Cuts the solutions; a find-the-bug exercise is left with the code it starts from."""

    def preprocess(self, nb: nbformat.NotebookNode, resources: dict) -> tuple[nbformat.NotebookNode, dict]:
        nb, resources = super().preprocess(nb, resources)
        exercises = load_lab(nb.metadata[LAB_METADATA]["lab"]).exercises
        for cell in nb.cells:
            exercise = exercises.get(cell.metadata.get("nbgrader", {}).get("grade_id"))
            if exercise and exercise.starter:
                cell.source = starter_source(exercise)
        return nb, resources


class StubModule(NbGraderPreprocessor):
    """Writes the students' module beside their notebook, if the lab has one; cut from the one beside the source."""

    def preprocess(self, nb: nbformat.NotebookNode, resources: dict) -> tuple[nbformat.NotebookNode, dict]:
        lab = load_lab(nb.metadata[LAB_METADATA]["lab"])
        if lab.module_filename:
            path = Path(resources["metadata"]["path"], lab.module_filename)
            if not path.is_file():
                raise FileNotFoundError(f"there is no {path}: run `captionlab build`, then generate the assignment")
            released = release_module(lab, path.read_text(encoding="utf-8"))
            resources.setdefault("outputs", {})[lab.module_filename] = released.encode()
        return nb, resources


class Stamp(NbGraderPreprocessor):
    """Records the fingerprint of the students' notebook, by which a later build recognizes it."""

    def preprocess(self, nb: nbformat.NotebookNode, resources: dict) -> tuple[nbformat.NotebookNode, dict]:
        stamp_notebook(nb)
        return nb, resources


_STANDARD = GenerateAssignment.class_traits()["preprocessors"].default()
RELEASE_STEPS = [*(StubSolutions if step is ClearSolutions else step for step in _STANDARD), StubModule, Stamp]
# These need nbgrader's folders or its database; our build writes the module itself.
_NOT_OURS = (IncludeHeaderFooter, InstantiateTests, SaveCells, StubModule)


def release_notebook(source: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The students' notebook of an instructors' notebook."""
    logging.getLogger("traitlets").setLevel(logging.WARNING)
    released: nbformat.NotebookNode = nbformat.from_dict(source)
    resources: dict = {}
    for step in RELEASE_STEPS:
        if step not in _NOT_OURS:
            released, resources = step().preprocess(released, resources)
    return released
