"""From logits to a caption: greedy search, sampling, and beam search.

All of them see the decoder as a step function. Given the last words ``(rows,)``, int64, and the state, a tuple of
tensors with one row per caption, it returns the logits ``(rows, vocab_size)`` of the next words and the new state. The
step function of `greedy`, `sample` and `beam_search` also returns the attention weights ``(rows, positions)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from captionlab.captioning.batches import PaddedBatch

State = tuple[Tensor, ...]
Step = Callable[[Tensor, State], tuple[Tensor, State, Tensor]]  # logits, state, attention weights


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

    Source: Wu et al. 2016, "Google's Neural Machine Translation System", section 7: powers of 0.6 to 0.7.
    """
    candidates = finished or running
    if not candidates:
        raise ValueError("there is no caption to choose from: give at least one, finished or running")
    return max(candidates, key=lambda caption: caption[0] / max(1, len(caption[1])) ** length_penalty)[1]


@dataclass(frozen=True)
class SearchResult:
    """A caption that a search found.

    Attributes:
        token_ids: of the words, without <start> and <end>.
        log_prob: log-probability of the words and of <end> after them, in nats.
        alphas: (words, positions): the attention weights with which each word was predicted.
    """

    token_ids: list[int]
    log_prob: float
    alphas: Tensor


def greedy(step: Step, state: State, start: int = 1, end: int = 2, max_length: int = 22) -> list[SearchResult]:
    """:func:`greedy_search`, with the attention weights and log-probabilities of the captions.

    Args:
        step, state: as for :func:`beam_search`.
        max_length: maximum number of tokens of a caption, <start> and <end> included.
    """
    alphas, best_log_probs, end_log_probs = [], [], []

    def recording_step(token_ids: Tensor, state: State) -> tuple[Tensor, State]:
        logits, state, alpha = step(token_ids, state)
        normalizer = logits.logsumexp(dim=1)
        alphas.append(alpha)
        best_log_probs.append(logits.amax(dim=1) - normalizer)
        end_log_probs.append(logits[:, end] - normalizer)
        return logits, state

    words = max_length - 2
    # One step more than there can be words: it gives the probability of <end> after a caption of the maximum length.
    captions = [caption[:words] for caption in greedy_search(recording_step, state, start, end, words + 1)]
    attention = torch.stack(alphas, dim=1)  # (images, steps, positions)
    best, ends = (torch.stack(each, dim=1).tolist() for each in (best_log_probs, end_log_probs))
    return [
        SearchResult(
            caption, sum(best[image][: len(caption)]) + ends[image][len(caption)], attention[image, : len(caption)]
        )
        for image, caption in enumerate(captions)
    ]


def sample(
    step: Step,
    state: State,
    generator: torch.Generator,
    temperature: float = 1.0,
    start: int = 1,
    end: int = 2,
    max_length: int = 22,
) -> list[list[int]]:
    """Sample captions word by word with :func:`sample_word`; arguments and result otherwise as for `greedy`.

    Args:
        generator: for the random numbers.
        temperature: see :func:`sample_word`.

    Returns:
        The token ids of each caption, without <start> and <end>.
    """

    def sampling_step(token_ids: Tensor, state: State) -> tuple[Tensor, State]:
        logits, state, _ = step(token_ids, state)
        uniform = torch.rand(len(logits), generator=generator).to(logits.device)
        return one_hot(sample_word(logits, uniform, temperature), logits.shape[1]), state

    return greedy_search(sampling_step, state, start, end, max_length - 2)


@dataclass(frozen=True)
class _Hypothesis:
    """A caption of a beam: ``score`` decides which one is chosen; ``row`` is its row before the last step it was in."""

    score: float
    log_prob: float
    token_ids: list[int]
    row: int


@dataclass
class _Beams:
    """The running captions, one row each, the finished ones, and what is needed to trace the attention back.

    Attributes:
        images: (rows,): the image of each running caption.
        log_probs: (rows,): log-probability of its words.
        ended_log_probs: (rows,): log-probability of its words without the last one, and <end>.
        token_ids: (rows, length), <start> included.
        finished: the finished captions of each image.
        alphas: of each step, the attention weights of the rows before it.
        parents: of each step, the row before it that each row after it continues.
    """

    images: Tensor
    log_probs: Tensor
    ended_log_probs: Tensor
    token_ids: Tensor
    finished: list[list[_Hypothesis]]
    alphas: list[Tensor]
    parents: list[list[int]]

    @classmethod
    def begin(cls, images: int, start: int, device: torch.device) -> _Beams:
        zeros = torch.zeros(images, device=device)
        token_ids = torch.full((images, 1), start, device=device)
        return cls(torch.arange(images, device=device), zeros, zeros, token_ids, [[] for _ in range(images)], [], [])

    def running(self, words: int) -> list[list[_Hypothesis]]:
        """The captions of each image that have not ended after ``words`` words."""
        found: list[list[_Hypothesis]] = [[] for _ in self.finished]
        columns = (self.images, self.log_probs, self.ended_log_probs, self.token_ids)
        rows = zip(*(column.tolist() for column in columns), self.parents[-1], strict=True)
        for image, score, log_prob, token_ids, row in rows:
            found[image].append(_Hypothesis(score, log_prob, token_ids[1 : words + 1], row))
        return found

    def attention(self, hypothesis: _Hypothesis) -> Tensor:
        """The attention weights of each word, (words, positions), from the last word back to the first."""
        row, weights = hypothesis.row, [self.alphas[0].new_zeros(0, self.alphas[0].shape[1])]
        for step in reversed(range(len(hypothesis.token_ids))):
            row = self.parents[step][row]
            weights.append(self.alphas[step][row].unsqueeze(0))
        return torch.cat(weights[::-1])


