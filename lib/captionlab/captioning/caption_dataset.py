"""The captions of a split as numbers, beside the rows of the grids they belong to, dealt out in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from captionlab.captioning.vocabulary import Vocabulary


class FeatureSource(Protocol):
    """Where grids come from."""

    variants: tuple[str, ...]

    def batch(self, numbers: Sequence[int], variants: Sequence[int] | int = 0) -> Tensor:
        """Grids (numbers, positions, channels), float32."""
        ...


@dataclass(frozen=True)
class CaptionDataset:
    """Images with their captions.

    Attributes:
        names: of the images.
        source: of their grids.
        numbers: (images,), int64: the rows of the images in the source.
        encoded: (images, captions, length), int64: <start> to <end>, then <pad>; rows of <pad> where an image has
            fewer captions than another.
        references: the words of each image's captions, neither cut nor replaced by <unk>: what BLEU compares with.
    """

    names: tuple[str, ...]
    source: FeatureSource
    numbers: np.ndarray
    encoded: Tensor
    references: list[list[list[str]]]

    def __len__(self) -> int:
        return len(self.names)

    def batch(self, images: Sequence[int] | slice, variants: Sequence[int] | int = 0) -> Tensor:
        """What the source has of some of the images, by number."""
        return self.source.batch(self.numbers[images], variants)


def caption_set(
    names: Sequence[str],
    captions: Sequence[Sequence[Sequence[str]]],
    source: FeatureSource,
    vocabulary: Vocabulary,
    longest: int,
) -> CaptionDataset:
    """Encode the captions of some images.

    Args:
        names: of the images.
        captions: of each image, as words.
        source: of the images, a row each in the same order.
        longest: longer captions are cut to this many numbers, <start> and <end> among them.

    Raises:
        ValueError: if there is no image, or one has no caption with a word in it.
    """
    if not names:
        raise ValueError("there are no images in this part of the corpus: give at least one with a caption")
    references = [[caption for caption in each if caption] for each in captions]
    without = [name for name, each in zip(names, references, strict=True) if not each]
    if without:
        raise ValueError(f"{len(without)} images have no caption with a word in it, first {without[0]}: leave them out")
    length = min(longest, max(len(caption) for each in references for caption in each) + 2)
    encoded = torch.zeros(len(names), max(map(len, references)), length, dtype=torch.int64)
    for image, each in enumerate(references):
        for place, caption in enumerate(each):
            encoded[image, place] = torch.tensor(vocabulary.encode(caption, length))
    return CaptionDataset(tuple(names), source, np.arange(len(names)), encoded, references)


def batches(captions: CaptionDataset, size: int, seed: int, epoch: int) -> Iterator[tuple[np.ndarray, ...]]:
    """The images of an epoch in random order, all captions of an image together.

    Args:
        size: images a batch.
        seed, epoch: the order depends on these alone, so an epoch can be gone through again.

    Yields:
        (images, variants): numbers of the images in the caption set, and of the variant drawn for each; both (batch,).
    """
    draw = np.random.default_rng([seed, epoch])
    order = draw.permutation(len(captions))
    chosen = draw.integers(len(captions.source.variants), size=len(captions))
    for start in range(0, len(order), size):
        yield order[start : start + size], chosen[start : start + size]
