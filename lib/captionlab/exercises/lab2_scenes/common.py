"""The lab itself, and what its probes draw their cases with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from captionlab.grading.exercise import Lab

# The package holds the lab as `lab`, so that importing it is importing the whole lab.
lab = Lab(
    "lab2_scenes",
    title="Deep features and linear SVMs on 15 scenes",
    package=__package__,
    preload=("torchvision", "matplotlib.pyplot", "tqdm", "sklearn.cluster"),
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


def draw_weights(rng: np.random.Generator, model: nn.Module) -> nn.Module:
    """Give every weight, bias and batch statistic of a small network a drawn value; the network in evaluation mode."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(0.5 + draw_tensor(rng, *tensor.shape).abs())
            elif tensor.ndim > 1:
                tensor.copy_(draw_tensor(rng, *tensor.shape, scale=1.4 * tensor[0].numel() ** -0.5))
            elif tensor.is_floating_point():
                tensor.copy_(draw_tensor(rng, *tensor.shape, scale=0.4, mean=name.endswith("bn.weight")))
    return model.eval()


@contextmanager
def torch_seed(seed: int) -> Iterator[None]:
    """Seed torch's own generator inside, and leave it as it was: what a student draws by mistake repeats itself."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def run(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The output for a copy of ``images``; dropout that is active by mistake drops the same values every time."""
    with torch_seed(0), torch.no_grad():
        return model(images.clone())


def modes(model: nn.Module) -> list[bool]:
    """Which of a model's modules are in training mode."""
    return [module.training for module in model.modules()]


def needs_gradient(value: Any) -> bool:
    """Whether gradients would flow back from ``value``."""
    return bool(getattr(value, "requires_grad", False))
