"""A lab's authored text: a jupytext Markdown file with markers for exercises, and placeholders for numbers.

An empty code cell ``exercise="name"`` stands for an exercise; a Markdown region ``written="id" points=3`` holds a
question, ``<!-- model answer -->`` and ``<!-- rubric -->``; with ``bonus=true`` its points are beyond the full mark. A
code cell ``module="name.py"`` is the beginning of the lab's module. Placeholders such as ``{number_of_exercises}`` are
filled from the exercises.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

import jupytext
import nbformat

from captionlab.grading.exercise import Exercise, Lab
from captionlab.workbook.derived import text_path
from captionlab.workbook.errors import TextError

PLACEHOLDER = re.compile(r"\{([A-Za-z]{2,}(?:_[A-Za-z]{2,})+)\}")
ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def parse_text(text: str) -> list[nbformat.NotebookNode]:
    """The cells of a lab's text, markers as metadata."""
    cells: list[nbformat.NotebookNode] = jupytext.reads(text, fmt="md").cells
    return cells


def lab_cells(lab: Lab, text: str) -> list[nbformat.NotebookNode]:
    """The cells of a lab's text, checked against its exercises, placeholders filled.

    Raises:
        TextError: a marker names no exercise, an exercise has no marker or two, two questions have the same name, or
            a placeholder is unknown.
    """
    cells = parse_text(text)
    _check_questions(lab, [cell.metadata["written"] for cell in cells if "written" in cell.metadata])
    _check_markers(lab, marked_exercises(cells))
    values = placeholders(lab.exercises.values())
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = fill_placeholders(cell.source, values)
    return cells


def marked_exercises(cells: Iterable[nbformat.NotebookNode]) -> list[str]:
    """Names of the exercises that the cells mark, in their order."""
    return [cell.metadata["exercise"] for cell in cells if "exercise" in cell.metadata]


def _check_markers(lab: Lab, marked: list[str]) -> None:
    text, folder = text_path(lab.name), f"lib/{lab.package.replace('.', '/')}"
    for name in marked:
        if name not in lab.exercises:
            nearest = difflib.get_close_matches(name, lab.exercises, n=1)
            guess = f"did you mean {nearest[0]!r}?" if nearest else f"define it in {folder}, or remove the marker"
            raise TextError(f"{text} marks an exercise {name!r} that the lab does not have; {guess}")
    repeated = sorted({name for name in marked if marked.count(name) > 1})
    if repeated:
        raise TextError(f"{text} must mark each exercise once; marked twice: {repeated}")
    unmarked = [name for name in lab.exercises if name not in marked]
    if unmarked:
        raise TextError(
            f"{folder} defines exercises that {text} does not mark: {unmarked}. Where students are to "
            f'write it, put an empty code cell, in two lines: ```python exercise="{unmarked[0]}" and ```'
        )


def _check_questions(lab: Lab, names: list[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise TextError(f"{text_path(lab.name)} has several questions of the same name: {repeated}; names must differ")


def placeholders(exercises: Iterable[Exercise]) -> dict[str, str]:
    """What a text's placeholders stand for.

    ``number_of_exercises`` and ``number_of_bugs`` (exercises in which a bug is to be found) are in words,
    ``coding_time`` is the sum of the exercises' minutes, rounded to half hours. With a capital letter, as in
    ``{Number_of_bugs}``, the words begin with one.
    """
    exercises = list(exercises)
    values = {
        "number_of_exercises": in_words(len(exercises)),
        "number_of_bugs": in_words(sum(exercise.starter is not None for exercise in exercises)),
        "coding_time": _hours(sum(exercise.minutes for exercise in exercises)),
    }
    return values | {name.capitalize(): words.capitalize() for name, words in values.items()}


def fill_placeholders(text: str, values: dict[str, str]) -> str:
    """The text with each ``{placeholder}`` replaced by its value.

    Raises:
        TextError: a word in braces, with an underscore in it, that is no placeholder.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            nearest = difflib.get_close_matches(name, values, n=1)
            guess = f"did you mean {{{nearest[0]}}}? " if nearest else ""
            raise TextError(
                f"the text has an unknown placeholder {{{name}}}; {guess}The placeholders are: {', '.join(values)} "
                "(if none is meant, put a space behind the brace)"
            )
        return values[name]

    return PLACEHOLDER.sub(value, text)


def in_words(number: int) -> str:
    """A number from 0 to 99 as it is written in a sentence; digits beyond.

    >>> in_words(16), in_words(31), in_words(40), in_words(100)
    ('sixteen', 'thirty-one', 'forty', '100')
    """
    if number < len(ONES):
        return ONES[number]
    if number > 99:
        return str(number)
    tens, ones = divmod(number, 10)
    return TENS[tens - 2] + (f"-{ONES[ones]}" if ones else "")


def _hours(minutes: int) -> str:
    """Minutes as hours and half hours, in words, at least half an hour."""
    whole, half = divmod(max(1, round(minutes / 30)), 2)
    if whole < 2:
        return ["half an hour", "an hour", "an hour and a half"][whole + half * whole]
    return f"{in_words(whole)}{' and a half' if half else ''} hours"
