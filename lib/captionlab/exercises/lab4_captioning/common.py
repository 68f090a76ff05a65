"""The lab itself, and what its probes draw their cases with."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from captionlab.grading.exercise import Lab

# The package holds the lab as `lab`, so that importing it is importing the whole lab.
lab = Lab(
    "lab4_captioning",
    title="Show, Attend and Tell",
    package=__package__,
    module_filename="captioning.py",
    preload=("nltk.translate.bleu_score", "matplotlib.pyplot"),
)

PAD, START, END, UNK = 0, 1, 2, 3
SPECIALS = ["<pad>", "<start>", "<end>", "<unk>"]
NOUNS = ("dog", "cat", "man", "woman", "child", "bird", "horse", "boy", "girl", "surfer", "climber", "puppy")
COLORS = ("red", "blue", "green", "brown", "white", "black", "yellow", "orange", "pink", "gray")
PLACES = ("beach", "street", "snow", "forest", "field", "park", "mountain", "lake", "river", "yard")


def draw(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number from ``low`` to ``high``, both included."""
    return int(rng.integers(low, high + 1))


def draw_different(rng: np.random.Generator, low: int, high: int, count: int) -> list[int]:
    """``count`` different whole numbers from ``low`` to ``high``, both included, in random order."""
    return [int(number) for number in rng.permutation(np.arange(low, high + 1))[:count]]


def draw_words(rng: np.random.Generator, words: tuple[str, ...], count: int) -> list[str]:
    """``count`` different words, in random order."""
    return [words[at] for at in draw_different(rng, 0, len(words) - 1, count)]


def draw_tensor(rng: np.random.Generator, *shape: int, scale: float = 1.0, mean: float = 0.0) -> torch.Tensor:
    """Normally distributed float32 numbers."""
    return torch.from_numpy((rng.standard_normal(shape) * scale + mean).astype(np.float32))


def draw_weights(rng: np.random.Generator, module: nn.Module, scale: float = 1.0) -> nn.Module:
    """Overwrite all weights of a module with drawn ones, large enough for its outputs to differ; evaluation mode."""
    with torch.no_grad():
        for parameter in module.parameters():
            size = parameter[0].numel() if parameter.dim() > 1 else 1
            parameter.copy_(draw_tensor(rng, *parameter.shape, scale=scale * size**-0.5))
    return module.eval()


@contextmanager
def torch_seed(seed: int) -> Iterator[None]:
    """Seed torch's own generator inside, and leave it as it was: what is drawn inside repeats itself."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def run(module: nn.Module, *inputs: torch.Tensor):
    """The output for copies of the inputs, without gradients; active dropout drops the same values every time."""
    with torch_seed(0), torch.no_grad():
        return module(*(one.clone() for one in inputs))


def on_copies(function: Callable) -> Callable:
    """The function, given copies of its tensors, lists and dicts: what it does to them does not reach the next case."""

    def copied(argument):
        return copy.deepcopy(argument) if isinstance(argument, (torch.Tensor, list, tuple, dict)) else argument

    def call(*args, **kwargs):
        return function(*map(copied, args), **{name: copied(argument) for name, argument in kwargs.items()})

    return call


def modes(module: nn.Module) -> list[str]:
    """The mode of each layer that has one to speak of, such as ``["0.1 evaluation", "1.0 training"]``."""
    return [
        f"{name} {'training' if layer.training else 'evaluation'}"
        for name, layer in module.named_modules()
        if isinstance(layer, (nn.BatchNorm2d, nn.Dropout))
    ]


def numbers_of_captions(rng: np.random.Generator, lengths: list[int], words: int = 30, pad: int = PAD) -> torch.Tensor:
    """Captions as numbers, int64: <start>, words, <end> (``lengths`` in all), then padding; (captions, longest)."""
    rows = []
    for length in lengths:
        inside = [draw(rng, 4, words - 1) for _ in range(length - 2)]
        rows.append([START, *inside, END, *[pad] * (max(lengths) - length)])
    return torch.tensor(rows)
