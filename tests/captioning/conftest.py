"""A captioning task small enough to learn in a second: the features say which words are right."""

from __future__ import annotations

import pytest
import torch

from captionlab.captioning import datasets
from captionlab.captioning.caption_dataset import CaptionDataset
from captionlab.captioning.vocabulary import Vocabulary

NOUNS, COLORS = ("dog", "cat", "bird", "fish"), ("red", "blue", "green")


class ToyFeatures:
    """Features in memory: one of four positions holds the object, the others hold noise."""

    variants = ("original",)

    def __init__(self, rows: torch.Tensor) -> None:
        self.rows = rows

    def batch(self, indices, variants=0):
        return (self.rows[torch.as_tensor(indices)].unflatten(1, (2, 2)),)  # one grid of 2x2 cells


@pytest.fixture(scope="module")
def data_home(tmp_path_factory, request):
    """A folder for data, and as many drawn images as the test file's COUNTS says, for all tests of the file."""
    folder = tmp_path_factory.mktemp("captions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPTIONLAB_DATA", str(folder / "data"))
        patch.setattr(datasets, "EMBEDDED_COUNTS", request.module.COUNTS)
        yield folder


@pytest.fixture
def toy():
    """Vocabulary, training and dev split of 60 images with two captions each."""
    generator = torch.Generator().manual_seed(0)
    count = 60
    nouns = torch.randint(4, (count,), generator=generator)
    colors = torch.randint(3, (count,), generator=generator)
    rows = 0.1 * torch.randn(count, 4, 7, generator=generator)
    positions = torch.randint(4, (count,), generator=generator)
    rows[torch.arange(count), positions, nouns] += 3
    rows[torch.arange(count), positions, 4 + colors] += 3
    captions = [
        [["a", COLORS[color], NOUNS[noun]], ["there", "is", "a", COLORS[color], NOUNS[noun]]]
        for noun, color in zip(nouns.tolist(), colors.tolist(), strict=True)
    ]
    vocabulary = Vocabulary.from_captions(caption for each in captions for caption in each)
    names = [f"{number}.png" for number in range(count)]
    train, dev = (
        CaptionDataset.from_captions(names[part], captions[part], ToyFeatures(rows[part]), vocabulary, 12)
        for part in (slice(48), slice(48, None))
    )
    return vocabulary, train, dev
