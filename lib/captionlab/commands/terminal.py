"""What the grading commands print."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from captionlab.grading.exercise import Lab
from captionlab.grading.judge import SYMBOLS, Verdict, format_points
from captionlab.grading.pipeline import GradeReport

OUTCOME_SYMBOLS = [*SYMBOLS.values(), "!"]
STYLES = {"right": "green", "partial": "yellow", "missing": "dim"}


def class_table(lab: Lab, graded: list[GradeReport]) -> Table:
    """A row a student: the score, and a symbol an exercise in groups of five."""
    table = Table(
        title=f"{lab.title} ({format_points(lab.max_points)} points)", title_justify="left", caption_justify="left"
    )
    table.add_column("student")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("exercises, in the order of the table below", no_wrap=True)
    for one in graded:
        symbols = Text()
        for position, verdict in enumerate(one.verdicts):
            symbols.append(" " if position % 5 == 0 and position else "")
            symbols.append(_symbol(verdict), style=_style(verdict))
        table.add_row(Text(one.student), format_points(one.score), symbols)
    table.caption = "✔ right  ◐ partial  ✘ wrong  ○ missing  ! stopped, crashed or refused"
    return table


def exercise_table(lab: Lab, graded: list[GradeReport]) -> Table:
    """A row an exercise: how the class did, and the misconception met most often."""
    table = Table()
    table.add_column("exercise", no_wrap=True)
    for symbol in OUTCOME_SYMBOLS:
        table.add_column(symbol, justify="right", no_wrap=True)
    table.add_column("mean", justify="right", no_wrap=True)
    table.add_column("commonest misconception")
    for position, exercise in enumerate(lab.exercises.values()):
        verdicts = [one.verdicts[position] for one in graded]
        counts = Counter(map(_symbol, verdicts))
        mean = sum(verdict.points for verdict in verdicts) / len(verdicts)
        known = Counter(verdict.misconception for verdict in verdicts if verdict.misconception).most_common(1)
        table.add_row(
            exercise.name,
            *(str(counts[symbol] or "") for symbol in OUTCOME_SYMBOLS),
            f"{format_points(mean)}/{format_points(exercise.points)}",
            f"{known[0][0]} ({known[0][1]})" if known else "",
        )
    return table


def _symbol(verdict: Verdict) -> str:
    return SYMBOLS.get(verdict.outcome, "!")


def _style(verdict: Verdict) -> str:
    return STYLES.get(verdict.outcome, "red")


def print_verdicts(console: Console, graded: GradeReport) -> None:
    """One student's verdicts in full: message, example, hint."""
    for note in graded.notes:
        console.print(Text(f"note: {note}", style="dim"))
    for verdict in graded.verdicts:
        head = f"{_symbol(verdict)} {verdict.exercise}"
        points = f"{format_points(verdict.points)}/{format_points(verdict.max_points)}"
        console.print(Text(f"{head}  {points}  {verdict.message}", style=_style(verdict)))
        for line in verdict.help_lines():
            console.print(Text("  " + line))
