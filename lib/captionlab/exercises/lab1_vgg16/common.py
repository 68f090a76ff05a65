"""The lab itself, and what its probes draw their cases with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from captionlab.grading.exercise import Lab

# The package holds the lab as `lab`, so that importing it is importing the whole lab.
lab = Lab(
    "lab1_vgg16",
    title="Convolutional networks and VGG16",
    package=__package__,
    preload=("torchvision", "matplotlib.pyplot"),
)


def draw(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number from ``low`` to ``high``, both included."""
    return int(rng.integers(low, high + 1))


def draw_different(rng: np.random.Generator, low: int, high: int, count: int) -> list[int]:
    """``count`` different whole numbers from ``low`` to ``high``, both included, in random order."""
    return [int(number) for number in rng.permutation(np.arange(low, high + 1))[:count]]


def draw_tensor(rng: np.random.Generator, *shape: int, scale: float = 1.0, mean: float = 0.0) -> torch.Tensor:
    """Normally distributed float32 numbers."""
    return torch.from_numpy((rng.standard_normal(shape) * scale + mean).astype(np.float32))


@contextmanager
def torch_seed(seed: int) -> Iterator[None]:
    """Seed torch's own generator inside, and leave it as it was: what a student draws by mistake repeats itself."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def run(layer: nn.Module, maps: torch.Tensor) -> torch.Tensor:
    """The output for a copy of ``maps``; dropout that is active by mistake drops the same values every time."""
    with torch_seed(0), torch.no_grad():
        return layer(maps.clone())


def draw_linear(rng: np.random.Generator, inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    """A linear layer with drawn weights, and biases where it has any."""
    dense = nn.Linear(inputs, outputs, bias=bias)
    with torch.no_grad():
        dense.weight.copy_(draw_tensor(rng, outputs, inputs, scale=inputs**-0.5))
        if bias:
            dense.bias.copy_(draw_tensor(rng, outputs))
    return dense
