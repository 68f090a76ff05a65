"""From scores to a caption: the likeliest word each time, a drawn word, or the best of several captions kept going.

All of them see the decoder as a function ``step(words, state) -> (scores, state)``: the last words ``(rows,)``, int64,
and a tuple of tensors with one row a caption give the scores ``(rows, words)`` of the next words and the new state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from captionlab.captioning.batches import PaddedBatch

Step = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, tuple[Tensor, ...]]]


def greedy_search(step, state, start=1, end=2, longest=20):
    """Take the likeliest word each time, for a batch of images.

    A caption ends with ``end``; one that never does is cut after ``longest`` words. The search stops when all have
    ended; ``step`` is called at most ``longest`` times.

    Args:
        step: ``step(words, state)`` gives ``(scores, state)``: for the last words ``(batch,)``, int64, and the state
            before them the scores ``(batch, words)`` of the next words, and the state after them. It knows the images
            by their rows, so it is given the whole batch each time.
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
    whose piece the drawn number lies is taken. A piece includes its beginning and not its end.

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
            favors short captions, for each word more makes a caption less probable; 1 compares means a word, which
            favors long ones; numbers between are a compromise. (A caption without words counts as one of one word.)

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


def sample(step: Step, state: tuple, draw: torch.Generator, temperature=1.0, start=1, end=2, longest=20):
    """As :func:`greedy_search`, with words drawn by :func:`sample_word`."""

    def drawn(words: Tensor, state: tuple) -> tuple[Tensor, tuple]:
        scores, state = step(words, state)
        chosen = sample_word(scores, torch.rand(len(scores), generator=draw).to(scores.device), temperature)
        return torch.nn.functional.one_hot(chosen, scores.shape[1]), state

    return greedy_search(drawn, state, start, end, longest)


@dataclass
class _Beams:
    """Captions that go on: their image, log-probability and words so far, (captions, ...); and those that ended."""

    images: Tensor
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
        step: sees one row for each caption that goes on, at most ``images * k``, those of an image one after the other.
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
    images, device = len(state[0]), state[0].device
    words = torch.full((images, 1), start, device=device)
    beams = _Beams(torch.arange(images, device=device), torch.zeros(images, device=device), words, [[] for _ in words])
    for _ in range(longest + 1):
        scores, state = step(beams.words[:, -1], state)
        rows = _advance(beams, scores, k, end)
        state = tuple(part[rows] for part in state)
        if not len(rows):
            break
    running = [[] for _ in range(images)]
    for image, total, caption in zip(beams.images.tolist(), beams.totals.tolist(), beams.words.tolist(), strict=True):
        running[image].append((total, caption[1 : longest + 1]))
    return [best_caption(*pair, by_length) for pair in zip(beams.finished, running, strict=True)]


def _advance(beams: _Beams, scores: Tensor, k: int, end: int) -> Tensor:
    """One word more for all captions; returns which old row each new one continues."""
    best, likeliest = scores.topk(min(k, scores.shape[1]), dim=1)  # no other word can be among an image's k best
    log_probabilities = best - scores.logsumexp(dim=1, keepdim=True)
    table = PaddedBatch.of(beams.images)
    captions, places, totals = beam_step(
        table.fill(log_probabilities), table.fill(beams.totals, -torch.inf), min(k, table.width * best.shape[1])
    )
    kept = torch.tensor([k - len(beams.finished[image]) for image in table.images.tolist()], device=totals.device)
    order = torch.arange(totals.shape[1], device=totals.device)
    image, place = (torch.isfinite(totals) & (order < kept.unsqueeze(1))).nonzero(as_tuple=True)
    row_at = table.fill(torch.arange(len(scores), device=totals.device), -1)
    rows = row_at[image, captions[image, place]]
    words, totals = likeliest[rows, places[image, place]], totals[image, place]
    ended = words == end
    beams.words, beams.images = beams.words[rows], beams.images[rows]
    for row in ended.nonzero().flatten().tolist():
        beams.finished[beams.images[row]].append((totals[row].item(), beams.words[row, 1:].tolist()))
    going = ~ended
    beams.images, beams.totals = beams.images[going], totals[going]
    beams.words = torch.cat([beams.words[going], words[going].unsqueeze(1)], dim=1)
    return rows[going]
