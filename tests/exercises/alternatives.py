"""What the tests of other right answers share: what is checked of each, seeds, the notebook's names."""

from __future__ import annotations

import ast
import copy
import inspect
import re
import textwrap
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from captionlab.grading.comparison import matches, same_result
from captionlab.grading.exercise import Exercise, Lab, grading_seed
from captionlab.grading.expectation import Expectation, expect
from captionlab.grading.judge import judge
from captionlab.grading.observation import observe
from captionlab.grading.verdict import Verdict
from captionlab.grading.watching import ARGUMENTS
from captionlab.workbook.stub import starter_source

_EXPECTED: dict[tuple[str, str, int], Expectation] = {}


def first_cell(lab: str) -> dict:
    """The names that the first cell of a lab's notebook gives, without the library, which graded code cannot import."""
    text = Path(__file__).parents[2] / "solutions" / lab / f"{lab}.md"
    code = text.read_text("utf-8").partition("```python\n")[2].partition("```")[0]
    names: dict = {}
    exec("\n".join(line for line in code.splitlines() if "captionlab" not in line), names)
    return names


def seeds(exercise: Exercise, count: int = 3) -> list[int]:
    """Of some students under some secret."""
    return [grading_seed(b"alternatives", exercise, str(number)) for number in range(count)]


def expected(exercise: Exercise, seed: int) -> Expectation:
    """As `captionlab.grading.judge.expect`, computed once: many answers are compared with it."""
    key = (exercise.lab, exercise.name, seed)
    if key not in _EXPECTED:
        _EXPECTED[key] = expect(exercise, seed)
    return _EXPECTED[key]


def check_alternatives(exercise: Exercise, alternatives: list[Callable]) -> None:
    """A new exercise may be without another right answer for a while; that is shown, not hidden."""
    if not any(one.__name__.partition("__")[0] == exercise.name for one in alternatives):
        pytest.skip(f"{exercise.name} has no other right answer here yet: write one, to see that the probe accepts it")


def in_the_notebook(source: str, name: str, given: dict) -> Callable:
    """What a definition's source gives on its own, under a name, with the names of the notebook's first cell."""
    *imports, definition = ast.parse(textwrap.dedent(source)).body
    definition.decorator_list.clear()
    definition.name = name
    namespace = dict(given)
    code = compile(ast.Module([*imports, definition], []), "the notebook", "exec", dont_inherit=True)
    exec(code, namespace)
    return namespace[name]


def spoils_its_arguments(implementation: Callable) -> Callable:
    """The implementation, with a student's carelessness: what it was given is overwritten afterwards."""

    def spoil(*args, **kwargs):
        result = implementation(*args, **kwargs)
        if any(isinstance(one, torch.Tensor) and one.requires_grad for one in (*args, *kwargs.values())):
            return result  # whoever asks for a gradient still needs them
        result = copy.deepcopy(result)
        for argument in (*args, *kwargs.values()):
            if isinstance(argument, torch.Tensor):
                argument.fill_(float("nan") if argument.is_floating_point() else 0)
            elif isinstance(argument, list):
                argument.clear()
        return result

    return spoil


def judged(exercise: Exercise, implementation: Callable, seed: int) -> Verdict:
    """The verdict on one seed."""
    return judge(expected(exercise, seed), observe(exercise, implementation, seed))


def check_all_points(lab: Lab, implementation: Callable, count: int = 3) -> None:
    """A right answer, named after its exercise and, after two underscores, its way, loses nothing on any seed."""
    exercise = lab.exercises[implementation.__name__.partition("__")[0]]
    for seed in seeds(exercise, count):
        verdict = judged(exercise, implementation, seed)
        assert verdict.points == exercise.points, f"seed {seed}: {verdict}"


def check_careless(exercise: Exercise) -> None:
    """A student's carelessness with the arguments does not reach what the probe asks next: only itself is seen."""
    spoiling = spoils_its_arguments(exercise.load_reference())
    for seed in seeds(exercise)[:2]:
        *others, arguments = expected(exercise, seed).reference.observations
        right = matches(exercise, expected(exercise, seed).reference, observe(exercise, spoiling, seed))
        assert arguments.label == ARGUMENTS
        assert right[: len(others)] == list(range(len(others)))


def check_reference(exercise: Exercise, given: dict) -> None:
    """The reference needs no other names than the notebook gives."""
    reference = in_the_notebook(inspect.getsource(exercise.load_reference()), exercise.name, given)
    assert judged(exercise, reference, seeds(exercise)[0]).outcome == "right"


def helpers(module: types.ModuleType) -> dict:
    """What misconceptions of one file share: functions, classes and constants a student would have written out."""
    values = vars(module)
    return {name: value for name, value in values.items() if re.match("_[A-Za-z]|right_|copy$|[A-Z]+$", name)}


def check_misconceptions(exercise: Exercise, given: dict) -> None:
    """Misconceptions need no other names either, those apart that the ones of a file share."""
    expectation = expected(exercise, seeds(exercise)[0])
    for name, observed in expectation.misconceptions.items():
        wrong = exercise.misconceptions[name]
        misconception = in_the_notebook(wrong.source, exercise.name, given | helpers(wrong.module))
        assert same_result(exercise, observed, observe(exercise, misconception, expectation.seed)), name


def check_starter(exercise: Exercise, given: dict) -> None:
    """The code that a bug is to be found in runs, earns nothing, and is recognized."""
    code = in_the_notebook(starter_source(exercise), exercise.name, given)
    for seed in seeds(exercise):
        verdict = judged(exercise, code, seed)
        assert (verdict.points, verdict.outcome, verdict.misconceptions) == (0, "wrong", (exercise.starter,))
