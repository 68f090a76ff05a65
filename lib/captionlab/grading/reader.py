"""Finding and reading submissions: notebooks, modules, and folders of them. Nothing of them is run.

Submitted files are untrusted: they are limited in size, links are refused, and whatever is wrong with one is an
:class:`UnreadableSubmission` or a note, never another error.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbformat.reader import NotJSONError

from captionlab.grading.exercise import Lab
from captionlab.grading.observation import sanitize
from captionlab.grading.submission import LAB_METADATA, Chunk, Submission

MAX_BYTES = 20_000_000
MAX_MAGIC_CELL, MAX_MAGICS = 50_000, 50  # IPython parses a cell again for each magic
REPORT_FILE = "verdicts.json"  # a folder with it is a report of an earlier run, not a submission
SKIPPED = {"__pycache__", "__MACOSX"}


class NoSubmissions(Exception):
    """Nothing to grade where submissions were expected; the message says what was looked for."""


class UnreadableSubmission(Exception):
    """A submission that cannot be graded at all; the message says what was found and what was expected."""


@dataclass(frozen=True)
class SubmissionFile:
    """Where one student's submission is: a folder with the lab's files, or a single file."""

    student: str
    path: Path


def find_submissions(paths: Iterable[Path], lab: Lab) -> list[SubmissionFile]:
    """The submissions at ``paths``, in a fixed order.

    A path is a notebook or module (named after its file), a student's folder, or a folder of either. If there are
    several folders (as from a shell's ``submitted/*``), each is one student's.

    Raises:
        NoSubmissions: a path does not exist, or there is no submission at all.
    """
    paths = list(paths)
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise NoSubmissions(f"{', '.join(missing)} not found: expected notebooks, modules or folders of submissions")
    folders = [path for path in paths if path.is_dir()]
    found: list[SubmissionFile] = []
    for path in paths:
        if path not in folders:
            found.append(SubmissionFile(path.stem, path))
        elif len(folders) > 1:
            found.append(SubmissionFile(path.resolve().name, path))
        else:
            found += _find_in_folder(path, lab)
    if not found:
        raise NoSubmissions(
            f"no submissions in {', '.join(map(str, paths))}: expected folders <student>/, notebooks (.ipynb) or "
            "modules (.py)"
        )
    return _with_unique_names(found)


def _find_in_folder(folder: Path, lab: Lab) -> list[SubmissionFile]:
    own = [folder / f"{lab.name}.ipynb", folder / f"{lab.name}.py", folder / lab.name]
    if lab.module_filename:
        own.append(folder / lab.module_filename)
    if any(path.exists() and not _is_report(path) for path in own):
        return [SubmissionFile(folder.resolve().name, folder)]
    entries = sorted(path for path in folder.iterdir() if path.name not in SKIPPED and not path.name.startswith("."))
    return [
        SubmissionFile(path.name if path.is_dir() else path.stem, path)
        for path in entries
        if (path.is_dir() and not _is_report(path)) or path.suffix in (".ipynb", ".py")
    ]


def _is_report(folder: Path) -> bool:
    """Whether grading wrote the folder: the reports of one lab, or a folder of nothing else."""
    subfolders = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return _is_lab_report(folder) or (bool(subfolders) and all(map(_is_lab_report, subfolders)))


def _is_lab_report(folder: Path) -> bool:
    if not (folder / REPORT_FILE).exists():
        return False
    return not any(path.suffix in (".ipynb", ".py") for path in folder.iterdir())  # no way to hide a submission


def _with_unique_names(found: list[SubmissionFile]) -> list[SubmissionFile]:
    """Add a number to the second submission of the same name, so that none is lost."""
    counts: dict[str, int] = {}
    unique = []
    for file in found:
        student = sanitize(file.student)
        counts[student] = count = counts.get(student, 0) + 1
        unique.append(SubmissionFile(student if count == 1 else f"{student} ({count})", file.path))
    return unique


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


def read_text(path: Path) -> str:
    """The text of a submitted file.

    Raises:
        UnreadableSubmission: too large, unreadable, or not UTF-8.
    """
    try:
        if not path.is_file():
            raise UnreadableSubmission(
                f"{path.name} is not a regular file; submit a notebook (.ipynb) or a module (.py)"
            )
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UnreadableSubmission(
                f"{path.name} has {size / 1e6:.0f} MB; the limit is {MAX_BYTES / 1e6:.0f} MB. "
                "Clear the outputs (Kernel > Restart and clear output) and submit it again"
            )
        return path.read_text(encoding="utf-8-sig")  # with or without a byte order mark
    except UnicodeDecodeError as error:
        raise UnreadableSubmission(
            f"{path.name} is not UTF-8 text (byte {error.start} is 0x{error.object[error.start]:02x}); save it as UTF-8"
        ) from None
    except OSError as error:
        raise UnreadableSubmission(f"{path.name} cannot be read: {error.strerror}") from None


def read_module(path: Path, submission: Submission) -> None:
    """Add a Python module to a submission; one that is not valid Python is noted."""
    text = read_text(path)
    if "\0" in text:
        raise UnreadableSubmission(f"{path.name} contains null bytes; it is not a Python file")
    try:
        tree = _parse(text)
    except SyntaxError as error:
        submission.notes.append(f"module {path.name} is not valid Python (line {error.lineno}: {error.msg}); skipped")
        return
    submission.add(Chunk(f"module {path.name}", text, tree))


def read_notebook(path: Path, lab: Lab, submission: Submission) -> None:
    """Add a notebook file's code cells to a submission.

    Raises:
        UnreadableSubmission: not a notebook, or the notebook of another lab.
    """
    notebook = load_notebook(path)
    add_cells(notebook, submission)
    submission.stated_lab = stated = _stated_lab(notebook.metadata)
    if stated and stated != lab.name and not any(map(submission.defining, lab.exercises)):
        raise UnreadableSubmission(f"{path.name} is the notebook of {stated[:80]}, not of {lab.name}")


def add_cells(notebook: nbformat.NotebookNode, submission: Submission) -> None:
    """Add a notebook's code cells; one that is not valid Python is noted."""
    for position, cell in enumerate(notebook.cells, start=1):
        if cell.get("cell_type") != "code":
            continue
        origin = f"cell {position}"
        try:
            code, tree = _parse_cell(str(cell.get("source", "")))
        except SyntaxError as error:
            submission.notes.append(f"{origin} is not valid Python (line {error.lineno}: {error.msg}); skipped")
            continue
        submission.add(Chunk(origin, code, tree))


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
        return _stated_lab(json.loads(read_text(path)).get("metadata")) == lab.name
    except (UnreadableSubmission, ValueError, AttributeError, RecursionError):
        return False


def _stated_lab(metadata: object) -> str | None:
    """The lab that a notebook's metadata names, if they do."""
    ours = metadata.get(LAB_METADATA) if isinstance(metadata, dict) else None
    stated = ours.get("lab") if isinstance(ours, dict) else None
    return stated if isinstance(stated, str) else None


def _parse(code: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in a string and the like
            return ast.parse(code)
    except (RecursionError, MemoryError, ValueError) as error:
        raise SyntaxError(f"cannot be parsed ({type(error).__name__})") from None


def _parse_cell(code: str) -> tuple[str, ast.Module]:
    """A cell's Python, with IPython's magics and shell commands turned into calls; line numbers stay.

    Raises:
        SyntaxError: not Python, or a cell in another language.
    """
    first, _, _ = code.lstrip("\n").partition("\n")
    if re.match(r"%%(time|timeit|capture|prun)\b", first):
        code = code.replace(first, "", 1)
    elif first.startswith("%%"):
        raise SyntaxError(f"it begins with {first.split()[0]}", (None, 1, None, None))
    try:
        return code, _parse(code)
    except SyntaxError:
        if len(code) > MAX_MAGIC_CELL or sum(line.lstrip()[:1] in ("!", "%") for line in code.split("\n")) > MAX_MAGICS:
            raise
        try:
            plain = TransformerManager().transform_cell(code)
        except Exception as error:  # IPython's own, on text that is not Python at all
            raise SyntaxError(str(error)[:100]) from None
        return plain, _parse(plain)
