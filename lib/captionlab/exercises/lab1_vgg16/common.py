"""The lab itself, and helpers that draw random cases for its probes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from captionlab.exercises.drawing import draw_tensor
from captionlab.grading.exercise import Lab

# The package holds the lab as `lab`, so that importing it is importing the whole lab.
lab = Lab(
    "lab1_vgg16",
    title="Convolutional networks and VGG16",
    package=__package__,
    preload=("torchvision.transforms.v2", "matplotlib.pyplot"),
)


def fit(positions: int, kernel: int, stride: int, padding: int, left_over: int = 0) -> int:
    """The input size for which the kernel has ``positions`` positions and ``left_over`` pixels remain."""
    return (positions - 1) * stride + kernel + left_over - 2 * padding


def of_both_sides(size: str) -> dict[str, str]:
    """Edits of a reference that compute the height and the width of an output in another way."""
    right = "({side} + 2 * padding - kernel) // stride + 1"
    return {right.format(side=side): size.format(side=side) for side in ("height", "width")}


def split_shape(label: str, shape: Sequence[int], weight: float = 2) -> Iterator[tuple]:
    """Yield two checks of an output shape, its channels and its sides: they go wrong for different reasons."""
    channels, *sides = shape
    yield f"{label}: channels", channels
    yield f"{label}: height and width", tuple(sides), weight


def add_pairs(exercise: str, *pairs: tuple[str, str]) -> None:
    """Make two mistakes at once other spellings of the first of each pair: real answers seldom hold one alone.

    Args:
        exercise: name of an exercise of this lab.
        pairs: of every group, names of misconceptions stated as edits, separated by spaces; each of the first names is
            combined with each of the second.
    """
    known = lab.exercises[exercise]
    for firsts, seconds in pairs:
        for first in firsts.split():
            for second in seconds.split():
                one, other = known.misconceptions[first], known.misconceptions[second]
                imports = "\n".join(filter(None, (one.imports, other.imports)))
                pair = replace(one, name=f"{first}__and__{second}", edits={**one.edits, **other.edits}, imports=imports)
                known.other_spellings[pair.name] = (first, pair)


def draw_linear(rng: np.random.Generator, inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    """A linear layer with random weights, and random biases if it has any."""
    dense = nn.Linear(inputs, outputs, bias=bias)
    with torch.no_grad():
        dense.weight.copy_(draw_tensor(rng, outputs, inputs, scale=inputs**-0.5))
        if bias:
            dense.bias.copy_(draw_tensor(rng, outputs))
    return dense
