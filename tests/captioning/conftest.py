"""A captioning task small enough to learn in a second: the grid says which words are right."""

from __future__ import annotations

import pytest
import torch

from captionlab.captioning.caption_dataset import caption_set
from captionlab.captioning.vocabulary import Vocabulary

NOUNS, COLORS = ("dog", "cat", "bird", "fish"), ("red", "blue", "green")


class ToyGrids:
    """Grids in memory: one of four positions holds the thing, the others noise."""

    variants = ("plain",)

    def __init__(self, rows: torch.Tensor) -> None:
        self.rows = rows

    def batch(self, numbers, variants=0):
        return self.rows[torch.as_tensor(numbers)]


@pytest.fixture
def toy():
    """Vocabulary, training and dev set of 60 images with two captions each."""
    draw = torch.Generator().manual_seed(0)
    count = 60
    things = torch.randint(4, (count,), generator=draw)
    colors = torch.randint(3, (count,), generator=draw)
    rows = 0.1 * torch.randn(count, 4, 7, generator=draw)
    places = torch.randint(4, (count,), generator=draw)
    rows[torch.arange(count), places, things] += 3
    rows[torch.arange(count), places, 4 + colors] += 3
    captions = [
        [["a", COLORS[color], NOUNS[thing]], ["there", "is", "a", COLORS[color], NOUNS[thing]]]
        for thing, color in zip(things.tolist(), colors.tolist(), strict=True)
    ]
    vocabulary = Vocabulary.from_captions(caption for each in captions for caption in each)
    names = [f"{number}.png" for number in range(count)]
    train = caption_set(names[:48], captions[:48], ToyGrids(rows[:48]), vocabulary, 12)
    dev = caption_set(names[48:], captions[48:], ToyGrids(rows[48:]), vocabulary, 12)
    return vocabulary, train, dev
