"""The lab itself, and helpers that draw random cases for its probes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from torch import nn

from captionlab.exercises.drawing import draw_tensor
from captionlab.grading.exercise import Lab

# The package holds the lab as `lab`, so that importing it is importing the whole lab.
lab = Lab(
    "lab2_scenes",
    title="Deep features and linear SVMs on 15 scenes",
    package=__package__,
    preload=("torchvision", "matplotlib.pyplot", "tqdm", "sklearn.cluster"),
)


def draw_weights(rng: np.random.Generator, model: nn.Module) -> nn.Module:
    """Fill all weights, biases and batch statistics of a small network with random values; set evaluation mode."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(0.5 + draw_tensor(rng, *tensor.shape).abs())
            elif tensor.ndim > 1:
                tensor.copy_(draw_tensor(rng, *tensor.shape, scale=1.4 * tensor[0].numel() ** -0.5))
            elif tensor.is_floating_point():
                tensor.copy_(draw_tensor(rng, *tensor.shape, scale=0.4, mean=name.endswith("bn.weight")))
    return model.eval()


def modes(model: nn.Module) -> list[str]:
    """For each of a model's modules, its name and mode."""
    named = [(name or "the network itself", module.training) for name, module in model.named_modules()]
    return [f"{name}: {'training' if training else 'evaluation'}" for name, training in named]


def gradient_history(value: Any) -> str:
    """Whether gradients would flow back from ``value``."""
    return "requires gradients" if getattr(value, "requires_grad", False) else "no gradient history"


class SharedLog(list):
    """A list shared by copies of a network, so that calls of a copy are recorded as well."""

    def __deepcopy__(self, memo: dict) -> Self:
        return self
