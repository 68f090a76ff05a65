"""The lab itself, and what only its probes draw their cases with."""

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
    preload=("torchvision", "nltk.translate.bleu_score", "matplotlib.pyplot"),
)

PAD, START, END, UNK = 0, 1, 2, 3
SPECIALS = ["<pad>", "<start>", "<end>", "<unk>"]
NOUNS = ("dog", "cat", "man", "woman", "child", "bird", "horse", "boy", "girl", "surfer", "climber", "puppy")
COLORS = ("red", "blue", "green", "brown", "white", "black", "yellow", "orange", "pink", "gray")
PLACES = ("beach", "street", "snow", "forest", "field", "park", "mountain", "lake", "river", "yard")


def draw_words(rng: np.random.Generator, words: tuple[str, ...], count: int) -> list[str]:
    """``count`` different words, in random order."""
    return [words[at] for at in draw_different(rng, 0, len(words) - 1, count)]


def draw_captions(rng: np.random.Generator, lengths: list[int], vocab_size: int = 30, pad: int = PAD) -> torch.Tensor:
    """Captions as token ids, int64, (captions, longest): <start>, words, <end> (``lengths`` in all), padding."""
    rows = []
    for length in lengths:
        words = [draw(rng, 4, vocab_size - 1) for _ in range(length - 2)]
        rows.append([START, *words, END, *[pad] * (max(lengths) - length)])
    return torch.tensor(rows)


def modes(module: nn.Module) -> list[str]:
    """The mode of each layer that behaves differently in training: ``["0.1 evaluation", "1.0 training"]``."""
    return [
        f"{name} {'training' if layer.training else 'evaluation'}"
        for name, layer in module.named_modules()
        if isinstance(layer, (nn.BatchNorm2d, nn.Dropout))
    ]
