"""Finding submissions: which files and folders are whose."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from captionlab.grading.exercise import Lab
from captionlab.grading.observation import sanitize
from captionlab.grading.submitted_file import SubmissionFile

REPORT_FILE = "verdicts.json"  # a folder with it is a report of an earlier run, not a submission
SKIPPED = {"__pycache__", "__MACOSX"}


class NoSubmissions(Exception):
    """Nothing to grade where submissions were expected; the message says what was looked for."""


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
