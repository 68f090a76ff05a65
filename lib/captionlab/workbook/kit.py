"""The check students run in their notebook: their own function, the public seed, and what helps them on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

from captionlab.exercises import UnknownName, find_exercise
from captionlab.grading.exercise import public_seed
from captionlab.grading.judge import SYMBOLS, expect, first_difference, judge
from captionlab.grading.observation import observe

HIDDEN_SEEDS = "Graded with hidden seeds: other inputs, the same rules."


class CheckFailed(Exception):
    """A check that is not right. In a notebook it shows as its message alone, without a traceback."""

    def _render_traceback_(self) -> list[str]:  # IPython's hook
        return [str(self)]


def check(name: str, implementation: Callable | None = None) -> None:
    """Check your answer to an exercise on the public seed, and print what is right.

    Args:
        name: the exercise, such as ``"conv_output_size"``, or your function itself.
        implementation: your function or class; by default the one of that name where ``check`` is called.

    Raises:
        CheckFailed: the answer is not right; says what was expected, what came, and a hint where the
            mistake is a known one.
    """
    __tracebackhide__ = True
    if callable(name):
        name, implementation = name.__name__, name
    try:
        exercise = find_exercise(str(name))
    except UnknownName as error:
        raise CheckFailed(f"✘ {error}") from None
    if implementation is None:
        caller = sys._getframe(1)
        implementation = caller.f_locals.get(name, caller.f_globals.get(name))
    if implementation is None:
        raise CheckFailed(f"○ {name} is not defined yet: run the cell that defines it, then check again")
    if str(getattr(implementation, "__module__", "")).startswith("captionlab."):
        raise CheckFailed(f"! {name} is the library's own: write the definition yourself")
    seed = public_seed(exercise)
    observed = observe(exercise.probe, implementation, seed)
    verdict = judge(expect(exercise, seed), observed)
    if verdict.outcome == "right":
        print(f"✔ {name}: {verdict.message}. {HIDDEN_SEEDS}")
        return
    if verdict.outcome != "missing":
        verdict = replace(verdict, example=first_difference(expect(exercise, seed), observed))
    symbol = SYMBOLS.get(verdict.outcome, "!")
    raise CheckFailed("\n".join([f"{symbol} {name}: {verdict.message}", *verdict.help_lines()]))
