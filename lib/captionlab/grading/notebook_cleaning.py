"""A notebook as any tool writes it, cleaned to a valid one of format 4.5.

Formats 1 to 4.5 are read alike, cell by cell, because files often mix them. Nothing is looked up in nbformat's own
converters: they stop at the first blemish.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import nbformat

from captionlab.grading.cells import names_defined
from captionlab.grading.submission import LAB_METADATA

KINDS = {
    "code": "code",
    "python": "code",
    "markdown": "markdown",
    "md": "markdown",
    "text": "markdown",
    "heading": "markdown",
    "html": "markdown",
    "raw": "raw",
}
OF_CODE = ("outputs", "execution_count", "input", "prompt_number", "code")  # keys that only code cells have
SOURCES = ("source", "input", "code", "text")  # formats 4 and 3, 3 and 2 of code, 1 of code, 1 of text
DEFINITION = re.compile(r"^(?:async def|def|class) \w+ *[(:\[]", re.MULTILINE)
CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
GRADE_ID = re.compile(r"[a-zA-Z0-9_-]{1,200}")
FLAGS = ("grade", "solution", "locked", "task")
CHECKSUM_LENGTH = 32
SCHEMA_VERSION = 3  # of nbgrader's metadata


class LoadedNotebook(NamedTuple):
    """A cleaned notebook, and remarks for the student on what was mended."""

    notebook: nbformat.NotebookNode
    notes: list[str]


@dataclass
class _Cell:
    """A cell while it is cleaned; ``nbgrader`` are its metadata of that name, or None."""

    kind: str
    source: str
    id: object
    nbgrader: dict | None
    attachments: dict[str, dict[str, str]]

    @property
    def name(self) -> str:
        """nbgrader's name of the cell."""
        return self.nbgrader["grade_id"] if self.nbgrader else ""

    @property
    def is_answer(self) -> bool:
        """Whether it is the answer cell of an exercise."""
        ours = self.nbgrader or {}
        return ours.get("solution", False) and not ours.get("grade", False)

    def defines(self, name: str) -> bool:
        """Whether it seems to define ``name``."""
        return name in names_defined(self.source)


def list_of_cells(content: dict) -> list | None:
    """The cells of a notebook of any format, or None if it has no list of them."""
    cells = content.get("cells")
    if not isinstance(cells, list):
        sheets = content.get("worksheets")
        if not isinstance(sheets, list):
            return None
        parts = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
        cells = [cell for part in parts if isinstance(part, list) for cell in part]
    return cells if not cells or any(isinstance(cell, dict) for cell in cells) else None


def clean_notebook(content: dict) -> LoadedNotebook:
    """A valid notebook of format 4.5 (see :func:`~captionlab.grading.notebooks.load_notebook`).

    Args:
        content: of a notebook file; it has a list of cells.
    """
    cells = [_read_cell(cell if isinstance(cell, dict) else {}) for cell in list_of_cells(content) or []]
    _keep_one_of_each_name(cells)
    notes = list(_mend_kinds(cells))
    built = [_build(cell, id) for cell, id in zip(cells, _unique_ids(cells), strict=True)]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": _metadata(content.get("metadata")), "cells": built}
    return LoadedNotebook(nbformat.from_dict(notebook), notes)


def _read_cell(cell: dict) -> _Cell:
    source = next((cell[key] for key in SOURCES if cell.get(key) is not None), "")
    text, kind = _joined(source), _kind(cell)
    if kind is None:
        kind = "code" if DEFINITION.search(text) else "raw"
    if cell.get("cell_type") == "heading":  # of format 3
        level = cell.get("level")
        text = f"{'#' * (level if isinstance(level, int) and 1 <= level <= 6 else 1)} {text}"
    metadata = cell.get("metadata")
    nbgrader = _nbgrader(metadata.get("nbgrader")) if isinstance(metadata, dict) else None
    return _Cell(kind, text, cell.get("id"), nbgrader, _attachments(cell.get("attachments")))


def _kind(cell: dict) -> str | None:
    stated = cell.get("cell_type")
    kind = KINDS.get(stated.strip().lower()) if isinstance(stated, str) else None
    return kind or ("code" if any(key in cell for key in OF_CODE) else None)


def _joined(source: object) -> str:
    """A source as one text: it may be a list of lines, with or without their ends."""
    if isinstance(source, list):
        parts = [_text(part) for part in source]
        lines_without_ends = any(len(part) > 1 for part in parts) and not any("\n" in part for part in parts)
        return _valid("\n".join(parts) if lines_without_ends else "".join(parts))
    return _valid(_text(source))


def _text(part: object) -> str:
    return part if isinstance(part, str) else str(part) if isinstance(part, (int, float)) else ""


