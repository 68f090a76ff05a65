"""The lab itself, what its probes draw, and what they observe of a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from captionlab.exercises.drawing import draw_tensor
from captionlab.grading.exercise import Lab
from captionlab.grading.probe_helpers import outcome_of

# The package holds the lab as `lab`, so that importing it is importing the whole lab.
lab = Lab(
    "lab3_bees_ants",
    title="Fine-tuning on bees and ants",
    package=__package__,
    preload=("torchvision.transforms.v2", "safetensors.torch", "matplotlib.pyplot"),
)


def draw_images(rng: np.random.Generator, count: int, size: int = 8) -> torch.Tensor:
    """Normally distributed float32 numbers, ``(count, 3, size, size)``."""
    return draw_tensor(rng, count, 3, size, size)


def draw_labels(rng: np.random.Generator, count: int, classes: int) -> torch.Tensor:
    """A class for each of ``count`` images, int64; every class occurs if there are enough images."""
    return torch.from_numpy(rng.permutation(np.arange(count) % classes))


def error_of(function: Callable, *args: Any, **kwargs: Any) -> str | None:
    """``"raises ValueError"`` if the call raises, else None: for functions whose result does not count."""
    outcome = outcome_of(function, *args, **kwargs)
    return outcome if isinstance(outcome, str) else None


def trainable(module: nn.Module) -> list[str]:
    """For each parameter, whether it requires a gradient, such as ``["fc.weight trainable", "fc.bias frozen"]``."""
    return [
        f"{name} {'trainable' if parameter.requires_grad else 'frozen'}"
        for name, parameter in module.named_parameters()
    ]


def modes(model: nn.Module) -> list[str]:
    """The mode of each layer whose behavior depends on it or that has parameters; containers have none of their own.

    Such as ``["bn1 evaluation", "fc training"]``: the list names the layers.
    """
    return [
        f"{name} {'training' if layer.training else 'evaluation'}"
        for name, layer in model.named_modules()
        if not list(layer.children()) and not isinstance(layer, (nn.ReLU, nn.Flatten, nn.MaxPool2d))
    ]


def statistics(model: nn.Module) -> torch.Tensor:
    """All running means, variances and batch counts of the batch normalizations, copied into one vector."""
    return torch.cat([buffer.detach().reshape(-1).float() for buffer in model.buffers()])


def weights(model: nn.Module) -> torch.Tensor:
    """All parameters, copied into one vector."""
    return torch.cat([parameter.detach().reshape(-1) for parameter in model.parameters()])
