"""Placeholders of a lab's text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from captionlab.exercises import LABS, load_lab
from captionlab.workbook.derived import text_path
from captionlab.workbook.errors import TextError
from captionlab.workbook.text import fill_placeholders, in_words, lab_cells, marked_exercises, parse_text, placeholders


def values(count: int = 3, bugs: int = 0, minutes: int = 10) -> dict[str, str]:
    one = load_lab("lab1").exercises["softmax"]
    return placeholders([replace(one, minutes=minutes, starter="x" if at < bugs else None) for at in range(count)])


def test_numbers_of_exercises_are_in_words():
    assert fill_placeholders("You write {number_of_exercises}.", values(21)) == "You write twenty-one."
    assert fill_placeholders("{Number_of_bugs} of {number_of_exercises}", values(4, 2)) == "Two of four"


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (5, "half an hour"),
        (20, "an hour"),
        (28, "an hour and a half"),
        (80, "four hours"),
        (91, "four and a half hours"),
    ],
)
def test_the_time_for_the_code_is_the_sum_of_the_minutes(minutes, words):
    assert values(3, minutes=minutes)["coding_time"] == words


def test_formulas_are_no_placeholders():
    for text in (r"$e^{s_i}$", r"$\{a, b\}$", "{x}", "{ max_pool }"):
        assert fill_placeholders(text, values()) == text


def test_an_unknown_placeholder_is_refused():
    with pytest.raises(TextError, match=r"\{number_of_exercices\}; did you mean \{number_of_exercises\}"):
        fill_placeholders("{number_of_exercices}", values())


def test_numbers_in_words():
    assert [in_words(number) for number in (0, 13, 20, 99, 100)] == ["zero", "thirteen", "twenty", "ninety-nine", "100"]


@pytest.mark.parametrize("name", LABS)
def test_every_lab_states_its_numbers_with_placeholders(root, name):
    """And its exercises come in the order of its markers."""
    lab, text = load_lab(name), (root / text_path(name)).read_text(encoding="utf-8")
    assert marked_exercises(parse_text(text)) == list(lab.exercises)
    assert "{number_of_exercises}" in text
    assert in_words(len(lab.exercises)) in lab_cells(lab, text)[0].source
    assert "{number_of" not in "".join(cell.source for cell in lab_cells(lab, text))
