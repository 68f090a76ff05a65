"""A lab of three exercises for tests of the engine; its references are here, next to the probes."""

from __future__ import annotations

import numpy as np
import torch

from captionlab.grading.exercise import Lab

lab = Lab("toy", "A toy lab", package="toy_lab", module_filename="answers.py")


def add(a, b):
    """The sum of two numbers."""
    return a + b


@lab.exercise("toy_lab:add", points=2, minutes=1)
def probe_add(add, rng):
    for _ in range(4):
        a, b = (int(n) for n in rng.integers(10, 1000, 2))
        yield f"a = {a}, b = {b}", add(a, b)


@lab.misconception("add", hint="That is the difference: look at the sign.")
def subtracts(a, b):
    return a - b


@lab.misconception("add", hint="The second number is counted twice.")
def adds_twice(a, b):
    return a + 2 * b


def center(values):
    """Values less their mean, shape (n,)."""
    return values - values.mean()


@lab.exercise("toy_lab:center", points=3, minutes=1)
def probe_center(center, rng):
    for size in (3, 5):
        values = torch.from_numpy(rng.standard_normal(size).astype(np.float32) + 3)
        yield f"{size} values", center(values)


@lab.misconception("center", hint="Subtract the mean, do not divide by it.")
def divides(values):
    return values / values.mean()


@lab.misconception("center", hint="The median is not the mean.")
def takes_the_median(values):
    return values - values.median() - 1


def halves(number):
    """Half of an even number."""
    if number % 2:
        raise ValueError("odd")
    return number // 2


@lab.exercise("toy_lab:halves", points=1, minutes=1)
def probe_halves(halves, rng):
    from captionlab.grading.probe_helpers import outcome_of

    for _ in range(3):
        number = 2 * int(rng.integers(100, 1000))
        yield f"number {number}", halves(number)
    yield "number 7", outcome_of(halves, 7)


@lab.misconception("halves", hint="An odd number must raise ValueError.")
def halves_odd(number):
    return number // 2


@lab.misconception("halves", hint="Half, not double.")
def doubles(number):
    if number % 2:
        raise ValueError("odd")
    return number * 2
