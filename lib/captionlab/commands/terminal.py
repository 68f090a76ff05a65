"""What the grading commands print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from captionlab.grading.exercise import Lab
from captionlab.grading.finding import MAX_LISTED, REPORT_FILE, UNREAD_FILE, UnreadFile
from captionlab.grading.pipeline import GradeReport
from captionlab.grading.verdict import OTHER_SYMBOL, SYMBOLS, Verdict, format_points

OUTCOME_SYMBOLS = [*SYMBOLS.values(), OTHER_SYMBOL]
MAX_NOTES = 5  # per student
STYLES = {"right": "green", "partial": "yellow", "missing": "dim"}


def class_table(lab: Lab, reports: Sequence[GradeReport]) -> Table:
    """One row per student: the score, and one symbol per exercise in groups of five."""
    table = Table(
        title=f"{lab.title} ({format_points(lab.max_points)} points)", title_justify="left", caption_justify="left"
    )
    table.add_column("student")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("exercises, in the order of the table below", no_wrap=True)
    for report in reports:
        symbols = Text()
        for position, verdict in enumerate(report.verdicts):
            symbols.append(" " if position % 5 == 0 and position else "")
            symbols.append(verdict.symbol, style=_style(verdict))
        table.add_row(Text(report.student), format_points(report.score), symbols)
    table.caption = "✔ right  ◐ partial  ✘ wrong  ○ missing  ! stopped, crashed or refused"
    return table


def exercise_table(lab: Lab, reports: Sequence[GradeReport]) -> Table:
    """One row per exercise: how the class did, and the most common misconception."""
    table = Table()
    table.add_column("exercise", no_wrap=True)
    for symbol in OUTCOME_SYMBOLS:
        table.add_column(symbol, justify="right", no_wrap=True)
    table.add_column("mean", justify="right", no_wrap=True)
    table.add_column("most common misconception")
    for position, exercise in enumerate(lab.exercises.values()):
        verdicts = [report.verdicts[position] for report in reports]
        counts = Counter(verdict.symbol for verdict in verdicts)
        mean = sum(verdict.points for verdict in verdicts) / len(verdicts)
        known = Counter(name for verdict in verdicts for name in verdict.misconceptions).most_common(1)
        table.add_row(
            exercise.name,
            *(str(counts[symbol] or "") for symbol in OUTCOME_SYMBOLS),
            f"{format_points(mean)}/{format_points(exercise.points)}",
            f"{known[0][0]} ({known[0][1]})" if known else "",
        )
    return table


def remarks(reports: Sequence[GradeReport], unread: Sequence[UnreadFile]) -> Iterator[str]:
    """Lines below the tables: each student's problem and first notes, and the files that were not read."""
    for report in reports:
        lines = [report.problem] if report.problem else []
        lines += report.notes[:MAX_NOTES]
        if len(report.notes) > MAX_NOTES:
            lines.append(f"{len(report.notes) - MAX_NOTES} more notes: see {REPORT_FILE}")
        yield from (f"{report.student}: {line}" for line in lines)
    yield from (f"not read: {file}" for file in unread[:MAX_LISTED])
    if len(unread) > MAX_LISTED:
        yield f"{len(unread) - MAX_LISTED} more files were not read: see {UNREAD_FILE}"


def _style(verdict: Verdict) -> str:
    return STYLES.get(verdict.outcome, "red")


def print_verdicts(console: Console, report: GradeReport) -> None:
    """One student's verdicts in full: message, example, hint."""
    for note in report.notes:
        console.print(Text(f"note: {note}", style="dim"))
    for verdict in report.verdicts:
        points = f"{format_points(verdict.points)}/{format_points(verdict.max_points)}"
        line = f"{verdict.symbol} {verdict.exercise}  {points}  {verdict.message}"
        console.print(Text(line, style=_style(verdict)))
        for help_line in verdict.help_lines():
            console.print(Text("  " + help_line))
