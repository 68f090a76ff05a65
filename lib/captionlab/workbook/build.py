"""Building all that is derived from a lab: notebooks and modules in ``solutions/`` and ``labs/``, and the order."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import nbformat

from captionlab.common.files import write_atomically
from captionlab.exercises import LABS, ORDER_FILE, load_lab
from captionlab.grading.exercise import Lab
from captionlab.workbook.derived import is_modified, text_path
from captionlab.workbook.errors import ModifiedFiles, TextError
from captionlab.workbook.module import release_module, source_module
from captionlab.workbook.notebook import source_notebook, to_text
from captionlab.workbook.release import release_notebook
from captionlab.workbook.text import lab_cells, marked_exercises


class Written(NamedTuple):
    """A file that a build wrote, relative to the course's folder, and the copy it made of a modified one."""

    path: Path
    backup: Path | None


def built_files(root: Path, lab_name: str) -> dict[Path, str]:
    """Text of each built file of a lab, by path relative to ``root``.

    Args:
        root: the course's folder, which holds ``solutions/``, ``labs/`` and ``lib/``.
        lab_name: name of the lab, or a unique part of it.

    Raises:
        TextError: the lab's text is missing or cannot be built.
    """
    lab = load_lab(lab_name)
    text = root / text_path(lab.name)
    if not text.is_file():
        raise TextError(f"there is no {text}: run this in the course's folder, or name it with --root")
    cells = lab_cells(lab, text.read_text(encoding="utf-8"))
    source = source_notebook(lab, cells)
    files = {
        Path("solutions", lab.name, f"{lab.name}.ipynb"): to_text(source),
        Path("labs", lab.name, f"{lab.name}.ipynb"): to_text(release_notebook(source)),
    }
    if lab.module_filename:
        module = source_module(lab, cells)
        files[Path("solutions", lab.name, lab.module_filename)] = module
        files[Path("labs", lab.name, lab.module_filename)] = release_module(lab, module)
    package = Path("lib", *lab.package.split("."))
    if (root / package).is_dir():  # not in a course's folder that uses an installed library
        files[package / ORDER_FILE] = _order_text(lab, cells)
    return files


def _order_text(lab: Lab, cells: list[nbformat.NotebookNode]) -> str:
    note = f"# Made by `captionlab build` from the markers in {text_path(lab.name).as_posix()}; do not edit."
    return "\n".join([note, *marked_exercises(cells)]) + "\n"


def build(root: Path, labs: Sequence[str] = LABS, *, force: bool = False) -> list[Written]:
    """Write the built files that are not up to date.

    Args:
        root: the course's folder.
        labs: names of the labs to build.
        force: replace files that were changed since they were built, too, and keep copies of them.

    Raises:
        TextError: a lab's text is missing or cannot be built. Nothing was written.
        ModifiedFiles: files were changed since they were built. Nothing was written.
    """
    outdated_files = _outdated(root, labs)
    modified = [path for path in outdated_files if path.name != ORDER_FILE and is_modified(root / path)]
    if modified and not force:
        raise ModifiedFiles(modified)
    written = []
    for path, text in outdated_files.items():
        backup = _back_up(root / path) if path in modified else None
        write_atomically(root / path, text.encode())
        written.append(Written(path, backup and backup.relative_to(root)))
    return written


def outdated(root: Path, labs: Sequence[str] = LABS) -> list[Path]:
    """Built files that are not what a build gives, relative to ``root``."""
    return list(_outdated(root, labs))


def _outdated(root: Path, labs: Sequence[str]) -> dict[Path, str]:
    """Text of the built files that are not up to date."""
    if set(labs) >= set(LABS):
        _check_folders(root)
    files = {path: text for lab in labs for path, text in built_files(root, lab).items()}
    return {path: text for path, text in files.items() if _current(root / path) != text.encode()}


def _check_folders(root: Path) -> None:
    for text in sorted(root.glob("solutions/*/*.md")):
        if text.stem == text.parent.name and text.stem not in LABS:
            raise TextError(
                f"{text} is the text of a lab that does not exist: make its package "
                f"lib/captionlab/exercises/{text.stem}, or remove the text"
            )


def _current(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _back_up(path: Path) -> Path:
    """Copy a file to the first free name of ``x.ipynb.bak``, ``x.ipynb.bak2``, ... beside it."""
    for number in itertools.count(1):
        backup = path.with_name(f"{path.name}.bak{number if number > 1 else ''}")
        if not backup.exists():
            shutil.copy2(path, backup)
            return backup
    raise AssertionError("unreachable")
