"""Many submissions: finding them, grading each, losing none."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

from captionlab.grading.exercise import Exercise, Lab, grading_seed
from captionlab.grading.judge import Verdict
from captionlab.grading.observation import GLOBAL_LOCK, sanitize
from captionlab.grading.sandbox import CannotGrade, Limits, Sandbox, grade_exercise
from captionlab.grading.submission import (
    Submission,
    UnreadableSubmission,
    is_notebook_of,
    read_module,
    read_notebook,
)

SECRET_FILE = Path(".captionlab") / "secret"
SECRET_VARIABLE = "CAPTIONLAB_SECRET"
REPORT_MARK = "verdicts.json"  # a folder that holds it is a report of ours, no submission
SKIPPED = {"__pycache__", "__MACOSX"}


class NothingToGrade(Exception):
    """No submission where one was named; the message says what was looked for."""


@dataclass(frozen=True)
class SubmissionFile:
    """Where one student's submission lies: a folder with the lab's files, or a single file."""

    student: str
    path: Path


@dataclass
class GradeReport:
    """One student's verdicts on a lab.

    ``notes`` are remarks for the reader; ``problem`` says why nothing could be read, where that is so.
    """

    student: str
    lab: str
    verdicts: list[Verdict]
    notes: list[str] = field(default_factory=list)
    problem: str | None = None

    @property
    def score(self) -> float:
        return round(sum(verdict.points for verdict in self.verdicts), 2)

    @property
    def max_score(self) -> float:
        return sum(verdict.max_points for verdict in self.verdicts)


def course_secret(folder: Path = Path(".")) -> bytes:
    """The secret that grading seeds are drawn from: of the environment, or of a file made on first use."""
    given = os.environ.get(SECRET_VARIABLE)
    if given:
        return given.encode()
    path = folder / SECRET_FILE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # another run was first
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32) + "\n")
    secret = path.read_text(encoding="utf-8", errors="replace").strip()
    if not secret:
        raise NothingToGrade(f"the secret in {path} is empty; delete the file and a new one is made")
    return secret.encode()


def find_submissions(paths: Iterable[Path], lab: Lab) -> list[SubmissionFile]:
    """The submissions that ``paths`` hold, in a fixed order.

    A path is a notebook or module (named after its file), a student's folder, or a folder of either. Of
    several folders (as a shell's ``submitted/*`` gives) each is a student's.

    Raises:
        NothingToGrade: no submission at all.
    """
    paths = list(paths)
    folders = [path for path in paths if path.is_dir()]
    found: list[SubmissionFile] = []
    for path in paths:
        if path in folders:
            found += [SubmissionFile(path.resolve().name, path)] if len(folders) > 1 else _in_folder(path, lab)
        elif path.exists():
            found.append(SubmissionFile(path.stem, path))
    if not found:
        listed = ", ".join(map(str, paths))
        raise NothingToGrade(
            f"no submissions in {listed}: expected folders <student>/ or notebooks (.ipynb) or modules (.py)"
        )
    return _distinct(found)


def _in_folder(folder: Path, lab: Lab) -> list[SubmissionFile]:
    own = [folder / f"{lab.name}.ipynb", folder / f"{lab.name}.py", folder / lab.name]
    if lab.module_filename:
        own.append(folder / lab.module_filename)
    if any(path.exists() for path in own):
        return [SubmissionFile(folder.resolve().name, folder)]
    entries = sorted(path for path in folder.iterdir() if path.name not in SKIPPED and not path.name.startswith("."))
    return [
        SubmissionFile(path.name if path.is_dir() else path.stem, path)
        for path in entries
        if (path.is_dir() and not (path / REPORT_MARK).exists()) or path.suffix in (".ipynb", ".py")
    ]


def _distinct(found: list[SubmissionFile]) -> list[SubmissionFile]:
    """Give a second submission of the same name a name of its own: none is lost."""
    taken: dict[str, int] = {}
    distinct = []
    for handed in found:
        student = sanitize(handed.student)
        taken[student] = count = taken.get(student, 0) + 1
        distinct.append(SubmissionFile(student if count == 1 else f"{student} ({count})", handed.path))
    return distinct


def read_submission(handed: SubmissionFile, lab: Lab) -> Submission:
    """Read a student's notebook and module.

    Raises:
        UnreadableSubmission: nothing in it can be graded.
    """
    submission = Submission(handed.student)
    if not handed.path.is_dir():
        files = [handed.path]
    else:
        folder = handed.path / lab.name if (handed.path / lab.name).is_dir() else handed.path
        files = _lab_files(folder, lab, submission)
    for path in files:
        read_file(path, lab, submission)
    return submission


def read_file(path: Path, lab: Lab, submission: Submission) -> None:
    """Add a notebook's or a module's code to a submission.

    Raises:
        UnreadableSubmission: nothing in it can be graded.
    """
    if path.is_symlink():
        raise UnreadableSubmission(f"{path.name} is a link; hand in the file itself")
    if path.suffix == ".ipynb":
        read_notebook(path, lab, submission)
    elif path.suffix == ".py":
        read_module(path, submission)
    else:
        raise UnreadableSubmission(f"{path.name} is neither a notebook (.ipynb) nor a module (.py)")


def _lab_files(folder: Path, lab: Lab, submission: Submission) -> list[Path]:
    """A student's notebook, then the module: read last, the module wins."""
    notebooks = sorted(folder.glob("*.ipynb"))
    modules = sorted(folder.glob("*.py"))
    notebook = _choose(notebooks, f"{lab.name}.ipynb", lab)
    module = _choose(modules, lab.module_filename or f"{lab.name}.py", lab)
    files = [path for path in (notebook, module) if path]
    if not files:
        there = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
        raise UnreadableSubmission(f"no notebook and no module in the folder; it holds: {there}")
    for path in (*notebooks, *modules):
        if path not in files:
            submission.notes.append(f"{path.name} was not read: {' and '.join(file.name for file in files)} counted")
    if notebook and module:
        submission.notes.append(f"both {notebook.name} and {module.name} are there: what the module defines counts")
    return files


def _choose(files: list[Path], name: str, lab: Lab) -> Path | None:
    named = [path for path in files if path.name == name]
    stated = [path for path in files if path.suffix == ".ipynb" and is_notebook_of(path, lab)]
    return next(iter([*named, *stated, *files]), None)


def grade_submission(
    handed: SubmissionFile, lab: Lab, sandbox: Sandbox, secret: bytes | None, only: list[str] | None = None
) -> GradeReport:
    """Grade one submission; where it cannot be read, every exercise is missing and the reason is said.

    Without a ``secret`` the public seeds are used: that is the student's own check. ``only`` names the
    exercises to grade where not all are wanted.
    """
    exercises = [one for one in lab.exercises.values() if only is None or one.name in only]
    try:
        with GLOBAL_LOCK:
            submission = read_submission(handed, lab)
    except Exception as error:  # whatever is in a submission, it stops no other
        expected = isinstance(error, (UnreadableSubmission, OSError)) and str(error)
        problem = sanitize(str(error) if expected else f"it cannot be read ({type(error).__name__}: {error})")
        verdicts = [Verdict(one.name, 0.0, one.points, "missing", problem) for one in exercises]
        return GradeReport(handed.student, lab.name, verdicts, problem=problem)
    verdicts = [
        grade_safely(sandbox, one, submission, grading_seed(secret, one, handed.student) if secret else None)
        for one in exercises
    ]
    return GradeReport(handed.student, lab.name, verdicts, [sanitize(note) for note in submission.notes])


def grade_safely(sandbox: Sandbox, exercise: Exercise, submission: Submission, seed: int | None) -> Verdict:
    """The verdict on one exercise, whatever happens: a fault of ours costs one verdict, not the class."""
    try:
        return grade_exercise(sandbox, exercise, submission, seed)
    except CannotGrade:
        raise
    except Exception as error:
        message = f"it could not be judged ({type(error).__name__}: {sanitize(str(error), 200)}); mark it by hand"
        return Verdict(exercise.name, 0.0, exercise.points, "crashed", message)


def grade_class(
    found: list[SubmissionFile],
    lab: Lab,
    secret: bytes | None,
    jobs: int = 1,
    limits: Limits | None = None,
    progress: Callable[[GradeReport], None] = lambda graded: None,
) -> list[GradeReport]:
    """Grade many submissions with ``jobs`` workers; the results are in the order of ``found``."""
    sandboxes: SimpleQueue[Sandbox] = SimpleQueue()
    made = [Sandbox(lab, limits) for _ in range(max(1, min(jobs, len(found))))]
    for sandbox in made:
        sandboxes.put(sandbox)

    def grade(handed: SubmissionFile) -> GradeReport:
        sandbox = sandboxes.get()
        try:
            graded = grade_submission(handed, lab, sandbox, secret)
        finally:
            sandboxes.put(sandbox)
        progress(graded)
        return graded

    try:
        with ThreadPoolExecutor(len(made)) as pool:
            return list(pool.map(grade, found))
    finally:
        for sandbox in made:
            sandbox.close()
