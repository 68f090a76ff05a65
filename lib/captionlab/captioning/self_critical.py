"""Training on what is measured: sampled captions that score better than others become more probable.

Cross-entropy trains the model to predict the next word of people's captions. What is measured in the end, BLEU of the
captions the model generates itself, has no gradient; but the expected score of sampled captions has one: the
log-probability of each caption, weighted by how much better it scored than the other samples of the same image
(REINFORCE with a baseline).

Sources: Rennie et al. 2017, "Self-critical Sequence Training for Image Captioning", whose baseline is the score of the
model's own greedy caption; the mean of the other samples as the baseline, used here, is from Luo 2020, "A Better
Variant of Self-Critical Sequence Training".
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from nltk.translate.bleu_score import closest_ref_length, corpus_bleu, modified_precision
from torch import Tensor

from captionlab.captioning.batched_search import sample
from captionlab.captioning.batches import active_counts, sort_by_length
from captionlab.captioning.decoder import Decoder, EncodedImages
from captionlab.captioning.evaluation import MAX_LENGTH, eval_mode, make_step_fn
from captionlab.captioning.vocabulary import END, PAD, START
from captionlab.common.checking import check_captions, check_token_ids

ORDERS = (1, 2, 3, 4)
LENGTH_MARGIN = 1.1  # sampled captions are longer than those of a beam search, which must not become too short


def sample_captions(
    decoder: Decoder, encoded: EncodedImages, num_samples: int, generator: torch.Generator
) -> list[list[int]]:
    """Sample captions word by word, without dropout and gradients.

    Args:
        encoded: the images.
        num_samples: captions per image.
        generator: for the random numbers.

    Returns:
        The token ids of each caption, without <start> and <end>; the captions of an image are next to each other.
    """
    with eval_mode(decoder):
        step, state = make_step_fn(decoder, encoded)
        state = tuple(part.repeat_interleave(num_samples, dim=0) for part in state)
        return sample(step, state, generator, max_length=MAX_LENGTH)


def rewards(
    samples: Sequence[Sequence[int]],
    references: Sequence[Sequence[Sequence[int]]],
    num_samples: int,
    length_margin: float = LENGTH_MARGIN,
) -> Tensor:
    """How much each sampled caption contributes to the BLEU-4 of all of them.

    BLEU is a score of many captions together; that of a single caption is mostly zero, and smoothed variants favor
    short captions. So the logarithm of BLEU is linearized. Let m_n be the matching n-grams of a caption, t_n all its
    n-grams, and c its length; r is the length of the nearest reference; M_n, T_n, C and R are the sums over all
    captions. The contribution of the caption is ``sum_n (m_n / M_n - t_n / T_n) / 4``, and if the captions are too
    short in total (C < R), also ``c R / C^2 - r / C``. <end> counts as a word here: otherwise captions learn to stop
    after "a man in a".

    Args:
        samples: token ids, ``num_samples`` captions per image, next to each other.
        references: people's captions of each image, as token ids.
        num_samples: captions per image.
        length_margin: captions count as too short unless they are this many times as long as the nearest references.

    Returns:
        (images, num_samples): contributions times the number of captions, so that their scale does not depend on it.

    Raises:
        TypeError: if the captions are no lists of token ids.
        ValueError: if there are not ``num_samples`` captions for each image with references.

    Source: linearization as in Tromble et al. 2008, "Lattice Minimum Bayes-Risk Decoding", section 3.1.
    """
    check_captions(samples, references, check_token_ids)
    if len(samples) != num_samples * len(references):
        raise ValueError(
            f"found {len(samples)} captions and references of {len(references)} images, expected {num_samples} "
            "captions per image"
        )
    counts = torch.tensor(
        [_counts(caption, references[row // num_samples]) for row, caption in enumerate(samples)], dtype=torch.float64
    )
    matches, ngrams, lengths, nearest = counts[:, :4], counts[:, 4:8], counts[:, 8], counts[:, 9]
    shares = (matches / matches.sum(0).clamp(min=1) - ngrams / ngrams.sum(0).clamp(min=1)).mean(dim=1)
    length, required = lengths.sum().clamp(min=1), length_margin * nearest.sum()
    if length < required:
        shares = shares + lengths * required / length**2 - length_margin * nearest / length
    return (shares * len(samples)).float().view(-1, num_samples)


def _counts(caption: Sequence[int], references: Sequence[Sequence[int]]) -> list[float]:
    """Matching 1- to 4-grams, all 1- to 4-grams, length, and length of the nearest reference; <end> is a word."""
    caption, references = [*caption, END], [[*each, END] for each in references]
    matches = [modified_precision(references, caption, n).numerator if len(caption) >= n else 0 for n in ORDERS]
    ngrams = [max(0, len(caption) + 1 - n) for n in ORDERS]
    return [*matches, *ngrams, len(caption), closest_ref_length(references, len(caption))]


def advantages(scores: Tensor) -> Tensor:
    """How much better each caption scored than the mean of the other samples of its image (leave-one-out baseline).

    Args:
        scores: (images, num_samples).

    Returns:
        (images, num_samples).
    """
    num_samples = scores.shape[1]
    return (scores - scores.mean(dim=1, keepdim=True)) * num_samples / (num_samples - 1)


def to_batch(samples: Sequence[Sequence[int]], num_samples: int) -> Tensor:
    """Sampled captions as a decoder reads them, from <start> to <end>, then <pad>.

    A caption that was cut at the maximum length gets an <end> too, although none was drawn.

    Returns:
        (images, num_samples, length), int64.
    """
    length = max(map(len, samples)) + 2
    rows = [[START, *words, END, *[PAD] * (length - 2 - len(words))] for words in samples]
    return torch.tensor(rows).view(-1, num_samples, length)


def self_critical_loss(
    decoder: Decoder,
    features: Tensor,
    references: Sequence[Sequence[Sequence[int]]],
    num_samples: int,
    generator: torch.Generator,
) -> tuple[Tensor, float]:
    """The loss whose gradient makes captions with a high score more probable.

    A caption that was cut at the maximum length counts as if it had ended there: the log-probability of its <end> is
    part of the loss, although that <end> was never drawn. So the gradient is slightly biased while such captions occur.

    Args:
        features: (images, positions, channels).
        references: people's captions of each image, as token ids.
        num_samples: captions sampled per image, at least 2.
        generator: for the random numbers.

    Returns:
        The loss, and the BLEU-4 of the sampled captions.
    """
    with torch.no_grad():
        samples = sample_captions(decoder, decoder.encode(features), num_samples, generator)
    token_ids = to_batch(samples, num_samples).to(features.device)
    output = decoder(features, token_ids)
    # The sample that each logit of the output belongs to: the decoder sorts the captions by length.
    _, order, lengths = sort_by_length(token_ids.flatten(0, 1), torch.arange(len(samples), device=features.device))
    sample_of = torch.cat([order[:count] for count in active_counts(lengths)])
    log_probs = -torch.nn.functional.cross_entropy(output.logits.float(), output.targets, reduction="none")
    weights = advantages(rewards(samples, references, num_samples)).flatten().to(features.device)[sample_of]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nltk warns about every BLEU that is 0
        score = corpus_bleu([references[row // num_samples] for row in range(len(samples))], samples)
    return -(weights * log_probs).mean(), float(score)
