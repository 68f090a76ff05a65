"""Small parts of a training loop for captions: clipping of gradients, and which epoch was the best."""

from __future__ import annotations

import torch


def clip_gradients(parameters, limit):
    """Shorten the gradient where it is longer than ``limit``: all parameters' gradients together, as one long vector.

    Its direction stays. Recurrent networks have, now and then, gradients that are many times longer than the usual
    ones; one step along such a gradient would undo much of what was learnt.

    Args:
        parameters: an iterable of parameters; those without a gradient (``grad`` is None) are left out.
        limit: the greatest length allowed, above 0.

    Returns:
        The length before clipping, a Python float.

    Example::

        weight = nn.Parameter(torch.zeros(2))
        weight.grad = torch.tensor([3.0, 4.0])
        clip_gradients([weight], 1.0)  # 5.0; weight.grad is now [0.6, 0.8]

    Source: Pascanu, Mikolov and Bengio 2013, "On the difficulty of training recurrent neural networks".
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return 0.0
    length = torch.stack([gradient.norm() for gradient in gradients]).norm().item()
    if length > limit:
        for gradient in gradients:
            gradient.mul_(limit / length)
    return length


def best_epoch(losses):
    """The epoch with the lowest validation loss, counted from 1; the first of equals.

    Args:
        losses: the validation loss of each epoch, in order.

    Returns:
        An int; 0 if there are no losses.

    Example::

        best_epoch([0.9, 0.7, 0.8])  # 2
    """
    best, lowest = 0, float("inf")
    for epoch, loss in enumerate(losses, start=1):
        if loss < lowest:
            best, lowest = epoch, loss
    return best
