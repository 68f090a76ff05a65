"""The check students run in their notebook: their own function, the public seed, and hints."""

from __future__ import annotations

import sys
from collections.abc import Callable

from captionlab.exercises import UnknownName, find_exercise, load_lab
from captionlab.grading.pipeline import check_implementation
from captionlab.workbook.student_module import BrokenModule, find_module, run_module

HIDDEN_SEEDS = "Graded with hidden seeds: other inputs, the same rules."


class CheckFailed(Exception):
    """A check that is not right. In a notebook it shows as its message alone, without a traceback."""

    def _render_traceback_(self) -> list[str]:  # IPython's hook
        return [str(self)]


def check(name: str | Callable, implementation: Callable | None = None) -> None:
    """Check your answer to an exercise on the public seed, and print whether it is right.

    Args:
        name: the exercise, such as ``"conv_output_size"``, or your function itself.
        implementation: your function or class; by default the one of that name in the lab's module, as it is on
            disk, or where ``check`` is called.

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
    if implementation is None:
        caller = sys._getframe(1)
        implementation = _find(name, load_lab(exercise.lab).module_filename, {**caller.f_globals, **caller.f_locals})
    if str(getattr(implementation, "__module__", "")).startswith("captionlab."):
        raise CheckFailed(f"! {name} is the library's own: write the definition yourself")
    verdict = check_implementation(exercise, implementation)
    if verdict.outcome != "right":
        raise CheckFailed("\n".join([f"{verdict.symbol} {name}: {verdict.message}", *verdict.help_lines()]))
    print(f"✔ {name}: {verdict.message}. {HIDDEN_SEEDS}")


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
