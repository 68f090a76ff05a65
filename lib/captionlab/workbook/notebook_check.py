"""The check students run in their notebook: their own function, the public seed, and hints."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from captionlab.exercises import UnknownName, find_exercise, load_lab
from captionlab.grading.exercise import Exercise
from captionlab.grading.pipeline import check_implementation, failing_case
from captionlab.grading.verdict import Verdict, format_points
from captionlab.grading.watching import describe
from captionlab.workbook.as_graded import GradedHere, grade_here
from captionlab.workbook.session import line_to_add, watch_session
from captionlab.workbook.student_module import BrokenModule, find_module, run_module

HIDDEN_SEEDS = "Graded with hidden seeds: other inputs, the same rules."
NOT_SAVED = (
    "as it is saved, the notebook would lose this; save it, and if this line is still here after Restart and Run All, "
    "a cell it needs is gone"
)

watch_session()  # from the first cell on, which imports this
_told_of_hidden_seeds = False  # once per session is enough


@dataclass(frozen=True)
class Case:
    """The call of your function that a check found wrong: ``function(*case.args, **case.kwargs)`` repeats it.

    Attributes:
        label: the check.
        args, kwargs: the arguments, as they were before the call; of a class, those of its method called last.
    """

    label: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class CheckFailed(Exception):
    """A check that is not right. In a notebook it shows as its message alone, without a traceback."""

    def _render_traceback_(self) -> list[str]:  # IPython's hook
        return [str(self)]


def check(name: str | Callable, implementation: Callable | None = None, *, show_case: bool = False) -> Case | None:
    """Check your answer to an exercise on the public seed, and print whether it is right.

    Args:
        name: the exercise, such as ``"conv_output_size"``, or your function itself.
        implementation: your function or class; by default the one of that name in the lab's module, as it is on
            disk, or where ``check`` is called.
        show_case: print what is wrong instead of raising, and return the arguments of the call that is wrong, to debug
            with.

    Returns:
        with ``show_case``, the :class:`Case` that is wrong; otherwise None.

    Raises:
        CheckFailed: the answer is not right; says what was expected, what was returned, and a hint if the mistake is
            a known one.
    """
    __tracebackhide__ = True
    if callable(name):
        implementation = name
        name = str(getattr(implementation, "__name__", implementation))
    try:
        exercise = find_exercise(name)
    except UnknownName as error:
        raise CheckFailed(f"✘ {error}") from None
    caller = sys._getframe(1)
    here = {**caller.f_globals, **caller.f_locals}
    lab = load_lab(exercise.lab)
    own = implementation is None or implementation is here.get(name)
    if implementation is None:
        implementation = _find(name, lab.module_filename, here)
    if str(getattr(implementation, "__module__", "")).startswith("captionlab."):
        raise CheckFailed(f"! {name} is the library's own: write the definition yourself")
    graded = grade_here(exercise, lab, here) if own else None
    if graded and graded.verdict.outcome in ("right", "timeout", "out of memory"):
        verdict = graded.verdict  # calling it once more would tell nothing new, or not end
    else:
        verdict = check_implementation(exercise, implementation)
    if verdict.outcome == "right":
        if graded and graded.verdict.outcome != "right":
            raise CheckFailed(_lost(name, graded, here))
        _print_success(name)
        if graded and graded.saved and graded.saved.outcome != "right":
            print(f"  {NOT_SAVED}: {graded.saved.message}")
        return None
    text = "\n".join([f"{verdict.symbol} {name}: {verdict.message}", *verdict.help_lines()])
    if not show_case:
        raise CheckFailed(text)
    print(text)
    return _show_case(exercise, implementation, verdict)


def _lost(name: str, graded: GradedHere, here: dict) -> str:
    """What is said of an answer that is right here, and would not earn its points."""
    verdict, missing = graded.verdict, graded.missing_name
    points = f"{format_points(verdict.points)} of {format_points(verdict.max_points)} points"
    text = f"! {name}: right here, but graded it would earn {points}: {verdict.message}"
    line = line_to_add(missing, here[missing]) if missing in here else None
    return f"{text}\n  add       to the cell of {name} the line: {line}" if line else text


def _print_success(name: str) -> None:
    """One quiet line, green where colors can be seen."""
    global _told_of_hidden_seeds
    line = f"✔ {name}"
    in_color = "ipykernel" in sys.modules or sys.stdout.isatty()
    print(f"\x1b[32m{line}\x1b[0m" if in_color else line)
    if not _told_of_hidden_seeds:
        print(HIDDEN_SEEDS)
        _told_of_hidden_seeds = True


def _show_case(exercise: Exercise, implementation: Callable, verdict: Verdict) -> Case | None:
    """Print and return the arguments of the call that is wrong."""
    if verdict.example is None:  # nothing was called
        return None
    calls = failing_case(exercise, implementation, verdict.example.label)
    given = [
        *map(_format_argument, calls.args),
        *(f"{key}={_format_argument(one)}" for key, one in calls.kwargs.items()),
    ]
    print(f"  called    {exercise.name}({', '.join(given)})")
    return Case(verdict.example.label, calls.args, calls.kwargs)


def _format_argument(value: Any) -> str:
    """An argument as short text: the kind and shape of what is large."""
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"<{describe(value).partition(' ')[2]}>"


def _find(name: str, file: str | None, here: dict) -> Callable:
    """The student's own: what the lab's module defines wins over what the notebook does, as in grading."""
    path = find_module(file) if file else None
    own = {}
    if path:
        try:
            own = run_module(path)
        except BrokenModule as error:
            raise CheckFailed(f"! {error}") from None
    implementation = own.get(name, here.get(name))
    if implementation is not None:
        return implementation
    if not file:
        raise CheckFailed(f"○ {name} is not defined yet: run the cell that defines it, then check again")
    where = f"{path} does not define it" if path else f"there is no {file} beside the notebook"
    raise CheckFailed(f"○ {name} is not defined yet: {where}")
