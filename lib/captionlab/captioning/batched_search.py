"""Searches for a batch of images at once, which also return the attention weights of their captions.

They are built from the functions of :mod:`captionlab.captioning.search`: greedy search, sampling, and beam search.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from captionlab.captioning.batches import PaddedBatch
from captionlab.captioning.search import beam_step, best_caption, greedy_search, sample_word

State = tuple[Tensor, ...]
Step = Callable[[Tensor, State], tuple[Tensor, State, Tensor]]  # logits, state, attention weights


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
        ended, cut = ([(one.score, one.token_ids) for one in each] for each in (finished, running))
        token_ids = best_caption(ended, cut, length_penalty)
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
