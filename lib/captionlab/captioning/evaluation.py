"""How good a model is: loss and top-5 accuracy with the true words given, BLEU of the captions it writes itself.

The two are kept apart: with teacher forcing a model is told after each word what the right one would have been, so
words that it chose that way are no caption, and their BLEU would be far too high.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captionlab.captioning.caption_dataset import CaptionDataset
from captionlab.captioning.decoder import Decoder, EncodedImages
from captionlab.captioning.encoders import GridEncoder, encode_grids
from captionlab.captioning.metrics import bleu, top_k_accuracy
from captionlab.captioning.search import Step, beam_search, greedy_search
from captionlab.captioning.vocabulary import PAD, START, UNK, Vocabulary

LONGEST = 24  # words of a caption the model writes
EVAL_BATCH_SIZE = 100  # images
LENGTH_PENALTY = 0.6  # power of the length that log-probabilities are divided by, where nothing else is said


@dataclass(frozen=True)
class Scores:
    """Of a model on a set of images.

    Attributes:
        loss: mean cross-entropy of a word, nats, teacher-forced.
        top5: share of words among the five likeliest, teacher-forced.
        bleu: BLEU-1 to BLEU-4 of the captions the model wrote itself, from 0 to 1.
        captions: these captions, as words.
        seconds: that writing them took.
    """

    loss: float = float("nan")
    top5: float = float("nan")
    bleu: tuple[float, ...] = ()
    captions: tuple[tuple[str, ...], ...] = ()
    seconds: float = float("nan")


class CaptionModel(nn.Module):
    """A decoder, and the encoder where it is trained on with the decoder; else grids come in ready.

    Attributes:
        decoder: a `Decoder`.
        encoder: blocks of the network that learn with the decoder, a `GridEncoder`; None where all of it is frozen.
        sizes: of the images that the grids are of, one or two: see `Encoder`.
    """

    def __init__(self, decoder: Decoder, encoder: GridEncoder | None = None, sizes: Sequence[int] = (1,)) -> None:
        super().__init__()
        self.decoder = decoder
        self.encoder = encoder
        self.sizes = tuple(sizes)

    def positions(self, batch: Tensor) -> Tensor:
        """What the decoder looks at, (images, positions, channels), from grids of the frozen part."""
        batch = batch.to(next(self.decoder.parameters()).device)
        if self.encoder is None:
            return batch
        return encode_grids(self.encoder, batch, self.sizes)


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients inside the block; afterwards the mode from before."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def evaluate_teacher_forcing(model: CaptionModel, captions: CaptionDataset, size: int = 64) -> Scores:
    """Loss and top-5 accuracy, with the true words given; the model's mode is restored."""
    loss, hits, words = 0.0, 0.0, 0
    with eval_mode(model):
        for start in range(0, len(captions), size):
            part = slice(start, start + size)
            positions = model.positions(captions.batch(part))
            decoded = model.decoder(positions, captions.encoded[part].to(positions.device))
            count = len(decoded.targets)
            loss += F.cross_entropy(decoded.scores, decoded.targets, reduction="sum").item()
            hits += count * top_k_accuracy(decoded.scores.unsqueeze(0), decoded.targets.unsqueeze(0))
            words += count
    return Scores(loss / words, hits / words)


def evaluate_generation(
    model: CaptionModel, vocabulary: Vocabulary, captions: CaptionDataset, beams: int = 1, by_length: float = 0.0
) -> Scores:
    """Captions the model writes itself, and their BLEU; the model's mode is restored.

    Args:
        beams: of the beam search; 1 is greedy search.
        by_length: see :func:`captionlab.captioning.search.best_caption`.
    """
    words, began = [], time.perf_counter()
    with eval_mode(model):
        for start in range(0, len(captions), EVAL_BATCH_SIZE):
            seen = model.decoder.see(model.positions(captions.batch(slice(start, start + EVAL_BATCH_SIZE))))
            words += [vocabulary.decode(caption) for caption in search(model.decoder, seen, beams, by_length)]
    seconds = time.perf_counter() - began
    written = tuple(tuple(each) for each in words)
    return Scores(bleu=tuple(bleu(words, captions.references)), captions=written, seconds=seconds)


def mask_special_tokens(scores: Tensor) -> Tensor:
    """Scores (captions, words), changed in place: no special word can be written but <end>."""
    scores[:, [PAD, START, UNK]] = -torch.inf
    return scores


def make_step_fn(decoder: Decoder, seen: EncodedImages) -> tuple[Step, tuple[Tensor, ...]]:
    """The decoder as a function of the last words and the state, for searching, and the state before the first word.

    The number of its image is a part of each caption's state.
    """

    def step(words: Tensor, state: tuple) -> tuple[Tensor, tuple]:
        *state, images = state
        scores, state, _ = decoder.step(seen, words.to(images.device), tuple(state), images)
        return mask_special_tokens(scores), (*state, images)

    first = decoder.begin(seen)
    return step, (*first, torch.arange(len(first[0]), device=first[0].device))


def search(decoder: Decoder, seen: EncodedImages, beams: int = 1, by_length: float = 0.0) -> list[list[int]]:
    """Greedy or beam search for a batch of images."""
    step, state = make_step_fn(decoder, seen)
    if beams == 1:
        return greedy_search(step, state, longest=LONGEST)
    return beam_search(step, state, beams, longest=LONGEST, by_length=by_length)
