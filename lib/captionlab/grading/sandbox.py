"""Running a submission's exercises in worker processes, and bringing observations back without pickle.

Isolation as it stands: a process apart, limits on time, memory, processes and output, an empty
environment and a private folder. It is not yet a wall against a determined attacker; see ``ISOLATION``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass

from captionlab.grading.exercise import Exercise, Lab, public_seed
from captionlab.grading.judge import Verdict, expect, first_difference, judge
from captionlab.grading.observation import Observed, from_lines
from captionlab.grading.submission import Submission

ISOLATION = (
    "weak isolation: processes with limits, but the file system is shared; grade code you do not trust in a container"
)


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
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "captionlab.grading.worker", self.lab.home],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,  # a Ctrl-C is ours to handle
        )
        if not self._worker.stdout.readline():
            self.close()
            raise RuntimeError(
                f"the worker for {self.lab.name} does not start; "
                f"to see why: python -m captionlab.grading.worker {self.lab.home}"
            )

    def run(self, exercise: Exercise, submission: Submission, seeds: list[int]) -> tuple[str, list[Observed]]:
        """Observe one exercise of a submission on each seed.

        Returns:
            how it ended ("" where all went well), and what was observed of each seed that was finished.
        """
        request = {
            "exercise": exercise.name,
            "programme": submission.programme(exercise.name),
            "seeds": seeds,
            "limits": asdict(self.limits),
        }
        reply = self._ask(json.dumps(request))
        if reply is None:
            return "the worker died", []
        ended = reply["status"]
        try:
            observed = _read_observed(reply["written"], len(seeds))
        except (ValueError, TypeError, KeyError, RecursionError):
            return "what it wrote are not observations", []
        return ("", observed) if len(observed) == len(seeds) else (ended, observed)

    def _ask(self, line: str) -> dict | None:
        if self._worker is None:
            self._start()
        try:
            self._worker.stdin.write(line + "\n")
            self._worker.stdin.flush()
            return json.loads(self._worker.stdout.readline())
        except (OSError, ValueError):  # killed, most likely by what it ran
            self.close()
            return None


def _read_observed(written: str, count: int) -> list[Observed]:
    lines = iter(written.splitlines())
    found = []
    for _ in range(count):
        observed = from_lines(lines)
        if observed is None:
            break
        found.append(observed)
    return found


def grade_exercise(sandbox: Sandbox, exercise: Exercise, submission: Submission, seed: int | None) -> Verdict:
    """The verdict on one exercise: points from ``seed`` (None: the public one), an example from the public seed."""
    if submission.defining(exercise.name) is None:
        return _no_points(exercise, "missing", f"{exercise.name} is not defined in the submission")
    refused = submission.why_refused(exercise.name)
    if refused:
        return _no_points(exercise, "refused", refused)
    public = public_seed(exercise)
    seeds = [public] if seed is None else [seed, public]
    ended, observed = sandbox.run(exercise, submission, seeds)
    if ended:
        return _ended_early(exercise, ended, sandbox.limits)
    first = observed[0]
    if first.raised and first.raised.type_name == "Undefined":
        reason = f": {first.raised.message}" if first.raised.message else ""
        return _no_points(exercise, "missing", f"the definition of {exercise.name} failed{reason}")
    if first.raised and "is not available to graded code" in first.raised.message:
        return _no_points(exercise, "refused", first.raised.message)
    verdict = judge(expect(exercise, seeds[0]), first)
    return verdict if verdict.outcome in ("right", "missing") else _explain(exercise, submission, verdict, observed)


def _explain(exercise: Exercise, submission: Submission, verdict: Verdict, observed: list[Observed]) -> Verdict:
    """Add what helps the student: the example of the public seed, and where a missing name was lost."""
    example = first_difference(expect(exercise, public_seed(exercise)), observed[-1])
    message = verdict.message
    if example is None:
        message += "; right on the public seed, wrong on the hidden one: the answer fits the shown cases only"
    raised = observed[0].raised
    if raised and raised.missing_name:
        message += f"; {submission.where_lost(raised.missing_name)}"
    return Verdict(**{**vars(verdict), "message": message, "example": example})


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
