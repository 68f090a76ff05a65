"""How often words are predicted: top-k accuracy. Probe and misconceptions."""

from __future__ import annotations

import numpy as np
import torch

from captionlab.exercises.drawing import draw
from captionlab.exercises.lab4_captioning.common import lab


@lab.exercise("captionlab.captioning.metrics:top_k_accuracy", points=2, minutes=15, difficulty=2, importance=3)
def probe_top_k_accuracy(top_k_accuracy, rng):
    def case(ranks, vocab_size, pad=0):
        """Logits that give the correct word of each step its rank; at rank 0 padding is correct, and ranked first."""
        shape = (len(ranks), len(ranks[0]))
        descending = -np.sort(-rng.standard_normal((*shape, vocab_size)), axis=2)
        logits, targets = np.empty_like(descending), np.full(shape, pad)
        others = np.array([word for word in range(vocab_size) if word != pad])
        for place, rank in np.ndenumerate(np.array(ranks)):
            order = rng.permutation(others)
            order = np.append(order, pad) if rank else np.insert(order, 0, pad)
            targets[place] = order[rank - 1] if rank else pad
            logits[place][order] = descending[place]
        return torch.from_numpy(logits).float(), torch.from_numpy(targets)

    def shuffled(*rows):
        return [[row[at] for at in rng.permutation(len(row))] for row in rows]

    def say(ranks):
        return " and ".join(", ".join(str(rank) if rank else "padding" for rank in row) for row in ranks)

    logits, targets = torch.tensor([[[0.0, 3.0, 2.0, 1.0], [0.0, 1.0, 2.0, 3.0]]]), torch.tensor([[2, 0]])
    label = "one caption, a word ranked second of four, then padding, k="
    fraction = top_k_accuracy(logits.clone(), targets.clone(), k=2)
    yield f"{label}2", float(fraction), 0.5
    yield f"{label}1", float(top_k_accuracy(logits=logits, targets=targets, k=1)), 0.5
    yield "whether the result is a float", isinstance(fraction, float), 0.5
    vocab_size = draw(rng, 9, 12)
    full = shuffled((1, 2, 4, 6), (3, 5, 6, vocab_size - 1))
    label = f"{vocab_size} words, 2 captions, whose words are ranked {say(full)}: k="
    yield f"{label}5, the default", float(top_k_accuracy(*case(full, vocab_size)))
    yield f"{label}6", float(top_k_accuracy(*case(full, vocab_size), 6))
    padded = [[1, 6, 3, vocab_size - 1, 6], [2, 6, 0, 0, 0], [7, 0, 0, 0, 0]]
    label = f"3 captions, whose words are ranked {say(padded)}: k="
    yield f"{label}5, the default", float(top_k_accuracy(*case(padded, vocab_size))), 3
    yield f"{label}2", float(top_k_accuracy(*case(padded, vocab_size), k=2)), 2
    yield f"{label}1", float(top_k_accuracy(*case(padded, vocab_size), 1)), 2
    short = [[3, 4, 7], [5, 0, 0]]  # whichever word has the id 0, taking that for padding changes the fraction
    logits, targets = case(short, vocab_size, pad=3)
    label = f"2 captions, whose words are ranked {say(short)}: k=3, pad=3"
    yield label, float(top_k_accuracy(logits=logits, targets=targets, k=3, pad=3)), 2


HITS = "hits[targets != pad]"  # in the reference

lab.misconceptions(
    "top_k_accuracy",
    counts_the_padding=(
        "Padding is counted, and <pad> is easy to predict after the end. Only real words count.",
        {HITS: "hits"},
    ),
    divides_by_all_steps=(
        "You divide by the number of all steps. Divide by the number of real words.",
        {HITS: "(hits & (targets != pad))"},
    ),
    padding_adds_hits=(
        "You count hits at padded steps: leave padding out of both the hits and the total.",
        {f"{HITS}.float().mean()": "(hits.sum() / (targets != pad).sum())"},
    ),
    counts_the_first_only=(
        "You count only the top-1 word. A word among the k most probable ones is a hit.",
        {"topk(k,": "topk(1,"},
    ),
    counts_the_last_only=(
        "You count only words with rank k exactly. A word among the k most probable ones is a hit.",
        {"(best == targets.unsqueeze(2)).any(dim=2)": "best[..., -1] == targets"},
    ),
    takes_the_lowest=(
        "You take the k least probable words: an ascending sort has them first. The most probable ones have the "
        "highest logits.",
        {"dim=2).indices": "dim=2, largest=False).indices"},
    ),
    compares_logits=(
        "You compare the correct words with logits. topk returns values and indices: the indices are the words.",
        {"dim=2).indices": "dim=2).values"},
    ),
    one_rank_too_many=(
        "You count one rank too many: with ranks from 0, the k most probable words have ranks 0 to k - 1.",
        {"topk(k,": "topk(k + 1,"},
    ),
    one_rank_too_few=(
        "You count one rank too few: the word with rank k is among the k most probable ones.",
        {"topk(k,": "topk(max(1, k - 1),"},
    ),
    always_five=("You always take five. Use the argument k.", {"topk(k,": "topk(min(5, logits.shape[2]),"}),
    one_by_default=("Your default for k is 1. Without the argument, k is 5.", {"k: int = 5": "k: int = 1"}),
    divides_by_k=(
        "You also divide by k. Only one of the k words can be the correct one: for each step, check whether "
        "any of them is.",
        {".any(dim=2)": ""},
    ),
    mean_of_the_captions=(
        "You take the accuracy of each caption and then the mean of these. Every real word of the batch counts the "
        "same.",
        {
            f"return {HITS}.float()": "real = targets != pad\n    return ((hits & real).sum(dim=1) / real.sum(dim=1))",
        },
    ),
    returns_the_count=(
        "You return the number of hits. Divide by the number of real words.",
        {f"{HITS}.float().mean()": f"{HITS}.float().sum()"},
    ),
    in_percent=("You return percent. Return a fraction from 0 to 1.", {HITS: f"100 * {HITS}"}),
    share_of_misses=(
        "You return the fraction of misses. Return the fraction of hits.",
        {f"{HITS}.float().mean().item()": f"1 - {HITS}.float().mean().item()"},
    ),
    padding_is_zero=("You assume that the padding is 0, whatever `pad` is. Use the argument.", {"!= pad": "!= 0"}),
    returns_a_tensor=("Your fraction is a tensor. Return a Python number.", {".mean().item()": ".mean()"}),
)
lab.other_spellings(
    "top_k_accuracy",
    takes_the_lowest=[{"dim=2).indices": "dim=2, largest=False).indices", ".mean().item()": ".mean()"}],
    counts_the_padding=[{HITS: "hits", ".mean().item()": ".mean()"}],
    divides_by_all_steps=[{HITS: "(hits & (targets != pad))", ".mean().item()": ".mean()"}],
)
