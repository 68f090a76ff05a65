"""Find the bug, twice: a step of beam search, and the caption it ends with. Probes and misconceptions."""

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
    def case(k, words, apart, beams=None):
        log_probabilities = torch.log_softmax(draw_tensor(rng, beams or k, words, scale=1.5), dim=1)
        totals = -torch.arange(beams or k).float()[torch.from_numpy(rng.permutation(beams or k))] * apart - 2
        return list(beam_step(log_probabilities, totals, k))

    k, words = draw_different(rng, 3, 8, 2)
    label = "which beams go on, with which words, and their totals"
    yield f"{k} beams, {words} words: {label}", case(k, words, 0.4)
    yield f"{k} beams with totals far apart: {label}", case(k, words, 3.0)
    yield "4 beams, 4 words", case(4, 4, 0.6)
    yield "2 best of 5 beams", case(2, words, 0.5, beams=5)
    yield "one beam (greedy search)", [one.flatten() for one in case(1, words, 0.0)]
    # The two best ways to go on come from one beam.
    totals = torch.tensor([-5.0, -1.0, -6.0])
    sharp = torch.log_softmax(draw_tensor(rng, 3, 6, scale=0.3), dim=1)
    yield "the best two go on from one beam", list(beam_step(log_probabilities=sharp, totals=totals, k=2))


@lab.misconception(
    "beam_step",
    hint="This is the code you were given. Print the beams: / divides exactly and gives 1.67 for place 5 of 3 words; "
    "which operator leaves the remainder away?",
)
def divides_exactly(log_probabilities, totals, k):
    words = log_probabilities.shape[-1]
    longer = (totals.unsqueeze(-1) + log_probabilities).flatten(-2)
    totals, places = longer.topk(k, dim=-1)
    # Row after row: place 0 is word 0 of beam 0.
    return places / words, places % words, totals


@lab.misconception(
    "beam_step",
    hint="The numbers are right, but the beams are floats, and a float is no index. Divide whole numbers with //.",
)
def rounds_floats_down(log_probabilities, totals, k):
    words = log_probabilities.shape[-1]
    totals, places = (totals.unsqueeze(-1) + log_probabilities).flatten(-2).topk(k, dim=-1)
    return torch.floor(places / words), places % words, totals


@lab.misconception(
    "beam_step",
    hint="You round to the nearest: place 5 of 3 words is 1.67, and that is word 2 of beam 1, not of beam 2. Leave the "
    "remainder away, with //.",
)
def rounds_to_the_nearest(log_probabilities, totals, k):
    words = log_probabilities.shape[-1]
    totals, places = (totals.unsqueeze(-1) + log_probabilities).flatten(-2).topk(k, dim=-1)
    return (places / words).round().long(), places % words, totals


@lab.misconception(
    "beam_step",
    hint="Beams and words are exchanged: the place divided by the number of words is the row, so the beam; the"
    " remainder is the word.",
)
def exchanges_beam_and_word(log_probabilities, totals, k):
    words = log_probabilities.shape[-1]
    totals, places = (totals.unsqueeze(-1) + log_probabilities).flatten(-2).topk(k, dim=-1)
    return places % words, places // words, totals


@lab.misconception(
    "beam_step",
    hint="The totals so far play no part: only the next word counts. The logarithm of a caption's probability "
    "is the sum over all its words.",
)
def forgets_the_totals(log_probabilities, totals, k):
    words = log_probabilities.shape[-1]
    totals, places = log_probabilities.flatten(-2).topk(k, dim=-1)
    return places // words, places % words, totals


@lab.misconception(
    "beam_step",
    hint="You choose by the totals, but give back the logarithm of the last word alone: the scores do not add "
    "up over the caption.",
)
def does_not_accumulate(log_probabilities, totals, k):
    words = log_probabilities.shape[-1]
    places = (totals.unsqueeze(-1) + log_probabilities).flatten(-2).topk(k, dim=-1).indices
    return places // words, places % words, log_probabilities.flatten(-2).gather(-1, places)


@lab.misconception(
    "beam_step",
    hint="Each beam goes on with its own best word. The best k of all ways are wanted, even if several come "
    "from one beam and none from another.",
)
def each_beam_its_best(log_probabilities, totals, k):
    best, words = log_probabilities.max(dim=-1)
    totals, beams = (totals + best).topk(k, dim=-1)
    return beams, words.gather(-1, beams), totals


@lab.misconception(
    "beam_step",
    hint="You divide by the number of beams. A row has as many places as there are words.",
)
def divides_by_the_beams(log_probabilities, totals, k):
    beams = log_probabilities.shape[-2]
    totals, places = (totals.unsqueeze(-1) + log_probabilities).flatten(-2).topk(k, dim=-1)
    return places // beams, places % beams, totals


@lab.misconception(
    "beam_step",
    hint="You multiply logarithms. Probabilities are multiplied, their logarithms are added.",
)
def multiplies_logarithms(log_probabilities, totals, k):
    words = log_probabilities.shape[-1]
    totals, places = (totals.unsqueeze(-1) * log_probabilities).flatten(-2).topk(k, dim=-1)
    return places // words, places % words, totals


