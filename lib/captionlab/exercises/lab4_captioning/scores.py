"""How good captions are: top-5 accuracy and BLEU. Probes and misconceptions."""

from __future__ import annotations

import warnings

import torch

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, on_copies
from captionlab.exercises.lab4_captioning.common import COLORS, NOUNS, PLACES, draw_words, lab
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise("captionlab.captioning.metrics:top_k_accuracy", points=2, minutes=15, difficulty=2, importance=3)
def probe_top_k_accuracy(top_k_accuracy, rng):
    def case(ranks, words, pad=0):
        """Scores in which the right word of each step has the wanted rank; rank 0 makes padding, which is likeliest."""
        scores = torch.sort(draw_tensor(rng, len(ranks), len(ranks[0]), words), dim=2, descending=True).values
        targets = torch.full((len(ranks), len(ranks[0])), pad)
        for row, places in enumerate(ranks):
            for step, rank in enumerate(places):
                order = [word for word in draw_different(rng, 0, words - 1, words) if word != pad]
                order.insert(0, pad) if rank == 0 else order.append(pad)
                if rank:
                    targets[row, step] = order[rank - 1]
                scores[row, step] = scores[row, step].clone()[torch.tensor(order).argsort()]
        return scores, targets

    def ranks(*rows):
        return [[row[at] for at in rng.permutation(len(row))] for row in rows]

    words = draw(rng, 9, 12)
    full = ranks((1, 2, 4, 6), (3, 5, 6, 7))
    yield f"2 captions of 4 words, a vocabulary of {words}, five likeliest", float(top_k_accuracy(*case(full, words)))
    padded = [[1, 6, 3, 7, 6], [2, 6, 0, 0, 0], [7, 0, 0, 0, 0]]
    label = "3 captions with padding"
    yield f"{label}, five likeliest", float(top_k_accuracy(*case(padded, words)))
    yield f"{label}, two likeliest", float(top_k_accuracy(*case(padded, words), k=2))
    yield f"{label}, the likeliest alone", float(top_k_accuracy(*case(padded, words), 1))
    scores, targets = case([[1, 4, 7], [3, 0, 0]], words, pad=3)
    yield f"{label[:-1]} number 3, three likeliest", float(top_k_accuracy(scores=scores, targets=targets, k=3, pad=3))
    yield (
        "one caption of one word, the sixth",
        [float(top_k_accuracy(*case([[6]], words))), float(top_k_accuracy(*case([[6]], words), 6))],
    )


def _hits(scores, targets, k):
    return (scores.topk(k, dim=2).indices == targets.unsqueeze(2)).any(dim=2)


@lab.misconception(
    "top_k_accuracy", hint="Padding is counted, and <pad> is easily predicted after the end. Only real words count."
)
def counts_the_padding(scores, targets, k=5, pad=0):
    return _hits(scores, targets, k).float().mean().item()


@lab.misconception(
    "top_k_accuracy",
    hint="Padding does not count as a hit, but you divide by all places. Divide by the number of real words.",
)
def divides_by_all_places(scores, targets, k=5, pad=0):
    return (_hits(scores, targets, k) & (targets != pad)).float().mean().item()


@lab.misconception(
    "top_k_accuracy", hint="Only the likeliest word counts with you. A word among the k likeliest is a hit."
)
def counts_the_first_only(scores, targets, k=5, pad=0):
    return _hits(scores, targets, 1)[targets != pad].float().mean().item()


@lab.misconception("top_k_accuracy", hint="You always take five. Use the argument k.")
def always_five(scores, targets, k=5, pad=0):
    return _hits(scores, targets, 5)[targets != pad].float().mean().item()


@lab.misconception(
    "top_k_accuracy",
    hint="You take the share of each caption and then the mean of these. Every real word of the batch counts the same.",
)
def mean_of_the_captions(scores, targets, k=5, pad=0):
    real = targets != pad
    return ((_hits(scores, targets, k) & real).sum(1) / real.sum(1)).mean().item()


@lab.misconception("top_k_accuracy", hint="A share from 0 to 1 is wanted, not percent.")
def in_percent(scores, targets, k=5, pad=0):
    return 100 * _hits(scores, targets, k)[targets != pad].float().mean().item()


@lab.misconception("top_k_accuracy", hint="You take 0 for the padding, whatever `pad` is. Use the argument.")
def padding_is_zero(scores, targets, k=5, pad=0):
    return _hits(scores, targets, k)[targets != 0].float().mean().item()


def _scene(rng) -> tuple[list[str], list[list[str]]]:
    """A caption, and five that people might have written: it shares runs of words with several of them."""
    one, other = draw_words(rng, NOUNS, 2)
    color, shade, tint = draw_words(rng, COLORS, 3)
    place, elsewhere = draw_words(rng, PLACES, 2)
    candidate = f"a {color} {one} runs in the {place}".split()
    references = [
        f"a {color} {one} runs across the {place} with a {other}",
        f"the {shade} {one} is in the {place}",
        f"a {tint} {other} runs in the {place} near the {elsewhere}",
        f"one {one} and a {other} at the {elsewhere}",
        f"a {one} runs fast and far away today",
    ]
    return candidate, [references[at].split() for at in rng.permutation(5)]


