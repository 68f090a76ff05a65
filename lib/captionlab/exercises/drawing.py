"""What the probes of all labs draw their cases with, and how they run what students built."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def draw(rng: np.random.Generator, low: int, high: int) -> int:
    """An integer from ``low`` to ``high``, both included."""
    return int(rng.integers(low, high + 1))


def draw_different(rng: np.random.Generator, low: int, high: int, count: int) -> list[int]:
    """``count`` different integers from ``low`` to ``high``, both included, in random order."""
    return [int(number) for number in rng.permutation(np.arange(low, high + 1))[:count]]


def draw_tensor(rng: np.random.Generator, *shape: int, scale: float = 1.0, mean: float = 0.0) -> torch.Tensor:
    """Normally distributed float32 numbers."""
    return torch.from_numpy((rng.standard_normal(shape) * scale + mean).astype(np.float32))


def draw_weights(rng: np.random.Generator, module: Module, scale: float = 1.0) -> Module:
    """Overwrite all parameters of a module, and switch it to evaluation mode.

    The values drawn are large enough for the module's outputs to differ. Buffers keep their values.
    """
    with torch.no_grad():
        for parameter in module.parameters():
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 1
            parameter.copy_(draw_tensor(rng, *parameter.shape, scale=scale * fan_in**-0.5))
    return module.eval()


@contextmanager
def torch_seed(seed: int) -> Iterator[None]:
    """Seed torch's global generator inside and restore it afterwards, so that what is drawn inside is reproducible."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def run(module: nn.Module, *inputs: torch.Tensor, seed: int = 0) -> Any:
    """The output for copies of the inputs, without gradients; active dropout drops the same values for a seed."""
    with torch_seed(seed), torch.no_grad():
        return module(*(one.clone() for one in inputs))


def on_copies(function: Callable) -> Callable:
    """The function, given copies of its tensors, lists and dicts: what it does to them never reaches the next case."""

    def copied(argument: Any) -> Any:
        return copy.deepcopy(argument) if isinstance(argument, (torch.Tensor, list, tuple, dict)) else argument

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*map(copied, args), **{name: copied(argument) for name, argument in kwargs.items()})

    return call
