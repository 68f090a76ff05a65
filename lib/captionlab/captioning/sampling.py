"""Scheduled sampling: while training, the decoder now and then reads its own last word in place of the true one.

With teacher forcing the decoder only ever continues captions that people wrote. When it is used it continues its own,
mistakes included, which it has never seen (exposure bias). Source: Bengio et al. 2015, "Scheduled Sampling for
Sequence Prediction with Recurrent Neural Networks".
"""

from __future__ import annotations

import torch


def scheduled_words(truth, predicted, drawn, probability):
    """The words a decoder reads next: for each caption its own last word or the true one, by chance.

    Args:
        truth: ``(batch,)``, int64: the words of the captions.
        predicted: ``(batch,)``, int64: the words the decoder itself chose for these places.
        drawn: ``(batch,)``: a number for each caption, drawn uniformly from [0, 1).
        probability: how often the decoder's own word is read: 0 never (teacher forcing), 1 always.

    Returns:
        ``(batch,)``, int64: ``predicted`` where the number drawn is smaller than ``probability``, else ``truth``.

    Example::

        truth, predicted = torch.tensor([5, 6, 7]), torch.tensor([8, 9, 7])
        scheduled_words(truth, predicted, torch.tensor([0.1, 0.4, 0.9]), 0.25)  # tensor([8, 6, 7])
    """
    return torch.where(drawn < probability, predicted, truth)


def sampling_probability(epoch, slope, highest):
    """How often the decoder reads its own words in an epoch: rises in a straight line from 0, then stays.

    Args:
        epoch: epochs completed before this one: 0 in the first.
        slope: by how much the probability grows an epoch, at least 0.
        highest: where it stops growing, from 0 to 1.

    Returns:
        A probability, float.

    Example::

        [sampling_probability(epoch, 0.05, 0.25) for epoch in (0, 1, 4, 20)]  # [0.0, 0.05, 0.2, 0.25]
    """
    return min(float(highest), float(slope * epoch))
