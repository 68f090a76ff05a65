"""What the tests of other right answers share: seeds, the notebook's names, a careless student."""

from __future__ import annotations

import ast
import copy
import textwrap
from collections.abc import Callable

import torch

from captionlab.grading.exercise import Exercise, grading_seed
from captionlab.grading.judge import Expectation, expect

_EXPECTED: dict[tuple[str, str, int], Expectation] = {}


def seeds(exercise: Exercise, count: int = 6) -> list[int]:
    """Of some students under some secret."""
    return [grading_seed(b"alternatives", exercise, str(number)) for number in range(count)]


def expected(exercise: Exercise, seed: int) -> Expectation:
    """As `captionlab.grading.judge.expect`, computed once: many answers are compared with it."""
    key = (exercise.lab, exercise.name, seed)
    if key not in _EXPECTED:
        _EXPECTED[key] = expect(exercise, seed)
    return _EXPECTED[key]


def in_the_notebook(source: str, name: str, given: dict) -> Callable:
    """What a definition's source gives on its own, under a name, with the names of the notebook's first cell."""
    definition = ast.parse(textwrap.dedent(source)).body[0]
    definition.decorator_list.clear()
    definition.name = name
    namespace = dict(given)
    code = compile(ast.Module([definition], []), "the notebook", "exec", dont_inherit=True)
    exec(code, namespace)
    return namespace[name]


def spoils_its_arguments(implementation: Callable) -> Callable:
    """The implementation, with a student's carelessness: what it was given is overwritten afterwards."""

    def spoil(*args, **kwargs):
        result = copy.deepcopy(implementation(*args, **kwargs))
        for argument in (*args, *kwargs.values()):
            if isinstance(argument, torch.Tensor):
                argument.fill_(float("nan") if argument.is_floating_point() else 0)
            elif isinstance(argument, list):
                argument.clear()
        return result

    return spoil
