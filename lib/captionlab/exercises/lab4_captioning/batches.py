"""What is read and what is predicted, and captions sorted by length: probes and misconceptions."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, on_copies
from captionlab.exercises.lab4_captioning.common import draw_captions, lab
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise(
    "captionlab.captioning.teacher_forcing:inputs_and_targets", points=1, minutes=8, difficulty=1, importance=5
)
def probe_inputs_and_targets(inputs_and_targets, rng):
    short, *lengths = draw_different(rng, 4, 8, 3)
    captions = draw_captions(rng, [max(lengths) + 1, short, *lengths])
    inputs, targets = inputs_and_targets(captions)
    longest = captions.shape[1]
    yield f"4 captions, the longest of {longest} tokens: the inputs", inputs
    yield f"4 captions, the longest of {longest} tokens: the targets", targets
    inputs, targets = inputs_and_targets(captions=draw_captions(rng, [draw(rng, 5, 9)]))
    yield "one caption: the inputs", inputs
    yield "one caption: the targets", targets


BOTH = "captions[:, :-1], captions[:, 1:]"  # what the reference returns

lab.misconceptions(
    "inputs_and_targets",
    predicts_the_start=(
        "Your targets include <start>; it is only ever an input, the first one. The targets begin with the first word.",
        {BOTH: "captions[:, :-1], captions[:, :-1]"},
    ),
    predicts_what_it_reads=(
        "Both are the whole caption: each word is predicted after it was read. The targets are one step ahead.",
        {BOTH: "captions, captions"},
    ),
    swaps_the_two=(
        "The two are swapped: the first word is predicted from <start>, not the other way round.",
        {BOTH: "captions[:, 1:], captions[:, :-1]"},
    ),
    never_predicts_the_end=(
        "The last tokens are never predicted, <end> among them: the model would never learn to stop. Only <start> is "
        "missing from the targets.",
        {BOTH: "captions[:, :-2], captions[:, 1:-1]"},
    ),
    reads_to_the_end=(
        "There is one input more than there are targets: after the last token there is nothing left to predict.",
        {BOTH: "captions, captions[:, 1:]"},
    ),
)


@lab.exercise("captionlab.captioning.batches:sort_by_length", points=2, minutes=15, difficulty=2, importance=4)
def probe_sort_by_length(sort_by_length, rng):
    short, long = draw(rng, 3, 4), draw(rng, 7, 8)
    lengths = [short, long, 5, short, 6, long]  # two pairs of equal length
    captions = draw_captions(rng, lengths)
    features = draw_tensor(rng, 6, draw(rng, 2, 3), 3)
    captions, features, sorted_lengths = sort_by_length(captions, features)
    yield "6 captions: the sorted captions", captions
    yield "6 captions: the features", features
    yield "6 captions: the lengths", sorted_lengths
    lengths = draw_different(rng, 3, 8, 4)
    lengths.sort()
    captions = draw_captions(rng, lengths, pad=99)
    captions, features, sorted_lengths = sort_by_length(captions=captions, features=torch.arange(4.0), pad=99)
    yield "4 captions, pad=99: the sorted captions and the lengths", [captions, sorted_lengths]
    yield "4 captions, pad=99: the features, one number per caption", features


lab.misconceptions(
    "sort_by_length",
    leaves_the_features=(
        "The captions are sorted, the features are not: each caption would be paired with the wrong image. Use the "
        "same order for both.",
        {"features[order]": "features"},
    ),
    shortest_first=(
        "The shortest caption comes first; the longest should.",
        {"descending=True, ": ""},
    ),
    lengths_as_they_came=(
        "Your lengths are in the original order of the captions. Return those of the sorted captions.",
        {"lengths, order =": "_, order ="},
    ),
    reverses_ties=(
        "Captions of the same length change places. A stable sort keeps their order (an ascending sort that is "
        "reversed afterwards does not).",
        {
            "descending=True, ": "",
            "return captions": "order, lengths = order.flip(0), lengths.flip(0)\n    return captions",
        },
    ),
    counts_words_only=(
        "Your lengths leave out <start> and <end>. They count: a length is the number of token ids that are not "
        "padding.",
        {"features[order], lengths": "features[order], lengths - 2"},
    ),
    padding_is_zero=(
        "You assume that the padding is 0, whatever `pad` is. Use the argument.",
        {"!= pad": "!= 0"},
    ),
)


@lab.exercise("captionlab.captioning.batches:active_counts", points=2, minutes=20, difficulty=3, importance=4)
def probe_active_counts(active_counts, rng):
    active_counts = on_copies(active_counts)

    def say(lengths):
        return f"lengths {', '.join(map(str, lengths))}"

    different = sorted(draw_different(rng, 3, 9, 4), reverse=True)
    yield say(different), active_counts(different)
    short, long = draw(rng, 3, 4), draw(rng, 6, 8)
    lengths = [long, long, 5, short, short, short]
    yield say(lengths), active_counts(lengths)
    yield f"{say(lengths[1:5])}, as a tensor", active_counts(lengths=torch.tensor(lengths[1:5]))
    same = [draw(rng, 4, 6)] * draw(rng, 2, 3)
    yield f"all equal: {say(same)}", active_counts(same)
    alone = [draw(rng, 3, 9)]
    yield f"one caption: {say(alone)}", active_counts(alone)
    yield "lengths 4, 2, 2: captions without a word", active_counts([4, 2, 2])
    rising = [short, long, 5]
    yield f"not sorted: {say(rising)}", outcome_of(active_counts, rising)


lab.misconceptions(
    "active_counts",
    a_step_for_every_token=(
        "You make one step too many. A caption of n token ids has n - 1 targets: <start> is read and never predicted, "
        "and nothing is predicted after <end>.",
        {"length - 1 > step": "length > step", "lengths[0] - 1": "lengths[0]"},
    ),
    no_step_for_the_end=(
        "You make one step too few: <end> is predicted, too. A caption of n token ids has n - 1 targets.",
        {"length - 1 > step": "length - 2 > step", "lengths[0] - 1": "lengths[0] - 2"},
    ),
    computes_on_padding=(
        "You count all captions at each step, even those that have ended: that is the computation on padding that "
        "sorting should avoid.",
        {"sum(length - 1 > step for length in lengths)": "len(lengths)"},
    ),
    counts_the_ended=(
        "You count the captions that have ended. Count those that still have a word to predict.",
        {"length - 1 > step": "length - 1 <= step"},
    ),
    targets_of_each_caption=(
        "You return the number of targets of each caption. Return, step by step, how many captions still continue.",
        {"sum(length - 1 > step for length in lengths) for step in range(lengths[0] - 1)": "n - 1 for n in lengths"},
    ),
    accepts_unsorted_lengths=(
        "Everything is right for sorted lengths. Refuse others with a ValueError: the first rows of the batch would "
        "not be the captions that continue.",
        {"if lengths != ": "", "range(lengths[0] - 1)": "range(max(lengths) - 1)"},
    ),
)
