"""How good a model is: loss and top-5 accuracy with the true words given, BLEU of the captions it writes itself.

The two are kept apart: with teacher forcing a model is told after each word what the right one would have been, so
words that it chose that way are no caption, and their BLEU would be far too high.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from captionlab.captioning.caption_sets import CaptionSet, GridSource
from captionlab.captioning.decoder import Decoder, Seen
from captionlab.captioning.metrics import bleu, top_k_accuracy
from captionlab.captioning.search import beam_search, greedy_search
from captionlab.captioning.vocabulary import Vocabulary

LONGEST = 24  # words of a caption the model writes
AT_A_TIME = 100  # images


@dataclass(frozen=True)
class Scores:
    """Of a model on a set of images.

    Attributes:
        loss: mean cross-entropy of a word, nats, teacher-forced.
        top5: share of words among the five likeliest, teacher-forced.
        bleu: BLEU-1 to BLEU-4 of the captions the model wrote itself, from 0 to 1.
        captions: these captions, as words.
    """

    loss: float = float("nan")
    top5: float = float("nan")
    bleu: tuple[float, ...] = ()
    captions: tuple[tuple[str, ...], ...] = ()


@torch.no_grad()
def teacher_forced(decoder: Decoder, grids: GridSource, captions: CaptionSet, size: int = 64) -> Scores:
    """Loss and top-5 accuracy, with the true words given; the decoder's mode is restored."""
    training, device = decoder.training, next(decoder.parameters()).device
    decoder.eval()
    loss, hits, words = 0.0, 0.0, 0
    for start in range(0, len(captions), size):
        part = slice(start, start + size)
        decoded = decoder(grids.batch(captions.numbers[part]).to(device), captions.encoded[part].to(device))
        count = len(decoded.targets)
        loss += F.cross_entropy(decoded.scores, decoded.targets, reduction="sum").item()
        hits += count * top_k_accuracy(decoded.scores.unsqueeze(0), decoded.targets.unsqueeze(0))
        words += count
    decoder.train(training)
    return Scores(loss / words, hits / words)


@torch.no_grad()
def evaluate(
    decoder: Decoder,
    vocabulary: Vocabulary,
    grids: GridSource,
    captions: CaptionSet,
    beams: int = 1,
    by_length: bool = False,
) -> Scores:
    """Captions the model writes itself, and their BLEU; the decoder's mode is restored.

    Args:
        beams: of the beam search; 1 is greedy search.
        by_length: see :func:`captionlab.captioning.search.best_caption`.
    """
    written = write_captions(decoder, grids, captions.numbers, beams, by_length)
    words = [vocabulary.decode(caption) for caption in written]
    return Scores(bleu=tuple(bleu(words, captions.references)), captions=tuple(tuple(each) for each in words))


@torch.no_grad()
def write_captions(
    decoder: Decoder, grids: GridSource, numbers, beams: int = 1, by_length: bool = False
) -> list[list[int]]:
    """The numbers of the words the model writes for images, by their rows in the grids."""
    training, device = decoder.training, next(decoder.parameters()).device
    decoder.eval()
    written = []
    for start in range(0, len(numbers), AT_A_TIME):
        seen = decoder.see(grids.batch(numbers[start : start + AT_A_TIME]).to(device))
        written += search(decoder, seen, beams, by_length)
    decoder.train(training)
    return written


def search(decoder: Decoder, seen: Seen, beams: int = 1, by_length: bool = False) -> list[list[int]]:
    """Greedy or beam search for a batch of images."""

    def step(words: torch.Tensor, state: tuple) -> tuple[torch.Tensor, tuple]:
        scores, state, _ = decoder.next_word(seen, words.to(seen.positions.device), state)
        # Neither <pad> nor <start> nor <unk> is a word to write.
        scores[:, [0, 1, 3]] = -torch.inf
        return scores, state

    if beams == 1:
        return greedy_search(step, decoder.begin(seen), longest=LONGEST)
    return beam_search(step, decoder.begin(seen), beams, longest=LONGEST, by_length=by_length)
