"""Training on what is wanted: captions are drawn from the model, and those that score better get likelier.

Cross-entropy asks for people's next word. What is measured in the end, BLEU of captions the model writes itself, has no
gradient; but the expected score of drawn captions has one: the logarithm of a caption's probability grows with how
much better it scored than other captions drawn for the same image (REINFORCE with a baseline).

Sources: Rennie et al. 2017, "Self-critical Sequence Training for Image Captioning"; the other draws' mean as baseline
from Luo 2020, "A Better Variant of Self-Critical Sequence Training".
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from nltk.translate.bleu_score import closest_ref_length, corpus_bleu, modified_precision
from torch import Tensor

from captionlab.captioning.batches import active_counts, sort_by_length
from captionlab.captioning.decoder import Decoder, EncodedImages
from captionlab.captioning.evaluation import LONGEST, eval_mode, make_step_fn
from captionlab.captioning.search import sample
from captionlab.captioning.vocabulary import END, PAD, START

ORDERS = (1, 2, 3, 4)
LONGER = 1.1  # captions that are drawn are longer than those a beam search finds, which must not get too short


def draw(decoder: Decoder, seen: EncodedImages, each: int, generator: torch.Generator) -> list[list[int]]:
    """Captions drawn word by word, ``each`` for an image, image by image; no dropout, no gradient.

    Returns:
        The numbers of the words of each, without <start> and <end>.
    """
    with eval_mode(decoder):
        step, state = make_step_fn(decoder, seen)
        state = tuple(part.repeat_interleave(each, dim=0) for part in state)
        return sample(step, state, generator, longest=LONGEST)


def rewards(
    drawn: Sequence[Sequence[int]], references: Sequence[Sequence[Sequence[int]]], each: int, longer: float = LONGER
) -> Tensor:
    """How much each drawn caption adds to the BLEU-4 of all captions drawn: (images, each).

    BLEU is a score of a corpus; that of a single caption is mostly zero, and smoothing it favors short ones. So its
    logarithm is taken apart: with m_n of a caption's t_n runs of n words right, M_n and T_n in all captions, its length
    c, the nearest reference's length r, and their sums C and R, a caption's share is
    ``sum_n (m_n / M_n - t_n / T_n) / 4``, and ``c R / C^2 - r / C`` where captions are too short on the whole (C < R).
    <end> counts as a word here: else captions learn to stop after "a man in a".

    Args:
        drawn: ``each`` captions an image, image by image.
        references: of each image people's captions, as numbers.
        longer: captions are too short if they are not this much longer than the nearest references.

    Returns:
        Shares times the number of captions, so that their size does not depend on it.

    Source: linearized after Tromble et al. 2008, "Lattice Minimum Bayes-Risk Decoding", section 3.1.
    """
    counts = torch.tensor(
        [_counts(caption, references[row // each]) for row, caption in enumerate(drawn)], dtype=torch.float64
    )
    right, runs, lengths, nearest = counts[:, :4], counts[:, 4:8], counts[:, 8], counts[:, 9]
    shares = (right / right.sum(0).clamp(min=1) - runs / runs.sum(0).clamp(min=1)).mean(dim=1)
    length, wanted = lengths.sum().clamp(min=1), longer * nearest.sum()
    if length < wanted:
        shares = shares + lengths * wanted / length**2 - longer * nearest / length
    return (shares * len(drawn)).float().view(-1, each)


def _counts(caption: Sequence[int], references: Sequence[Sequence[int]]) -> list[float]:
    """Right runs of 1 to 4 words, runs of 1 to 4 words, length, length of the nearest reference; <end> is a word."""
    caption, references = [*caption, END], [[*each, END] for each in references]
    right = [modified_precision(references, caption, n).numerator if len(caption) >= n else 0 for n in ORDERS]
    runs = [max(0, len(caption) + 1 - n) for n in ORDERS]
    return [*right, *runs, len(caption), closest_ref_length(references, len(caption))]


def advantages(scores: Tensor) -> Tensor:
    """How much better each caption scored than the others of its image on average; (images, each) to the same."""
    each = scores.shape[1]
    return (scores - scores.mean(dim=1, keepdim=True)) * each / (each - 1)


def as_batch(drawn: Sequence[Sequence[int]], each: int) -> Tensor:
    """Captions as a decoder reads them: (images, each, length), <start> to <end>, then <pad>.

    A caption that was cut at the longest length has an <end> too.
    """
    length = max(map(len, drawn)) + 2
    rows = [[START, *words, END, *[PAD] * (length - 2 - len(words))] for words in drawn]
    return torch.tensor(rows).view(-1, each, length)


def self_critical_loss(
    decoder: Decoder,
    positions: Tensor,
    references: Sequence[Sequence[Sequence[int]]],
    each: int,
    generator: torch.Generator,
) -> tuple[Tensor, float]:
    """The loss whose gradient makes good captions likelier.

    Args:
        positions: (images, positions, channels).
        references: of each image people's captions, as numbers.
        each: captions drawn an image, at least 2.
        generator: of the draws.

    Returns:
        The loss, and the BLEU-4 of the captions drawn.
    """
    with torch.no_grad():
        drawn = draw(decoder, decoder.see(positions), each, generator)
    scores = rewards(drawn, references, each)
    captions = as_batch(drawn, each).to(positions.device)
    decoded = decoder(positions, captions)
    _, order, lengths = sort_by_length(captions.flatten(0, 1), torch.arange(len(drawn), device=positions.device))
    owners = torch.cat([order[:count] for count in active_counts(lengths)])
    logs = -torch.nn.functional.cross_entropy(decoded.scores.float(), decoded.targets, reduction="none")
    weights = advantages(scores).flatten().to(positions.device)[owners]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nltk warns of every BLEU that is 0
        score = corpus_bleu([references[row // each] for row in range(len(drawn))], drawn)
    return -(weights * logs).mean(), float(score)
