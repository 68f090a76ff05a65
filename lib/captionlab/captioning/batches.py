"""Captions of unequal length in one batch: sorted, so that captions that have ended are left out."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class PaddedBatch(NamedTuple):
    """Captions of several images as a table with a row an image, as wide as the most captions an image has.

    Attributes:
        images: (rows,), int64: the image of each row of the table; those without a caption have none.
        width: captions a row has room for.
        places: (captions,), int64: where each caption stands in the flattened table.
    """

    images: Tensor
    width: int
    places: Tensor

    @classmethod
    def of(cls, images: Tensor) -> PaddedBatch:
        """images: (captions,), int64: the image of each caption, never falling."""
        rows, row, counts = torch.unique_consecutive(images, return_inverse=True, return_counts=True)
        width = int(counts.max())
        first = counts.cumsum(0) - counts
        return cls(rows, width, row * width + torch.arange(len(images), device=images.device) - first[row])

    def fill(self, values: Tensor, rest: float = 0.0) -> Tensor:
        """Values of the captions, (captions, ...), in the table: (rows, width, ...); ``rest`` where there is none."""
        flat = values.new_full((len(self.images) * self.width, *values.shape[1:]), rest)
        return flat.index_copy(0, self.places, values).view(len(self.images), self.width, *values.shape[1:])


def sort_by_length(captions, features, pad=0):
    """Sort a batch by the length of its captions, the longest first; features move along with their captions.

    Args:
        captions: ``(batch, max_length)``, int64: numbers of words, ``pad`` after the end.
        features: ``(batch, ...)``: row i belongs to caption i.
        pad: number of the padding.

    Returns:
        ``(captions, features, lengths)``: both sorted alike, and the lengths ``(batch,)``, int64, falling: words of a
        caption, with ``<start>`` and ``<end>``. Captions of the same length keep their order.

    Example::

        captions = torch.tensor([[1, 5, 2, 0], [1, 6, 7, 2]])
        captions, features, lengths = sort_by_length(captions, torch.tensor([[0.5], [0.25]]))
        lengths  # tensor([4, 3]); features is now [[0.25], [0.5]]
    """
    lengths = (captions != pad).sum(dim=1)
    lengths, order = torch.sort(lengths, descending=True, stable=True)
    return captions[order], features[order], lengths


def active_counts(lengths):
    """How many captions of a sorted batch still have a word to predict, step by step.

    A caption of n words, ``<start>`` and ``<end>`` among them, has n - 1 steps: each of its words but the last is read
    and the next one predicted. As the batch is sorted, the captions that go on are always the first ones, and a step
    computes on those alone.

    Args:
        lengths: lengths of the captions, falling: a list or ``(batch,)``, int64.

    Returns:
        A list of int, one a step; as long as the longest caption has steps.

    Raises:
        ValueError: if the lengths rise somewhere.

    Example::

        active_counts([4, 3, 3])  # [3, 3, 1]
    """
    lengths = [int(length) for length in lengths]
    if lengths != sorted(lengths, reverse=True):
        raise ValueError(f"lengths are {lengths}: sort the captions first, the longest in front")
    return [sum(length - 1 > step for length in lengths) for step in range(lengths[0] - 1)] if lengths else []