@lab.exercise("captionlab.captioning.metrics:bleu", points=2, minutes=20, difficulty=2, importance=5)
def probe_bleu(bleu, rng):
    bleu = on_copies(bleu)

    def scenes(count, marked=False):
        pairs = [_scene(rng) for _ in range(count)]
        candidates, references = [list(part) for part in zip(*pairs, strict=True)]
        if marked:
            candidates = [["<start>", *words, "<end>", "<pad>"] for words in candidates]
            candidates[0][3] = "<unk>"  # a word it wrote, though a wrong one
            references = [[["<start>", *words, "<end>"] for words in each] for each in references]
        return candidates, references

    count = draw(rng, 3, 5)
    yield f"{count} images with five references each", list(bleu(*scenes(count)))
    yield "3 images, captions with <start>, <end> and <pad>", list(bleu(*scenes(3, marked=True)))
    candidates, references = scenes(4)
    candidates[0] = candidates[0][:4]
    candidates[1] = candidates[1] * 2
    yield "4 images, one caption short and one long", list(bleu(candidates=candidates, references=references))
    candidates, references = scenes(2)
    references[0] = references[0][:1]
    yield "2 images, the first with one reference", list(bleu(candidates, references))
    yield "no run of four words in common", list(bleu([["a", "dog", "sat", "still"]], [[["a", "dog", "was", "here"]]]))
    yield (
        "not as many captions as images",
        [*list(bleu(*scenes(1))), str(outcome_of(bleu, candidates[:1], references))[:17]],
    )
    yield (
        "an image without references",
        [*list(bleu(*scenes(1))), str(outcome_of(bleu, candidates, [[], references[1]]))[:17]],
    )


def _plain(words):
    return [word for word in words if word not in ("<start>", "<end>", "<pad>")]


def _refuse_uneven(candidates, references):
    if len(candidates) != len(references) or not all(references):
        raise ValueError("not as many captions as images, or an image without references")


def _corpus_bleu(references, candidates, weights=None, **more):
    from nltk.translate.bleu_score import corpus_bleu

    weights = weights or [(1 / n,) * n for n in (1, 2, 3, 4)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [float(corpus_bleu(references, candidates, weights=each, **more)) for each in weights]


@lab.misconception(
    "bleu",
    hint="<end> is counted as a word, and <start> too: nearly every caption gets them right, in the right place. Leave "
    "the special words out of both sides.",
)
def counts_the_end(candidates, references):
    _refuse_uneven(candidates, references)
    return _corpus_bleu(references, candidates)


@lab.misconception(
    "bleu",
    hint="The special words are left out of the captions only. The references have them as well.",
)
def cleans_one_side(candidates, references):
    _refuse_uneven(candidates, references)
    return _corpus_bleu(references, [_plain(words) for words in candidates])


@lab.misconception(
    "bleu",
    hint="You compare with one reference an image. People describe an image in many ways: all of its references count, "
    "and the published numbers use five.",
)
def one_reference(candidates, references):
    _refuse_uneven(candidates, references)
    return _corpus_bleu([[_plain(each[0])] for each in references], [_plain(words) for words in candidates])


@lab.misconception(
    "bleu",
    hint="Each reference makes a pair of its own with the caption. An image counts once, with all its "
    "references together.",
)
def a_pair_for_each_reference(candidates, references):
    _refuse_uneven(candidates, references)
    pairs = [(words, one) for words, each in zip(candidates, references, strict=True) for one in each]
    return _corpus_bleu([[_plain(one)] for _, one in pairs], [_plain(words) for words, _ in pairs])


@lab.misconception(
    "bleu",
    hint="You take the BLEU of each caption and then the mean. BLEU counts the runs of words over all images together.",
)
def mean_of_each_bleu(candidates, references):
    _refuse_uneven(candidates, references)
    each = [
        _corpus_bleu([[_plain(one) for one in wanted]], [_plain(words)])
        for words, wanted in zip(candidates, references, strict=True)
    ]
    return [sum(values) / len(values) for values in zip(*each, strict=True)]


@lab.misconception(
    "bleu",
    hint="These are the shares of runs of exactly n words. BLEU-n is the geometric mean over runs of 1 to n "
    "words: weights (1/n, ..., 1/n).",
)
def runs_of_one_length(candidates, references):
    _refuse_uneven(candidates, references)
    weights = [(1,), (0, 1), (0, 0, 1), (0, 0, 0, 1)]
    wanted = [[_plain(one) for one in each] for each in references]
    return _corpus_bleu(wanted, [_plain(words) for words in candidates], weights)


@lab.misconception(
    "bleu",
    hint="Your BLEU is smoothed: it is above 0 where no run of four words is right. The published numbers are not.",
)
def smooths(candidates, references):
    from nltk.translate.bleu_score import SmoothingFunction

    _refuse_uneven(candidates, references)
    wanted = [[_plain(one) for one in each] for each in references]
    return _corpus_bleu(wanted, [_plain(words) for words in candidates], smoothing_function=SmoothingFunction().method1)


@lab.misconception(
    "bleu",
    hint="You leave <unk> out of the captions. It stands for a word the model wrote; without it a caption looks better "
    "than it is. Only <start>, <end> and <pad> are no words.",
)
def leaves_unknown_words_out(candidates, references):
    _refuse_uneven(candidates, references)
    written = [[word for word in _plain(words) if word != "<unk>"] for words in candidates]
    return _corpus_bleu([[_plain(one) for one in each] for each in references], written)


@lab.misconception("bleu", hint="BLEU is wanted from 0 to 1; yours is in percent.")
def bleu_in_percent(candidates, references):
    _refuse_uneven(candidates, references)
    wanted = [[_plain(one) for one in each] for each in references]
    return [100 * value for value in _corpus_bleu(wanted, [_plain(words) for words in candidates])]


@lab.misconception(
    "bleu",
    hint="You give BLEU-4 alone, four times. BLEU-n has weights for runs of 1 to n words.",
)
def always_bleu_4(candidates, references):
    _refuse_uneven(candidates, references)
    wanted = [[_plain(one) for one in each] for each in references]
    return _corpus_bleu(wanted, [_plain(words) for words in candidates])[3:] * 4
