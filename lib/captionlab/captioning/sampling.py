"""Scheduled sampling: in training, the decoder sometimes reads its own last word instead of the true one.

Under teacher forcing the decoder only ever continues captions that people wrote. At test time it continues its own,
mistakes included, which it has never seen in training (exposure bias).

Source: Bengio et al. 2015, "Scheduled Sampling for Sequence Prediction with Recurrent Neural Networks".
"""

from __future__ import annotations

import torch


def scheduled_words(
    targets: torch.Tensor, predicted: torch.Tensor, uniform: torch.Tensor, probability: float
) -> torch.Tensor:
    """Choose what the decoder reads next: for each caption, at random, its own last word or the true one.

    Args:
        targets: ``(batch,)``, int64: the true words.
        predicted: ``(batch,)``, int64: the words that the decoder itself predicted in their place.
        uniform: ``(batch,)``: one random number per caption, uniform in [0, 1).
        probability: of reading the decoder's own word: 0 is teacher forcing.

    Returns:
        ``(batch,)``, int64: ``predicted`` where the random number is smaller than ``probability``, else ``targets``.
        ``targets`` itself stays as it is: the loss still needs the true words.

    Example:
        >>> targets, predicted = torch.tensor([5, 6, 7]), torch.tensor([8, 9, 7])
        >>> scheduled_words(targets, predicted, torch.tensor([0.1, 0.4, 0.9]), 0.25)
        tensor([8, 6, 7])
    """
    return torch.where(uniform < probability, predicted, targets)


def sampling_probability(epoch: int, growth: float, maximum: float) -> float:
    """The probability that the decoder reads its own word in an epoch: it grows linearly from 0 to a maximum.

    Args:
        epoch: the number of completed epochs: 0 in the first.
        growth: by how much the probability grows per epoch, at least 0.
        maximum: where it stops growing, from 0 to 1.

    Example:
        >>> [sampling_probability(epoch, 0.05, 0.25) for epoch in (0, 1, 4, 20)]
        [0.0, 0.05, 0.2, 0.25]
    """
    return min(float(maximum), float(growth * epoch))
