"""Running mutants: each in a process of its own, so that one that hangs, exits or fills the memory harms nothing."""

from __future__ import annotations

import gc
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

import numpy as np
from threadpoolctl import threadpool_limits

from captionlab.grading.departures import departs
from captionlab.grading.exercise import Exercise, grading_seed
from captionlab.grading.expectation import Expectation
from captionlab.grading.mutation.mutants import Mutant, compiled, exercise_mutants, unchanged

HIDDEN_SEEDS = 3
CPU_SECONDS = 3.0  # of a mutant, beyond what the reference takes
WALL_FACTOR = 20  # a mutant may wait for other processes, not forever
MEMORY_BYTES = 4 << 30  # of address space, beyond what the process has
KILLED, SURVIVED = 40, 41  # exit statuses: others come from the mutant, such as exit()


class Fate(Enum):
    """What became of a mutant."""

    SURVIVED = "survived"
    KILLED = "killed"
    HUNG = "hung"
    CRASHED = "crashed"


@dataclass(frozen=True)
class MutationResult:
    """A mutant and what became of it; all but those that survived were noticed."""

    mutant: Mutant
    fate: Fate


def hidden_seeds(exercise: Exercise, count: int = HIDDEN_SEEDS) -> list[int]:
    """The seeds of some students."""
    return [grading_seed(b"for mutants only", exercise, f"student {number}") for number in range(count)]


def surviving_mutants(exercise: Exercise, seeds: Sequence[int]) -> list[Mutant]:
    """The mutants that an exercise's probe does not notice, on any of the seeds."""
    return [one.mutant for one in run_mutants(exercise, seeds) if one.fate is Fate.SURVIVED]


def run_mutants(
    exercise: Exercise, seeds: Sequence[int], mutants: Iterable[Mutant] | None = None
) -> Iterator[MutationResult]:
    """Run an exercise's probe on mutants of its reference.

    Args:
        exercise: whose probe is run.
        seeds: a mutant is killed if it is not right on one of them; the next one is tried only if it is right.
        mutants: by default all there are.

    Raises:
        RuntimeError: if even the unchanged source is not right: the reference depends on more than its module.
    """
    with _one_thread():
        started = time.process_time()
        expectations = [Expectation(exercise, seed) for seed in seeds]
        for expectation in expectations:
            expectation.reference  # noqa: B018 - computed once, here, and not in each process
        seconds = CPU_SECONDS + 5 * (time.process_time() - started)
        fate = fate_of(exercise, unchanged(exercise), expectations, seconds)
        if fate is not Fate.SURVIVED:
            raise RuntimeError(f"the reference of {exercise.name}, compiled again from its source, is {fate.value}")
        for mutant in exercise_mutants(exercise) if mutants is None else mutants:
            yield MutationResult(mutant, fate_of(exercise, mutant.source, expectations, seconds))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let no library start threads, which a forked process would wait for in vain; keep memory shared with it."""
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 1
    with threadpool_limits(1):
        if torch:
            torch.set_num_threads(1)
        gc.freeze()
        try:
            yield
        finally:
            gc.unfreeze()
            if torch:
                torch.set_num_threads(threads)


def fate_of(exercise: Exercise, source: str, expectations: Sequence[Expectation], seconds: float) -> Fate:
    """What becomes of a source in place of the reference, in a process of its own.

    Args:
        exercise: whose probe is run.
        source: a definition with the reference's name.
        expectations: what is expected, on each seed to try.
        seconds: the CPU time it may take.
    """
    child = os.fork()
    if child == 0:
        try:
            _confine(seconds)
            _seed_generators()
            implementation = compiled(exercise, source)
            right = all(not departs(exercise, one.reference, implementation, one.seed) for one in expectations)
            os._exit(SURVIVED if right else KILLED)
        except BaseException:
            os._exit(KILLED)  # an error while it is defined
    return _fate(os.waitpid(child, 0)[1])


def _fate(status: int) -> Fate:
    if os.WIFSIGNALED(status):
        return Fate.HUNG if os.WTERMSIG(status) in (signal.SIGPROF, signal.SIGALRM) else Fate.CRASHED
    return {KILLED: Fate.KILLED, SURVIVED: Fate.SURVIVED}.get(os.WEXITSTATUS(status), Fate.CRASHED)


def _confine(seconds: float) -> None:
    """In the process of a mutant: no output, and limits that need no cooperation of its code."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    sys.stdin, sys.stdout, sys.stderr = open(os.devnull), open(os.devnull, "w"), open(os.devnull, "w")
    for timer, signalled, limit in (
        (signal.ITIMER_PROF, signal.SIGPROF, seconds),
        (signal.ITIMER_REAL, signal.SIGALRM, seconds * WALL_FACTOR),
    ):
        signal.signal(signalled, signal.SIG_DFL)  # which ends the process
        signal.setitimer(timer, limit)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = _address_space() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _address_space() -> int:
    import psutil

    size: int = psutil.Process().memory_info().vms
    return size


def _seed_generators() -> None:
    """Let a mutant that draws from the global generators draw the same in every run."""
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
