"""Verdicts: what an exercise of a submission earned, and why."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

SYMBOLS = {"right": "✔", "partial": "◐", "wrong": "✘", "missing": "○"}
OTHER_SYMBOL = "!"  # timeout, out of memory, crashed, refused
VALUE_DIFFERS = "value differs"


@dataclass(frozen=True)
class Difference:
    """The first difference between two observations, in the order type, shape, finiteness, values.

    Attributes:
        label: the check.
        reason: what differs.
        expected, got: the two values as text.
    """

    label: str
    reason: str
    expected: str
    got: str


@dataclass(frozen=True)
class Verdict:
    """What one exercise of one submission earned, and why.

    Attributes:
        exercise: its name.
        points, max_points: earned, and at most.
        outcome: right, partial, wrong, missing, timeout, out of memory, crashed or refused.
        message: one line for the student, without hidden values.
        misconceptions: names of the known mistakes that were recognized, the most important first.
        hints: for the student, the most important first.
        example: the first difference on the public seed, if there is one.
    """

    exercise: str
    points: float
    max_points: float
    outcome: str
    message: str
    misconceptions: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    example: Difference | None = None

    @property
    def symbol(self) -> str:
        """One character for the outcome."""
        return SYMBOLS.get(self.outcome, OTHER_SYMBOL)

    def help_lines(self) -> list[str]:
        """The example of the public seed and the hint, as lines of text."""
        rows: list[tuple[str, str]] = []
        if self.example:
            rows = [("for", self.example.label), ("expected", self.example.expected), ("got", self.example.got)]
            if self.example.reason != VALUE_DIFFERS:  # expected and got show that by themselves
                rows.insert(1, ("differs", self.example.reason))
        for hint in self.hints:
            rows += zip(["hint", *[""] * len(hint)], textwrap.wrap(hint, 76), strict=False)
        return [f"  {name:<8}  {text}" for name, text in rows]


def format_points(points: float) -> str:
    """Points without unnecessary decimals.

    >>> format_points(2.0), format_points(1.5), format_points(0.333)
    ('2', '1.5', '0.33')
    """
    return f"{points:.2f}".rstrip("0").rstrip(".")
