"""How good captions are: the share of right words among the likeliest five, and BLEU."""

from __future__ import annotations

import warnings

from nltk.translate.bleu_score import corpus_bleu


def top_k_accuracy(scores, targets, k=5, pad=0):
    """How often the right word is among the k likeliest; the true words before it are given (teacher forcing).

    Args:
        scores: ``(batch, steps, words)``: scores of all words at each step.
        targets: ``(batch, steps)``, int64: the right words, ``pad`` where a caption has ended.
        k: how many of the likeliest words count.
        pad: number of the padding, which does not count at all.

    Returns:
        The share of the real words, a Python float from 0 to 1.

    Example::

        scores, targets = torch.tensor([[[0.0, 3.0, 2.0, 1.0], [0.0, 1.0, 2.0, 3.0]]]), torch.tensor([[2, 0]])
        top_k_accuracy(scores, targets, k=2)  # 1.0: one real word, second best
        top_k_accuracy(scores, targets, k=1)  # 0.0
    """
    best = scores.topk(k, dim=2).indices
    hits = (best == targets.unsqueeze(2)).any(dim=2)
    return hits[targets != pad].float().mean().item()


def bleu(candidates, references):
    """BLEU-1 to BLEU-4 of captions a model wrote itself: nltk's ``corpus_bleu``, references first, no smoothing.

    BLEU-n counts how many of the captions' runs of 1 to n words are also in a caption people wrote, over all images
    together, a run at most as often as a reference has it. It is the geometric mean of these n shares (weights 1/n),
    made smaller where captions are too short. All references of an image count, and each image counts once.

    Args:
        candidates: of each image the words of its caption, a list of str.
        references: of each image the captions people wrote, a list of lists of str.
            ``<start>``, ``<end>`` and ``<pad>`` are no words of either and are left out first.

    Returns:
        A list of four floats from 0 to 1.

    Raises:
        ValueError: if there are not as many images in both, or one has no reference.

    Example::

        bleu([["a", "dog", "runs", "fast"]], [[["a", "dog", "runs", "fast"], ["it", "runs"]]])  # [1.0, 1.0, 1.0, 1.0]

    Source: Papineni et al. 2002, "BLEU: a method for automatic evaluation of machine translation".
    """
    if len(candidates) != len(references):
        raise ValueError(f"found {len(candidates)} captions and references of {len(references)} images")
    if not all(references):
        raise ValueError("an image has no reference: give at least one caption people wrote for each")

    def plain(words):
        return [word for word in words if word not in ("<start>", "<end>", "<pad>")]

    written = [plain(words) for words in candidates]
    wanted = [[plain(words) for words in each] for each in references]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nltk warns of every BLEU that is 0
        return [float(corpus_bleu(wanted, written, weights=(1 / n,) * n)) for n in (1, 2, 3, 4)]
