"""Find the bug, twice: one step of beam search, and the caption it ends with. Probes and misconceptions."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, on_copies
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.exercises.observing import dtype_of
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise(
    "captionlab.captioning.search:beam_step",
    points=2,
    minutes=25,
    difficulty=4,
    importance=5,
    starter="divides_exactly",
)
def probe_beam_step(beam_step, rng):
    def draw_log_probs(*shape, scale=1.5):
        return torch.log_softmax(draw_tensor(rng, *shape, scale=scale), dim=-1)

    def draw_totals(beams, apart):
        return -torch.arange(beams).float()[torch.from_numpy(rng.permutation(beams))] * apart - 2

    def say(label, result):
        beams, words, totals = result
        yield f"{label}: which beams continue", beams, 3
        yield f"{label}: with which words", words, 1.25
        yield f"{label}: the totals", totals, 0.75

    beams, words, totals = beam_step(draw_log_probs(4, 4), draw_totals(4, 0.6), 4)
    yield from say("4 beams, a vocabulary of 4, k=4", (beams, words, totals))
    yield "the dtypes of beams and words", [dtype_of(beams), dtype_of(words)], 2
    label = "the next step, whose totals so far are those"
    yield from say(label, beam_step(draw_log_probs(4, 4), totals, 4))
    log_probs, totals = torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]]).log(), torch.tensor([0.5, 0.5]).log()
    yield from say("2 beams of probability 0.5, 3 words, k=2", beam_step(log_probs=log_probs, totals=totals, k=2))
    k, vocab_size = draw_different(rng, 3, 8, 2)
    label = f"{k} beams of very different totals, a vocabulary of {vocab_size}, k={k}"
    yield from say(label, beam_step(draw_log_probs(k, vocab_size), draw_totals(k, 3.0), k))
    label = f"5 beams, a vocabulary of {vocab_size}, k=2"
    yield from say(label, beam_step(draw_log_probs(5, vocab_size), draw_totals(5, 0.5), 2))
    label = "3 beams, a vocabulary of 6, k=2, where the best two continue one beam"
    totals = torch.tensor([-5.0, -1.0, -6.0])
    yield from say(label, beam_step(draw_log_probs(3, 6, scale=0.3), totals, 2))
    beams, words, totals = beam_step(draw_log_probs(1, vocab_size), torch.zeros(1), 1)
    yield f"one beam (greedy search), a vocabulary of {vocab_size}", [beams, words, totals]
    totals = torch.stack([draw_totals(3, 0.5), draw_totals(3, 1.0) - 4])
    label = "two images (leading dimension 2) of 3 beams, a vocabulary of 5, k=2"
    beams, words, totals = beam_step(draw_log_probs(2, 3, 5), totals, 2)
    yield f"{label}: which beams continue", beams, 3
    yield f"{label}: words and totals", [words, totals]


# In the reference.
BEAMS, WORDS = "indices // vocab_size", "indices % vocab_size"
LONGER = "totals.unsqueeze(-1) + log_probs"

lab.misconceptions(
    "beam_step",
    divides_exactly=(
        "This does the same as the code you were given. Print the beams: / gives 1.67 for index 5 and 3 "
        "words; which operator drops the remainder?",
        {f"return {BEAMS}": "# Row by row: index 0 is word 0 of beam 0.\n    return indices / vocab_size"},
    ),
    rounds_floats_down=(
        "Your beams are floats, and a float cannot be an index. Use integer division, //.",
        {BEAMS: "torch.floor(indices / vocab_size)"},
    ),
    rounds_to_the_nearest=(
        "You round to the nearest integer: index 5 with 3 words gives 1.67, which is word 2 of beam 1, not of beam 2. "
        "Drop the remainder, with //.",
        {BEAMS: "(indices / vocab_size).round().long()"},
    ),
    rounds_up=(
        "You round up: index 5 with 3 words gives 1.67, which is word 2 of beam 1, not of beam 2. Drop the remainder.",
        {BEAMS: "torch.ceil(indices / vocab_size).long()"},
    ),
    swaps_beam_and_word=(
        "Beams and words are swapped: the index divided by the vocabulary size is the row, that is, the beam; "
        "the remainder is the word.",
        {f"{BEAMS}, {WORDS}": f"{WORDS}, {BEAMS}"},
    ),
    forgets_the_totals=(
        "You ignore the totals so far and use only the next word. The log-probability of a caption is the sum "
        "over all its words.",
        {LONGER: "log_probs"},
    ),
    does_not_accumulate=(
        "You return the log-probability of the last word only: totals must add up over the caption.",
        {"vocab_size, totals": "vocab_size, log_probs.flatten(-2).gather(-1, indices)"},
    ),
    returns_the_old_totals=(
        "You return the totals that the beams had before this step. The new word's log-probability must be added.",
        {
            "totals, indices = longer": "_, indices = longer",
            "return ": "totals = totals.gather(-1, indices // vocab_size)\n    return ",
        },
    ),
    divides_by_the_beams=(
        "You divide by the number of beams. A row has as many entries as there are words.",
        {"log_probs.shape[-1]": "log_probs.shape[-2]"},
    ),
    divides_by_k=(
        "You divide by k. A row has as many entries as there are words.",
        {"log_probs.shape[-1]": "k"},
    ),
    adds_the_totals_to_the_words=(
        "You add the totals along the vocabulary: they broadcast over the last axis, or do not fit. Each total belongs "
        "to a row: give it an axis for the words, at the end.",
        {
            "totals.unsqueeze(-1)": "(totals.unsqueeze(-2) if log_probs.shape[-1] == totals.shape[-1] else "
            "totals.unsqueeze(-1))"
        },
    ),
    adds_probabilities=(
        "You add probabilities to logarithms. The logarithm of a product is the sum of the logarithms: add log_probs "
        "themselves.",
        {LONGER: "totals.unsqueeze(-1) + log_probs.exp()"},
    ),
    two_dimensions_only=(
        "Leading dimensions are allowed: count axes from the end, as in "
        "unsqueeze(-1) and flatten(-2), not from the front.",
        {"totals.unsqueeze(-1)": "totals.unsqueeze(1)"},
    ),
    multiplies_logarithms=(
        "You multiply logarithms. Probabilities are multiplied; their logarithms are added.",
        {LONGER: "totals.unsqueeze(-1) * log_probs"},
    ),
    keeps_the_worst=(
        "You keep the k worst continuations. The best ones have the highest log-probabilities.",
        {"topk(k, dim=-1)": "topk(k, dim=-1, largest=False)"},
    ),
    worst_of_them_first=(
        "The best continuation comes last; it should come first.",
        {"longer.topk(k, dim=-1)": "(one.flip(-1) for one in longer.topk(k, dim=-1))"},
    ),
    joins_the_images=(
        "With a leading dimension, for images, you search all of them together: only the last two axes, beams and "
        "words, become one.",
        {f"({LONGER}).flatten(-2)": f"({LONGER}).flatten()"},
    ),
    returns_indices_for_words=(
        "Your words are indices into all continuations of all beams. The remainder of the division by the vocabulary "
        "size is the word.",
        {WORDS: "indices"},
    ),
)
lab.other_spellings(
    "beam_step",
    joins_the_images=[
        {f"({LONGER}).flatten(-2)": f"({LONGER}).reshape(-1)", BEAMS: "torch.floor(indices / vocab_size).long()"},
    ],
    rounds_floats_down=[
        {BEAMS: "torch.div(indices, vocab_size).floor()", f"({LONGER}).flatten(-2)": f"({LONGER}).flatten()"}
    ],
)


@lab.misconception(
    "beam_step",
    hint="You choose separately for each beam. Take the k best of all continuations together, even if "
    "several come from one beam and none from another.",
)
def each_beam_its_best(log_probs, totals, k):
    best, words = log_probs.max(dim=-1)
    totals, beams = (totals + best).topk(k, dim=-1)
    return beams, words.gather(-1, beams), totals


@lab.misconception("beam_step", another="each_beam_its_best")
def each_beam_its_k_best(log_probs, totals, k):
    totals, words = (totals.unsqueeze(-1) + log_probs).topk(k, dim=-1)
    return torch.arange(words.shape[-2]), words, totals


def _caption(rng, length: int, total: float) -> tuple[float, list[int]]:
    return total, draw_different(rng, 4, 20, length)


@lab.exercise(
    "captionlab.captioning.search:best_caption",
    points=2,
    minutes=15,
    difficulty=2,
    importance=4,
    starter="only_finished_ones",
)
def probe_best_caption(best_caption, rng):
    best_caption = on_copies(best_caption)
    short, long, one = (-3.0, [7, 8]), (-4.0, [7, 8, 9, 10]), (-1.0, [5])
    yield (
        "finished (-3.0, [7, 8]) and (-4.0, [7, 8, 9, 10]), running (-1.0, [5])",
        best_caption([short, long], [one]),
        2,
    )
    label = "finished (-3.0, [7, 8]) and (-4.0, [7, 8, 9, 10]), length_penalty=1"
    yield label, best_caption([short, long], [], length_penalty=1)
    label = "finished (-3.0, [5]) and (-2.9, [6, 7, 8])"
    yield label, best_caption([(-3.0, [5]), (-2.9, [6, 7, 8])], [])
    yield f"{label}, length_penalty=1", best_caption([(-3.0, [5]), (-2.9, [6, 7, 8])], [], 1), 0.5
    label = "finished (-2.0, [5]) and (-3.9, [6, 7]), length_penalty=1"
    yield label, best_caption([(-2.0, [5]), (-3.9, [6, 7])], [], 1)
    label = "none finished, running (-2.0, [5, 5]) and (-1.0, [5])"
    yield label, best_caption([], [(-2.0, [5, 5]), one]), 2
    yield "finished (-1.0, [5]), running (-3.0, [7, 8])", best_caption([one], [short]), 0.5
    length = draw(rng, 2, 3)
    good, better = -draw(rng, 30, 40) / 8, -draw(rng, 20, 29) / 8
    # The short caption has the highest total, the long one the highest total per word, the poor one most words.
    short, long = _caption(rng, length, better), _caption(rng, 2 * length + 1, good - 0.1)
    poor, probable = _caption(rng, 2 * length + 2, good - 5), _caption(rng, 1, -0.1)
    label = "three finished, one running that is more probable"
    yield label, best_caption([poor, long, short], [probable]), 2.5
    yield f"{label}, length_penalty=1", best_caption([short, long, poor], [probable], 1), 2.5
    yield "none has finished, three are running", best_caption([], [poor, short, long]), 2
    yield (
        "none has finished, three are running, length_penalty=1",
        best_caption(finished=[], running=[short, poor, long], length_penalty=1),
        3,
    )
    low, high = [[4, *short[1][1:]], [21, *short[1][1:]]]
    label = "of equal totals: finished (-2.0, {}) and (-2.0, {})"
    yield label.format(low, high), best_caption([(-2.0, low), (-2.0, high)], [])
    yield label.format(high, low), best_caption([(-2.0, high), (-2.0, low)], [])
    scale = draw(rng, 8, 16) / 4
    three = [_caption(rng, words, -scale * total) for words, total in ((2, 1.0), (4, 1.3), (9, 2.2))]
    label = "captions of 2, 4 and 9 words, each of them best for one length_penalty; this one is "
    for length_penalty in (0, 0.5, 1):
        yield f"{label}{length_penalty}", best_caption(three, [], length_penalty), 2 if length_penalty == 0.5 else 1
    label = "finished (-2.0, []) and (-3.0, [5, 6]), length_penalty=1"
    yield label, best_caption([(-2.0, []), (-3.0, [5, 6])], [], 1), 0.5
    yield "no caption at all", outcome_of(best_caption, [], []), 0.5


# In the reference.
POWER = "** length_penalty"
LENGTH = "max(1, len(caption[1]))"
CANDIDATES = "candidates = finished or running"

lab.misconceptions(
    "best_caption",
    only_finished_ones=(
        "This does the same as the code you were given. If no caption has ended, finished is empty, and max "
        "has nothing to choose from. A caption that never ended is still a caption.",
        {
            "candidates = ": "",
            "if not candidates": "",
            "max(candidates": "max(finished",
        },
    ),
    running_ones_too=(
        "You compare running captions with finished ones. They are incomplete, so their totals still lack "
        "terms: they count only if none has finished.",
        {CANDIDATES: "candidates = [*finished, *running]"},
    ),
    only_running_ones=(
        "You choose a running caption although others have finished. Running ones count only if none has finished.",
        {CANDIDATES: "candidates = running or finished"},
    ),
    ignores_the_length=(
        "Your result ignores length_penalty: divide totals by the length raised to this power.",
        {f"/ {LENGTH} {POWER}": ""},
    ),
    always_by_length=(
        "You always divide by the length. With length_penalty=0, the totals themselves are compared.",
        {f" {POWER}": ""},
    ),
    every_power_is_one=(
        "length_penalty is a power: 0.5 divides a total by the square root of the length. You divide by the length "
        "itself, or by a multiple of it.",
        {POWER: "** (1 if length_penalty else 0)"},
    ),
    multiplies_by_the_length=(
        "You multiply totals by the power of the length. Totals are negative: that favors short captions even more. "
        "Divide.",
        {f"/ {LENGTH}": f"* {LENGTH}"},
    ),
    counts_one_more=(
        "You divide by a length that is one too large: count only the token ids in the caption.",
        {LENGTH: "(len(caption[1]) + 1)"},
    ),
    divides_by_no_words=(
        "A caption without words makes you divide by zero. The docstring says what it counts as.",
        {LENGTH: "len(caption[1])"},
    ),
    takes_the_lowest=(
        "You take the lowest total. Log-probabilities are negative: the most probable caption is the one nearest 0, so "
        "the highest.",
        {"return max(": "return min("},
    ),
    takes_the_longest=(
        "You take the longest caption, or break ties by length. Compare the totals.",
        {f"caption[0] / {LENGTH} {POWER}": "len(caption[1])"},
    ),
    takes_the_first_one=(
        "You take the first caption, whatever its total. They are not sorted: choose the best one.",
        {f"max(candidates, key=lambda caption: caption[0] / {LENGTH} {POWER})": "candidates[0]"},
    ),
    returns_the_total_too=(
        "You return the total as well. Return the words only.",
        {f"{POWER})[1]": f"{POWER})"},
    ),
    last_of_equals=(
        "Of two captions with the same total you take the last one; take the first, as max does.",
        {"max(candidates": "max(reversed(candidates)"},
    ),
    ties_by_the_words=(
        "Of two captions with the same total you take the one with the larger token ids: tuples with equal "
        "totals are compared by their words. Compare the totals only, so that the first one counts.",
        {
            f"/ {LENGTH} {POWER})[1]": f"/ {LENGTH} {POWER})[1]".replace(")[1]", ", caption[1]))[1]"),
            "lambda caption: caption": "lambda caption: (caption",
        },
    ),
    first_running_one=(
        "If none has finished you take the first running one, whatever its total. Choose among those in the same way.",
        {"candidates = ": "if running and not finished:\n        return running[0][1]\n    candidates = "},
    ),
    running_ones_by_total=(
        "If none has finished you compare the totals themselves and ignore length_penalty. Choose among running "
        "captions in the same way as among finished ones.",
        {POWER: "** (length_penalty if finished else 0)"},
    ),
    empty_instead_of_an_error=(
        "Without any caption, finished or running, a ValueError must be raised.",
        {CANDIDATES: "candidates = finished or running or [(0.0, [])]"},
    ),
)
lab.other_spellings(
    "best_caption",
    every_power_is_one=[{f"{LENGTH} {POWER}": f"max(1, {LENGTH} * length_penalty)"}],
    running_ones_by_total=[
        {POWER: "** (length_penalty if finished else 0)", "max(candidates": "max(reversed(candidates)"},
    ],
    running_ones_too=[
        {CANDIDATES: "candidates = [*running, *finished]"},
        {CANDIDATES: "candidates = finished + running", LENGTH: "len(caption[1])"},
    ],
    first_running_one=[
        {"candidates = ": "if running and not finished:\n        return running[-1][1]\n    candidates = "},
    ],
    divides_by_no_words=[{LENGTH: "len(caption[1])", "if not candidates": ""}],
)
