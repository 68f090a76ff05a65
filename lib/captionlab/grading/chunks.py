"""From a cell's or a module's text to a chunk of a submission; what is not valid Python is noted."""

from __future__ import annotations

import re
import sys
from pathlib import PurePath

from captionlab.grading.cells import names_defined, parse, parse_cell
from captionlab.grading.submission import Chunk, Submission


def add_cell(source: str, origin: str, submission: Submission, *, answers: str | None = None, module: str = "") -> None:
    """Add a code cell to a submission.

    Args:
        source: the cell's text.
        origin: such as ``"cell 3"``.
        submission: gains a chunk, or a note if the cell is not valid Python.
        answers: the exercise whose answer cell it is.
        module: file name of the lab's module, if the lab has one; a cell that writes this file counts as the module.
    """
    try:
        code, tree, file = parse_cell(source)
    except SyntaxError as error:
        _note_broken(source, origin, error, submission)
        return
    if file is None:
        submission.add(Chunk(origin, code, tree, answers=answers))
        return
    name = PurePath(file.replace("\\", "/"))
    is_module = bool(module) and name.name == module
    submission.add(Chunk(f"{origin} ({name.name})", code, tree, module=name.stem, is_helper=not is_module))
    submission.notes.append(
        f"{origin} writes {name.name}: graded as it stands in the notebook, unless {name.name} is submitted, too"
        if is_module
        else f"{origin} writes {name.name}: its definitions are taken from the notebook"
    )


def add_module(text: str, filename: str, submission: Submission) -> None:
    """Add a module to a submission (see :func:`add_cell`)."""
    origin = f"module {filename}"
    try:
        tree = parse(text)
    except SyntaxError as error:
        _note_broken(text, origin, error, submission)
        return
    submission.add(Chunk(origin, text, tree, module=PurePath(filename).stem))


def _note_broken(source: str, origin: str, error: SyntaxError, submission: Submission) -> None:
    python = submission.python
    newer = python is not None and python > sys.version_info[:2]
    grader = f"Python {sys.version_info[0]}.{sys.version_info[1]}, which grades" if newer else "Python"
    written = f"; the notebook was run with Python {python[0]}.{python[1]}" if python and newer else ""
    note = f"{origin} is not valid {grader} (line {error.lineno}: {error.msg}){written}; skipped"
    submission.notes.append(note)
    for name in names_defined(source):
        submission.skipped[name] = note


def python_version(metadata: object) -> tuple[int, ...] | None:
    """The version of Python with which a notebook was run, such as (3, 13), or None if its metadata do not say."""
    language = metadata.get("language_info") if isinstance(metadata, dict) else None
    stated = language.get("version") if isinstance(language, dict) else None
    match = re.match(r"(\d{1,3})\.(\d{1,3})", stated) if isinstance(stated, str) else None
    return (int(match[1]), int(match[2])) if match else None
