"""The labs: which references are exercises, with their probes, points and misconceptions."""

from __future__ import annotations

import difflib
import importlib

from captionlab.grading.exercise import Exercise, Lab

LABS = ("lab1_vgg16", "lab2_scenes", "lab3_bees_ants", "lab4_captioning")


class UnknownName(LookupError):
    """A lab or exercise that does not exist; the message names the nearest ones."""


def lab_name(prefix: str) -> str:
    """The full name of the lab that ``prefix`` (``lab1``, ``lab1_vgg16``) stands for."""
    found = [name for name in LABS if name == prefix] or [name for name in LABS if prefix and name.startswith(prefix)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownName(f"{prefix!r} stands for several labs: {', '.join(found)}; give more of the name")
    nearest = difflib.get_close_matches(prefix, [*LABS, *(name.split("_")[0] for name in LABS)], n=1, cutoff=0.5)
    guess = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise UnknownName(f"there is no lab {prefix!r}; {guess}The labs are: {', '.join(LABS)}")


def load_lab(prefix: str) -> Lab:
    """The lab that ``prefix`` stands for, with its exercises."""
    return importlib.import_module(f"captionlab.exercises.{lab_name(prefix)}").lab


def find_exercise(name: str, lab: Lab | None = None) -> Exercise:
    """The exercise of that name, in ``lab`` or in whichever lab it is."""
    labs = [lab] if lab else [load_lab(each) for each in LABS]
    exercises = {exercise.name: exercise for each in labs for exercise in each.exercises.values()}
    if name in exercises:
        return exercises[name]
    nearest = difflib.get_close_matches(name, exercises, n=1, cutoff=0.4)
    guess = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise UnknownName(f"there is no exercise {name!r}; {guess}The exercises are: {', '.join(exercises)}")
