"""Small parts of a training loop: gradient clipping, and the choice of the best epoch."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


def clip_grad_norm(parameters: Iterable[nn.Parameter], max_norm: float) -> float:
    """Scale the gradients down, in place, if their norm is above ``max_norm``.

    The gradients of all parameters count as one long vector, whose direction stays the same. Recurrent networks now and
    then have gradients many times larger than usual; one step along such a gradient would undo much of what was
    learned.

    Args:
        parameters: those without a gradient (``grad`` is None) are skipped.
        max_norm: the largest norm allowed, above 0.

    Returns:
        The norm before clipping.

    Example:
        >>> weight = nn.Parameter(torch.zeros(2))
        >>> weight.grad = torch.tensor([3.0, 4.0])
        >>> clip_grad_norm([weight], max_norm=1.0)
        5.0
        >>> weight.grad
        tensor([0.6000, 0.8000])

    Source: Pascanu, Mikolov and Bengio 2013, "On the difficulty of training recurrent neural networks".
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return 0.0
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm().item()
    if norm > max_norm:
        for gradient in gradients:
            gradient.mul_(max_norm / norm)
    return norm


def best_epoch(losses: Iterable[float]) -> int:
    """The epoch with the lowest validation loss, counted from 1; the first one if several are equal.

    Args:
        losses: the validation loss of each epoch, in order.

    Returns:
        Its number; 0 if there are no losses.

    Example:
        >>> best_epoch([0.9, 0.7, 0.8])
        2
    """
    best, lowest = 0, float("inf")
    for epoch, loss in enumerate(losses, start=1):
        if loss < lowest:
            best, lowest = epoch, loss
    return best
