"""From submissions to verdicts: the one path that all commands, nbgrader and pytest take.

A :class:`Grader` reads a submission, lets the sandbox observe each exercise and the judge compare what was observed
with the reference::

    with Grader(load_lab("lab1"), secret=course_secret()) as grader:
        reports = grader.grade_all(find_submissions([Path("submitted")], grader.lab))

In a notebook, :func:`check_implementation` does the last two steps on the student's own function.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from queue import SimpleQueue

from captionlab.grading.exercise import Exercise, Lab, grading_seed, public_seed
from captionlab.grading.expectation import expect
from captionlab.grading.judge import add_example, judge
from captionlab.grading.observation import GLOBAL_LOCK, ProbeResult, cases, observe, sanitize
from captionlab.grading.reader import read_submission
from captionlab.grading.sandbox import Limits, Sandbox, SandboxUnavailable
from captionlab.grading.submission import Submission
from captionlab.grading.submitted_file import SubmissionFile, UnreadableSubmission
from captionlab.grading.verdict import Verdict
from captionlab.grading.watching import ARGUMENTS, Calls


@dataclass
class GradeReport:
    """One student's verdicts on a lab.

    Attributes:
        student: name or id.
        lab: the lab's name.
        verdicts: one per exercise, in the order of the lab.
        notes: remarks for student and instructor.
        problem: why nothing could be read, or None.
    """

    student: str
    lab: str
    verdicts: list[Verdict]
    notes: list[str] = field(default_factory=list)
    problem: str | None = None

    @property
    def score(self) -> float:
        """Points earned."""
        return round(sum(verdict.points for verdict in self.verdicts), 2)

    @property
    def max_score(self) -> float:
        """Points that could be earned."""
        return sum(verdict.max_points for verdict in self.verdicts)


class Grader:
    """Grades submissions of one lab. Close it, or use it as a context manager, to end its worker processes."""

    def __init__(
        self,
        lab: Lab,
        *,
        secret: bytes | None = None,
        limits: Limits | None = None,
        jobs: int = 1,
        make_sandbox: Callable[[Lab, Limits | None], Sandbox] = Sandbox,
    ) -> None:
        """Create a grader; its workers start when they are first needed.

        Args:
            lab: whose exercises are graded.
            secret: each student is graded on their own hidden seeds derived from it; None grades on the public seeds,
                as students check themselves.
            limits: what one exercise of one submission may use.
            jobs: submissions graded at the same time, each by its own worker.
            make_sandbox: creates a worker.
        """
        self.lab = lab
        self.secret = secret
        self._all_sandboxes = [make_sandbox(lab, limits) for _ in range(max(1, jobs))]
        self._free_sandboxes: SimpleQueue[Sandbox] = SimpleQueue()
        for sandbox in self._all_sandboxes:
            self._free_sandboxes.put(sandbox)

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker processes."""
        for sandbox in self._all_sandboxes:
            sandbox.close()

    def seed(self, exercise: Exercise, student: str) -> int:
        """The seed on which a student's exercise is graded."""
        return grading_seed(self.secret, exercise, student) if self.secret else public_seed(exercise)

    def grade_all(
        self, files: Sequence[SubmissionFile], progress: Callable[[GradeReport], None] = lambda report: None
    ) -> list[GradeReport]:
        """Grade many submissions.

        Args:
            files: where they are.
            progress: called with each report when it is finished, one call at a time.

        Returns:
            the reports, in the order of ``files``.

        Raises:
            SandboxUnavailable: no worker can be started.
        """
        lock = threading.Lock()

        def grade(file: SubmissionFile) -> GradeReport:
            report = self.grade_file(file)
            with lock:
                progress(report)
            return report

        with ThreadPoolExecutor(len(self._all_sandboxes)) as pool:
            return list(pool.map(grade, files))

    def grade_file(self, file: SubmissionFile, only: Collection[str] | None = None) -> GradeReport:
        """Read a submission and grade it; if it cannot be read, every exercise is missing and the report says why.

        Args:
            file: where it is.
            only: names of the exercises to grade; by default all.
        """
        try:
            with GLOBAL_LOCK:
                submission = read_submission(file, self.lab)
        except Exception as error:  # whatever is wrong with a submission, the others are graded
            is_expected = isinstance(error, (UnreadableSubmission, OSError)) and str(error)
            problem = sanitize(str(error) if is_expected else f"it cannot be read ({type(error).__name__}: {error})")
            verdicts = [_no_points(exercise, "missing", problem) for exercise in self._chosen(only)]
            return GradeReport(file.student, self.lab.name, verdicts, problem=problem)
        return self.grade(submission, only)

    def grade(self, submission: Submission, only: Collection[str] | None = None) -> GradeReport:
        """Grade a submission that has been read (``only`` as for :meth:`grade_file`)."""
        with self._sandbox() as sandbox:
            verdicts = [self._safe_verdict(exercise, submission, sandbox) for exercise in self._chosen(only)]
        notes = [*submission.notes, *submission.binding_notes(self.lab.exercises)]
        return GradeReport(submission.student, self.lab.name, verdicts, [sanitize(note) for note in notes])

    def _chosen(self, only: Collection[str] | None) -> list[Exercise]:
        return [exercise for exercise in self.lab.exercises.values() if only is None or exercise.name in only]

    @contextmanager
    def _sandbox(self) -> Iterator[Sandbox]:
        """A sandbox that no other thread uses meanwhile."""
        sandbox = self._free_sandboxes.get()
        try:
            yield sandbox
        finally:
            self._free_sandboxes.put(sandbox)

    def _safe_verdict(self, exercise: Exercise, submission: Submission, sandbox: Sandbox) -> Verdict:
        """The verdict on one exercise, whatever happens: an error in the grader affects one exercise only."""
        try:
            return self._verdict(exercise, submission, sandbox)
        except SandboxUnavailable:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {sanitize(str(error), 200)}"
            return _no_points(exercise, "crashed", f"it could not be graded ({reason}); grade it by hand")

    def _verdict(self, exercise: Exercise, submission: Submission, sandbox: Sandbox) -> Verdict:
        """The verdict on one exercise: points from the student's seed, an example from the public seed."""
        if submission.defining(exercise.name) is None:
            reason = submission.skipped.get(exercise.name)
            message = f"{exercise.name} is not defined in the submission" + (f": {reason}" if reason else "")
            return _no_points(exercise, "missing", sanitize(message))
        rejected = submission.rejection_reason(exercise.name)
        if rejected:
            return _no_points(exercise, "refused", rejected)
        seed, shown_seed = self.seed(exercise, submission.student), public_seed(exercise)
        status, result = sandbox.run(exercise, submission, seed)
        if result is None:
            return _unfinished(exercise, status, sandbox.limits)
        verdict = _undefined_or_blocked(exercise, result) or judge(expect(exercise, seed), result)
        if verdict.outcome in ("right", "missing", "refused"):
            return verdict
        if result.exception and result.exception.missing_name:
            reason = submission.explain_missing(result.exception.missing_name)
            verdict = replace(verdict, message=f"{verdict.message}; {reason}")
        # A separate run: what the code remembers of the hidden seed must not show in the example.
        shown = result if seed == shown_seed else sandbox.run(exercise, submission, shown_seed)[1]
        return _with_example(verdict, exercise, shown)


