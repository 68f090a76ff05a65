"""The process that runs student code; it contains no solution.

``python -m captionlab.grading.worker PACKAGE`` loads torch and the probes of the lab in PACKAGE, never a reference, and
then serves requests: one JSON line each on standard input, one JSON line back on standard output. Each request runs in
a separate fork, so no student's code meets another's, and the parent never runs any of it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import importlib.abc
import json
import os
import random
import resource
import select
import signal
import sys
import tempfile
import time
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from typing import NoReturn

import psutil

from captionlab.grading.exercise import Exercise
from captionlab.grading.loading import BlockedImportError, is_blocked, load_program, run_probe
from captionlab.grading.observation import to_lines

POLL_SECONDS = 0.02
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36


class ImportBlocker(importlib.abc.MetaPathFinder):
    """Refuses imports of the packages that contain the references."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if is_blocked(fullname):
            raise BlockedImportError(f"{fullname} is not available to graded code")
        return None


def main() -> None:
    """Serve requests until standard input ends."""
    import torch

    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    _prctl(PR_SET_DUMPABLE, 0)  # closes /proc/<pid>/fd to the forks
    torch.set_num_threads(1)  # also what makes forking safe: no thread pool exists yet
    lab = importlib.import_module(sys.argv[1]).lab
    for library in lab.preload:
        importlib.import_module(library)
    gc.freeze()  # what is loaded stays shared with the forks
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a stray print must not mix with the replies
    print(json.dumps({"ready": lab.name}), file=replies, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        reply = serve(lab.exercises[request["exercise"]], request)
        print(json.dumps(reply), file=replies, flush=True)


def serve(exercise: Exercise, request: dict) -> dict:
    """Run one request in a fork and enforce its limits; the reply contains what the fork wrote, unparsed."""
    with tempfile.TemporaryDirectory(prefix="captionlab-", ignore_cleanup_errors=True) as folder:
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            _run_child(exercise, request, write_end, folder)
        os.close(write_end)
        try:
            status, written = _watch(child, read_end, request["limits"])
        finally:
            os.close(read_end)
        _end_all_children()
    return {"id": request["id"], "status": status, "written": written.decode("utf-8", errors="replace")}


def _end_all_children() -> None:
    """End what a fork left running, which is now a child of this process, before the next request."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            process.kill()
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, 0):
            pass


def _watch(child: int, read_end: int, limits: dict) -> tuple[str, bytes]:
    """Read what the fork writes until it ends or exceeds a limit; then end it and what it started."""
    deadline = time.monotonic() + limits["wall_seconds"]
    written, status = bytearray(), ""
    process = psutil.Process(child)
    at_start = process.memory_info().rss
    while not status:
        if select.select([read_end], [], [], POLL_SECONDS)[0]:
            part = os.read(read_end, 1 << 16)
            written += part
            if not part:
                break
        status = _exceeded_limit(process, at_start, limits, deadline, len(written))
    _kill(process)
    _, how = os.waitpid(child, 0)
    if not status and os.WIFSIGNALED(how):
        number = signal.Signals(os.WTERMSIG(how))
        status = "timeout" if number is signal.SIGXCPU else f"killed by {number.name}"
    return status or f"it exited with status {os.waitstatus_to_exitcode(how)}", bytes(written)


def _exceeded_limit(process: psutil.Process, at_start: int, limits: dict, deadline: float, written: int) -> str:
    if time.monotonic() > deadline:
        return "timeout"
    if written > limits["output_bytes"]:
        return "too much output"
    try:
        family = [process, *process.children(recursive=True)]
        if len(family) > limits["processes"]:
            return "too many processes"
        grown = process.memory_info().rss - at_start
        grown += sum(map(_own_memory, family[1:]))
        if grown > limits["memory_bytes"]:
            return "out of memory"
        if sum(sum(member.cpu_times()[:2]) for member in family) > limits["cpu_seconds"]:
            return "timeout"
    except psutil.Error:  # it ended meanwhile
        pass
    return ""


def _own_memory(process: psutil.Process) -> int:
    """Bytes a descendant holds for itself, without the libraries it shares, if the system tells us."""
    try:
        return process.memory_full_info().uss
    except psutil.AccessDenied:
        return process.memory_info().rss


def _kill(process: psutil.Process) -> None:
    try:
        family = [*process.children(recursive=True), process]
    except psutil.Error:
        family = [process]
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # also those whose parent has ended
    for member in family:
        with contextlib.suppress(psutil.Error):
            member.kill()


def _run_child(exercise: Exercise, request: dict, write_end: int, folder: str) -> NoReturn:
    """In the fork: confine it, load the submission, run the probe, write the observations."""
    try:
        _confine(exercise, request["limits"], write_end, folder)
        _seed_generators()
        out = os.fdopen(write_end, "w", encoding="utf-8")
        module = types.ModuleType("submission")
        sys.modules["__main__"] = module  # as in a notebook
        loaded = load_program(request["program"], request["limits"]["cpu_seconds"], module)
        for line in to_lines(run_probe(exercise, loaded, request["seed"])):
            print(line, file=out)
        out.flush()
    except BaseException:  # nothing may return into the serving loop
        os._exit(70)
    os._exit(0)


def _seed_generators() -> None:
    """Make a submission draw the same random numbers in every run."""
    import numpy as np
    import torch

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


def _confine(exercise: Exercise, limits: dict, write_end: int, folder: str) -> None:
    os.setsid()
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # end with the parent if student code kills that
    exercise.misconceptions.clear()  # the fork's copy; only the judge needs them
    exercise.other_spellings.clear()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.closerange(3, write_end)
    os.closerange(write_end + 1, 4096)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(HOME=folder, TMPDIR=folder, MPLBACKEND="Agg", MPLCONFIGDIR=folder, OMP_NUM_THREADS="1")
    tempfile.tempdir = folder
    cpu = int(limits["cpu_seconds"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits["output_bytes"], limits["output_bytes"]))
    sys.stdin, sys.stdout, sys.stderr = open(os.devnull), open(os.devnull, "w"), open(os.devnull, "w")
    sys.argv = ["submission"]
    for name in filter(is_blocked, list(sys.modules)):
        del sys.modules[name]  # the probes stay reachable through `exercise` alone
    sys.meta_path.insert(0, ImportBlocker())


def _prctl(option: int, value: int) -> None:
    """Set a property of this process, on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


if __name__ == "__main__":
    main()
