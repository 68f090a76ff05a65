"""The labs: which references are exercises, with their probes, points and misconceptions.

Each folder beside this file is a lab, and each file in it may hold exercises; nothing lists either. The lab's package
holds the :class:`~captionlab.grading.exercise.Lab` as ``lab`` and calls :func:`load_exercises`.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.resources
import pkgutil
import sys

from captionlab.grading.exercise import Exercise, Lab

LABS = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg))
ORDER_FILE = "order.txt"  # in the lab's package: its exercises in the order of the lab's text, made by the build


class UnknownName(LookupError):
    """A lab or exercise that does not exist; the message names the nearest ones."""


class AmbiguousName(UnknownName):
    """A short name that could be any of several labs; the message lists them."""


def load_exercises(lab: Lab) -> None:
    """Import all files of a lab's package and put the exercises they define in the order of the lab's text.

    The order is read from the package, because the text is not there where submissions are graded. Exercises that the
    lab's text did not mark when it was last built come last.

    Args:
        lab: gains the exercises.
    """
    package = importlib.import_module(lab.package)
    try:
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{lab.package}.{module.name}")
    except Exception:
        for name in [name for name in sys.modules if name.startswith(f"{lab.package}.")]:
            del sys.modules[name]  # else a second import would find exercises twice, and hide this error
        raise
    order = read_order(lab)
    position = {name: at for at, name in enumerate(order)}
    names = sorted(lab.exercises, key=lambda name: position.get(name, len(order)))
    lab.exercises = {name: lab.exercises[name] for name in names}


def read_order(lab: Lab) -> list[str]:
    """Names of a lab's exercises in the order of its text as of the last build; empty if it was never built."""
    file = importlib.resources.files(lab.package) / ORDER_FILE
    if not file.is_file():
        return []
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def lab_name(short: str) -> str:
    """The full name of the lab that ``short`` stands for.

    Args:
        short: the lab's name, or what is enough to identify it: the beginning of the name or of a word in it, in upper
            or lower case, or the lab's number (``lab1_vgg16``, ``LAB1``, ``vgg``, ``1``).

    Raises:
        UnknownName: no lab matches.
        AmbiguousName: several labs match.
    """
    wanted = short.lower()
    matches = [
        [name for name in LABS if name == wanted],
        [name for name in LABS if name.startswith(wanted)],
        [name for name in LABS if name.removeprefix("lab").startswith(wanted)],
        [name for name in LABS if any(word.startswith(wanted) for word in name.split("_"))],
    ]
    found = next((names for names in matches if names and wanted), [])
    if len(found) == 1:
        return found[0]
    if found:
        raise AmbiguousName(f"{short!r} could be any of {', '.join(found)}; give more of the name")
    nearest = difflib.get_close_matches(wanted, [*LABS, *(name.split("_")[0] for name in LABS)], n=1, cutoff=0.5)
    guess = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise UnknownName(f"there is no lab {short!r}; {guess}The labs are: {', '.join(LABS)}")


def load_lab(short: str) -> Lab:
    """The lab that ``short`` stands for (see :func:`lab_name`), with its exercises."""
    lab: Lab = importlib.import_module(f"captionlab.exercises.{lab_name(short)}").lab
    return lab


def find_exercise(name: str, lab: Lab | None = None) -> Exercise:
    """The exercise of that name, in ``lab`` or in any lab.

    Raises:
        UnknownName: there is none; names the nearest one.
    """
    labs = [lab] if lab else [load_lab(each) for each in LABS]
    exercises = {exercise.name: exercise for each in labs for exercise in each.exercises.values()}
    if name in exercises:
        return exercises[name]
    nearest = difflib.get_close_matches(name, exercises, n=1, cutoff=0.4)
    guess = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise UnknownName(f"there is no exercise {name!r}; {guess}The exercises are: {', '.join(exercises)}")
