"""Two ways to run a decoder that must not be confused: under teacher forcing, and on its own."""

from __future__ import annotations

from collections.abc import Callable

import torch


def inputs_and_targets(captions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Split captions into what the decoder reads and what it predicts, step by step, under teacher forcing.

    At step t it reads token t of the caption and predicts token t + 1. So ``<start>`` is read and never predicted, and
    the last token is predicted and never read.

    Args:
        captions: ``(batch, length)``, int64: from ``<start>`` to ``<end>``, then padding.

    Returns:
        ``(inputs, targets)``, both ``(batch, length - 1)``.

    Example:
        >>> inputs_and_targets(torch.tensor([[1, 5, 6, 2]]))  # read <start>, predict 5; read 5, predict 6; ...
        (tensor([[1, 5, 6]]), tensor([[5, 6, 2]]))

    Source: Williams and Zipser 1989, "A Learning Algorithm for Continually Running Fully Recurrent Neural Networks".
    """
    return captions[:, :-1], captions[:, 1:]  # (batch, length - 1) each


def free_running_bleu(
    step: Callable,
    state: tuple[torch.Tensor, ...],
    true_captions: torch.Tensor,
    search: Callable,
    score: Callable[..., list[float]],
) -> list[float]:
    """BLEU of captions that a decoder generates on its own, compared with all true captions of each image.

    The decoder sees nothing of the true captions: it reads its own words. (Under teacher forcing it would be corrected
    after every word and told when to stop; a score obtained like that says nothing about the captions it generates.)

    Args:
        step: the decoder, as for ``greedy_search``.
        state: its state before the first word, one row per image.
        true_captions: ``(images, captions, length)``, int64: the captions that people wrote, as token ids: 1 is
            ``<start>``, 2 is ``<end>``, 0 is padding, and 3 stands for any word that is not in the vocabulary. An image
            with fewer captions than the others has rows of padding. (For a published score, captions are compared as
            they were written, neither truncated nor with 3 in them.)
        search: a function such as ``greedy_search``: ``search(step, state)`` returns one list of token ids per image,
            without ``<start>`` and ``<end>``.
        score: a function such as ``bleu``: ``score(candidates, references)``, with one caption per image and one list
            of captions per image.

    Returns:
        What ``score`` returns for lists of token ids without ``<pad>``, ``<start>`` and ``<end>``, each image once,
        with all its captions.

    Example:
        >>> def search(step, state):  # instead of a real search: the caption of one image
        ...     return [[5, 6]]
        >>> true_captions = torch.tensor([[[1, 5, 6, 2, 0], [1, 5, 3, 7, 2]]])
        >>> free_running_bleu(None, None, true_captions, search, score=lambda *arguments: arguments)
        ([[5, 6]], [[[5, 6], [5, 3, 7]]])
    """
    references = []
    for captions in true_captions.tolist():
        words = [[token_id for token_id in caption if token_id not in (0, 1, 2)] for caption in captions]
        references.append([caption for caption in words if caption])
    return score(search(step, state), references)
