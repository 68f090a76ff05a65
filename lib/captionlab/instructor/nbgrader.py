"""nbgrader takes its points from our grader; no student's kernel is started.

``nbgrader_config.py`` puts :class:`RestoreCells` and :class:`GradeCells` among the steps of ``nbgrader autograde``, and
replaces nbgrader's exchange between instructors and students with :data:`EXCHANGE`.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from nbconvert.exporters import NotebookExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.api import Gradebook, Notebook, SourceCell
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
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    LimitOutput,
    NbGraderPreprocessor,
    OverwriteKernelspec,
    SaveAutoGrades,
)
from nbgrader.utils import is_grade, is_solution

from captionlab.common.files import is_hidden
from captionlab.exercises import load_lab
from captionlab.grading.observation import sanitize
from captionlab.grading.pipeline import Grader
from captionlab.grading.reader import read_submission
from captionlab.grading.secret import course_secret
from captionlab.grading.submitted_file import MAX_BYTES, SubmissionFile
from captionlab.grading.verdict import Verdict, format_points

MAX_REMARKS = 20
CHECK_SUFFIX = "-check"  # of a check cell's grade id; before it is the name of the exercise


class RestoreCells(NbGraderPreprocessor):
    """Restores what a student changed or deleted of the release's check cells and of the metadata of all its cells.

    Only the names of cells are taken from the student's notebook, all else that nbgrader keeps in a cell's metadata is
    the gradebook's.
    """

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        known = resources["nbgrader"]
        with Gradebook(known["db_url"]) as gradebook:
            release = gradebook.find_notebook(known["notebook"], known["assignment"])
            released = {source.name: (source, _released_metadata(source, release)) for source in release.source_cells}
            for cell in nb.cells:
                if (name := _grade_id(cell)) in released:
                    _restore_cell(cell, *released[name])
                else:
                    cell.metadata.pop("nbgrader", None)
            self._add_missing_cells(nb, released)
        return nb, resources

    def _add_missing_cells(self, nb: NotebookNode, released: dict[str, tuple[SourceCell, dict]]) -> None:
        """Add each missing graded cell after the nearest earlier cell of the release that is still there."""
        ids = {cell.id for cell in nb.cells}
        insert_at = 0
        for name, (source, metadata) in released.items():
            found = [at for at, cell in enumerate(nb.cells) if _grade_id(cell) == name]
            if found:
                insert_at = found[-1] + 1
            elif metadata["grade"]:
                self.log.info("Missing graded cell %s: added", name)
                # A written answer that is missing is added as it was released, which gives no points.
                remark = "" if metadata["solution"] else "# This cell was missing from the submission.\n"
                make = new_code_cell if source.cell_type == "code" else new_markdown_cell
                id = name if name not in ids else f"{name}-added"
                nb.cells.insert(insert_at, make(remark + source.source, id=id, metadata={"nbgrader": metadata}))
                insert_at += 1


def _grade_id(cell: NotebookNode) -> str | None:
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def _released_metadata(source: SourceCell, release: Notebook) -> dict:
    """nbgrader's metadata of a cell of the release."""
    points = {cell.name: cell.max_score for cell in release.grade_cells}
    metadata = {
        "schema_version": MetadataValidator().schema_version,
        "grade_id": source.name,
        "grade": source.name in points,
        "solution": source.name in {cell.name for cell in release.solution_cells},
        "locked": source.locked,
        "cell_type": source.cell_type,
        "checksum": source.checksum,
    }
    return metadata | ({"points": points[source.name]} if source.name in points else {})


def _restore_cell(cell: NotebookNode, source: SourceCell, metadata: dict) -> None:
    """Give a student's cell the type and metadata that it was released with, and its source if that was locked."""
    if cell.cell_type != source.cell_type:
        make = new_code_cell if source.cell_type == "code" else new_markdown_cell
        changed = make(cell.source, id=cell.id, metadata=cell.metadata)
        cell.clear()
        cell.update(changed)
    cell.metadata.nbgrader = from_dict(metadata)
    if source.locked:
        cell.source = source.source


class ShowableText(NbGraderPreprocessor):
    """Shows text that cannot be rendered as it was typed; it would take formgrader and the feedback down.

    Such as a picture whose attachment is missing, or quotes within quotes, hundreds deep.
    """

    def preprocess_cell(self, cell: NotebookNode, resources: dict, index: int) -> tuple[NotebookNode, dict]:
        if cell.cell_type == "markdown":
            renderer = IPythonRenderer(escape=False, attachments=cell.get("attachments", {}))
            try:
                MarkdownWithMath(renderer=renderer).render(cell.source)
            except Exception as error:  # whatever the renderer raises
                self.log.warning("Cell %s cannot be rendered (%s): shown as it was typed", index, error)
                fence = "~" * max(3, 1 + max(map(len, re.findall("~+", cell.source)), default=0))
                cell.source = f"{fence}text\n{cell.source}\n{fence}"
        return cell, resources


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
        with suppress(Exception):  # the grades will say why
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
            if not any(map(is_hidden, folder.relative_to(self.coursedir.root).parts))
        }
        self.notebooks: list[str] = []
        if not self.assignments:
            super().init_notebooks()  # which says what was looked for

    def convert_notebooks(self) -> None:
        """Grade all; a time of submission that cannot be read is none, and no reason to drop the student."""
        read = self.coursedir.get_existing_timestamp

        def read_or_none(folder: str) -> Any:
            try:
                return read(folder)
            except Exception as error:  # nbgrader gives up in several ways
                self.log.warning("The time of submission in %s cannot be read: %s", folder, error)
                return None

        self.coursedir.get_existing_timestamp = read_or_none
        try:
            super().convert_notebooks()
        finally:
            self.coursedir.get_existing_timestamp = read

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        """Enter the submission in the gradebook and copy its other files, but no links, pipes or hidden files."""
        ignored = self.coursedir.ignore
        files = Path(self._format_source(assignment_id, student_id)).rglob("*")
        self.coursedir.ignore = [*ignored, *(glob.escape(path.name) for path in files if not _can_be_copied(path))]
        try:
            super().init_assignment(assignment_id, student_id)
        finally:
            self.coursedir.ignore = ignored


def _can_be_copied(path: Path) -> bool:
    if path.is_symlink() or is_hidden(path.name):
        return False
    return path.is_dir() or (path.is_file() and os.access(path, os.R_OK) and path.stat().st_size <= MAX_BYTES)


def install() -> None:
    """Let nbgrader's commands and formgrader use :class:`AutogradeAll`; they know no setting for it."""
    autogradeapp.Autograde = api.Autograde = AutogradeAll


class GradeCells(NbGraderPreprocessor):
    """Grades what was submitted, as ``captionlab grade`` does; writes each verdict as the output of its check cell."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        lab_name, student = resources["nbgrader"]["assignment"], resources["nbgrader"]["student"]
        course = CourseDirectory(parent=self)
        folder = Path(course.format_path(course.submitted_directory, student, lab_name))
        report = _grader(lab_name).grade_file(SubmissionFile(sanitize(student), folder))
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


SANITIZE_STEPS = [OverwriteKernelspec, RestoreCells, ShowableText, CheckCellMetadata]
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