def check_implementation(exercise: Exercise, implementation: Callable) -> Verdict:
    """The verdict on a function or class of this process, on the public seed: the check of a notebook."""
    result = observe(exercise, implementation, public_seed(exercise))
    verdict = judge(expect(exercise, public_seed(exercise)), result)
    return verdict if verdict.outcome in ("right", "missing") else add_example(verdict, exercise, result)


def failing_case(exercise: Exercise, implementation: Callable, label: str) -> Calls:
    """What the implementation was called with last, on the public seed, before the check of this label."""
    calls = Calls()
    with GLOBAL_LOCK, closing(cases(exercise, implementation, public_seed(exercise), calls)) as observed:
        try:
            for found, *_ in observed:
                if str(found) == label:
                    break
        except KeyboardInterrupt:
            raise
        except BaseException:  # exit() among it: what the check has already reported
            return calls
    if label == ARGUMENTS:
        calls.args, calls.kwargs = calls.changed_by
    return calls


def _no_points(exercise: Exercise, outcome: str, message: str) -> Verdict:
    return Verdict(exercise.name, 0.0, exercise.points, outcome, message)


def _unfinished(exercise: Exercise, status: str, limits: Limits) -> Verdict:
    """The verdict on a run that did not come to its end."""
    if status == "timeout":
        message = (
            f"stopped after {limits.wall_seconds:g} s, or {limits.cpu_seconds:g} s of CPU time: "
            "look for a loop that does not end"
        )
        return _no_points(exercise, "timeout", message)
    if status == "out of memory":
        message = f"stopped: it used more than {limits.memory_bytes / 2**30:g} GiB of memory"
        return _no_points(exercise, "out of memory", message)
    return _no_points(exercise, "crashed", f"the check did not finish: {status}")


def _undefined_or_blocked(exercise: Exercise, result: ProbeResult) -> Verdict | None:
    """The verdict on an answer whose definition failed, or that imports what it may not."""
    exception = result.exception
    if exception and exception.type_name == "Undefined":
        reason = f": {exception.message}" if exception.message else ""
        return _no_points(exercise, "missing", f"the definition of {exercise.name} failed{reason}")
    if exception and exception.type_name == "BlockedImportError":
        message = "it imports a module of captionlab that contains solutions; write the solution yourself"
        return _no_points(exercise, "refused", message)
    return None


def _with_example(verdict: Verdict, exercise: Exercise, shown: ProbeResult | None) -> Verdict:
    """Add the first difference on the public seed; the message says if there is none."""
    if shown is None:
        return verdict
    verdict = add_example(verdict, exercise, shown)
    if verdict.example is None:
        message = (
            "right on the public seed but wrong on the hidden one: the answer works only for the cases you can see"
        )
        verdict = replace(verdict, message=f"{verdict.message}; {message}")
    return verdict
