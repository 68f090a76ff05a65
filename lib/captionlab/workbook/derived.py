"""What makes derived files recognizable: a note for readers, and a fingerprint of the content for the build.

A file whose content still has the fingerprint it states was written by some build, this one or an earlier one, and may
be replaced. In any other somebody has worked.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import nbformat
from nbformat.v4 import new_markdown_cell

from captionlab.grading.exercise import Lab
from captionlab.grading.submission import LAB_METADATA

FINGERPRINT = "fingerprint"  # its key in a notebook's metadata
MODULE_NOTE = re.compile(r"# Made by `captionlab build` from .+, fingerprint (?P<fingerprint>[0-9a-f]+)\n")


def text_path(lab_name: str) -> Path:
    """Where a lab's authored text lies, relative to the course's folder."""
    return Path("solutions", lab_name, f"{lab_name}.md")


def add_note(notebook: nbformat.NotebookNode, lab: Lab) -> None:
    """Say at the end of a notebook's first cell what it is made from."""
    if not notebook.cells or notebook.cells[0].cell_type != "markdown":
        notebook.cells.insert(0, new_markdown_cell(f"# {lab.title}"))
    notebook.cells[0].source += (
        f"\n\n*Made by `captionlab build` from `{text_path(lab.name).as_posix()}` and the exercises in "
        f"`lib/{lab.package.replace('.', '/')}`; to change the lab, change those. To work on it, make a copy of your "
        f"own: `captionlab start {lab.name}`.*"
    )


def stamp_notebook(notebook: nbformat.NotebookNode) -> None:
    """Record the fingerprint of a notebook's cells in its metadata."""
    notebook.metadata[LAB_METADATA][FINGERPRINT] = _notebook_fingerprint(notebook)


def stamp_module(lab: Lab, text: str) -> str:
    """A module's text under a first line that says what it is made from; an earlier such line is replaced."""
    text = MODULE_NOTE.sub("", text, count=1) if MODULE_NOTE.match(text) else text
    source = text_path(lab.name).as_posix()
    return f"# Made by `captionlab build` from {source}, fingerprint {_fingerprint(text)}\n{text}"


def is_modified(path: Path) -> bool:
    """Whether a file that a build is about to replace holds anything that no build wrote."""
    try:
        text = path.read_bytes().decode("utf-8")
        if path.suffix != ".ipynb":
            found = MODULE_NOTE.match(text.replace("\r\n", "\n"))
            return found is None or found["fingerprint"] != _fingerprint(text.partition("\n")[2])
        notebook = nbformat.reads(text, as_version=4)
        return notebook.metadata[LAB_METADATA][FINGERPRINT] != _notebook_fingerprint(notebook)
    except FileNotFoundError:
        return False
    except Exception:  # nbformat raises many kinds: whatever it is, it is not ours
        return True


def _notebook_fingerprint(notebook: nbformat.NotebookNode) -> str:
    """Of all that somebody may have worked on; Jupyter writes the rest when it opens and saves a notebook."""
    parts = ("cell_type", "source", "attachments", "outputs")
    content = [[*(cell.get(part) for part in parts), cell.metadata.get("nbgrader")] for cell in notebook.cells]
    return _fingerprint(json.dumps(content, sort_keys=True))


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()[:16]
