"""Notebook files: read, and cleaned to the current format. Nothing of them is run."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from captionlab.grading.notebook_cleaning import LoadedNotebook, clean_notebook, list_of_cells
from captionlab.grading.notebook_json import read_json
from captionlab.grading.submission import LAB_METADATA
from captionlab.grading.submitted_file import UnreadableSubmission

NEWEST = 4  # version of the notebook format
MAX_KEYS = 5  # listed in a message
GOOGLE = ("//docs.google.com", "//drive.google.com", "//colab.research.google.com")


def load_notebook(path: Path) -> LoadedNotebook:
    """A notebook file, cleaned: it is valid in format 4.5, whatever tool and format it is from.

    The same file always gives the same notebook. It keeps the sources and types of its cells, valid ids, attachments,
    and nbgrader's metadata, of which each name occurs once; outputs and all other metadata are left out.

    Raises:
        UnreadableSubmission: with what was found instead of a notebook.
    """
    return clean_notebook(_find_notebook(read_json(path), path.name))


def _find_notebook(content: object, name: str) -> dict:
    """The notebook in what a file holds: that itself, or what it wraps, as Jupyter's web interface does."""
    if isinstance(content, str):  # JSON within JSON
        with suppress(ValueError, RecursionError):
            content = json.loads(content, strict=False)
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    if isinstance(content, dict) and list_of_cells(content) is None:
        inner = [value for value in content.values() if isinstance(value, dict) and list_of_cells(value) is not None]
        content = inner[0] if len(inner) == 1 else content
    if not isinstance(content, dict):
        raise UnreadableSubmission(f"{name} is JSON but not a notebook: it has no list of cells")
    if list_of_cells(content) is None:
        raise UnreadableSubmission(f"{name} is JSON but not a notebook: {_what_instead(content)}")
    version = content.get("nbformat")
    if isinstance(version, (int, float)) and version >= NEWEST + 1:
        raise UnreadableSubmission(
            f"{name} is not a notebook that can be read: it is in format {str(version)[:10]}, the newest known is "
            f"{NEWEST}; save it in that format"
        )
    return content


def _what_instead(content: dict) -> str:
    """What an object is that has no list of cells."""
    texts = [value for value in content.values() if isinstance(value, str)]
    if any(host in text[:500] for text in texts for host in GOOGLE):
        return "it is a link to Google Drive; download the notebook itself (File > Download > Download .ipynb)"
    if ("content" in content and "encoding" in content) or "download_url" in content:
        return "it is GitHub's description of a file; download the file itself (its button Download raw file)"
    keys = ", ".join(repr(key[:20]) for key in list(content)[:MAX_KEYS])
    return f"it has no list of cells (it has {keys or 'nothing'})"


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
