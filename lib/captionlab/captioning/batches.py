"""Captions of unequal length in one batch: sorted, so that captions that have ended are left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class PaddedBatch(NamedTuple):
    """How the captions of several images are laid out in a table: one row per image, padded to the same width.

    Attributes:
        images: (rows,), int64: the image of each row; images without a caption have no row.
        width: number of captions a row has room for.
        indices: (captions,), int64: position of each caption in the flattened table.
    """

    images: Tensor
    width: int
    indices: Tensor

    @classmethod
    def of(cls, images: Tensor) -> PaddedBatch:
        """The layout for captions of the given images, (captions,), int64, in ascending order."""
        rows, row, counts = torch.unique_consecutive(images, return_inverse=True, return_counts=True)
        width = int(counts.max())
        first = counts.cumsum(0) - counts
        return cls(rows, width, row * width + torch.arange(len(images), device=images.device) - first[row])

    def pad(self, values: Tensor, padding: float = 0.0) -> Tensor:
        """Put values of the captions, (captions, ...), into the table: (rows, width, ...)."""
        flat = values.new_full((len(self.images) * self.width, *values.shape[1:]), padding)
        return flat.index_copy(0, self.indices, values).view(len(self.images), self.width, *values.shape[1:])

    def unpad(self, table: Tensor) -> Tensor:
        """Take the values of the captions, (captions, ...), out of a table (rows, width, ...)."""
        return table.flatten(0, 1)[self.indices]


def sort_by_length(
    captions: torch.Tensor, features: torch.Tensor, pad: int = 0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sort a batch by the length of its captions, longest first, and the features with them.

    Args:
        captions: ``(batch, max_length)``, int64: token ids, ``pad`` after the end.
        features: ``(batch, ...)``: row i belongs to caption i.
        pad: the id of the padding.

    Returns:
        ``(captions, features, lengths)``: both in the same new order, and the lengths ``(batch,)``, int64, descending:
        a caption's token ids, ``<start>`` and ``<end>`` included. Captions of the same length keep their order.
        Gradients flow back to ``features``, so that an encoder can be fine-tuned.

    Example:
        >>> captions = torch.tensor([[1, 5, 2, 0], [1, 6, 7, 2]])
        >>> captions, features, lengths = sort_by_length(captions, torch.tensor([[0.5], [0.25]]))
        >>> lengths
        tensor([4, 3])
        >>> features
        tensor([[0.2500],
                [0.5000]])
    """
    lengths = (captions != pad).sum(dim=1)  # (batch,)
    lengths, order = torch.sort(lengths, descending=True, stable=True)
    return captions[order], features[order], lengths


def active_counts(lengths: Sequence[int] | torch.Tensor) -> list[int]:
    """Count, step by step, the captions of a sorted batch that still have a word to predict.

    A caption of n token ids, ``<start>`` and ``<end>`` included, takes n - 1 steps: each id but the last is read, and
    the next one is predicted. Because the batch is sorted, the captions that continue are always the first rows, and
    each step computes those rows only. (In a ``PackedSequence`` of PyTorch these numbers are the ``batch_sizes``.)

    Args:
        lengths: lengths of the captions, descending; a list or ``(batch,)``, int64.

    Returns:
        One number per step of the longest caption.

    Raises:
        ValueError: if the lengths are not in descending order.

    Example:
        >>> active_counts([4, 3, 3])
        [3, 3, 1]
    """
    lengths = [int(length) for length in lengths]
    if lengths != sorted(lengths, reverse=True):
        raise ValueError(f"the lengths are {lengths}: sort the captions first, longest first")
    return [sum(length - 1 > step for length in lengths) for step in range(lengths[0] - 1)] if lengths else []
