"""From scores to a caption: the likeliest word each time, a drawn word, or the best of several captions kept going.

All of them see the decoder as a function ``step(words, state) -> (scores, state)``: the last words ``(rows,)``, int64,
and a tuple of tensors with one row a caption give the scores ``(rows, words)`` of the next words and the new state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Step = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, tuple[Tensor, ...]]]


def greedy_search(step, state, start=1, end=2, longest=20):
    """Take the likeliest word each time, for a batch of images.

    A caption ends with ``end``; one that never does is cut after ``longest`` words. The search stops when all have
    ended; ``step`` is called at most ``longest`` times.

    Args:
        step: ``step(words, state)`` gives ``(scores, state)``: for the last words ``(batch,)``, int64, and the state
            before them the scores ``(batch, words)`` of the next words, and the state after them.
        state: the state before the first word: a tuple of tensors ``(batch, ...)``.
        start, end: numbers of ``<start>``, which is read first, and ``<end>``.
        longest: words a caption may have, ``<end>`` not counted.

    Returns:
        A list of lists of int, one an image: the numbers of the words, without ``start`` and ``end``.

    Example::

        def counting(words, state):  # a decoder whose next word is always the number after the last one
            return torch.nn.functional.one_hot((words + 1) % 8, 8).float(), state

        greedy_search(counting, (torch.zeros(1, 1),), start=4, end=7)  # [[5, 6]]
    """
    words = torch.full((len(state[0]),), start)
    captions = [[] for _ in words]
    going = [True] * len(captions)
    for _ in range(longest):
        scores, state = step(words, state)
        words = scores.argmax(dim=1)
        for row, word in enumerate(words.tolist()):
            going[row] = going[row] and word != end
            if going[row]:
                captions[row].append(word)
        if not any(going):
            break
    return captions


def sample_word(scores, drawn, temperature=1.0):
    """Draw the next words from their probabilities, softmax(scores / temperature).

    A low temperature makes likely words likelier still (towards 0: greedy search), a high one makes all words alike.
    The probabilities of the words are laid end to end on the line from 0 to 1, in the vocabulary's order; the word on
    whose piece the drawn number lies is taken.

    Args:
        scores: ``(batch, words)``, before any softmax.
        drawn: ``(batch,)``: a number for each caption, drawn uniformly from [0, 1).
        temperature: above 0.

    Returns:
        ``(batch,)``, int64.

    Raises:
        ValueError: if the temperature is not above 0.

    Example::

        scores = torch.log(torch.tensor([[0.2, 0.5, 0.3]]))
        [sample_word(scores, torch.tensor([number])).item() for number in (0.1, 0.3, 0.9)]  # [0, 1, 2]
    """
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}: give a number above 0 (greedy search is its limit at 0)")
    ends = torch.softmax(scores / temperature, dim=1).cumsum(dim=1)
    return (ends <= drawn.unsqueeze(1)).sum(dim=1).clamp(max=scores.shape[1] - 1)


def beam_step(log_probabilities, totals, k):
    """The k best ways to go on with the captions of a beam.

    Args:
        log_probabilities: ``(beams, words)``: logarithms of the probabilities of the next word, for each caption.
        totals: ``(beams,)``: the logarithm of each caption's probability so far.
        k: how many to keep.

    Returns:
        ``(beams, words, totals)``, each ``(k,)``, the best first: which caption goes on (int64), with which word
        (int64), and the logarithm of the probability of the longer caption.

    Example::

        log_probabilities = torch.log(torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]]))
        beams, words, totals = beam_step(log_probabilities, torch.log(torch.tensor([0.5, 0.5])), k=2)
        beams, words  # tensor([0, 1]), tensor([2, 0])
        totals.exp()  # tensor([0.35, 0.25])

    Leading dimensions, such as one for images, are allowed; the search is done for each of them.
    """
    words = log_probabilities.shape[-1]
    longer = (totals.unsqueeze(-1) + log_probabilities).flatten(-2)
    totals, places = longer.topk(k, dim=-1)
    return places // words, places % words, totals


def best_caption(finished, running, by_length=0):
    """Choose the caption a beam search ends with.

    Args:
        finished: captions that have ended: a list of ``(total, words)``, the logarithm of the caption's probability and
            the list of its words' numbers.
        running: captions that had not ended when the search was stopped, likewise.
        by_length: compare totals divided by the number of words to this power. 0 compares the totals themselves, which
            favours short captions, for each word more makes a caption less probable; 1 compares means a word, which
            favours long ones; numbers between are a compromise. (A caption without words counts as one of one word.)

    Returns:
        The words of the best finished caption, of the best running one if none has finished. The first of equals.

    Raises:
        ValueError: if there is none at all.

    Example::

        best_caption([(-3.0, [7, 8]), (-4.0, [7, 8, 9, 10])], [(-1.0, [5])])  # [7, 8]
        best_caption([(-3.0, [7, 8]), (-4.0, [7, 8, 9, 10])], [], by_length=1)  # [7, 8, 9, 10]
        best_caption([], [(-2.0, [5, 5]), (-1.0, [5])])  # [5]

    Source: Wu et al. 2016, "Google's Neural Machine Translation System", section 7: powers of 0.6 to 0.7.
    """
    candidates = finished or running
    if not candidates:
        raise ValueError("there is no caption to choose from: give at least one, finished or running")
    return max(candidates, key=lambda caption: caption[0] / max(1, len(caption[1])) ** by_length)[1]


def sampled_search(step: Step, state: tuple, draw: torch.Generator, temperature=1.0, start=1, end=2, longest=20):
    """As :func:`greedy_search`, with words drawn by :func:`sample_word`."""

    def drawn(words: Tensor, state: tuple) -> tuple[Tensor, tuple]:
        scores, state = step(words, state)
        chosen = sample_word(scores, torch.rand(len(scores), generator=draw).to(scores.device), temperature)
        return torch.nn.functional.one_hot(chosen, scores.shape[1]), state

    return greedy_search(drawn, state, start, end, longest)


@dataclass
class _Beams:
    """The beams of a batch of images: totals (images, k), words so far (images, k, length), captions that ended."""

    totals: Tensor
    words: Tensor
    finished: list[list[tuple[float, list[int]]]]


def beam_search(
    step: Step, state: tuple[Tensor, ...], k: int, start: int = 1, end: int = 2, longest: int = 20, by_length: float = 0
) -> list[list[int]]:
    """Keep the k best captions going, for a batch of images at once.

    Of the k best ways to go on, those that end are set aside, and as many fewer are kept going; the search stops when
    k captions have ended, or at ``longest``. k = 1 is greedy search. A caption that never ends is still a caption.

    Args:
        step: sees ``images * k`` rows, the k captions of an image one after the other.
        state: before the first word, tensors with one row an image.
        longest: words a caption may have, ``<end>`` not counted.
        by_length: see :func:`best_caption`.

    Returns:
        For each image the numbers of the words, without ``start`` and ``end``.

    Raises:
        ValueError: if k is not at least 1.
    """
    if k < 1:
        raise ValueError(f"k is {k}: a beam search keeps at least 1 caption going")
    images = len(state[0])
    state = tuple(part.repeat_interleave(k, dim=0) for part in state)
    totals = torch.full((images, k), -torch.inf, device=state[0].device)
    totals[:, 0] = 0  # at first all beams are the same caption: one is enough
    beams = _Beams(totals, torch.full((images, k, 1), start, device=totals.device), [[] for _ in range(images)])
    for _ in range(longest + 1):
        scores, state = step(beams.words[:, :, -1].flatten(), state)
        parents = _advance(beams, torch.log_softmax(scores, dim=1).view(images, k, -1), end)
        rows = (parents + torch.arange(images, device=parents.device).unsqueeze(1) * k).flatten()
        state = tuple(part[rows] for part in state)
        if not torch.isfinite(beams.totals).any():
            break
    return [_chosen(beams, image, by_length, longest) for image in range(images)]


def _advance(beams: _Beams, log_probabilities: Tensor, end: int) -> Tensor:
    """One word more for all images; returns which beam each new one continues, (images, k)."""
    k = beams.totals.shape[1]
    parents, words, totals = beam_step(log_probabilities, beams.totals, k)
    kept = torch.tensor([k - len(finished) for finished in beams.finished], device=totals.device)
    places = torch.arange(k, device=totals.device)
    totals = totals.masked_fill(places >= kept.unsqueeze(1), -torch.inf)
    longer = beams.words.gather(1, parents.unsqueeze(2).expand(-1, -1, beams.words.shape[2]))
    ended = (words == end) & torch.isfinite(totals)
    for image, beam in ended.nonzero().tolist():
        beams.finished[image].append((totals[image, beam].item(), longer[image, beam, 1:].tolist()))
    beams.totals = totals.masked_fill(ended, -torch.inf)
    beams.words = torch.cat([longer, words.unsqueeze(2)], dim=2)
    return parents


def _chosen(beams: _Beams, image: int, by_length: float, longest: int) -> list[int]:
    pairs = zip(beams.totals[image].tolist(), beams.words[image, :, 1:].tolist(), strict=True)
    running = [(total, words[:longest]) for total, words in pairs if total > -torch.inf]
    return best_caption(beams.finished[image], running, by_length)
