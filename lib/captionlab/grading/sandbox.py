"""Running a submission's exercises in worker processes, and bringing observations back without pickle.

Isolation as it stands: a process apart, limits on time, memory, processes and output, an environment without
secrets and a private folder. It is not yet a wall against a determined attacker, who can read the library from
disk; see ``ISOLATION``.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, replace

from captionlab.grading.exercise import Exercise, Lab, public_seed
from captionlab.grading.judge import Verdict, expect, first_difference, judge
from captionlab.grading.observation import ProbeResult, from_lines
from captionlab.grading.submission import Submission

ISOLATION = (
    "weak isolation: processes with limits, but the file system is shared; grade code you do not trust in a container"
)
# All that a worker gets of our environment: the course's secret is not among it.
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
START_SECONDS = 120.0  # loading torch from a cold disk


class CannotGrade(Exception):
    """No worker can be had on this machine; the message says what to do."""


@dataclass(frozen=True)
class Limits:
    """What one exercise of one submission may use."""

    wall_seconds: float = 20.0
    cpu_seconds: float = 10.0
    memory_bytes: int = 1 << 30  # resident, beyond what the worker holds at its start
    processes: int = 8
    output_bytes: int = 16_000_000


class Sandbox:
    """A worker process for one lab, started again when it dies. Use one a thread."""

    def __init__(self, lab: Lab, limits: Limits | None = None):
        self.lab = lab
        self.limits = limits or Limits()
        self._worker: subprocess.Popen | None = None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker."""
        if self._worker:
            self._worker.kill()
            self._worker.wait()
            self._worker.stdout.close()
            with contextlib.suppress(BrokenPipeError):
                self._worker.stdin.close()
            self._worker = None

    def _start(self) -> None:
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment = {**kept, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONHASHSEED": "0"}
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "captionlab.grading.worker", self.lab.package],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,  # a Ctrl-C is ours to handle
        )
        if not self._read_line(START_SECONDS):
            self.close()
            raise CannotGrade(
                f"the worker for {self.lab.name} does not start (it needs Linux or macOS; on Windows use WSL); "
                f"to see why: python -m captionlab.grading.worker {self.lab.package}"
            )

    def run(self, exercise: Exercise, submission: Submission, seed: int) -> tuple[str, ProbeResult | None]:
        """Observe one exercise of a submission on one seed.

        Returns:
            how it ended, and what was observed; None where it did not come to its end.

        Raises:
            CannotGrade: the worker cannot be started.
        """
        request = {
            "id": secrets.token_hex(8),
            "exercise": exercise.name,
            "program": submission.program(exercise.name),
            "seed": seed,
            "limits": asdict(self.limits),
        }
        reply = self._ask(request)
        try:
            return reply["status"], from_lines(reply["written"].splitlines())
        except (ValueError, TypeError, KeyError, RecursionError):
            return "what it wrote are not observations", None

    def _ask(self, request: dict) -> dict:
        """Send a request; a worker that is killed, held or made to lie by what it ran is replaced."""
        if self._worker is None:
            self._start()
        try:
            self._worker.stdin.write(json.dumps(request) + "\n")
            self._worker.stdin.flush()
            reply = json.loads(self._read_line(self.limits.wall_seconds + START_SECONDS))
            if reply["id"] == request["id"]:
                return reply
        except (OSError, ValueError, TypeError, KeyError):
            pass
        self.close()
        return {"status": "the worker died", "written": ""}

    def _read_line(self, seconds: float) -> str:
        """A line of the worker's, which is killed when it takes longer."""
        watchdog = threading.Timer(seconds, self._worker.kill)
        watchdog.start()
        try:
            return self._worker.stdout.readline()
        finally:
            watchdog.cancel()


def grade_exercise(sandbox: Sandbox, exercise: Exercise, submission: Submission, seed: int | None) -> Verdict:
    """The verdict on one exercise: points from ``seed`` (None: the public one), an example from the public seed."""
    if submission.defining(exercise.name) is None:
        return _no_points(exercise, "missing", f"{exercise.name} is not defined in the submission")
    refused = submission.rejection_reason(exercise.name)
    if refused:
        return _no_points(exercise, "refused", refused)
    public = public_seed(exercise)
    ended, observed = sandbox.run(exercise, submission, public if seed is None else seed)
    if observed is None:
        return _ended_early(exercise, ended, sandbox.limits)
    raised = observed.exception
    if raised and raised.type_name == "Undefined":
        reason = f": {raised.message}" if raised.message else ""
        return _no_points(exercise, "missing", f"the definition of {exercise.name} failed{reason}")
    if raised and raised.type_name == "BlockedImportError":
        return _no_points(exercise, "refused", "it imports the library that holds the answers: write the answer itself")
    verdict = judge(expect(exercise, public if seed is None else seed), observed)
    if verdict.outcome in ("right", "missing"):
        return verdict
    if raised and raised.missing_name:
        verdict = replace(verdict, message=f"{verdict.message}; {submission.explain_missing(raised.missing_name)}")
    # In a fork of its own: what it saw of the hidden seed must not show in the example.
    shown = observed if seed is None else sandbox.run(exercise, submission, public)[1]
    return _with_example(verdict, exercise, shown)


def _with_example(verdict: Verdict, exercise: Exercise, shown: ProbeResult | None) -> Verdict:
    """Add where the submission first departs from the reference on the public seed."""
    example = shown and first_difference(expect(exercise, public_seed(exercise)), shown)
    message = verdict.message
    if shown and example is None:
        message += "; right on the public seed, wrong on the hidden one: the answer fits the shown cases only"
    return replace(verdict, message=message, example=example)


def _no_points(exercise: Exercise, outcome: str, message: str) -> Verdict:
    return Verdict(exercise.name, 0.0, exercise.points, outcome, message)


def _ended_early(exercise: Exercise, ended: str, limits: Limits) -> Verdict:
    if ended == "timeout":
        message = (
            f"stopped after {limits.wall_seconds:g} s of wall clock or {limits.cpu_seconds:g} s of processor time: "
            "look for a loop that does not end"
        )
        return _no_points(exercise, "timeout", message)
    if ended == "out of memory":
        return _no_points(exercise, "out of memory", f"stopped at {limits.memory_bytes / 2**30:g} GiB of memory")
    return _no_points(exercise, "crashed", f"the check did not come to its end: {ended}")
