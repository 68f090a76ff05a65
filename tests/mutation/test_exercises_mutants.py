"""Each exercise's probe notices every single-point change of its reference, except for those that change nothing."""

from __future__ import annotations

import pytest

from captionlab.exercises import LABS, load_lab
from captionlab.grading.exercise import Exercise
from captionlab.grading.mutation import mutation_report, read_equivalents

EXERCISES = [exercise for lab in LABS for exercise in load_lab(lab).exercises.values()]


def named(exercise: Exercise) -> object:
    return pytest.param(exercise, id=f"{exercise.lab}-{exercise.name}")


@pytest.mark.parametrize("lab", LABS)
def test_the_lists_of_equivalent_mutants_can_be_read(lab):
    for entries in read_equivalents(load_lab(lab)).values():
        assert all(len(entry.reason) > 10 for entry in entries)
        assert len({entry.key for entry in entries}) == len(entries)


@pytest.mark.slow
@pytest.mark.parametrize("exercise", [named(one) for one in EXERCISES])
def test_a_probe_notices_every_mutant(exercise):
    listed = read_equivalents(load_lab(exercise.lab)).get(exercise.name, [])
    report = mutation_report(exercise, listed)
    assert report.is_clean, "\n".join(report.lines())
