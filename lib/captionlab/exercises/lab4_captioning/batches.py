"""What is read and what is predicted, and captions sorted by length: probes and misconceptions."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, on_copies
from captionlab.exercises.lab4_captioning.common import draw_captions, lab
from captionlab.exercises.observing import dtype_of, gradient_of
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise(
    "captionlab.captioning.teacher_forcing:inputs_and_targets", points=1, minutes=8, difficulty=1, importance=5
)
def probe_inputs_and_targets(inputs_and_targets, rng):
    inputs, targets = inputs_and_targets(torch.tensor([[1, 5, 6, 2]]))
    yield "the caption [1, 5, 6, 2]: the inputs", inputs
    yield "the caption [1, 5, 6, 2]: the targets", targets
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
        "Inputs and targets are both the whole caption: each word is predicted after it has been read. The "
        "targets are one step ahead.",
        {BOTH: "captions, captions"},
    ),
    swaps_the_two=(
        "The two are swapped: the first word is predicted from <start>, not <start> from the first word.",
        {BOTH: "captions[:, 1:], captions[:, :-1]"},
    ),
    never_predicts_the_end=(
        "The last tokens are never predicted, <end> among them: the model would never learn to stop. Only <start> is "
        "missing from the targets.",
        {BOTH: "captions[:, :-2], captions[:, 1:-1]"},
    ),
    cuts_rows=(
        "You drop a caption of the batch instead of a token: the first axis is the batch, the second one the tokens.",
        {BOTH: "captions[:-1], captions[1:]"},
    ),
    never_reads_the_end=(
        "You replace or remove <end> in the inputs. Only the last token of each row is left out, whatever it is: in "
        "short captions the padding after <end> hides nothing, and the loss skips it.",
        {BOTH: "captions.masked_fill(captions == 2, 0)[:, :-1], captions[:, 1:]"},
    ),
    targets_not_shifted=(
        "The targets are the whole captions, <start> included. They are one step ahead of the inputs.",
        {BOTH: "captions[:, :-1], captions"},
    ),
    shifted_by_two=(
        "The targets are two steps ahead: at step t token t is read and token t + 1 predicted.",
        {BOTH: "captions[:, :-2], captions[:, 2:]"},
    ),
    rolled=(
        "The targets are as long as the captions, and <start> comes back at their end: rolling moves it there. Cut it "
        "off.",
        {BOTH: "captions, captions.roll(-1, 1)"},
    ),
    reads_to_the_end=(
        "There is one input more than there are targets: after the last token there is nothing left to predict.",
        {BOTH: "captions, captions[:, 1:]"},
    ),
)


@lab.exercise("captionlab.captioning.batches:sort_by_length", points=2, minutes=15, difficulty=2, importance=4)
def probe_sort_by_length(sort_by_length, rng):
    captions, features = torch.tensor([[1, 5, 2, 0], [1, 6, 7, 2]]), torch.tensor([[0.5], [0.25]])
    captions, features, lengths = sort_by_length(captions, features)
    label = "2 captions, [1, 5, 2, 0] and [1, 6, 7, 2]: "
    yield label + "the sorted captions", captions
    yield label + "the features, of [[0.5], [0.25]]", features
    yield label + "the lengths", lengths
    yield label + "the dtype of the lengths", dtype_of(lengths), 0.5
    short, long = draw(rng, 3, 4), draw(rng, 7, 8)
    lengths = [short, long, 5, short, 6, long]  # two pairs of equal length: if the words counted, one would be swapped
    captions = draw_captions(rng, lengths)
    captions[[0, 3, 1, 5], 1] = torch.tensor([10, 20, 20, 10])
    label = f"6 captions of {', '.join(map(str, lengths))} token ids: "
    captions, features, lengths = sort_by_length(captions, draw_tensor(rng, 6, draw(rng, 2, 3), 3))
    yield label + "the sorted captions", captions, 4
    yield label + "the features", features, 3
    yield label + "the lengths", lengths, 4
    lengths = sorted(draw_different(rng, 3, 8, 4))
    captions = draw_captions(rng, lengths, pad=99)
    captions, features, lengths = sort_by_length(captions=captions, features=torch.arange(4.0), pad=99)
    yield "4 captions, pad=99: the sorted captions", captions, 2
    yield "4 captions, pad=99: the features, one number per caption", features, 2
    yield "4 captions, pad=99: the lengths", lengths, 2
    captions, numbers = draw_captions(rng, [draw(rng, 3, 6) for _ in range(40)]), torch.arange(40.0).requires_grad_()
    _, features, _ = sort_by_length(captions, numbers * 1)
    yield "40 captions, their numbers as features: the numbers in the new order", features, 0.5
    yield "the gradient of the sum of these features' squares", gradient_of((features**2).sum(), numbers), 0.5


lab.misconceptions(
    "sort_by_length",
    leaves_the_features=(
        "You do not sort the features along with the captions: each caption would be paired with the wrong "
        "image. Use the same order for both.",
        {"features[order]": "features"},
    ),
    leaves_the_captions=(
        "You do not sort the captions along with the features: each caption would be paired with the wrong "
        "image. Use the same order for both.",
        {"captions[order]": "captions"},
    ),
    sorts_nothing_but_the_lengths=(
        "You leave captions and features in their original order. Put both in the order of the lengths.",
        {"captions[order], features[order]": "captions, features"},
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
        "Captions of the same length swap places. A stable sort keeps their order (an ascending sort that is "
        "reversed afterwards does not).",
        {
            "descending=True, ": "",
            "return captions": "order, lengths = order.flip(0), lengths.flip(0)\n    return captions",
        },
    ),
    breaks_ties_by_the_words=(
        "Captions of the same length are ordered by their token ids: a sort of tuples compares what follows if the "
        "lengths are equal. Sort by the length only, so that they keep their order.",
        {
            "lengths, order = torch.sort(lengths, descending=True, stable=True)": "order = torch.tensor("
            "sorted(range(len(captions)), key=lambda row: (int(lengths[row]), captions[row].tolist()), reverse=True))\n"
            "    lengths = lengths[order]"
        },
    ),
    counts_words_only=(
        "Your lengths leave out <start> and <end>. They count: a length is the number of token ids that are not "
        "padding.",
        {"features[order], lengths": "features[order], lengths - 2"},
    ),
    one_id_too_few=(
        "Your lengths are one too small: <start> and <end> both count. The position of <end>, "
        "counted from 0, is no length.",
        {"features[order], lengths": "features[order], lengths - 1"},
    ),
    counts_the_padding=(
        "Your lengths count the padding, so all captions seem equally long. Count the token ids that are not `pad`.",
        {"(captions != pad).sum(dim=1)": "torch.tensor([len(caption) for caption in captions])"},
    ),
    counts_padding_only=(
        "You count the padding itself. Count the token ids that are not `pad`.",
        {"captions != pad": "captions == pad"},
    ),
    sorts_each_column=(
        "You sort the token ids inside the captions, or each column by itself, so the captions are torn apart. Find "
        "the order of the lengths first, and index whole rows with it.",
        {"captions[order]": "captions.sort(dim=0, descending=True).values"},
    ),
    undoes_the_order=(
        "You put the rows where the order says, instead of taking them from there: row i of the result is row order[i] "
        "of the input. An argsort of the order is its inverse.",
        {"captions[order], features[order]": "captions[order.argsort()], features[order.argsort()]"},
    ),
    padding_is_zero=(
        "You assume that the padding is 0, whatever `pad` is. Use the argument.",
        {"!= pad": "!= 0"},
    ),
    features_lose_the_gradient=(
        "No gradient flows back through the features, so an encoder could not be fine-tuned. "
        "Index the tensor itself, without detach, numpy or torch.tensor.",
        {"features[order]": "features.detach()[order].clone().requires_grad_()"},
    ),
)
lab.other_spellings(
    "sort_by_length",
    sorts_each_column=[
        {"captions[order]": "captions.sort(dim=1, descending=True).values[order]"},
        {"captions[order]": "captions.sort(dim=1, descending=True).values"},
        {"captions[order]": "captions.sort(dim=0, descending=True).values", "features[order]": "features"},
    ],
    leaves_the_features=[{"features[order]": "features", "!= pad": "!= 0"}],
    shortest_first=[{"descending=True, stable=True": "stable=True", "features[order], lengths": "features, lengths"}],
    reverses_ties=[
        {
            "lengths, order = torch.sort(lengths, descending=True, stable=True)": "order = torch.tensor(sorted(range("
            "len(captions)), key=lambda row: (int(lengths[row]), row), reverse=True))\n    lengths = lengths[order]"
        }
    ],
)


@lab.exercise("captionlab.captioning.batches:active_counts", points=2, minutes=20, difficulty=3, importance=4)
def probe_active_counts(active_counts, rng):
    active_counts = on_copies(active_counts)

    def say(lengths):
        return f"lengths {', '.join(map(str, lengths))}"

    def counts(lengths):
        try:
            return active_counts(lengths)
        except ValueError:  # of lengths that are not descending, in the view of the answer
            return "raises ValueError"

    alone = [draw(rng, 4, 9)]
    yield f"one caption: {say(alone)}", active_counts(alone)
    yield "lengths 4, 3, 3", counts([4, 3, 3])
    different = sorted(draw_different(rng, 3, 9, 4), reverse=True)
    yield say(different), counts(different), 2
    short, long = draw(rng, 3, 4), draw(rng, 6, 8)
    lengths = [long, long, 5, short, short, short]
    yield say(lengths), counts(lengths), 2
    same = [draw(rng, 4, 6)] * draw(rng, 2, 3)
    yield f"all equal: {say(same)}", counts(same)
    yield "lengths 4, 2, 2: captions without a word", counts([4, 2, 2])
    yield f"{say(lengths[1:5])}, as a tensor", active_counts(lengths=torch.tensor(lengths[1:5]))
    rising = [short, long, 5]
    yield f"not sorted: {say(rising)}", outcome_of(active_counts, rising)


STEPS = "range(lengths[0] - 1)"  # in the reference
COUNT = "sum(length - 1 > step for length in lengths)"

lab.misconceptions(
    "active_counts",
    a_step_for_every_token=(
        "You have one step too many. A caption of n token ids has n - 1 targets: <start> is read and never "
        "predicted, and nothing is predicted after <end>.",
        {"length - 1 > step": "length > step", "lengths[0] - 1": "lengths[0]"},
    ),
    no_step_for_the_end=(
        "You have one step too few: <end> is predicted too. A caption of n token ids has n - 1 targets.",
        {"length - 1 > step": "length - 2 > step", "lengths[0] - 1": "lengths[0] - 2"},
    ),
    counts_one_step_longer=(
        "Captions are counted one step too long. Steps are counted from 0: a caption "
        "of n token ids takes part in steps 0 to n - 2.",
        {"length - 1 > step": "length - 1 >= step"},
    ),
    counts_one_step_shorter=(
        "Captions are counted one step too short. A caption of n token ids takes part in n - 1 steps, 0 to n - 2.",
        {"length - 1 > step": "length - 2 > step"},
    ),
    stops_with_the_shortest=(
        "You stop when the shortest caption ends. Continue to the end of the longest one.",
        {STEPS: "range(lengths[-1] - 1)"},
    ),
    ends_with_a_zero=(
        "Your last number is 0, for a step in which no caption takes part. Stop with the last step of the "
        "longest caption.",
        {STEPS: "range(lengths[0])"},
    ),
    computes_on_padding=(
        "You count all captions at each step, even those that have ended: that is the computation on padding that "
        "sorting should avoid.",
        {COUNT: "len(lengths)"},
    ),
    counts_the_ended=(
        "You count the captions that have ended. Count those that still have a word to predict.",
        {"length - 1 > step": "length - 1 <= step"},
    ),
    counts_those_that_end_now=(
        "You count the captions that end at each step. Count those that still have a word to predict.",
        {"length - 1 > step": "length - 2 == step"},
    ),
    targets_of_each_caption=(
        "You return the number of targets of each caption. Return, step by step, how many captions still continue.",
        {f"{COUNT} for step in {STEPS}": "n - 1 for n in lengths"},
    ),
    counts_each_length_once=(
        "Of captions of equal length you count only one. Each caption of the batch is a row of its own.",
        {COUNT: "sum(length - 1 > step for length in set(lengths))"},
    ),
    accepts_unsorted_lengths=(
        "Lengths that are not in descending order must be refused with a ValueError, neither sorted nor counted: the "
        "first rows of the batch would not be the captions that continue.",
        {"if lengths != ": "", STEPS: "range(max(lengths) - 1)"},
    ),
    refuses_equal_lengths=(
        "You refuse equal lengths. Captions of the same length are fine: only a longer one after a shorter "
        "one is an error.",
        {"lengths != sorted(lengths, reverse=True)": "lengths != sorted(set(lengths), reverse=True)"},
    ),
    refuses_tensors=(
        "You refuse lengths that come as a tensor: a tensor is never equal to a list. Convert them to a list "
        "of integers first.",
        {"lengths = [int(length) for length in lengths]": ""},
    ),
    wants_ascending_order=(
        "You refuse lengths in descending order, which is the right one: the longest caption comes first.",
        {", reverse=True": ""},
    ),
)
lab.other_spellings(
    "active_counts",
    accepts_unsorted_lengths=[{"if lengths != ": ""}],
    ends_with_a_zero=[{STEPS: "range(lengths[0])", "if lengths != ": ""}],
    refuses_equal_lengths=[
        {"lengths != sorted(lengths, reverse=True)": "any(b >= a for a, b in zip(lengths, lengths[1:]))"},
    ],
    a_step_for_every_token=[
        {"length - 1 > step": "length > step", "lengths[0] - 1": "lengths[0]", "if lengths != ": ""},
        {"length - 1 > step": "length >= step", "range(lengths[0] - 1)": "range(1, lengths[0] + 1)"},
    ],
)
