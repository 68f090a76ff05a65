"""The examples in the docstrings of all references run and show what they say."""

from __future__ import annotations

import doctest
import sys

import pytest

from captionlab.exercises import LABS, load_lab
from captionlab.grading.exercise import Exercise

EXERCISES = [exercise for lab in LABS for exercise in load_lab(lab).exercises.values()]


@pytest.mark.parametrize("exercise", EXERCISES, ids=[f"{one.lab}-{one.name}" for one in EXERCISES])
def test_examples(exercise: Exercise, capsys: pytest.CaptureFixture):
    reference = exercise.load_reference()
    names = vars(sys.modules[reference.__module__]).copy()
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for found in doctest.DocTestFinder().find(reference, exercise.name, globs=names):
        runner.run(found)
    assert runner.tries, f"the docstring of {exercise.name} has no example: add one with >>> lines"
    assert not runner.failures, capsys.readouterr().out