@lab.misconception("beam_step", hint="These are the worst k ways to go on. The best have the highest logarithms.")
def keeps_the_worst(log_probabilities, totals, k):
    words = log_probabilities.shape[-1]
    totals, places = (totals.unsqueeze(-1) + log_probabilities).flatten(-2).topk(k, dim=-1, largest=False)
    return places // words, places % words, totals


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
    # The short caption has the higher total, the long one the higher total a word.
    short, long = _caption(rng, length, better), _caption(rng, 2 * length + 1, good - 0.1)
    poor = _caption(rng, length + 1, good - 5)
    likely = _caption(rng, 1, -0.1)
    finished = [poor, long, short]
    yield "three finished, one running that is likelier", best_caption(finished, [likely])
    yield "the same, by_length=1", best_caption(finished, [likely], by_length=1)
    yield "the same in another order, by_length=1", best_caption(finished[::-1], [likely], 1)
    twin = (short[0], _caption(rng, length, 0.0)[1][::-1])
    yield "two finished of the same total", best_caption([poor, short, twin], [])
    yield "none has finished", best_caption([], [poor, short, long])
    yield "none has finished, by_length=1", best_caption(finished=[], running=[short, poor, long], by_length=1)
    yield "one finished, without words, and another, by_length=1", best_caption([(-9.0, []), long], [], 1)
    scale = draw(rng, 8, 16) / 4
    three = [_caption(rng, words, -scale * total) for words, total in ((2, 1.0), (4, 1.3), (9, 2.2))]
    label = "captions of 2, 4 and 9 words, of which each wins by another power: by_length 0, 0.5, 1"
    yield label, [best_caption(three, [], power) for power in (0, 0.5, 1)]
    yield "nothing at all", str(outcome_of(best_caption, [], []))[:17]


def _divided(by_length):
    return lambda caption: caption[0] / max(1, len(caption[1])) ** by_length


@lab.misconception(
    "best_caption",
    hint="This is the code you were given. When no caption has ended, finished is empty, and there is no largest of "
    "nothing. A caption that never ended is still a caption.",
)
def only_finished_ones(finished, running, by_length=0):
    # Captions that have not ended are incomplete: choose among the others.
    return max(finished, key=lambda caption: caption[0] / max(1, len(caption[1])) ** by_length)[1]


@lab.misconception(
    "best_caption",
    hint="Captions still running are compared with finished ones. Their totals still lack factors, and they are "
    "cut in the middle: they count only where none has finished.",
)
def running_ones_too(finished, running, by_length=0):
    if not finished and not running:
        raise ValueError("nothing to choose from")
    return max([*finished, *running], key=_divided(by_length))[1]


@lab.misconception("best_caption", hint="by_length changes nothing with you: divide totals by the length to its power.")
def never_by_length(finished, running, by_length=0):
    candidates = finished or running
    if not candidates:
        raise ValueError("nothing to choose from")
    return max(candidates, key=lambda caption: caption[0])[1]


@lab.misconception(
    "best_caption",
    hint="You always divide by the length. With by_length=0 the totals themselves are compared.",
)
def always_by_length(finished, running, by_length=0):
    candidates = finished or running
    if not candidates:
        raise ValueError("nothing to choose from")
    return max(candidates, key=_divided(1))[1]


@lab.misconception(
    "best_caption",
    hint="by_length is a power: 0.5 divides a total by the square root of the length. You divide by the length itself "
    "whatever the power.",
)
def every_power_is_one(finished, running, by_length=0):
    candidates = finished or running
    if not candidates:
        raise ValueError("nothing to choose from")
    return max(candidates, key=_divided(1 if by_length else 0))[1]


@lab.misconception(
    "best_caption",
    hint="The lowest total wins with you. Logarithms of probabilities are negative: the likeliest is the one "
    "nearest 0, so the highest.",
)
def takes_the_lowest(finished, running, by_length=0):
    candidates = finished or running
    if not candidates:
        raise ValueError("nothing to choose from")
    return min(candidates, key=_divided(by_length))[1]


@lab.misconception(
    "best_caption",
    hint="The choice is right. Give the words alone, without the total.",
)
def gives_the_total_too(finished, running, by_length=0):
    candidates = finished or running
    if not candidates:
        raise ValueError("nothing to choose from")
    return max(candidates, key=_divided(by_length))


@lab.misconception(
    "best_caption",
    hint="Of two captions with the same total you take the last; the first of equals is wanted, as max gives it.",
)
def last_of_equals(finished, running, by_length=0):
    candidates = finished or running
    if not candidates:
        raise ValueError("nothing to choose from")
    return max(reversed(candidates), key=_divided(by_length))[1]


@lab.misconception(
    "best_caption",
    hint="Where none has finished you take the first one running, whatever its total. Choose among those in "
    "the same way.",
)
def first_running_one(finished, running, by_length=0):
    if finished:
        return max(finished, key=_divided(by_length))[1]
    if not running:
        raise ValueError("nothing to choose from")
    return running[0][1]
