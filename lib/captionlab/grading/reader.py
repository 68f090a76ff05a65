"""Reading a submission: a student's notebook and module, or a folder of them. Nothing of them is run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import nbformat

from captionlab.grading.chunks import add_cell, add_module, python_version
from captionlab.grading.exercise import Lab
from captionlab.grading.notebooks import answer_of, is_notebook_of, load_notebook, stated_lab
from captionlab.grading.submission import Submission
from captionlab.grading.submitted_file import SubmissionFile, UnreadableSubmission, read_text


def read_submission(file: SubmissionFile, lab: Lab) -> Submission:
    """Read a student's notebook and module.

    Raises:
        UnreadableSubmission: nothing in it can be graded.
    """
    submission = Submission(file.student)
    files = [file.path]
    if file.path.is_dir():
        folder = file.path / lab.name if (file.path / lab.name).is_dir() else file.path
        files = _lab_files(folder, lab, submission)
    for path in files:
        read_file(path, lab, submission)
    return submission


def read_notebook_and_module(notebook: nbformat.NotebookNode, folder: Path, student: str, lab: Lab) -> Submission:
    """The submission of a notebook that has been loaded already, and of the lab's module in ``folder``.

    A missing or unreadable module is noted.
    """
    submission = Submission(student)
    add_cells(notebook, submission)
    if lab.module_filename and not (folder / lab.module_filename).exists():
        submission.notes.append(f"{lab.module_filename} is missing: submit it together with the notebook")
    elif lab.module_filename:
        try:
            read_file(folder / lab.module_filename, lab, submission)
        except UnreadableSubmission as error:
            submission.notes.append(str(error))
    return submission


def answered_labs(path: Path, labs: Iterable[Lab]) -> list[Lab]:
    """Those of ``labs`` of which a submission answers an exercise; if there are none, the lab its notebook belongs to.

    What the notebook of another lab happens to define is not an answer.
    """
    answered, stated = [], []
    for lab in labs:
        try:
            submission = read_submission(SubmissionFile(path.stem, path), lab)
        except (UnreadableSubmission, OSError):
            continue
        chunks = [chunk for name in lab.exercises if (chunk := submission.defining(name))]
        if submission.stated_lab == lab.name:
            stated.append(lab)
        elif submission.stated_lab:
            chunks = [chunk for chunk in chunks if chunk.origin.startswith("module ")]
        if chunks:
            answered.append(lab)
    return answered or stated


def read_file(path: Path, lab: Lab, submission: Submission) -> None:
    """Add a notebook's or a module's code to a submission.

    Raises:
        UnreadableSubmission: nothing in it can be graded.
    """
    if path.is_symlink():
        raise UnreadableSubmission(f"{path.name} is a symbolic link; submit the file itself")
    if path.suffix == ".ipynb":
        read_notebook(path, lab, submission)
    elif path.suffix == ".py":
        read_module(path, submission)
    else:
        raise UnreadableSubmission(f"{path.name} is neither a notebook (.ipynb) nor a module (.py)")


def _lab_files(folder: Path, lab: Lab, submission: Submission) -> list[Path]:
    """A student's notebook, then the module: what is read last takes precedence."""
    notebooks = sorted(folder.glob("*.ipynb"))
    modules = sorted(folder.glob("*.py"))
    notebook = _choose(notebooks, f"{lab.name}.ipynb", lab)
    module = _choose(modules, lab.module_filename or f"{lab.name}.py", lab)
    files = [path for path in (notebook, module) if path]
    if not files:
        listed = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
        raise UnreadableSubmission(f"no notebook and no module in the folder; it contains: {listed}")
    graded = " and ".join(path.name for path in files) + (" is graded" if len(files) == 1 else " are graded")
    for path in (*notebooks, *modules):
        if path not in files:
            submission.notes.append(f"{path.name} was ignored: only {graded}")
    if notebook and module:
        submission.notes.append(
            f"both {notebook.name} and {module.name} were submitted: definitions in the module take precedence"
        )
    return files


def _choose(files: list[Path], name: str, lab: Lab) -> Path | None:
    named = [path for path in files if path.name == name]
    stated = [path for path in files if path.suffix == ".ipynb" and is_notebook_of(path, lab)]
    return next(iter([*named, *stated, *files]), None)


def read_module(path: Path, submission: Submission) -> None:
    """Add a Python module to a submission; one that is not valid Python is noted."""
    text = read_text(path)
    if "\0" in text:
        raise UnreadableSubmission(f"{path.name} contains null bytes; it is not a Python file")
    add_module(text, path.name, submission)


def read_notebook(path: Path, lab: Lab, submission: Submission) -> None:
    """Add a notebook file's code cells to a submission.

    Raises:
        UnreadableSubmission: not a notebook, or the notebook of another lab.
    """
    notebook = load_notebook(path)
    add_cells(notebook, submission, lab.module_filename)
    submission.stated_lab = stated = stated_lab(notebook.metadata)
    if stated and stated != lab.name and not any(map(submission.defining, lab.exercises)):
        raise UnreadableSubmission(f"{path.name} is the notebook of {stated[:80]}, not of {lab.name}")


def add_cells(notebook: nbformat.NotebookNode, submission: Submission, module_filename: str | None = None) -> None:
    """Add a notebook's code cells; one that is not valid Python is noted."""
    submission.python = python_version(notebook.metadata)
    for position, cell in enumerate(notebook.cells, start=1):
        if cell.get("cell_type") == "code":
            source = str(cell.get("source", ""))
            add_cell(source, f"cell {position}", submission, answers=answer_of(cell), module=module_filename or "")
