"""Reading a submission: a student's notebook and module, or a folder of them. Nothing of them is run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import nbformat

from captionlab.grading.chunks import add_cell, add_module, python_version
from captionlab.grading.exercise import Lab
from captionlab.grading.file_kinds import MODULE, NOTEBOOK, ZIP, bare_name, kind_of
from captionlab.grading.folders import (
    MAX_LISTED,
    FolderContents,
    hand_in,
    in_groups,
    is_like,
    is_named,
    list_folder,
    natural_key,
    shorten,
)
from captionlab.grading.notebooks import answer_of, load_notebook, stated_lab
from captionlab.grading.statements import is_unwritten
from captionlab.grading.submission import Submission
from captionlab.grading.submitted_file import SubmissionFile, UnreadableSubmission, read_text
from captionlab.grading.zips import unpacked

UNPACK_LEVELS = 2  # a zip archive, and one within it
MAX_CANDIDATES = 20  # notebooks or modules of one folder that are read to find the one that counts


def read_submission(file: SubmissionFile, lab: Lab) -> Submission:
    """Read a student's notebook and module: a folder of them, a zip archive, or a single file.

    Of several notebooks, one named after the lab counts; otherwise one whose name contains the lab's, then one whose
    metadata names the lab, then the one that answers most exercises, the one nearest to the folder, and the one with
    the highest number in its name. The same holds for modules, which count only in a lab that has one, or alone. All
    that is not graded is named in the notes, except hidden files.

    Raises:
        UnreadableSubmission: nothing in it can be graded.
    """
    if file.path.is_symlink():
        raise UnreadableSubmission(f"{file.path.name} is a symbolic link; submit the file or folder itself")
    if file.path.is_dir():
        return _read_folder(list_folder(file.path), file.student, lab, UNPACK_LEVELS)
    if kind_of(file.path) == ZIP:
        return _read_zip(file.path, file.student, lab, UNPACK_LEVELS - 1)
    submission = Submission(file.student)
    read_file(file.path, lab, submission)
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
            chunks = [chunk for chunk in chunks if chunk.module]
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
    kind = kind_of(path)
    if kind == NOTEBOOK:
        read_notebook(path, lab, submission)
    elif kind == MODULE:
        read_module(path, submission)
    else:
        raise UnreadableSubmission(
            f"{path.name} is neither a notebook (.ipynb) nor a module (.py) but {kind.description}; {hand_in(lab)}"
        )


class _Candidate(NamedTuple):
    """A file of a folder, read by itself, and why it counts rather than others."""

    path: Path
    submission: Submission
    rank: tuple
    reason: str


def _read_folder(contents: FolderContents, student: str, lab: Lab, levels: int) -> Submission:
    """Read what counts of a folder; notes name the rest."""
    problems: list[str] = []
    notebook = _best(contents, contents.notebooks, f"{lab.name}.ipynb", lab, problems)
    module = _best_module(contents, notebook, lab, problems)
    if not notebook and not module:
        return _read_packed(contents, student, lab, levels, problems)
    submission = Submission(student)
    counting = [candidate for candidate in (notebook, module) if candidate]
    for candidate in counting:  # what is included last takes precedence
        submission.include(candidate.submission)
    graded = [candidate.path for candidate in counting]
    submission.notes[:0] = [*problems, *_choice_notes(contents, graded, notebook, lab)]
    submission.notes += _missing_module(submission, module, lab) + _other_notes(contents)
    return submission


def _best(
    contents: FolderContents, paths: list[Path], filename: str, lab: Lab, problems: list[str]
) -> _Candidate | None:
    """The file that counts, of those that can be read; the others' problems are added."""
    in_lab_folder = [path for path in paths if contents.root / lab.name in path.parents]
    paths = in_lab_folder or paths  # as nbgrader keeps submissions
    named = [path for path in paths if is_named(path, filename)]
    by_name = sorted(paths, key=lambda path: (path.name != filename, path not in named, not is_like(path, filename)))
    candidates = []
    for path in by_name[:MAX_CANDIDATES]:
        candidate = Submission("")
        try:
            read_file(path, lab, candidate)
        except UnreadableSubmission as error:
            problems.append(str(error))
            continue
        candidates.append(_rank(contents, path, filename, lab, candidate))
        if path in named:
            break
    return max(candidates, key=lambda candidate: candidate.rank, default=None)


def _rank(contents: FolderContents, path: Path, filename: str, lab: Lab, read: Submission) -> _Candidate:
    """A file that has been read, with its rank among others."""
    reasons = {
        f"its name is {filename}": is_named(path, filename),
        f"its name is like {filename}": is_like(path, filename),
        f"its metadata names {lab.name}": read.stated_lab == lab.name,
        "it answers most exercises": _count_answers(read, lab),
    }
    reason = next((reason for reason, holds in reasons.items() if holds), "nothing else tells them apart")
    order = (-len(path.relative_to(contents.root).parts), natural_key(bare_name(path.name)))
    return _Candidate(path, read, (*reasons.values(), *order), reason)


