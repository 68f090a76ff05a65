"""Two ways to use a decoder that must not be confused: with the true words given, and on its own."""

from __future__ import annotations


def inputs_and_targets(captions):
    """What the decoder reads and what it is to predict, step by step, when the true words are given.

    In step t it reads number t of the caption and predicts number t + 1. So ``<start>`` is read and never predicted,
    and the last number is predicted and never read.

    Args:
        captions: ``(batch, length)``, int64: from ``<start>`` to ``<end>``, then padding.

    Returns:
        ``(inputs, targets)``, both ``(batch, length - 1)``.

    Example::

        inputs_and_targets(torch.tensor([[1, 5, 6, 2]]))  # ([[1, 5, 6]], [[5, 6, 2]]): read <start>, predict 5, ...

    Source: Williams and Zipser 1989, "A Learning Algorithm for Continually Running Fully Recurrent Neural Networks".
    """
    return captions[:, :-1], captions[:, 1:]


def free_running_bleu(step, state, truth, search, score):
    """BLEU of the captions a decoder writes on its own, compared with all captions people wrote for each image.

    Nothing of the true captions is shown to the decoder: it reads its own words. (With the true words given it is
    put right after every word, and told when to stop: whatever such a score is, it is none of captions it writes.)

    Args:
        step: the decoder, as for ``greedy_search``.
        state: its state before the first word, one row an image.
        truth: ``(images, captions, length)``, int64: the captions people wrote, as numbers: 1 is ``<start>``, 2 is
            ``<end>``, 0 is padding, 3 stands for any word that is not in the vocabulary. (A score that is to be
            published compares with captions as they were written, neither cut nor with 3 in them.) An image with fewer
            captions than the others has rows of padding alone.
        search: a function such as ``greedy_search``: ``search(step, state)`` gives a list of lists of int, one an
            image, the numbers of the words without ``<start>`` and ``<end>``.
        score: a function such as ``bleu``: ``score(candidates, references)``, with one caption an image, and a list
            of captions an image.

    Returns:
        What ``score`` gives for lists of numbers without ``<pad>``, ``<start>`` and ``<end>``, each image once, with
        all its captions.
    """
    references = []
    for captions in truth.tolist():
        words = [[number for number in caption if number not in (0, 1, 2)] for caption in captions]
        references.append([caption for caption in words if caption])
    return score(search(step, state), references)
