"""What training makes small: the cross-entropy of the words, and a penalty on attention that leaves parts unseen."""

from __future__ import annotations

import torch.nn.functional as F


def caption_loss(scores, targets, pad=0):
    """Mean cross-entropy of the real words; padding counts neither in the sum nor in the number of words.

    Args:
        scores: ``(batch, steps, words)``: scores of all words of the vocabulary at each step, before any softmax.
        targets: ``(batch, steps)``, int64: the word that is right at each step, ``pad`` where the caption has ended.
        pad: number of the padding.

    Returns:
        A tensor without dimensions, in nats a word. Every real word of the batch counts the same, in a short caption
        as in a long one.

    Example::

        scores, targets = torch.zeros(1, 3, 10), torch.tensor([[4, 2, 0]])
        caption_loss(scores, targets)  # log(10) = 2.3026: ten words, none likelier than another
    """
    real = targets != pad
    return F.cross_entropy(scores[real], targets[real])


def attention_penalty(alphas, reduction="sum"):
    """The doubly stochastic penalty: over a whole caption every position should be looked at about once.

    The weights of one step sum to 1 over the positions by construction. The penalty asks the same over the steps::

        penalty = sum_i (1 - sum_t alpha_ti)^2

    It is averaged over the captions of the batch. The paper sums over the positions i; well-known code takes their
    mean, which makes the penalty smaller by the number of positions: on a grid of 7x7 a factor lambda of 1 with "mean"
    is one of 1/49 with "sum".

    Args:
        alphas: ``(batch, steps, positions)``: attention weights, zeros at steps after the end of a caption.
        reduction: "sum" or "mean", over the positions.

    Returns:
        A tensor without dimensions.

    Raises:
        ValueError: for another ``reduction``.

    Example::

        attention_penalty(torch.full((1, 4, 4), 0.25))  # 0: four steps, each position seen once in sum
        attention_penalty(torch.full((1, 2, 4), 0.25))  # 1: four times (1 - 0.5)^2
        attention_penalty(torch.full((1, 2, 4), 0.25), reduction="mean")  # 0.25

    Source: Xu et al. 2015, "Show, Attend and Tell", equation 14.
    """
    if reduction not in ("sum", "mean"):
        raise ValueError(f'reduction is {reduction!r}: give "sum" or "mean"')
    missing = (1 - alphas.sum(dim=1)) ** 2
    if reduction == "sum":
        return missing.sum(dim=1).mean()
    return missing.mean()