def _valid(text: str) -> str:
    """A text without halves of surrogate pairs (half an emoji), which no encoding can express."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _nbgrader(ours: object) -> dict | None:
    """nbgrader's metadata of a cell in its present schema, or None if they do not name the cell."""
    if not isinstance(ours, dict):
        return None
    name = ours.get("grade_id")
    flags = {flag: ours.get(flag) in (True, "true", "True") for flag in FLAGS}
    if not isinstance(name, str) or not GRADE_ID.fullmatch(name) or not any(flags.values()):
        return None
    cleaned = {"schema_version": SCHEMA_VERSION, "grade_id": name, **flags}
    if flags["grade"] or flags["task"]:
        points = ours.get("points")
        valid = isinstance(points, (int, float)) and not isinstance(points, bool) and 0 <= points < math.inf
        cleaned["points"] = points if valid else 0
    if ours.get("cell_type") in ("code", "markdown", "raw"):
        cleaned["cell_type"] = ours["cell_type"]
    checksum = ours.get("checksum")
    if isinstance(checksum, str) and len(checksum) == CHECKSUM_LENGTH and checksum.isalnum():
        cleaned["checksum"] = _valid(checksum)
    return cleaned


def _attachments(value: object) -> dict[str, dict[str, str]]:
    """The pictures that a text cell holds; what is malformed among them is left out."""
    found = {}
    for name, bundle in value.items() if isinstance(value, dict) else ():
        data = bundle if isinstance(bundle, dict) else {}
        data = {_valid(mime): _joined(part) for mime, part in data.items() if isinstance(part, (str, list))}
        if data:
            found[_valid(name)] = data
    return found


def _keep_one_of_each_name(cells: Iterable[_Cell]) -> None:
    """Let one cell keep each of nbgrader's names: splitting and copying cells gives several the same.

    Of answer cells it is the last that defines what it is named after, of others the last that is not empty.
    """
    groups: dict[str, list[_Cell]] = {}
    for cell in cells:
        if cell.nbgrader:
            groups.setdefault(cell.name, []).append(cell)
    for group in groups.values():
        group.reverse()  # of equal ones `max` takes the first
        kept = max(group, key=_claim)
        for cell in group:
            if cell is not kept:
                cell.nbgrader = None


def _claim(cell: _Cell) -> tuple[bool, bool, bool]:
    """How much of a claim a cell has to its name, among several of the same."""
    kind = (cell.nbgrader or {}).get("cell_type", "code")
    return (cell.is_answer and cell.defines(cell.name), cell.kind == kind, bool(cell.source.strip()))


def _mend_kinds(cells: list[_Cell]) -> Iterable[str]:
    """Turn cells back that a slip (Esc M, Esc Y) turned into another type; notes on answers."""
    for position, cell in enumerate(cells, start=1):
        ours = cell.nbgrader or {}
        if cell.is_answer and cell.kind != "code":
            if not any(one.kind == "code" and one.defines(cell.name) for one in cells):
                cell.kind = "code"
                yield f"cell {position}, the answer cell of {cell.name}, is a text cell: it is read as code"
        elif ours.get("grade") and "cell_type" in ours:
            cell.kind = ours["cell_type"]


def _unique_ids(cells: list[_Cell]) -> list[str]:
    """An id for each cell: its own if it is valid and the first of that id, otherwise a new one."""
    own = [cell.id if isinstance(cell.id, str) and CELL_ID.fullmatch(cell.id) else None for cell in cells]
    taken = set(own)
    ids: list[str] = []
    seen: set[str] = set()
    for position, id in enumerate(own, start=1):
        if id is None or id in seen:
            id = f"cell-{position}"
            while id in taken:
                id += "-"
            taken.add(id)
        seen.add(id)
        ids.append(id)
    return ids


def _build(cell: _Cell, id: str) -> dict:
    built = {
        "id": id,
        "cell_type": cell.kind,
        "metadata": {"nbgrader": cell.nbgrader} if cell.nbgrader else {},
        "source": cell.source,
    }
    if cell.kind == "code":
        return {**built, "outputs": [], "execution_count": None}
    return {**built, "attachments": cell.attachments} if cell.attachments else built


def _metadata(value: object) -> dict:
    """The metadata of a notebook that are read somewhere: its language, kernel and lab."""
    metadata = value if isinstance(value, dict) else {}
    kept = {}
    for key, names, required in (
        ("kernelspec", ("name", "display_name", "language"), ("name", "display_name")),
        ("language_info", ("name", "version"), ("name",)),
        (LAB_METADATA, ("lab", "fingerprint"), ()),
    ):
        part = metadata.get(key)
        texts = (
            {name: part[name] for name in names if isinstance(part.get(name), str)} if isinstance(part, dict) else {}
        )
        if texts and all(name in texts for name in required):
            kept[key] = {name: _valid(text) for name, text in texts.items()}
    return kept
