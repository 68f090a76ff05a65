"""How good captions are: top-5 accuracy and BLEU. Probes and misconceptions."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, on_copies
from captionlab.exercises.lab4_captioning.common import COLORS, NOUNS, PLACES, draw_words, lab
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise("captionlab.captioning.metrics:top_k_accuracy", points=2, minutes=15, difficulty=2, importance=3)
def probe_top_k_accuracy(top_k_accuracy, rng):
    def case(ranks, vocab_size, pad=0):
        """Logits that give the correct word of each step its rank; at rank 0 padding is correct, and ranked first."""
        logits = torch.sort(draw_tensor(rng, len(ranks), len(ranks[0]), vocab_size), dim=2, descending=True).values
        targets = torch.full((len(ranks), len(ranks[0])), pad)
        for row, ranks_of_row in enumerate(ranks):
            for step, rank in enumerate(ranks_of_row):
                order = [word for word in draw_different(rng, 0, vocab_size - 1, vocab_size) if word != pad]
                order.insert(0, pad) if rank == 0 else order.append(pad)
                if rank:
                    targets[row, step] = order[rank - 1]
                logits[row, step] = logits[row, step].clone()[torch.tensor(order).argsort()]
        return logits, targets

    def ranks(*rows):
        return [[row[at] for at in rng.permutation(len(row))] for row in rows]

    vocab_size = draw(rng, 9, 12)
    full = ranks((1, 2, 4, 6), (3, 5, 6, 7))
    yield f"2 captions of 4 words, a vocabulary of {vocab_size}", float(top_k_accuracy(*case(full, vocab_size)))
    padded = [[1, 6, 3, 7, 6], [2, 6, 0, 0, 0], [7, 0, 0, 0, 0]]
    label = "3 captions with padding"
    yield label, float(top_k_accuracy(*case(padded, vocab_size)))
    yield f"{label}, k=2", float(top_k_accuracy(*case(padded, vocab_size), k=2))
    yield f"{label}, k=1", float(top_k_accuracy(*case(padded, vocab_size), 1))
    logits, targets = case([[1, 4, 7], [3, 0, 0]], vocab_size, pad=3)
    yield "2 captions with padding, k=3, pad=3", float(top_k_accuracy(logits=logits, targets=targets, k=3, pad=3))
    yield (
        "one caption of one word, ranked sixth; k=5, k=6",
        [float(top_k_accuracy(*case([[6]], vocab_size))), float(top_k_accuracy(*case([[6]], vocab_size), 6))],
    )


HITS = "hits[targets != pad]"  # in the reference

lab.misconceptions(
    "top_k_accuracy",
    counts_the_padding=(
        "Padding is counted, and <pad> is easy to predict after the end. Only real words count.",
        {HITS: "hits"},
    ),
    divides_by_all_steps=(
        "Padding does not count as a hit, but you divide by the number of all steps. Divide by the number of real "
        "words.",
        {HITS: "(hits & (targets != pad))"},
    ),
    counts_the_first_only=(
        "You count only the top-1 word. A word among the k most probable ones is a hit.",
        {"topk(k,": "topk(1,"},
    ),
    always_five=("You always take five. Use the argument k.", {"topk(k,": "topk(5,"}),
    mean_of_the_captions=(
        "You take the accuracy of each caption and then the mean of these. Every real word of the batch counts the "
        "same.",
        {
            f"return {HITS}.float()": "real = targets != pad\n    return ((hits & real).sum(dim=1) / real.sum(dim=1))",
        },
    ),
    in_percent=("Return a fraction from 0 to 1, not percent.", {HITS: f"100 * {HITS}"}),
    padding_is_zero=("You assume that the padding is 0, whatever `pad` is. Use the argument.", {"!= pad": "!= 0"}),
)


def _scene(rng) -> tuple[list[str], list[list[str]]]:
    """A caption, and five that people might have written: it shares n-grams with several of them."""
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
            candidates[0][3] = "<unk>"  # a generated word, though a wrong one
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
    yield "no 4-gram in common", list(bleu([["a", "dog", "sat", "still"]], [[["a", "dog", "was", "here"]]]))
    yield (
        "not as many captions as images",
        [*list(bleu(*scenes(1))), str(outcome_of(bleu, candidates[:1], references))[:17]],
    )
    yield (
        "an image without references",
        [*list(bleu(*scenes(1))), str(outcome_of(bleu, candidates, [[], references[1]]))[:17]],
    )


# In the reference.
PLAIN_REFERENCES = "[[plain(words) for words in captions] for captions in references]"
CANDIDATES = "[plain(words) for words in candidates]"
WEIGHTS = "(1 / n,) * n"

lab.misconceptions(
    "bleu",
    counts_the_end=(
        "You count <end> as a word, and <start>, too: nearly every caption has them in the right place. Remove the "
        "special words from both sides.",
        {' if word not in ("<start>", "<end>", "<pad>")': ""},
    ),
    cleans_one_side=(
        "You remove the special words from the generated captions only. The references have them as well.",
        {PLAIN_REFERENCES: "references"},
    ),
    one_reference=(
        "You compare with one reference per image. People describe an image in many ways: all of its references count, "
        "and published numbers use five.",
        {"for words in captions]": "for words in captions[:1]]"},
    ),
    a_pair_for_each_reference=(
        "You pair the caption with each reference separately. An image counts once, with all its references together.",
        {
            CANDIDATES: "[plain(words) for words, captions in zip(candidates, references) for _ in captions]",
            PLAIN_REFERENCES: "[[plain(words)] for captions in references for words in captions]",
        },
    ),
    mean_of_each_bleu=(
        "You compute the BLEU of each caption and then the mean. BLEU counts n-grams over all images together.",
        {
            f"float(corpus_bleu(plain_references, hypotheses, weights={WEIGHTS}))": "sum("
            f"corpus_bleu([captions], [words], weights={WEIGHTS}) "
            "for captions, words in zip(plain_references, hypotheses)) / len(hypotheses)",
        },
    ),
    n_grams_of_one_length=(
        "These are the precisions of n-grams of exactly n words. BLEU-n is the geometric mean over n-grams of 1 to n "
        "words: weights (1/n, ..., 1/n).",
        {WEIGHTS: "(0,) * (n - 1) + (1,)"},
    ),
    smooths=(
        "Your BLEU is smoothed: it is above 0 even if no 4-gram is right. The published numbers are not.",
        {f"{WEIGHTS})": f"{WEIGHTS}, smoothing_function=SmoothingFunction().method1)"},
        "from nltk.translate.bleu_score import SmoothingFunction",
    ),
    leaves_unknown_words_out=(
        "You remove <unk> from the generated captions. It stands for a word the model wrote; without it a caption "
        "looks better than it is. Only <start>, <end> and <pad> are not words.",
        {CANDIDATES: '[[word for word in plain(words) if word != "<unk>"] for words in candidates]'},
    ),
    bleu_in_percent=("Return BLEU from 0 to 1, not in percent.", {"[float(": "[100 * float("}),
    always_bleu_4=(
        "You return BLEU-4 four times. BLEU-n has weights for n-grams of 1 to n words.",
        {WEIGHTS: "(1 / 4,) * 4"},
    ),
)
