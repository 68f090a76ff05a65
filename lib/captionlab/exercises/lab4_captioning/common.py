"""The lab itself, and what its probes draw their cases with."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_different
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


def draw_words(rng: np.random.Generator, words: tuple[str, ...], count: int) -> list[str]:
    """``count`` different words, in random order."""
    return [words[at] for at in draw_different(rng, 0, len(words) - 1, count)]


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
