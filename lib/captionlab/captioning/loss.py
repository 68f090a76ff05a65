"""The two parts of the loss: cross-entropy of the words, and a penalty on attention that leaves positions out.

Source: Xu et al. 2015, "Show, Attend and Tell", section 4.2.1; there the words' part is a sum, here it is a mean.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from captionlab.common.checking import checked, describe


def caption_loss(logits: torch.Tensor, targets: torch.Tensor, pad: int = 0) -> torch.Tensor:
    """Mean cross-entropy over the real words; padding adds nothing to the sum and is not counted.

    Args:
        logits: ``(batch, steps, vocab_size)``.
        targets: ``(batch, steps)``, int64: the correct word at each step, ``pad`` after the end of a caption.
        pad: the id of the padding.

    Returns:
        A scalar tensor, in nats per word. Every real word of the batch counts the same, in a short caption as in a
        long one.

    Example:
        >>> logits, targets = torch.zeros(1, 3, 10), torch.tensor([[4, 2, 0]])
        >>> caption_loss(logits, targets)  # log(10): ten words, all equally probable
        tensor(2.3026)
    """
    real = targets != pad  # (batch, steps)
    return F.cross_entropy(logits[real], targets[real])


def attention_penalty(alphas: torch.Tensor, reduction: str = "sum") -> torch.Tensor:
    """The doubly stochastic penalty: over a whole caption, each position should get about the same total weight.

    The weights of one step sum to 1 over the positions by construction. The penalty asks for the same over the steps::

        penalty = sum_i (1 - sum_t alpha_ti)^2

    All weights of T steps sum to T, so on a grid of L positions the penalty is smallest if each position gets T / L;
    it is 0 only if T = L.

    It is averaged over the captions of the batch. The paper sums over the positions i; well-known code takes their
    mean, which divides the penalty by the number of positions: on a 7x7 grid, a factor lambda of 1 with "mean" is a
    factor of 1/49 with "sum". The factor also depends on the other part of the loss: the paper adds the penalty to the
    sum of -log p over the words of a caption. Beside a mean per word, as :func:`caption_loss` gives, the same factor
    weighs about T times as much.

    Args:
        alphas: ``(batch, steps, positions)``: attention weights, zeros at the steps after the end of a caption.
        reduction: over the positions, "sum" or "mean".

    Returns:
        A scalar tensor.

    Raises:
        ValueError: for any other ``reduction``.

    Example:
        >>> attention_penalty(torch.full((1, 4, 4), 0.25))  # four steps: each position gets 1 in total
        tensor(0.)
        >>> attention_penalty(torch.full((1, 2, 4), 0.25))  # four times (1 - 0.5)^2
        tensor(1.)
        >>> attention_penalty(torch.full((1, 2, 4), 0.25), reduction="mean")
        tensor(0.2500)

    Source: Xu et al. 2015, "Show, Attend and Tell", equation 14.
    """
    if reduction not in ("sum", "mean"):
        raise ValueError(f'reduction is {reduction!r}: give "sum" or "mean"')
    missing = (1 - alphas.sum(dim=1)) ** 2  # (batch, positions)
    if reduction == "sum":
        return missing.sum(dim=1).mean()
    return missing.mean()


def check_logits(logits: torch.Tensor, targets: torch.Tensor, pad: int) -> None:
    """Check that logits and targets belong together.

    Args:
        logits: expected to be floating point, ``(batch, steps, vocab_size)``.
        targets: expected to be integers from 0 to ``vocab_size - 1``, ``(batch, steps)``, not all of them padding.
        pad: the id of the padding.

    Raises:
        TypeError: if they are no such tensors.
        ValueError: if their shapes or the values of the targets do not fit.
    """
    if not isinstance(logits, torch.Tensor) or not logits.is_floating_point():
        raise TypeError(f"logits is {describe(logits)}, expected a floating-point tensor (batch, steps, vocab_size)")
    integers = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
    if not isinstance(targets, torch.Tensor) or targets.dtype not in integers:
        raise TypeError(f"targets is {describe(targets)}, expected a tensor (batch, steps) of token ids, int64")
    if logits.ndim != 3 or targets.shape != logits.shape[:2]:
        raise ValueError(
            f"logits has shape {tuple(logits.shape)} and targets {tuple(targets.shape)}, expected "
            "(batch, steps, vocab_size) and (batch, steps): targets are ids, not one-hot vectors"
        )
    real = targets[targets != pad]
    if not len(real):
        raise ValueError(f"targets holds nothing but padding ({pad}), expected at least one word")
    if real.min() < 0 or real.max() >= logits.shape[2]:
        raise ValueError(
            f"targets holds ids from {real.min()} to {real.max()}, expected 0 to {logits.shape[2] - 1}: the logits are "
            f"for {logits.shape[2]} words"
        )


def _check_caption_loss(
    logits: torch.Tensor, targets: torch.Tensor, pad: int = 0
) -> tuple[torch.Tensor, torch.Tensor, int]:
    check_logits(logits, targets, pad)
    return logits, targets, pad


def _check_alphas(alphas: torch.Tensor, reduction: str = "sum") -> tuple[torch.Tensor, str]:
    if not isinstance(alphas, torch.Tensor) or not alphas.is_floating_point() or alphas.ndim != 3:
        raise TypeError(f"alphas is {describe(alphas)}, expected a floating-point tensor (batch, steps, positions)")
    return alphas, reduction


caption_loss = checked(caption_loss, _check_caption_loss)
attention_penalty = checked(attention_penalty, _check_alphas)
