"""Notebook files: read, and converted to the current format. Nothing of them is run."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import nbformat
from nbformat.reader import NotJSONError

from captionlab.grading.exercise import Lab
from captionlab.grading.submission import LAB_METADATA
from captionlab.grading.submitted_file import UnreadableSubmission, read_text


def load_notebook(path: Path) -> nbformat.NotebookNode:
    """A notebook file, converted to the current format.

    Raises:
        UnreadableSubmission: with what was found instead of a notebook.
    """
    text = read_text(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # missing cell ids and the like are not the student's fault
            notebook = nbformat.reads(text, as_version=4)
    except NotJSONError:
        start = text.strip()[:30]
        found = f"it starts with {start!r}" if start else "it is empty"
        raise UnreadableSubmission(f"{path.name} is not a notebook: {found}, JSON was expected") from None
    except Exception as error:  # nbformat raises many kinds on malformed notebooks
        raise UnreadableSubmission(
            f"{path.name} is not a notebook ({type(error).__name__}: {str(error)[:120]})"
        ) from None
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise UnreadableSubmission(f"{path.name} is JSON but not a notebook: it has no list of cells")
    if not isinstance(notebook.get("metadata"), dict):
        notebook.metadata = nbformat.from_dict({})
    return notebook


def is_notebook_of(path: Path, lab: Lab) -> bool:
    """Whether the notebook's metadata names this lab; False if it cannot be read."""
    try:
        return stated_lab(json.loads(read_text(path)).get("metadata")) == lab.name
    except (UnreadableSubmission, ValueError, AttributeError, RecursionError):
        return False


def stated_lab(metadata: object) -> str | None:
    """The lab that a notebook's metadata names, if they do."""
    ours = metadata.get(LAB_METADATA) if isinstance(metadata, dict) else None
    stated = ours.get("lab") if isinstance(ours, dict) else None
    return stated if isinstance(stated, str) else None


def answer_of(cell: dict) -> str | None:
    """The exercise whose answer cell this is, or None for any other cell."""
    metadata = cell.get("metadata")
    ours = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    if not isinstance(ours, dict) or not ours.get("solution") or ours.get("grade"):
        return None
    name = ours.get("grade_id")
    return name if isinstance(name, str) else None
