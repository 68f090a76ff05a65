"""Find the bug, twice: one step of beam search, and the caption it ends with. Probes and misconceptions."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, on_copies
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise(
    "captionlab.captioning.search:beam_step",
    points=2,
    minutes=25,
    difficulty=4,
    importance=5,
    check_dtype=True,
    starter="divides_exactly",
)
def probe_beam_step(beam_step, rng):
    def case(k, vocab_size, apart, beams=None):
        log_probs = torch.log_softmax(draw_tensor(rng, beams or k, vocab_size, scale=1.5), dim=1)
        totals = -torch.arange(beams or k).float()[torch.from_numpy(rng.permutation(beams or k))] * apart - 2
        return list(beam_step(log_probs, totals, k))

    k, vocab_size = draw_different(rng, 3, 8, 2)
    label = "which beams continue, with which words, and their totals"
    yield f"{k} beams, a vocabulary of {vocab_size}: {label}", case(k, vocab_size, 0.4)
    yield f"{k} beams with very different totals: {label}", case(k, vocab_size, 3.0)
    yield "4 beams, a vocabulary of 4", case(4, 4, 0.6)
    yield "the 2 best of 5 beams", case(2, vocab_size, 0.5, beams=5)
    yield "one beam (greedy search)", [one.flatten() for one in case(1, vocab_size, 0.0)]
    totals = torch.tensor([-5.0, -1.0, -6.0])
    log_probs = torch.log_softmax(draw_tensor(rng, 3, 6, scale=0.3), dim=1)
    yield "the best two continue one beam", list(beam_step(log_probs=log_probs, totals=totals, k=2))


lab.misconceptions(
    "beam_step",
    divides_exactly=(
        "This is the code you were given. Print the beams: / gives 1.67 for index 5 and 3 words; which operator drops "
        "the remainder?",
        {"return indices // vocab_size": "# Row by row: index 0 is word 0 of beam 0.\n    return indices / vocab_size"},
    ),
    rounds_floats_down=(
        "The values are right, but your beams are floats, and a float cannot be an index. Use integer division, //.",
        {"indices // vocab_size": "torch.floor(indices / vocab_size)"},
    ),
    rounds_to_the_nearest=(
        "You round to the nearest integer: index 5 with 3 words gives 1.67, which is word 2 of beam 1, not of beam 2. "
        "Drop the remainder, with //.",
        {"indices // vocab_size": "(indices / vocab_size).round().long()"},
    ),
    swaps_beam_and_word=(
        "Beams and words are swapped: the index divided by the vocabulary size is the row, so the beam; the "
        "remainder is the word.",
        {"indices // vocab_size, indices % vocab_size": "indices % vocab_size, indices // vocab_size"},
    ),
    forgets_the_totals=(
        "You ignore the totals so far: only the next word counts. The log-probability of a caption is the sum over all "
        "its words.",
        {"totals.unsqueeze(-1) + log_probs": "log_probs"},
    ),
    does_not_accumulate=(
        "You choose by the totals but return the log-probability of the last word only: totals must add up over the "
        "caption.",
        {"vocab_size, totals": "vocab_size, log_probs.flatten(-2).gather(-1, indices)"},
    ),
    divides_by_the_beams=(
        "You divide by the number of beams. A row has as many entries as there are words.",
        {"log_probs.shape[-1]": "log_probs.shape[-2]"},
    ),
    multiplies_logarithms=(
        "You multiply logarithms. Probabilities are multiplied; their logarithms are added.",
        {"totals.unsqueeze(-1) + log_probs": "totals.unsqueeze(-1) * log_probs"},
    ),
    keeps_the_worst=(
        "These are the k worst continuations. The best ones have the highest log-probabilities.",
        {"topk(k, dim=-1)": "topk(k, dim=-1, largest=False)"},
    ),
)


@lab.misconception(
    "beam_step",
    hint="Each of your beams continues with its own best word. Take the k best of all continuations, even if several "
    "come from one beam and none from another.",
)
def each_beam_its_best(log_probs, totals, k):
    best, words = log_probs.max(dim=-1)
    totals, beams = (totals + best).topk(k, dim=-1)
    return beams, words.gather(-1, beams), totals


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
    length = draw(rng, 2, 3)
    good, better = -draw(rng, 30, 40) / 8, -draw(rng, 20, 29) / 8
    # The short caption has the higher total, the long one the higher total per word.
    short, long = _caption(rng, length, better), _caption(rng, 2 * length + 1, good - 0.1)
    poor = _caption(rng, length + 1, good - 5)
    probable = _caption(rng, 1, -0.1)
    finished = [poor, long, short]
    yield "three finished, one running that is more probable", best_caption(finished, [probable])
    yield "the same, length_penalty=1", best_caption(finished, [probable], length_penalty=1)
    yield "the same in another order, length_penalty=1", best_caption(finished[::-1], [probable], 1)
    twin = (short[0], _caption(rng, length, 0.0)[1][::-1])
    yield "two finished with the same total", best_caption([poor, short, twin], [])
    yield "none has finished", best_caption([], [poor, short, long])
    yield (
        "none has finished, length_penalty=1",
        best_caption(finished=[], running=[short, poor, long], length_penalty=1),
    )
    yield "one finished without words, and another one, length_penalty=1", best_caption([(-9.0, []), long], [], 1)
    scale = draw(rng, 8, 16) / 4
    three = [_caption(rng, words, -scale * total) for words, total in ((2, 1.0), (4, 1.3), (9, 2.2))]
    label = "captions of 2, 4 and 9 words, each of them best for one length_penalty: 0, 0.5, 1"
    yield label, [best_caption(three, [], length_penalty) for length_penalty in (0, 0.5, 1)]
    yield "no caption at all", str(outcome_of(best_caption, [], []))[:17]


POWER = "** length_penalty"  # in the reference

lab.misconceptions(
    "best_caption",
    only_finished_ones=(
        "This is the code you were given. If no caption has ended, finished is empty, and max has nothing to choose "
        "from. A caption that never ended is still a caption.",
        {
            "candidates = ": "",
            "if not candidates": "",
            "max(candidates": "max(finished",
        },
    ),
    running_ones_too=(
        "You compare running captions with finished ones. Their totals still lack factors, and they stop in the "
        "middle: they count only if none has finished.",
        {"candidates = finished or running": "candidates = [*finished, *running]"},
    ),
    ignores_the_length=(
        "Your result ignores length_penalty: divide totals by the length raised to this power.",
        {f"/ max(1, len(caption[1])) {POWER}": ""},
    ),
    always_by_length=(
        "You always divide by the length. With length_penalty=0, the totals themselves are compared.",
        {f" {POWER}": ""},
    ),
    every_power_is_one=(
        "length_penalty is a power: 0.5 divides a total by the square root of the length. You divide by the length "
        "itself, whatever the power.",
        {POWER: "** (1 if length_penalty else 0)"},
    ),
    takes_the_lowest=(
        "You take the lowest total. Log-probabilities are negative: the most probable caption is the one nearest 0, so "
        "the highest.",
        {"return max(": "return min("},
    ),
    returns_the_total_too=(
        "The choice is right. Return the words only, without the total.",
        {f"{POWER})[1]": f"{POWER})"},
    ),
    last_of_equals=(
        "Of two captions with the same total you take the last one; take the first, as max does.",
        {"max(candidates": "max(reversed(candidates)"},
    ),
    first_running_one=(
        "If none has finished you take the first running one, whatever its total. Choose among those in the same way.",
        {"candidates = ": "if running and not finished:\n        return running[0][1]\n    candidates = "},
    ),
)
