"""nbgrader takes its points from our grader; no student's kernel is started.

``nbgrader_config.py`` puts :class:`RestoreCells` and :class:`GradeCells` among the steps of ``nbgrader autograde``, and
replaces nbgrader's exchange between instructors and students with :data:`EXCHANGE`.
"""

from __future__ import annotations

import glob
import shutil
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from nbconvert.exporters import NotebookExporter
from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook, new_output
from nbgrader.apps import api, autogradeapp
from nbgrader.converters import Autograde
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

from captionlab.common.files import is_hidden
from captionlab.exercises import load_lab
from captionlab.grading.pipeline import Grader
from captionlab.grading.reader import read_submission
from captionlab.grading.secret import course_secret
from captionlab.grading.submitted_file import MAX_BYTES, SubmissionFile, UnreadableSubmission
from captionlab.grading.verdict import Verdict, format_points

MAX_REMARKS = 20
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


class SubmittedNotebookExporter(NotebookExporter):
    """Reads what a student submitted with our reader, whatever the notebook is called and whatever is wrong with it.

    Of a submission that has no readable notebook an empty one is made, to which the graded cells are added.
    """

    def from_filename(
        self, filename: str, resources: dict | None = None, **options: Any
    ) -> tuple[NotebookNode, dict[str, Any]]:
        if not getattr(self.parent, "_sanitizing", False):  # in the second pass, it is our own file
            return super().from_filename(filename, resources=resources, **options)
        known = (resources or {})["nbgrader"]
        notebook = None
        with suppress(UnreadableSubmission, OSError):  # the grades will say why
            file = SubmissionFile(known["student"], Path(filename).parent)
            notebook = read_submission(file, load_lab(known["assignment"])).notebook
        return self.from_notebook_node(notebook or new_notebook(), resources=resources, **options)


class AutogradeAll(Autograde):
    """``nbgrader autograde`` for every folder that was submitted, whatever it contains."""

    def init_notebooks(self) -> None:
        """Find the folders; nbgrader's own version drops those without a notebook of the right name."""
        pattern = self._format_source(self.coursedir.assignment_id, self.coursedir.student_id)
        folders = [Path(path) for path in sorted(glob.glob(pattern))]
        self.assignments = {
            str(folder): [str(folder / f"{self.coursedir.assignment_id}.ipynb")]
            for folder in folders
            if folder.is_dir() and not is_hidden(folder.parent.name)
        }
        self.notebooks: list[str] = []
        if not self.assignments:
            super().init_notebooks()  # which says what was looked for

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        """Enter the submission in the gradebook and copy its other files, but no links, pipes or hidden files."""
        ignored = self.coursedir.ignore
        self.coursedir.ignore = ["*"]
        try:
            super().init_assignment(assignment_id, student_id)
        finally:
            self.coursedir.ignore = ignored
        source, target = (Path(one(assignment_id, student_id)) for one in (self._format_source, self._format_dest))
        for path in sorted(source.iterdir()):
            is_file = path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_BYTES
            if is_file and path.suffix != ".ipynb" and not is_hidden(path.name):
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target / path.name)


def install() -> None:
    """Let nbgrader's commands and formgrader use :class:`AutogradeAll`; they know no setting for it."""
    autogradeapp.Autograde = api.Autograde = AutogradeAll


class GradeCells(NbGraderPreprocessor):
    """Grades what was submitted, as ``captionlab grade`` does; writes each verdict as the output of its check cell."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        lab_name, student = resources["nbgrader"]["assignment"], resources["nbgrader"]["student"]
        course = CourseDirectory(parent=self)
        folder = Path(course.format_path(course.submitted_directory, student, lab_name))
        report = _grader(lab_name).grade_file(SubmissionFile(student, folder))
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
        remarks = [report.problem] if report.problem else report.notes
        if remarks:
            nb.cells.insert(0, _remarks_cell(remarks))
        for remark in remarks:
            self.log.warning("%s: %s", student, remark)
        return nb, resources


def _remarks_cell(remarks: Sequence[str]) -> NotebookNode:
    """A cell at the top of the notebook that tells the student what the grader noticed."""
    lines = "\n".join(remark.replace("`", "'") for remark in remarks[:MAX_REMARKS])
    more = f"\nand {len(remarks) - MAX_REMARKS} more" if len(remarks) > MAX_REMARKS else ""
    return new_markdown_cell(f"**Remarks on what you submitted**\n\n```text\n{lines}{more}\n```")


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
