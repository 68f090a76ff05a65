"""The check grades as the grader does: the same statements are taken, with the same limits, and without files."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import tempfile
import threading
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from captionlab.grading.exercise import Exercise, Lab
from captionlab.grading.loading import (
    BlockedImportError,
    TooSlow,
    is_blocked,
    load_program,
    run_probe,
    time_limit,
)
from captionlab.grading.observation import ProbeResult
from captionlab.grading.pipeline import Grader
from captionlab.grading.sandbox import Limits, Sandbox
from captionlab.grading.submission import Submission
from captionlab.grading.verdict import Verdict
from captionlab.workbook.session import is_beside, saved_submission, session_submission
from captionlab.workbook.student_module import find_module

LIMITS = Limits()  # the grader's own
POLL_SECONDS = 0.05


class InProcess(Sandbox):
    """Observes the student's own work in this process, as a worker would.

    Attributes:
        missing_name: the name that the answer lacked when it ran last, or an empty string.
    """

    missing_name = ""

    def run(self, exercise: Exercise, submission: Submission, seed: int) -> tuple[str, ProbeResult | None]:
        """Observe one exercise of a submission on one seed (see :meth:`Sandbox.run`)."""
        limits, module = self.limits, types.ModuleType("submission")
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import_as_graded(Path.cwd())}
        with _elsewhere(), _MemoryWatch(limits.memory_bytes) as memory:
            try:
                with time_limit(limits.cpu_seconds, limits.wall_seconds):
                    loaded = load_program(submission.program(exercise.name), limits.cpu_seconds, module)
                    result = run_probe(exercise, loaded, seed)
            except TooSlow:  # where it was not submitted code that noticed
                return "timeout", None
        self.missing_name = result.exception.missing_name if result.exception else ""
        if result.exception and result.exception.type_name == "TooSlow":
            return "timeout", None
        return ("out of memory", None) if memory.exceeded else ("", result)


@dataclass(frozen=True)
class GradedHere:
    """What the grader would say about an answer in this notebook.

    Attributes:
        verdict: on the cells that were run.
        missing_name: the name that the answer lacks when it is graded, or an empty string.
        saved: the verdict on the saved notebook, or None if it is not known where that is, or is out of date.
    """

    verdict: Verdict
    missing_name: str
    saved: Verdict | None


def grade_here(exercise: Exercise, lab: Lab, here: dict) -> GradedHere | None:
    """Grade an answer of this notebook on the public seed; None outside of notebooks.

    Args:
        exercise: whose answer is graded.
        lab: its lab.
        here: names where the check is called.
    """
    module = find_module(lab.module_filename) if lab.module_filename else None
    submission = session_submission(lab, module)
    if submission is None:
        return None
    sandbox = InProcess(lab, LIMITS)
    grader = Grader(lab, make_sandbox=lambda lab, limits: sandbox)
    verdict, saved = grader.grade(submission, [exercise.name]).verdicts[0], None
    missing = sandbox.missing_name
    if verdict.outcome == "right" and (found := saved_submission(exercise, lab, submission, module, here)):
        saved = grader.grade(found, [exercise.name]).verdicts[0]
    return GradedHere(verdict, missing, saved)


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    """In an empty folder, and without output: what is printed shows when the function itself is called."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="captionlab-", ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                yield
        finally:
            os.chdir(before)


def _import_as_graded(folder: Path) -> Callable:
    """Python's import without what graded code cannot import: the library's solutions, and modules of this folder."""

    def import_as_graded(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        for one in (name, *(f"{name}.{each}" for each in fromlist or ())):
            if is_blocked(one):
                raise BlockedImportError(f"{one} is not available to graded code")
        module = __import__(name, globals, locals, fromlist, level)
        if is_beside(module, folder):
            raise ModuleNotFoundError(f"No module named {name!r}: a file beside the notebook is not graded", name=name)
        return module

    return import_as_graded


class _MemoryWatch(threading.Thread):
    """Notices when this process grows by more than a number of bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(daemon=True)
        self.limit, self.exceeded = limit, False
        self._process, self._ended = psutil.Process(), threading.Event()
        self._at_start = self._process.memory_info().rss

    def run(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            if self._process.memory_info().rss - self._at_start > self.limit:
                self.exceeded = True

    def __enter__(self) -> _MemoryWatch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()
