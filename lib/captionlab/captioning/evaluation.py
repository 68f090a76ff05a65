"""How good a model is: loss and top-5 accuracy with teacher forcing, BLEU of the captions it generates itself.

The two are kept apart: with teacher forcing a model reads the right word after each of its predictions, so the
predicted words are not a caption, and their BLEU would be far too high.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captionlab.captioning.batched_search import SearchResult, State, Step, beam_search, greedy
from captionlab.captioning.caption_dataset import CaptionDataset
from captionlab.captioning.decoder import Decoder, EncodedImages
from captionlab.captioning.encoders import GridEncoder, encode_grids, flatten_grids
from captionlab.captioning.metrics import bleu, top_k_accuracy
from captionlab.captioning.vocabulary import PAD, START, UNK, Vocabulary
from captionlab.common.progress import progress_bar

MAX_LENGTH = 26  # tokens of a generated caption, <start> and <end> included
EVAL_BATCH_SIZE = 100  # images
LENGTH_PENALTY = 0.6  # the default power of the length that log-probabilities are divided by


@dataclass(frozen=True)
class Scores:
    """The scores of a model on a dataset.

    Attributes:
        loss: mean cross-entropy per word with teacher forcing, in nats.
        top5: share of words that are among the five most probable, with teacher forcing.
        bleu: BLEU-1 to BLEU-4 of the captions the model generated, from 0 to 1.
        captions: these captions, as words.
        seconds: the time it took to generate them.
    """

    loss: float = float("nan")
    top5: float = float("nan")
    bleu: tuple[float, ...] = ()
    captions: tuple[tuple[str, ...], ...] = ()
    seconds: float = float("nan")


class CaptionModel(nn.Module):
    """A decoder, and the fine-tuned part of the encoder if there is one; otherwise it takes the encoder's features.

    Attributes:
        decoder: a `Decoder`.
        encoder: the blocks of the network that are fine-tuned, a `GridEncoder`; None if the whole network is frozen.
    """

    def __init__(self, decoder: Decoder, encoder: GridEncoder | None = None) -> None:
        super().__init__()
        self.decoder = decoder
        self.encoder = encoder

    def grids(self, grids: Sequence[Tensor]) -> list[Tensor]:
        """The encoder's output from that of its frozen part, (images, height, width, channels) for each input size."""
        device = next(self.decoder.parameters()).device
        return encode_grids(self.encoder, [grid.to(device) for grid in grids])

    def features(self, grids: Sequence[Tensor]) -> Tensor:
        """The decoder's input, (images, positions, channels), from the output of the frozen part (see `grids`)."""
        return flatten_grids(self.grids(grids))


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients inside the block; afterwards the previous mode."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def evaluate_teacher_forcing(model: CaptionModel, dataset: CaptionDataset, batch_size: int = 64) -> Scores:
    """Loss and top-5 accuracy with teacher forcing; the model's mode is restored.

    Args:
        batch_size: images per batch, each with all its captions.

    Raises:
        ValueError: if the dataset has no images.
    """
    if not len(dataset):
        raise ValueError("the dataset has no images, expected at least one with a caption")
    loss, hits, words = 0.0, 0.0, 0
    with eval_mode(model):
        for start in range(0, len(dataset), batch_size):
            part = slice(start, start + batch_size)
            features = model.features(dataset.grids(part))
            output = model.decoder(features, dataset.token_ids[part].to(features.device))
            count = len(output.targets)
            # The output has real words only, so this is caption_loss, as a sum.
            loss += F.cross_entropy(output.logits, output.targets, reduction="sum").item()
            hits += count * top_k_accuracy(output.logits.unsqueeze(0), output.targets.unsqueeze(0))
            words += count
    return Scores(loss / words, hits / words)


def evaluate_generation(
    model: CaptionModel,
    vocabulary: Vocabulary,
    dataset: CaptionDataset,
    beams: int = 1,
    length_penalty: float = 0.0,
    *,
    progress: bool = False,
) -> Scores:
    """Generate a caption for each image and compute BLEU; the model's mode is restored.

    Args:
        beams: of the beam search; 1 is greedy search.
        length_penalty: see :func:`captionlab.captioning.search.best_caption`.
        progress: show how many images are done.
    """
    captions: list[tuple[str, ...]] = []
    began = time.perf_counter()
    bar = progress_bar("generating captions", len(dataset), unit="images", progress=progress, log_ends=False)
    with eval_mode(model), bar as shown:
        for start in range(0, len(dataset), EVAL_BATCH_SIZE):
            features = model.features(dataset.grids(slice(start, start + EVAL_BATCH_SIZE)))
            found = generate(model.decoder, model.decoder.encode(features), beams, length_penalty)
            captions += [tuple(vocabulary.decode(one.token_ids)) for one in found]
            shown.advance(len(found))
    seconds = time.perf_counter() - began
    return Scores(bleu=tuple(bleu(captions, dataset.references)), captions=tuple(captions), seconds=seconds)


def mask_special_tokens(logits: Tensor) -> Tensor:
    """Give <pad>, <start> and <unk> the probability 0: of the special tokens only <end> can be generated.

    Args:
        logits: (captions, vocab_size), changed in place.
    """
    logits[:, [PAD, START, UNK]] = -torch.inf
    return logits


def make_step_fn(decoder: Decoder, encoded: EncodedImages) -> tuple[Step, State]:
    """The step function and the initial state for :func:`captionlab.captioning.batched_search.beam_search`.

    The state of a caption includes the index of its image.
    """

    def step(token_ids: Tensor, state: State) -> tuple[Tensor, State, Tensor]:
        *hidden, images = state
        logits, new_state, alpha = decoder.step(encoded, token_ids.to(images.device), tuple(hidden), images)
        return mask_special_tokens(logits), (*new_state, images), alpha

    initial = decoder.init_hidden_state(encoded)
    return step, (*initial, torch.arange(len(initial[0]), device=initial[0].device))


def generate(
    decoder: Decoder, encoded: EncodedImages, beams: int = 1, length_penalty: float = 0.0
) -> list[SearchResult]:
    """Captions for a batch of images by greedy search (one beam) or beam search."""
    step, state = make_step_fn(decoder, encoded)
    if beams == 1:
        return greedy(step, state, max_length=MAX_LENGTH)
    return beam_search(step, state, beams, max_length=MAX_LENGTH, length_penalty=length_penalty)
