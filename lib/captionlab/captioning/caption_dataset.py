"""The captions of a split as token ids, together with the features of their images, and their batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from captionlab.captioning.vocabulary import PAD, Vocabulary


class FeatureSource(Protocol):
    """Where the features of images come from."""

    @property
    def variants(self) -> Sequence[str]:
        """The names of the variants of each image, such as "original" and "hflip"."""

    def batch(
        self, indices: Sequence[int] | np.ndarray, variants: Sequence[int] | np.ndarray | int = 0
    ) -> tuple[Tensor, ...]:
        """The grids of some images, (images, height, width, channels), float32, for each input size of the encoder."""
        ...


@dataclass(frozen=True)
class CaptionDataset:
    """Images with their captions.

    Attributes:
        names: of the images.
        source: of their features, in the same order.
        token_ids: (images, captions, length), int64: <start> to <end>, then <pad>; rows of <pad> if an image has fewer
            captions than another.
        references: the words of each image's captions, neither cut nor replaced by <unk>: BLEU compares with them.
    """

    names: tuple[str, ...]
    source: FeatureSource
    token_ids: Tensor
    references: list[list[list[str]]]

    @classmethod
    def from_captions(
        cls,
        names: Sequence[str],
        captions: Sequence[Sequence[Sequence[str]]],
        source: FeatureSource,
        vocabulary: Vocabulary,
        max_length: int,
    ) -> CaptionDataset:
        """Encode the captions of some images.

        Args:
            names: of the images.
            captions: the captions of each image, as words.
            source: of the features, in the same order.
            vocabulary: gives the token ids.
            max_length: longer captions are cut to this many tokens, <start> and <end> included.

        Raises:
            ValueError: if there is no image, or an image has no caption with a word in it.
        """
        if not names:
            raise ValueError("this split has no images: give at least one with a caption")
        references = [[list(caption) for caption in each if caption] for each in captions]
        empty = [name for name, each in zip(names, references, strict=True) if not each]
        if empty:
            raise ValueError(f"{len(empty)} images have no caption with a word in it, first {empty[0]}: drop them")
        length = min(max_length, max(len(caption) for each in references for caption in each) + 2)
        token_ids = torch.full((len(names), max(map(len, references)), length), PAD, dtype=torch.int64)
        for image, each in enumerate(references):
            for row, caption in enumerate(each):
                token_ids[image, row] = torch.tensor(vocabulary.encode(caption, length))
        return cls(tuple(names), source, token_ids, references)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def captions_per_image(self) -> int:
        """The number of captions of the image that has the most."""
        return self.token_ids.shape[1]

    def grids(
        self, indices: Sequence[int] | np.ndarray | slice, variants: Sequence[int] | np.ndarray | int = 0
    ) -> tuple[Tensor, ...]:
        """The grids of some images, (images, height, width, channels), float32, for each input size of the encoder."""
        if isinstance(indices, slice):
            indices = range(len(self))[indices]
        return self.source.batch(indices, variants)


@dataclass(frozen=True)
class Batch:
    """Some images of a dataset with captions.

    Attributes:
        images: (images,): their indices in the dataset.
        variants: (images,): the variant of each image.
        token_ids: (images, captions_per_image, length), int64.
    """

    images: np.ndarray
    variants: np.ndarray
    token_ids: Tensor


def images_per_batch(dataset: CaptionDataset, batch_size: int, captions_per_image: int = 0) -> int:
    """The number of images whose captions make a batch.

    Args:
        batch_size: maximum number of captions in a batch.
        captions_per_image: captions that are used of each image; 0: all.

    Raises:
        ValueError: if the captions of one image do not fit into a batch.
    """
    rows = min(captions_per_image or dataset.captions_per_image, dataset.captions_per_image)
    if batch_size < rows:
        raise ValueError(
            f"batch_size is {batch_size}, but an image has {rows} captions, which share a batch: give a larger batch "
            "size, or fewer captions_per_image"
        )
    return batch_size // rows


def batches(
    dataset: CaptionDataset, batch_size: int, captions_per_image: int = 0, *, seed: int, epoch: int
) -> Iterator[Batch]:
    """The batches of an epoch: the images in random order, the captions of an image together.

    Args:
        batch_size: maximum number of captions in a batch.
        captions_per_image: captions of each image, drawn at random without replacement; 0: all.
        seed, epoch: the random numbers depend on these alone, so that an epoch can be repeated.

    Raises:
        ValueError: if the captions of one image do not fit into a batch.
    """
    size = images_per_batch(dataset, batch_size, captions_per_image)
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(dataset))
    variants = rng.integers(len(dataset.source.variants), size=len(dataset))
    token_ids = dataset.token_ids
    if 0 < captions_per_image < dataset.captions_per_image:
        token_ids = choose_captions(token_ids, captions_per_image, rng)
    for start in range(0, len(order), size):
        images = order[start : start + size]
        yield Batch(images, variants[start : start + size], token_ids[images])


def choose_captions(token_ids: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    """Some captions of each image, drawn without replacement, in their original order.

    Args:
        token_ids: (images, captions, length); rows of padding are chosen only if an image has too few captions.
        count: captions per image.

    Returns:
        (images, count, length).
    """
    priority = rng.random(token_ids.shape[:2])
    priority[(token_ids == PAD).all(dim=2).numpy()] = np.inf
    chosen = np.sort(priority.argsort(axis=1)[:, :count], axis=1)  # (images, count)
    return token_ids[torch.arange(len(token_ids)).unsqueeze(1), torch.from_numpy(chosen)]
