"""How good captions are: top-k accuracy under teacher forcing, and BLEU of generated captions.

Both refuse arguments of another kind or shape with a TypeError or a ValueError.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from nltk.translate.bleu_score import corpus_bleu

from captionlab.captioning.loss import check_logits
from captionlab.common.checking import check_captions, check_words, checked


def top_k_accuracy(logits: torch.Tensor, targets: torch.Tensor, k: int = 5, pad: int = 0) -> float:
    """How often the correct word is among the k most probable ones, given the true words before it.

    Args:
        logits: ``(batch, steps, vocab_size)``.
        targets: ``(batch, steps)``, int64: the correct words, ``pad`` after the end of a caption.
        k: how many of the most probable words count.
        pad: the id of the padding, which does not count at all.

    Returns:
        The fraction of the real words, from 0 to 1.

    Example:
        >>> logits = torch.tensor([[[0.0, 3.0, 2.0, 1.0], [0.0, 1.0, 2.0, 3.0]]])
        >>> targets = torch.tensor([[2, 0]])  # one real word, ranked second
        >>> top_k_accuracy(logits, targets, k=2)
        1.0
        >>> top_k_accuracy(logits, targets, k=1)
        0.0
    """
    best = logits.topk(k, dim=2).indices  # (batch, steps, k)
    hits = (best == targets.unsqueeze(2)).any(dim=2)  # (batch, steps)
    return hits[targets != pad].float().mean().item()


def bleu(candidates: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> list[float]:
    """BLEU-1 to BLEU-4 of generated captions: nltk's ``corpus_bleu``, references first, without smoothing.

    BLEU-n counts how many n-grams of 1 to n words of the generated captions also occur in a caption that people wrote,
    over all images together; an n-gram counts at most as often as one of the references has it. It is the geometric
    mean of these n precisions (weights 1/n), reduced if the captions are too short. All references of an image count,
    and each image counts once.

    Args:
        candidates: for each image, the words of the generated caption.
        references: for each image, the captions that people wrote. ``<start>``, ``<end>`` and ``<pad>`` are not words
            and are removed from both first.

    Returns:
        Four numbers from 0 to 1.

    Raises:
        ValueError: if the numbers of images differ, or an image has no reference.

    Example:
        >>> bleu([["a", "dog", "runs", "fast"]], [[["a", "dog", "runs", "fast"], ["it", "runs"]]])
        [1.0, 1.0, 1.0, 1.0]

    Source: Papineni et al. 2002, "BLEU: a method for automatic evaluation of machine translation".
    """
    if len(candidates) != len(references):
        raise ValueError(f"found {len(candidates)} captions, but references of {len(references)} images: give one each")
    if not all(references):
        raise ValueError("an image has no reference: give at least one caption that people wrote for each image")

    def plain(words: Sequence[str]) -> list[str]:
        return [word for word in words if word not in ("<start>", "<end>", "<pad>")]

    hypotheses = [plain(words) for words in candidates]
    plain_references = [[plain(words) for words in captions] for captions in references]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nltk warns of every BLEU that is 0
        return [float(corpus_bleu(plain_references, hypotheses, weights=(1 / n,) * n)) for n in (1, 2, 3, 4)]


def _check_top_k(
    logits: torch.Tensor, targets: torch.Tensor, k: int = 5, pad: int = 0
) -> tuple[torch.Tensor, torch.Tensor, int, int]:
    check_logits(logits, targets, pad)
    if not 1 <= k <= logits.shape[2]:
        raise ValueError(f"k is {k}, expected a number from 1 to {logits.shape[2]}, the size of the vocabulary")
    if logits.isnan().any():
        count = int(logits.isnan().sum())
        raise ValueError(f"{count} of {logits.numel()} logits are NaN, expected numbers: is the model's loss finite?")
    return logits, targets, k, pad


def _check_bleu(
    candidates: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]
) -> tuple[Sequence[Sequence[str]], Sequence[Sequence[Sequence[str]]]]:
    check_captions(candidates, references, check_words)
    return candidates, references


# Letters have n-grams, too: lines instead of lists of words would give numbers that look right.
top_k_accuracy = checked(top_k_accuracy, _check_top_k)
bleu = checked(bleu, _check_bleu)
