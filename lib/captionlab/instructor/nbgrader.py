"""nbgrader takes its points from our grader; no student's kernel is started.

``nbgrader_config.py`` puts :class:`RestoreCells` and :class:`GradeCells` among the steps of ``nbgrader autograde``, and
replaces nbgrader's exchange between instructors and students with :data:`EXCHANGE`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.default import (
    Exchange,
    ExchangeCollect,
    ExchangeFetchAssignment,
    ExchangeReleaseAssignment,
    ExchangeSubmit,
)
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearOutput,
    DeduplicateIds,
    LimitOutput,
    NbGraderPreprocessor,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
)
from nbgrader.utils import is_grade, is_solution

from captionlab.exercises import load_lab
from captionlab.grading.pipeline import Grader, GradeReport
from captionlab.grading.reader import read_notebook_and_module
from captionlab.grading.secret import course_secret
from captionlab.grading.verdict import Verdict, format_points

CHECK_SUFFIX = "-check"  # of a check cell's grade id; before it is the name of the exercise


class RestoreCells(OverwriteCells):
    """Restores check cells that a student changed or deleted."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        self.add_missing_cells = True
        return super().preprocess(nb, resources)

    def add_missing_grade_cells(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Add each missing graded cell after the nearest earlier cell of the release that is still there.

        nbgrader's own version fails on a submission that also lost the cell before.
        """
        source = self.gradebook.find_notebook(self.notebook_id, self.assignment_id)
        solutions = {cell.name for cell in source.solution_cells}
        max_scores = {cell.name: cell.max_score for cell in source.grade_cells}
        insert_at = 0
        for cell in source.source_cells:
            found = [at for at, one in enumerate(nb.cells) if _grade_id(one) == cell.name]
            if found:
                insert_at = found[-1] + 1
            elif cell.name in max_scores:
                self.log.warning("Missing graded cell %s: added", cell.name)
                added = self.missing_cell_transform(cell, max_scores[cell.name], is_solution=cell.name in solutions)
                nb.cells.insert(insert_at, added)
                insert_at += 1
        return nb, resources


def _grade_id(cell: NotebookNode) -> str | None:
    return cell.metadata.get("nbgrader", {}).get("grade_id")


class GradeCells(NbGraderPreprocessor):
    """Grades a notebook and writes each verdict as the output of its check cell."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        lab_name, student = resources["nbgrader"]["assignment"], resources["nbgrader"]["student"]
        report = grade_notebook(nb, lab_name, student, self._submitted_folder(lab_name, student))
        verdicts = {verdict.exercise: verdict for verdict in report.verdicts}
        for cell in nb.cells:
            if cell.cell_type != "code":
                continue
            cell.outputs, cell.execution_count = [], None
            if is_grade(cell) and not is_solution(cell):
                name = cell.metadata.nbgrader["grade_id"].removesuffix(CHECK_SUFFIX)
                if name not in verdicts:
                    raise ValueError(
                        f"{lab_name} has no exercise {name!r}: build the lab and generate the assignment again"
                    )
                cell.outputs = _outputs(verdicts[name])
        for note in report.notes:
            self.log.warning("%s: %s", student, note)
        return nb, resources

    def _submitted_folder(self, lab_name: str, student: str) -> Path:
        """The folder that the student submitted; nbgrader does not copy modules from it."""
        course = CourseDirectory(parent=self)
        return Path(course.format_path(course.submitted_directory, student, lab_name))


def grade_notebook(nb: NotebookNode, lab_name: str, student: str, folder: Path) -> GradeReport:
    """Grade a notebook on the student's hidden seeds.

    Args:
        nb: the notebook, as nbgrader has read it.
        lab_name: name of the lab, which is nbgrader's assignment.
        student: nbgrader's student id.
        folder: what the student submitted; the lab's module is read from there, if the lab has one.
    """
    grader = _grader(lab_name)
    return grader.grade(read_notebook_and_module(nb, folder, student, grader.lab))


@lru_cache(maxsize=1)
def _grader(lab_name: str) -> Grader:
    """One worker serves all students of an autograde run; it ends with the process."""
    return Grader(load_lab(lab_name), secret=course_secret())


def _outputs(verdict: Verdict) -> list[NotebookNode]:
    """What the student reads, and the result from which nbgrader takes the points."""
    lines = [f"{verdict.outcome}: {verdict.message}", *verdict.help_lines()]
    text = new_output("stream", name="stdout", text="\n".join(lines) + "\n")
    points = new_output("execute_result", data={"text/plain": format_points(verdict.points)}, execution_count=None)
    return [text, points]


SANITIZE_STEPS = [ClearOutput, DeduplicateIds, OverwriteKernelspec, RestoreCells, CheckCellMetadata]
AUTOGRADE_STEPS = [
    GradeCells,
    ClearMetadataPreprocessor,
    LimitOutput,
    SaveAutoGrades,
    AssignLatePenalties,
    CheckCellMetadata,
]


class _WithModules(Exchange):
    """Keeps the students' modules: ``*.py`` is ignored only when a release is generated from ``solutions/``."""

    def start(self) -> None:
        ignored = self.coursedir.ignore
        self.coursedir.ignore = [pattern for pattern in ignored if pattern != "*.py"]
        try:
            super().start()
        finally:
            self.coursedir.ignore = ignored


class ReleaseAssignment(_WithModules, ExchangeReleaseAssignment):
    """``nbgrader release_assignment``."""


class FetchAssignment(_WithModules, ExchangeFetchAssignment):
    """``nbgrader fetch_assignment``."""


class Submit(_WithModules, ExchangeSubmit):
    """``nbgrader submit``."""


class Collect(_WithModules, ExchangeCollect):
    """``nbgrader collect``."""


EXCHANGE = {
    "release_assignment": ReleaseAssignment,
    "fetch_assignment": FetchAssignment,
    "submit": Submit,
    "collect": Collect,
}
