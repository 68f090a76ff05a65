"""From logits to a caption: the most probable words, sampled words, and the steps of a beam search.

The searches see the decoder as a step function. Given the last words ``(rows,)``, int64, and the state, a tuple of
tensors with one row per caption, it returns the logits ``(rows, vocab_size)`` of the next words and the new state.
"""

from __future__ import annotations

from collections.abc import Callable

import torch


def greedy_search(
    step: Callable, state: tuple[torch.Tensor, ...], start: int = 1, end: int = 2, max_words: int = 20
) -> list[list[int]]:
    """Take the most probable word at each step, for a batch of images.

    A caption ends with ``end``, or after ``max_words`` words. The search stops when all captions have ended; ``step``
    is called at most ``max_words`` times.

    Args:
        step: ``step(words, state)`` returns ``(logits, state)``: given the last words ``(batch,)``, int64, and the
            state before them, the logits ``(batch, vocab_size)`` of the next words and the state after them. Rows
            stand for images, so it is always given the whole batch.
        state: the state before the first word: a tuple of tensors ``(batch, ...)``.
        start, end: the ids of ``<start>``, which is read first, and ``<end>``.
        max_words: the longest caption, in words; ``<start>`` and ``<end>`` are not words.

    Returns:
        One list of token ids per image, without ``start`` and ``end``.

    Example:
        >>> def count_up(words, state):  # a decoder whose next word is always the last one plus 1
        ...     return torch.nn.functional.one_hot((words + 1) % 8, 8).float(), state
        >>> greedy_search(count_up, (torch.zeros(1, 1),), start=4, end=7)
        [[5, 6]]
    """
    words = torch.full((len(state[0]),), start)  # (batch,)
    captions: list[list[int]] = [[] for _ in words]
    running = [True] * len(captions)
    for _ in range(max_words):
        logits, state = step(words, state)
        words = logits.argmax(dim=1)
        for row, word in enumerate(words.tolist()):
            running[row] = running[row] and word != end
            if running[row]:
                captions[row].append(word)
        if not any(running):
            break
    return captions


def sample_word(logits: torch.Tensor, uniform: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """Draw the next words from their probabilities, softmax(logits / temperature).

    A low temperature favors probable words (towards 0: greedy search); a high one makes all words equally probable.
    The probabilities of the words, in vocabulary order, divide the interval from 0 to 1; the word whose part contains
    the random number is chosen. A part includes its lower bound and not its upper bound.

    Args:
        logits: ``(batch, vocab_size)``.
        uniform: ``(batch,)``: one random number per caption, uniform in [0, 1).
        temperature: above 0.

    Returns:
        ``(batch,)``, int64.

    Raises:
        ValueError: if the temperature is not above 0.

    Example:
        >>> logits = torch.log(torch.tensor([[0.2, 0.5, 0.3]]))
        >>> [sample_word(logits, torch.tensor([number])).item() for number in (0.1, 0.3, 0.9)]
        [0, 1, 2]
    """
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}: give a number above 0 (its limit at 0 is greedy search)")
    bounds = torch.softmax(logits / temperature, dim=1).cumsum(dim=1)  # (batch, vocab_size): upper bounds
    return (bounds <= uniform.unsqueeze(1)).sum(dim=1).clamp(max=logits.shape[1] - 1)  # (batch,)


def beam_step(log_probs: torch.Tensor, totals: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Find the k best continuations of the captions in a beam.

    Leading dimensions, such as one for images, are allowed; the search is done for each of them.

    Args:
        log_probs: ``(beams, vocab_size)``: the log-probabilities of the next word of each caption.
        totals: ``(beams,)``: the log-probability of each caption so far.
        k: how many continuations to keep.

    Returns:
        ``(beams, words, totals)``, each ``(k,)``, best first: which caption continues (int64), with which word
        (int64), and the log-probability of the longer caption.

    Example:
        >>> log_probs = torch.log(torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]]))
        >>> beams, words, totals = beam_step(log_probs, torch.log(torch.tensor([0.5, 0.5])), k=2)
        >>> beams, words
        (tensor([0, 1]), tensor([2, 0]))
        >>> totals.exp()
        tensor([0.3500, 0.2500])
    """
    vocab_size = log_probs.shape[-1]
    longer = (totals.unsqueeze(-1) + log_probs).flatten(-2)  # (beams * vocab_size,)
    totals, indices = longer.topk(k, dim=-1)  # (k,)
    return indices // vocab_size, indices % vocab_size, totals


def best_caption(
    finished: list[tuple[float, list[int]]], running: list[tuple[float, list[int]]], length_penalty: float = 0
) -> list[int]:
    """Choose the result of a beam search.

    Args:
        finished: captions that have ended: ``(total, words)``, the caption's log-probability and its token ids.
        running: captions that had not ended when the search stopped, in the same form.
        length_penalty: totals are divided by the number of words raised to this power before they are compared. 0
            compares the totals themselves, which favors short captions, because each further word makes a caption less
            probable; 1 compares the mean per word, which favors long ones; values in between are a compromise. (A
            caption without words counts as one of one word.)

    Returns:
        The token ids of the best finished caption, or of the best running one if none has finished. The first one if
        several are equal.

    Raises:
        ValueError: if there is no caption at all.

    Example:
        >>> best_caption([(-3.0, [7, 8]), (-4.0, [7, 8, 9, 10])], [(-1.0, [5])])
        [7, 8]
        >>> best_caption([(-3.0, [7, 8]), (-4.0, [7, 8, 9, 10])], [], length_penalty=1)
        [7, 8, 9, 10]
        >>> best_caption([], [(-2.0, [5, 5]), (-1.0, [5])])
        [5]

    Source: Wu et al. 2016, "Google's Neural Machine Translation System", section 7. The power of the length is the form
    they tried first, with 0.6 to 0.7; their final length penalty is ``((5 + length) / 6) ** alpha``.
    """
    candidates = finished or running
    if not candidates:
        raise ValueError("there is no caption to choose from: give at least one, finished or running")
    return max(candidates, key=lambda caption: caption[0] / max(1, len(caption[1])) ** length_penalty)[1]
