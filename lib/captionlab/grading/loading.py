"""Runs what was taken from a submission, within limits of time. Used where student code runs, and only there."""

from __future__ import annotations
import __future__

import ast
import builtins
import contextlib
import functools
import linecache
import operator
import signal
import sys
import threading
import time
import types
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from captionlab.grading.exercise import Exercise
from captionlab.grading.observation import ExceptionInfo, ProbeResult, describe_exception, observe
from captionlab.grading.statements import bound_by
from captionlab.grading.submission import ProgramPart, Step

COMPUTED_SHARE = 0.2  # of the limits of time, for all computed names of an answer together


def is_blocked(module: str) -> bool:
    """Whether graded code may not import a module: all of the library except this package, as it has the references."""
    return module.startswith("captionlab.") and not module.startswith("captionlab.grading")


class BlockedImportError(ImportError):
    """Student code tried to import a part of the library that contains solutions; the pipeline knows this name."""


class TooSlow(BaseException):
    """A time limit is over. Not an Exception, so that submitted code is less likely to catch it."""


@contextlib.contextmanager
def time_limit(cpu_seconds: float, wall_seconds: float) -> Iterator[None]:
    """Raise :class:`TooSlow` in this thread when either limit is exceeded; no limits where signals cannot do it.

    It is raised again every half second, should it be caught. Earlier timers and handlers are restored.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise TooSlow(f"stopped after {wall_seconds:g} s, or {cpu_seconds:g} s of CPU time")

    timers = ((signal.SIGPROF, signal.ITIMER_PROF, cpu_seconds), (signal.SIGALRM, signal.ITIMER_REAL, wall_seconds))
    before = []
    try:
        for number, timer, seconds in timers:
            before.append(
                (number, signal.signal(number, stop), timer, signal.setitimer(timer, max(seconds, 1e-3), 0.5))
            )
        yield
    finally:
        for _, _, timer, _ in before:
            signal.setitimer(timer, 0)
        for number, handler, timer, (left, interval) in before:
            signal.signal(number, handler)
            signal.setitimer(timer, left, interval)


@dataclass
class LoadedProgram:
    """What running a program left.

    Attributes:
        namespace: all names.
        failure: why the statement that binds the answer failed, or an empty string.
        failed: names that could not be computed or imported, each with the reason.
    """

    namespace: dict[str, Any]
    failure: str = ""
    failed: dict[str, str] = field(default_factory=dict)


def load_program(
    program: list[ProgramPart], cpu_seconds: float, module: types.ModuleType | None = None
) -> LoadedProgram:
    """Run the statements taken from a submission one by one, so that the others run if one fails.

    Statements that lack a name are tried again at the end, as cells may have been run in another order.

    Args:
        program: of :meth:`~captionlab.grading.submission.Submission.program`.
        cpu_seconds: that an exercise may use; a share of them is for computed names, twice as long on the clock.
        module: whose namespace is filled; by default a new one named ``submission``.
    """
    module = module or types.ModuleType("submission")
    sys.modules["submission"] = module  # where dataclasses and others look up a class's module
    namespace = module.__dict__
    namespace.setdefault("__builtins__", builtins)
    namespace["display"] = namespace["get_ipython"] = _NoShell()
    return _Loader(LoadedProgram(namespace), COMPUTED_SHARE * cpu_seconds).run(program)


class _NoShell:
    """Stands for what IPython offers inside functions; whatever it is asked to do, it does nothing."""

    def __call__(self, *_: Any, **__: Any) -> _NoShell:
        return self

    def __getattr__(self, name: str) -> _NoShell:
        return self


class _Loader:
    """Runs the steps of one program."""

    def __init__(self, loaded: LoadedProgram, computed_seconds: float) -> None:
        self.loaded = loaded
        self.computed_seconds = self.seconds_left = computed_seconds
        self.flags = 0
        self.lacking: list[tuple[ast.stmt, ProgramPart, Step, int]] = []

    def run(self, program: list[ProgramPart]) -> LoadedProgram:
        for part in program:
            lines = part["code"].splitlines(True)
            linecache.cache[part["origin"]] = (len(part["code"]), None, lines, part["origin"])
            tree = ast.parse(part["code"])
            self.flags |= _future_flags(tree)  # as in a notebook, they apply to the cells that follow
            for step in part["steps"]:
                self._try(tree.body[step["at"]], part, step, self.flags)
        lacking, self.lacking = self.lacking, []
        for one in lacking:
            self._try(*one)
        return self.loaded

    def _try(self, statement: ast.stmt, part: ProgramPart, step: Step, flags: int) -> None:
        """Run a statement; a failure is recorded for the names it should have bound."""
        namespace = self.loaded.namespace
        namespace["__name__"] = part["module"] or "__main__"
        if part["module"]:
            namespace["__file__"] = f"{part['module']}.py"
        ignored = step["ignored"]
        kept = dict(namespace) if "*" in ignored else {name: namespace[name] for name in ignored if name in namespace}
        try:
            code = compile(ast.Module([statement], []), part["origin"], "exec", flags=flags, dont_inherit=True)
            self._execute(code, step["computed"])
        except BaseException as error:
            self._failed(error, statement, part, step)
            if isinstance(error, NameError):
                self.lacking.append((statement, part, step, flags))
        else:
            if step["binds"]:
                self.loaded.failure = ""
        for name in ignored:
            if name not in kept and hasattr(builtins, name):
                namespace.pop(name, None)  # the name of one of Python's own
        namespace.update(kept)

    def _execute(self, code: types.CodeType, computed: bool) -> None:
        if not computed:
            exec(code, self.loaded.namespace)
            return
        if self.seconds_left <= 0:
            raise TooSlow(f"not run: earlier statements took more than {self.computed_seconds:g} s of CPU time")
        start = time.process_time()
        try:
            with time_limit(self.seconds_left, 2 * self.seconds_left):
                exec(code, self.loaded.namespace)
        finally:
            self.seconds_left -= time.process_time() - start

    def _failed(self, error: BaseException, statement: ast.stmt, part: ProgramPart, step: Step) -> None:
        info = describe_exception(error)
        reason = f"{part['origin']}, line {statement.lineno}: {info.type_name}: {info.message}"
        if step["binds"]:
            self.loaded.failure = reason
        self.loaded.failed |= dict.fromkeys(bound_by(statement), reason)


def run_probe(exercise: Exercise, loaded: LoadedProgram, seed: int) -> ProbeResult:
    """Observe what the submission defines under the exercise's name."""
    if exercise.name not in loaded.namespace:
        return ProbeResult((), ExceptionInfo("Undefined", loaded.failure))
    result = observe(exercise, loaded.namespace[exercise.name], seed)
    raised = result.exception
    if raised and raised.missing_name in loaded.failed:
        message = f"{raised.message} ({loaded.failed[raised.missing_name]})"
        result = replace(result, exception=replace(raised, message=message))
    return result


def _future_flags(tree: ast.Module) -> int:
    names = [
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for alias in node.names
    ]
    features = [getattr(__future__, name, None) for name in names]
    return functools.reduce(operator.or_, (getattr(one, "compiler_flag", 0) for one in features), 0)
