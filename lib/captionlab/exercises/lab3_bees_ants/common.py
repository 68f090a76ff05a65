"""The lab itself, what its probes draw their cases with, and what they read off a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from captionlab.grading.exercise import Lab
from captionlab.grading.probe_helpers import outcome_of

# The package holds the lab as `lab`, so that importing it is importing the whole lab.
lab = Lab("lab3_bees_ants", title="Fine-tuning on bees and ants", package=__package__)


def draw(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number from ``low`` to ``high``, both included."""
    return int(rng.integers(low, high + 1))


def draw_different(rng: np.random.Generator, low: int, high: int, count: int) -> list[int]:
    """``count`` different whole numbers from ``low`` to ``high``, both included, in random order."""
    return [int(number) for number in rng.permutation(np.arange(low, high + 1))[:count]]


def draw_images(rng: np.random.Generator, count: int, size: int = 8) -> torch.Tensor:
    """Normally distributed float32 numbers, (count, 3, size, size)."""
    return torch.from_numpy(rng.standard_normal((count, 3, size, size)).astype(np.float32))


def draw_labels(rng: np.random.Generator, count: int, classes: int) -> torch.Tensor:
    """A class for each of ``count`` images, int64; of the first ones, each class comes up."""
    return torch.from_numpy(rng.permutation(np.arange(count) % classes))


@contextmanager
def torch_seed(seed: int) -> Iterator[None]:
    """Seed torch's own generator inside, and leave it as it was: what is drawn inside repeats itself."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def run(model: nn.Module, images: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """The output for a copy of ``images``; dropout that is active drops the same values for the same seed."""
    with torch_seed(seed), torch.no_grad():
        return model(images.clone())


def error_of(function: Callable, *args: Any, **kwargs: Any) -> str | None:
    """``"raises ValueError"`` where the call raises, else None: for functions whose result does not count."""
    outcome = outcome_of(function, *args, **kwargs)
    return outcome if isinstance(outcome, str) else None


def trainable(module: nn.Module) -> list[bool]:
    """Of each parameter, whether it requires a gradient."""
    return [parameter.requires_grad for parameter in module.parameters()]


def modes(model: nn.Module) -> list[str]:
    """The mode of each layer that has one to speak of: containers have no behavior of their own.

    Such as ``["bn1 evaluation", "fc training"]``: a list that says which layer is meant.
    """
    return [
        f"{name} {'training' if layer.training else 'evaluation'}"
        for name, layer in model.named_modules()
        if not list(layer.children()) and not isinstance(layer, (nn.ReLU, nn.Flatten, nn.MaxPool2d))
    ]


def statistics(model: nn.Module) -> torch.Tensor:
    """All running means, variances and counts of the batch normalizations, copied into one row."""
    return torch.cat([buffer.detach().reshape(-1).float() for buffer in model.buffers()])


def weights(model: nn.Module) -> torch.Tensor:
    """All parameters, copied into one row."""
    return torch.cat([parameter.detach().reshape(-1) for parameter in model.parameters()])
