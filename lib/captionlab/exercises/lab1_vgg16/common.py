"""The lab itself, and helpers that draw random cases for its probes."""

from __future__ import annotations

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


def draw_linear(rng: np.random.Generator, inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    """A linear layer with random weights, and random biases if it has any."""
    dense = nn.Linear(inputs, outputs, bias=bias)
    with torch.no_grad():
        dense.weight.copy_(draw_tensor(rng, outputs, inputs, scale=inputs**-0.5))
        if bias:
            dense.bias.copy_(draw_tensor(rng, outputs))
    return dense