def beam_search(
    step: Step,
    state: State,
    beams: int,
    start: int = 1,
    end: int = 2,
    max_length: int = 22,
    length_penalty: float = 0.0,
) -> list[SearchResult]:
    """Find probable captions for a batch of images at once, with several captions per image in parallel.

    Of the best continuations of the captions of an image, those that end are set aside, and as many fewer are kept
    running; the search stops when ``beams`` captions have ended, or at the maximum length. With one beam this is
    greedy search. A caption that never ends is cut and is still a caption.

    Args:
        step: is called with one row per running caption, at most ``images * beams``, the captions of an image next to
            each other: ``step(token_ids, state)`` gives logits (rows, vocab_size), the new state, and the attention
            weights (rows, positions).
        state: before the first word: tensors with one row per image.
        beams: captions per image.
        start, end: token ids of <start> and <end>.
        max_length: maximum number of tokens of a caption, <start> and <end> included.
        length_penalty: see :func:`best_caption`.

    Returns:
        One caption per image.

    Raises:
        ValueError: if ``beams`` is not at least 1.
    """
    if beams < 1:
        raise ValueError(f"beams is {beams}: a beam search needs at least 1")
    words = max_length - 2
    search = _Beams.begin(len(state[0]), start, state[0].device)
    for _ in range(words + 1):
        logits, state, alpha = step(search.token_ids[:, -1], state)
        rows = _advance(search, logits, beams, end)
        search.alphas.append(alpha)
        search.parents.append(rows.tolist())
        state = tuple(part[rows] for part in state)
        if not len(rows):
            break
    results = []
    for finished, running in zip(search.finished, search.running(words), strict=True):
        candidates = [[(one.score, one.token_ids) for one in each] for each in (finished, running)]
        token_ids = best_caption(*candidates, length_penalty)
        chosen = next(one for one in (*finished, *running) if one.token_ids is token_ids)
        results.append(SearchResult(token_ids, chosen.log_prob, search.attention(chosen)))
    return results


def _advance(search: _Beams, logits: Tensor, beams: int, end: int) -> Tensor:
    """Extend all captions by one word; returns the old row that each new row continues."""
    best, best_words = logits.topk(min(beams, logits.shape[1]), dim=1)  # no other word can be among an image's best
    normalizer = logits.logsumexp(dim=1)
    batch = PaddedBatch.of(search.images)
    captions, indices, log_probs = beam_step(
        batch.pad(best - normalizer.unsqueeze(1)),  # (images, captions, words)
        batch.pad(search.log_probs, -torch.inf),
        min(beams, batch.width * best.shape[1]),
    )
    free = torch.tensor([beams - len(search.finished[image]) for image in batch.images.tolist()], device=logits.device)
    order = torch.arange(log_probs.shape[1], device=logits.device)
    image, rank = (torch.isfinite(log_probs) & (order < free.unsqueeze(1))).nonzero(as_tuple=True)
    row_at = batch.pad(torch.arange(len(logits), device=logits.device), -1)
    rows = row_at[image, captions[image, rank]]
    words, log_probs = best_words[rows, indices[image, rank]], log_probs[image, rank]
    ended_log_probs = (search.log_probs + logits[:, end] - normalizer)[rows]
    token_ids, images, ended = search.token_ids[rows], search.images[rows], words == end
    for at in ended.nonzero().flatten().tolist():
        log_prob = log_probs[at].item()
        hypothesis = _Hypothesis(log_prob, log_prob, token_ids[at, 1:].tolist(), int(rows[at]))
        search.finished[images[at]].append(hypothesis)
    running = ~ended
    search.images, search.log_probs = images[running], log_probs[running]
    search.ended_log_probs = ended_log_probs[running]
    search.token_ids = torch.cat([token_ids[running], words[running].unsqueeze(1)], dim=1)
    return rows[running]
