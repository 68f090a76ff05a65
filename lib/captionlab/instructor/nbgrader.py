"""nbgrader takes its points from our judge: the student's kernel is not started to grade.

``nbgrader_config.py`` puts :class:`RestoreCells` and :class:`JudgeCells` among the steps of ``nbgrader autograde``, and
:data:`EXCHANGE` in the place of nbgrader's own ways from instructors to students and back.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.default import (
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
from captionlab.grading.exercise import grading_seed
from captionlab.grading.judge import Verdict, format_points
from captionlab.grading.pipeline import GradeReport, course_secret, grade_safely, read_file
from captionlab.grading.sandbox import Sandbox
from captionlab.grading.submission import Submission, UnreadableSubmission, add_cells

CHECK_SUFFIX = "-check"  # of a check cell's grade id; what stands before it is the exercise


class RestoreCells(OverwriteCells):
    """Puts back test cells that a submission changed, and those it deleted."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        self.add_missing_cells = True
        return super().preprocess(nb, resources)

    def add_missing_grade_cells(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Add each missing graded cell behind the nearest earlier cell of the release that is still there.

        nbgrader's own version stops at a submission that also lost the cell before.
        """
        source = self.gradebook.find_notebook(self.notebook_id, self.assignment_id)
        solutions = {cell.name for cell in source.solution_cells}
        max_scores = {cell.name: cell.max_score for cell in source.grade_cells}
        behind = 0
        for cell in source.source_cells:
            there = [at for at, one in enumerate(nb.cells) if _grade_id(one) == cell.name]
            if there:
                behind = there[-1] + 1
            elif cell.name in max_scores:
                self.log.warning("Missing graded cell %s: added", cell.name)
                added = self.missing_cell_transform(cell, max_scores[cell.name], is_solution=cell.name in solutions)
                nb.cells.insert(behind, added)
                behind += 1
        return nb, resources


def _grade_id(cell: NotebookNode) -> str | None:
    return cell.metadata.get("nbgrader", {}).get("grade_id")


class JudgeCells(NbGraderPreprocessor):
    """Grades a notebook with our judge and writes each verdict as the output of its check cell."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        lab_name, student = resources["nbgrader"]["assignment"], resources["nbgrader"]["student"]
        graded = grade_notebook(nb, lab_name, student, self._submitted(lab_name, student))
        verdicts = {verdict.exercise: verdict for verdict in graded.verdicts}
        for cell in nb.cells:
            if cell.cell_type != "code":
                continue
            cell.outputs, cell.execution_count = [], None
            if is_grade(cell) and not is_solution(cell):
                name = cell.metadata.nbgrader["grade_id"].removesuffix(CHECK_SUFFIX)
                if name not in verdicts:
                    raise ValueError(f"{lab_name} has no exercise {name!r}: build and generate the assignment again")
                cell.outputs = _outputs(verdicts[name])
        for note in graded.notes:
            self.log.warning("%s: %s", student, note)
        return nb, resources

    def _submitted(self, lab_name: str, student: str) -> Path:
        """The folder the student handed in: modules are not copied from there."""
        course = CourseDirectory(parent=self)
        return Path(course.format_path(course.submitted_directory, student, lab_name))


def grade_notebook(nb: NotebookNode, lab_name: str, student: str, folder: Path) -> GradeReport:
    """Grade a notebook that is already read, and the lab's module in ``folder``, with the course's secret."""
    lab, secret = load_lab(lab_name), course_secret(Path("."))
    submission = Submission(student)
    add_cells(nb, submission)
    if lab.module_filename and not (folder / lab.module_filename).exists():
        submission.notes.append(f"there is no {lab.module_filename} beside the notebook")
    elif lab.module_filename:
        try:
            read_file(folder / lab.module_filename, lab, submission)
        except UnreadableSubmission as error:
            submission.notes.append(str(error))
    sandbox = _sandbox(lab.name)
    verdicts = [
        grade_safely(sandbox, one, submission, grading_seed(secret, one, student)) for one in lab.exercises.values()
    ]
    return GradeReport(student, lab.name, verdicts, submission.notes)


@lru_cache(maxsize=1)
def _sandbox(lab_name: str) -> Sandbox:
    """One worker serves all students of an autograde run; it ends with the process."""
    return Sandbox(load_lab(lab_name))


def _outputs(verdict: Verdict) -> list[NotebookNode]:
    """What nbgrader reads the points from (the result), and what the student reads."""
    lines = [f"{verdict.outcome}: {verdict.message}", *verdict.help_lines()]
    text = new_output("stream", name="stdout", text="\n".join(lines) + "\n")
    points = new_output("execute_result", data={"text/plain": format_points(verdict.points)}, execution_count=None)
    return [text, points]


SANITIZE_STEPS = [ClearOutput, DeduplicateIds, OverwriteKernelspec, RestoreCells, CheckCellMetadata]
AUTOGRADE_STEPS = [
    JudgeCells,
    ClearMetadataPreprocessor,
    LimitOutput,
    SaveAutoGrades,
    AssignLatePenalties,
    CheckCellMetadata,
]


class _WithModules:
    """Carries modules along: ``*.py`` is ignored on the way from solutions/ to labs/ only."""

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
