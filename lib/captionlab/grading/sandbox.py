"""Runs a submission's exercises in worker processes and brings the observations back without pickle.

Isolation so far: a separate process, limits on time, memory, processes and output, an environment without secrets, and
a private folder. This does not stop a determined attacker, who can read the library from disk; see ``ISOLATION``.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass

from captionlab.grading.exercise import Exercise, Lab
from captionlab.grading.observation import ProbeResult, from_lines
from captionlab.grading.submission import Submission

ISOLATION = (
    "weak isolation: processes have limits but share the file system; grade code that you do not trust in a container"
)
# What a worker gets of the environment; the course's secret is not among it.
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
START_SECONDS = 120.0  # loading torch from a cold disk


class SandboxUnavailable(Exception):
    """No worker can be started on this machine; the message says what to do."""


@dataclass(frozen=True)
class Limits:
    """What one exercise of one submission may use.

    Attributes:
        wall_seconds, cpu_seconds: time on the clock, and of all its processes together.
        memory_bytes: resident memory beyond that of the worker when it starts.
        processes: at the same time.
        output_bytes: of the observations, and of each file.
    """

    wall_seconds: float = 20.0
    cpu_seconds: float = 10.0
    memory_bytes: int = 1 << 30
    processes: int = 8
    output_bytes: int = 16_000_000


class Sandbox:
    """A worker process for one lab, started when it is first used and again after it has died. Use one per thread."""

    def __init__(self, lab: Lab, limits: Limits | None = None) -> None:
        self.lab = lab
        self.limits = limits or Limits()
        self._worker: subprocess.Popen[str] | None = None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker; the next run starts another."""
        if self._worker:
            self._worker.kill()
            self._worker.wait()
            for stream in (self._worker.stdout, self._worker.stdin):
                with contextlib.suppress(BrokenPipeError):
                    if stream:
                        stream.close()
            self._worker = None

    def run(self, exercise: Exercise, submission: Submission, seed: int) -> tuple[str, ProbeResult | None]:
        """Observe one exercise of a submission on one seed.

        Returns:
            how the run ended, and what was observed, or None if it did not finish.

        Raises:
            SandboxUnavailable: the worker cannot be started.
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
            return str(reply["status"]), from_lines(reply["written"].splitlines())
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return "its output is not a list of observations", None

    def _ask(self, request: dict) -> dict:
        """Send a request; a worker that student code killed, stopped or made to lie is replaced."""
        worker = self._worker or self._start()
        try:
            assert worker.stdin is not None
            worker.stdin.write(json.dumps(request) + "\n")
            worker.stdin.flush()
            reply = json.loads(_read_line(worker, self.limits.wall_seconds + START_SECONDS))
            if reply["id"] == request["id"]:
                return reply
        except (OSError, ValueError, TypeError, KeyError):
            pass
        self.close()
        return {"status": "the worker process died", "written": ""}

    def _start(self) -> subprocess.Popen[str]:
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment = {**kept, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONHASHSEED": "0"}
        self._worker = worker = subprocess.Popen(
            [sys.executable, "-m", "captionlab.grading.worker", self.lab.package],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,  # Ctrl-C is for the parent to handle
        )
        if not _read_line(worker, START_SECONDS):
            self.close()
            raise SandboxUnavailable(
                f"the worker for {self.lab.name} does not start (it needs Linux or macOS; on Windows use WSL); "
                f"to see why: python -m captionlab.grading.worker {self.lab.package}"
            )
        return worker


def _read_line(worker: subprocess.Popen[str], seconds: float) -> str:
    """A line that the worker writes; the worker is killed if it takes longer."""
    watchdog = threading.Timer(seconds, worker.kill)
    watchdog.start()
    try:
        assert worker.stdout is not None
        return worker.stdout.readline()
    finally:
        watchdog.cancel()