def _count_answers(submission: Submission, lab: Lab) -> int:
    """How many exercises a submission answers; a stub is no answer."""
    places = {name: submission.counting(name) for name in lab.exercises}
    return sum(
        place is not None and not is_unwritten(submission.chunks[place.chunk].bindings[place.at][name])
        for name, place in places.items()
    )


def _best_module(
    contents: FolderContents, notebook: _Candidate | None, lab: Lab, problems: list[str]
) -> _Candidate | None:
    """The module that counts beside a notebook, or alone."""
    if not notebook:
        return _best(contents, contents.modules, lab.module_filename or f"{lab.name}.py", lab, problems)
    if not lab.module_filename:
        return None  # it may be an old export of the notebook
    exports = [path for path in contents.modules if is_like(path, f"{lab.name}.py")]
    paths = [path for path in contents.modules if path not in exports or is_named(path, lab.module_filename)]
    module = _best(contents, paths, lab.module_filename, lab, problems)
    if module and (is_like(module.path, lab.module_filename) or _count_answers(module.submission, lab)):
        return module
    return None


def _choice_notes(contents: FolderContents, graded: list[Path], notebook: _Candidate | None, lab: Lab) -> list[str]:
    """Which files are graded, and which are ignored."""
    names = [contents.name(path) for path in graded]
    which = " and ".join(names) + (" is graded" if len(names) == 1 else " are graded")
    ignored = [contents.name(path) for path in (*contents.notebooks, *contents.modules) if path not in graded]
    notes = [
        f"{', '.join(group)} {'was' if len(group) == 1 else 'were'} ignored: only {which}"
        for group in in_groups(ignored)
    ]
    if notebook and len(contents.notebooks) > 1:
        notes.append(f"of {len(contents.notebooks)} notebooks {names[0]} counts: {notebook.reason}")
    if lab.module_filename and graded[-1] in contents.modules and graded[-1].name != lab.module_filename:
        notes.append(f"{lab.module_filename} is missing: {names[-1]} is graded in its place")
    if len(names) > 1:
        notes.append(f"both {names[0]} and {names[1]} were submitted: definitions in the module take precedence")
    return notes


def _missing_module(submission: Submission, module: _Candidate | None, lab: Lab) -> list[str]:
    """That the lab's module is missing, if the notebook does not answer everything itself."""
    if module or not lab.module_filename or all(submission.defining(name) for name in lab.exercises):
        return []
    return [f"{lab.module_filename} is missing: submit it together with the notebook"]


def _other_notes(contents: FolderContents) -> list[str]:
    """What was submitted besides notebooks and modules."""
    others = [*(f"{contents.name(path)} (a zip archive)" for path in contents.zips), *contents.others]
    return [f"not graded: {', '.join(group)}" for group in in_groups(others)]


def _read_packed(contents: FolderContents, student: str, lab: Lab, levels: int, problems: list[str]) -> Submission:
    """Read the first archive of a folder without a notebook or module that can be read."""
    zips = contents.zips if levels else []
    for path in sorted(zips, key=lambda path: not is_like(path, f"{lab.name}.zip"))[:MAX_CANDIDATES]:
        try:
            submission = _read_zip(path, student, lab, levels - 1)
        except UnreadableSubmission as error:
            problems.append(str(error))
            continue
        contents.zips.remove(path)
        submission.notes = [*problems, *submission.notes, *_other_notes(contents)]
        return submission
    if problems:
        raise UnreadableSubmission("; ".join(problems[:MAX_LISTED]))
    found = [*map(contents.name, contents.zips), *contents.others]
    more = f" and {len(found) - MAX_LISTED} more" if len(found) > MAX_LISTED else ""
    listed = ", ".join(found[:MAX_LISTED]) or ("nothing but hidden files" if contents.hidden else "nothing")
    raise UnreadableSubmission(f"no notebook and no module in the folder; it contains: {listed}{more}; {hand_in(lab)}")


def _read_zip(path: Path, student: str, lab: Lab, levels: int) -> Submission:
    """Read what counts of a zip archive."""
    with unpacked(path) as (folder, left_out):
        contents = list_folder(folder)
        contents.others += map(shorten, left_out)
        try:
            submission = _read_folder(contents, student, lab, levels)
        except UnreadableSubmission as error:
            raise UnreadableSubmission(
                f"{path.name}: {str(error).replace('in the folder', 'in the archive')}"
            ) from None
    submission.notes.insert(0, f"{path.name} was unpacked")
    return submission


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
    notebook, notes = load_notebook(path)
    submission.notebook = notebook
    submission.notes += notes
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
