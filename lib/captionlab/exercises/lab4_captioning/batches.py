"""What is read and what is predicted, and captions sorted by length: probes and misconceptions."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, on_copies
from captionlab.exercises.lab4_captioning.common import lab, numbers_of_captions
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise(
    "captionlab.captioning.teacher_forcing:inputs_and_targets", points=1, minutes=8, difficulty=1, importance=5
)
def probe_inputs_and_targets(inputs_and_targets, rng):
    short, *lengths = draw_different(rng, 4, 8, 3)
    captions = numbers_of_captions(rng, [max(lengths) + 1, short, *lengths])
    inputs, targets = inputs_and_targets(captions)
    longest = captions.shape[1]
    yield f"4 captions, the longest of {longest} numbers: what is read", inputs
    yield f"4 captions, the longest of {longest} numbers: what is predicted", targets
    inputs, targets = inputs_and_targets(captions=numbers_of_captions(rng, [draw(rng, 5, 9)]))
    yield "one caption: what is read", inputs
    yield "one caption: what is predicted", targets


@lab.misconception(
    "inputs_and_targets",
    hint="<start> is to be predicted with you. Nobody predicts it: it is what the decoder reads first. The "
    "targets begin with the first word.",
)
def predicts_the_start(captions):
    return captions[:, :-1], captions[:, :-1]


@lab.misconception(
    "inputs_and_targets",
    hint="Both have the whole caption: each word is predicted after having been read. The targets are one step ahead.",
)
def predicts_what_it_reads(captions):
    return captions, captions


@lab.misconception(
    "inputs_and_targets",
    hint="The two are exchanged: from <start> the first word is predicted, not the other way round.",
)
def the_other_way_round(captions):
    return captions[:, 1:], captions[:, :-1]


@lab.misconception(
    "inputs_and_targets",
    hint="The last words are not predicted, <end> among them: the model would never learn to stop. Only "
    "<start> is left out of the targets.",
)
def never_predicts_the_end(captions):
    return captions[:, :-2], captions[:, 1:-1]


@lab.misconception(
    "inputs_and_targets",
    hint="The decoder reads one word more than there are targets: after the last number nothing is left to predict.",
)
def reads_to_the_end(captions):
    return captions, captions[:, 1:]


@lab.exercise("captionlab.captioning.batches:sort_by_length", points=2, minutes=15, difficulty=2, importance=4)
def probe_sort_by_length(sort_by_length, rng):
    short, long = draw(rng, 3, 4), draw(rng, 7, 8)
    lengths = [short, long, 5, short, 6, long]  # two pairs of equal length
    captions = numbers_of_captions(rng, lengths)
    features = draw_tensor(rng, 6, draw(rng, 2, 3), 3)
    captions, features, sorted_lengths = sort_by_length(captions, features)
    yield "6 captions: sorted", captions
    yield "6 captions: the features", features
    yield "6 captions: the lengths", sorted_lengths
    lengths = draw_different(rng, 3, 8, 4)
    lengths.sort()
    captions = numbers_of_captions(rng, lengths, pad=99)
    captions, features, sorted_lengths = sort_by_length(captions=captions, features=torch.arange(4.0), pad=99)
    yield "4 captions with 99 as padding: sorted, and the lengths", [captions, sorted_lengths]
    yield "4 captions with 99 as padding: one number a caption as features", features


def _order(lengths):
    return torch.sort(lengths, descending=True, stable=True)


@lab.misconception(
    "sort_by_length",
    hint="The captions are sorted, the features are not: each caption would be learnt with another's image. "
    "Use the same order for both.",
)
def leaves_the_features(captions, features, pad=0):
    lengths, order = _order((captions != pad).sum(dim=1))
    return captions[order], features, lengths


@lab.misconception("sort_by_length", hint="The shortest caption comes first; the longest is wanted in front.")
def shortest_first(captions, features, pad=0):
    lengths, order = torch.sort((captions != pad).sum(dim=1), stable=True)
    return captions[order], features[order], lengths


@lab.misconception(
    "sort_by_length",
    hint="The lengths come in the order of the captions that came in. They are to belong to the sorted ones.",
)
def lengths_as_they_came(captions, features, pad=0):
    lengths = (captions != pad).sum(dim=1)
    order = _order(lengths)[1]
    return captions[order], features[order], lengths


@lab.misconception(
    "sort_by_length",
    hint="Captions of the same length change places. A stable sort keeps their order (sorting upwards and turning the "
    "result round does not).",
)
def turns_ties_round(captions, features, pad=0):
    lengths, order = torch.sort((captions != pad).sum(dim=1), stable=True)
    return captions[order.flip(0)], features[order.flip(0)], lengths.flip(0)


@lab.misconception(
    "sort_by_length",
    hint="Your lengths leave out <start> and <end>. They count: a length is the number of numbers that are no padding.",
)
def counts_words_only(captions, features, pad=0):
    lengths, order = _order((captions != pad).sum(dim=1))
    return captions[order], features[order], lengths - 2


@lab.misconception("sort_by_length", hint="You take 0 for the padding, whatever `pad` is. Use the argument.")
def padding_is_zero(captions, features, pad=0):
    lengths, order = _order((captions != 0).sum(dim=1))
    return captions[order], features[order], lengths


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
    yield f"all alike: {say(same)}", active_counts(same)
    alone = [draw(rng, 3, 9)]
    yield f"one caption: {say(alone)}", active_counts(alone)
    yield "lengths 4, 2, 2: captions without a word", active_counts([4, 2, 2])
    rising = [short, long, 5]
    yield f"not sorted: {say(rising)}", outcome_of(active_counts, rising)


def _sorted_list(lengths):
    lengths = [int(length) for length in lengths]
    if lengths != sorted(lengths, reverse=True):
        raise ValueError("not sorted")
    return lengths


@lab.misconception(
    "active_counts",
    hint="You make one step too many. A caption of n numbers has n - 1 targets: <start> is read and never predicted, "
    "and after <end> nothing is.",
)
def a_step_for_every_number(lengths):
    lengths = _sorted_list(lengths)
    return [sum(length > step for length in lengths) for step in range(lengths[0])]


@lab.misconception(
    "active_counts",
    hint="You make one step too few: <end> is predicted too. A caption of n numbers has n - 1 targets.",
)
def no_step_for_the_end(lengths):
    lengths = _sorted_list(lengths)
    return [sum(length - 2 > step for length in lengths) for step in range(lengths[0] - 2)]


@lab.misconception(
    "active_counts",
    hint="All captions are computed at each step, those that have ended as well: that is the computing on padding that "
    "sorting was to avoid.",
)
def computes_on_padding(lengths):
    lengths = _sorted_list(lengths)
    return [len(lengths)] * (lengths[0] - 1)


@lab.misconception(
    "active_counts",
    hint="You count the captions that have ended. Wanted are those that still have a word to predict.",
)
def counts_the_ended(lengths):
    lengths = _sorted_list(lengths)
    return [sum(length - 1 <= step for length in lengths) for step in range(lengths[0] - 1)]


@lab.misconception(
    "active_counts",
    hint="You give the number of targets of each caption. Wanted is, step by step, how many captions still go on.",
)
def targets_of_each_caption(lengths):
    return [length - 1 for length in _sorted_list(lengths)]


@lab.misconception(
    "active_counts",
    hint="All is right for sorted lengths. Others must be refused with a ValueError: the first rows of the batch would "
    "not be those that go on.",
)
def accepts_unsorted_lengths(lengths):
    lengths = [int(length) for length in lengths]
    return [sum(length - 1 > step for length in lengths) for step in range(max(lengths) - 1)]
