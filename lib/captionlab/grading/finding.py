"""Finding submissions: which files and folders are whose, and what is no submission."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from captionlab.common.files import is_hidden
from captionlab.grading.exercise import Lab
from captionlab.grading.file_kinds import ZIP, bare_name, kind_of, named_kind
from captionlab.grading.folders import is_named, natural_key, shorten
from captionlab.grading.observation import sanitize
from captionlab.grading.submitted_file import SubmissionFile
from captionlab.grading.zips import holds_class

REPORT_FILE, UNREAD_FILE = "verdicts.json", "not_read.json"
REPORTS = {REPORT_FILE, UNREAD_FILE, "grades.csv", "feedback"}  # what grading writes for a lab
EXPECTED = "folders <student>/, notebooks (.ipynb), modules (.py) or zip archives of these"
MAX_LISTED = 20


class NoSubmissions(Exception):
    """Nothing to grade where submissions were expected; the message says what was looked for."""


@dataclass(frozen=True)
class UnreadFile:
    """A file among the submissions that is none; the reason says what it is."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return sanitize(f"{shorten(self.path.name)}: {self.reason}")


@dataclass(frozen=True)
class FoundSubmissions(Sequence[SubmissionFile]):
    """The submissions that were found, in a fixed order, and what else was there.

    Attributes:
        submissions: one per student.
        unread: files that are no submission.
    """

    submissions: tuple[SubmissionFile, ...]
    unread: tuple[UnreadFile, ...] = ()

    @overload
    def __getitem__(self, at: int) -> SubmissionFile: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[SubmissionFile, ...]: ...
    def __getitem__(self, at: int | slice) -> SubmissionFile | tuple[SubmissionFile, ...]:
        return self.submissions[at]

    def __len__(self) -> int:
        return len(self.submissions)


def find_submissions(paths: Iterable[Path], lab: Lab) -> FoundSubmissions:
    """The submissions at ``paths``, and the files there that are none. Hidden files are left out.

    A path is a notebook, module or zip archive (named after its file), a student's folder, or a folder of any of
    these. If there are several folders (as from a shell's ``submitted/*``), each is one student's.

    Raises:
        NoSubmissions: a path does not exist, or there is no submission at all.
        OSError: a folder cannot be listed.
    """
    paths = list(paths)
    missing = [str(path) for path in paths if not os.path.lexists(path)]
    if missing:
        raise NoSubmissions(f"{', '.join(missing)} not found: expected notebooks, modules or folders of submissions")
    entries: list[Path] = []
    if len(paths) > 1:
        paths = [path for path in paths if not _is_left_out(path)]
    folders = [path for path in paths if path.is_dir() and (len(paths) == 1 or not path.is_symlink())]
    for path in paths:
        if path in folders and len(folders) == 1 and not _is_one_students(path, lab):
            entries += _visible(path)
        else:
            entries.append(path.resolve() if path in folders else path)
    found = [_account(entry) for entry in entries]
    submissions = [one for one in found if isinstance(one, SubmissionFile)]
    unread = tuple(one for one in found if isinstance(one, UnreadFile))
    if not submissions:
        listed = "; ".join(map(str, unread[:MAX_LISTED]))
        raise NoSubmissions(
            f"no submissions in {', '.join(map(str, paths))}: expected {EXPECTED}"
            + (f"; found {listed}" if listed else "")
        )
    return FoundSubmissions(_with_unique_names(submissions), unread)


def _account(path: Path) -> SubmissionFile | UnreadFile:
    """A file or folder as a submission, or the reason why it is none."""
    if path.is_dir():  # the reader refuses a link to a folder
        return SubmissionFile(bare_name(path.name) if named_kind(path.name) else path.name, path)
    kind = kind_of(path)
    if not kind.reader:
        return UnreadFile(path, kind.description)
    if kind == ZIP and holds_class(path):
        return UnreadFile(path, "an archive of the submissions of several students: unpack it and grade the folder")
    return SubmissionFile(bare_name(path.name), path)


def _is_one_students(folder: Path, lab: Lab) -> bool:
    """Whether a folder is one student's: it has a file or folder of the lab's name, and is not one of a class."""
    entries = _visible(folder)
    with_own = [path for path in entries if any(_is_own(inside, lab) for inside in _inside(path))]
    return len(with_own) <= 1 and any(_is_own(path, lab) for path in entries)


def _is_own(path: Path, lab: Lab) -> bool:
    """Whether the name of a file or folder is one of those that students of this lab receive."""
    if path.name == lab.name and path.is_dir():
        return True
    kind = named_kind(path.name)
    names = [f"{lab.name}.ipynb", lab.module_filename or f"{lab.name}.py"]
    return kind is not None and any(is_named(path, name) and named_kind(name) == kind for name in names)


def _inside(folder: Path) -> list[Path]:
    """What is visible in a folder; nothing for files, links, and folders that cannot be opened."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    try:
        return [path for path in folder.iterdir() if not is_hidden(path.name)]
    except OSError:
        return []


def _visible(folder: Path) -> list[Path]:
    """What a folder contains, sorted, without hidden files and reports of earlier runs."""
    entries = [path for path in folder.iterdir() if not _is_left_out(path)]
    return sorted(entries, key=lambda path: natural_key(path.name))


def _is_left_out(path: Path) -> bool:
    return (path.name not in ("", "..") and is_hidden(path.name)) or _is_report(path)


def _is_report(path: Path) -> bool:
    """Whether grading wrote the folder: the reports of one lab, or a folder of nothing else."""
    inside = _inside(path)
    return _is_lab_report(path) or (bool(inside) and all(map(_is_lab_report, inside)))


def _is_lab_report(folder: Path) -> bool:
    """Whether a folder has nothing but reports, so that it hides no submission."""
    names = {path.name for path in _inside(folder)}
    pages = _inside(folder / "feedback")
    return REPORT_FILE in names and names <= REPORTS and all(page.suffix == ".html" for page in pages)


def _with_unique_names(found: list[SubmissionFile]) -> tuple[SubmissionFile, ...]:
    """Add a number to the second submission of the same name, so that none is lost.

    Names that differ only in capitals, outer spaces or the encoding of accents are the same.
    """
    taken: set[str] = set()
    unique = []
    for file in found:
        student = name = sanitize(unicodedata.normalize("NFC", file.student).strip()) or "unnamed"
        number = 1
        while name.casefold() in taken:
            number += 1
            name = f"{student} ({number})"
        taken.add(name.casefold())
        unique.append(SubmissionFile(name, file.path))
    return tuple(unique)
