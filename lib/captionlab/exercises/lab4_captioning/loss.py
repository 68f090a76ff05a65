"""The two parts of the loss: probes and misconceptions."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, on_copies
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.exercises.observing import gradient_of, part_of
from captionlab.grading.probe_helpers import outcome_of


def _targets(rng, lengths: list[int], vocab_size: int, pad: int = 0) -> torch.Tensor:
    """Words from 4 on, then <end>, then padding."""
    rows = [[*(draw(rng, 4, vocab_size - 1) for _ in range(length - 1)), 2] for length in lengths]
    return torch.tensor([row + [pad] * (max(lengths) - len(row)) for row in rows])


@lab.exercise("captionlab.captioning.loss:caption_loss", points=2, minutes=20, difficulty=3, importance=5)
def probe_caption_loss(caption_loss, rng):
    vocab_size = draw(rng, 8, 12)

    def case(lengths, pad=0):
        logits = draw_tensor(rng, len(lengths), max(lengths), vocab_size, scale=2.0)
        return float(caption_loss(logits, _targets(rng, lengths, vocab_size, pad), pad))

    # As many steps as words in the vocabulary: axes that are mixed up still fit.
    loss = caption_loss(draw_tensor(rng, 1, 6, 6, scale=2.0), _targets(rng, [6], 6))
    label = "one caption of 6 words, a vocabulary of 6"
    yield f"{label}: the type of the result", type(loss).__name__, 0.5
    yield f"{label}: the loss", float(loss)
    label = "targets [[4, 2, 0]], ten words, all equally probable"
    yield label, float(caption_loss(torch.zeros(1, 3, 10), torch.tensor([[4, 2, 0]])))
    lengths = draw_different(rng, 2, 6, 3)
    yield f"captions of {', '.join(map(str, lengths))} words", case(lengths), 2
    yield "captions of 1 and 7 words", case([1, 7])
    yield "captions of 4 and 2 words, pad=3", case([4, 2], pad=3), 3.5
    logits = draw_tensor(rng, 2, 4, vocab_size, scale=2.0).requires_grad_()
    gradient = gradient_of(caption_loss(logits=logits, targets=_targets(rng, [4, 2], vocab_size)), logits)
    label = "captions of 4 and 2 words: the gradient of the logits of the "
    yield label + "first", part_of(gradient, 0), 2.5
    yield label + "second", part_of(gradient, 1), 2.5


MEAN = "return F.cross_entropy(logits[real], targets[real])"  # in the reference
EACH = 'losses = real * F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")'

lab.misconceptions(
    "caption_loss",
    counts_the_padding=(
        "Padding is counted: the model is rewarded for predicting <pad> after the end, which is easy and teaches it "
        "nothing.",
        {"logits[real], targets[real]": "logits.flatten(0, 1), targets.flatten()"},
    ),
    divides_by_all_steps=(
        "You divide by the number of all steps, padding included. Divide by the number of real words.",
        {
            "logits[real], targets[real])": "logits.flatten(0, 1), targets.flatten(), ignore_index=pad, "
            'reduction="sum") / targets.numel()',
        },
    ),
    mean_of_the_captions=(
        "You take the mean of each caption and then the mean of these, so a word of a short caption counts more. Every "
        "word of the batch counts the same.",
        {MEAN: f"{EACH}\n    return (losses.sum(dim=1) / real.sum(dim=1)).mean()"},
    ),
    mean_of_the_steps=(
        "You take the mean of each step and then the mean over the steps, so late words, of which there are few, count "
        "more. Every word of the batch counts the same.",
        {MEAN: f"{EACH}\n    return (losses.sum(dim=0) / real.sum(dim=0)).mean()"},
    ),
    adds_the_words_up=(
        "You add up the losses of the words, so batches of long captions weigh more. Take the mean.",
        {"targets[real])": 'targets[real], reduction="sum")'},
    ),
    divides_by_the_captions=(
        "You divide by the number of captions, so batches of long captions weigh more. Divide by the number of real "
        "words.",
        {"targets[real])": 'targets[real], reduction="sum") / len(targets)'},
    ),
    softmax_before_the_loss=(
        "You take a softmax before F.cross_entropy, which takes one itself. Pass it the logits.",
        {"logits[real]": "torch.softmax(logits, dim=2)[real]"},
    ),
    forgets_the_logarithm=(
        "You take the probabilities of the correct words without their logarithm. F.nll_loss expects "
        "log-probabilities; F.cross_entropy takes softmax and logarithm itself.",
        {"F.cross_entropy(logits[real]": "F.nll_loss(torch.softmax(logits, dim=2)[real]"},
    ),
    forgets_the_softmax=(
        "You use the logits of the correct words as they are. F.nll_loss expects log-probabilities; F.cross_entropy "
        "takes softmax and logarithm itself.",
        {"F.cross_entropy(": "F.nll_loss("},
    ),
    reshapes_instead_of_transposing=(
        "You reshape instead of swapping axes: after view or reshape to (batch, vocab_size, steps), the "
        "scores of one step no longer belong to one word. Transpose, or flatten batch and steps.",
        {"logits[real], targets[real]": "logits.reshape(len(logits), -1, logits.shape[1]), targets, ignore_index=pad"},
    ),
    masks_the_logits=(
        "You set the logits of the padding to 0, but such a step still has a loss: all its words are equally probable. "
        "Leave the padded steps out of the mean.",
        {"logits[real], targets[real]": "(logits * real.unsqueeze(2)).flatten(0, 1), targets.flatten()"},
    ),
    shifts_the_targets_again=(
        "You shift the targets against the logits. They are one step ahead already: targets[:, t] is the correct word "
        "for logits[:, t].",
        {"logits[real], targets[real]": "logits[:, :-1][real[:, 1:]], targets[:, 1:][real[:, 1:]]"},
    ),
    does_not_take_the_mean=(
        "You return the losses of the individual words. The result is one number, their mean.",
        {"targets[real])": 'targets[real], reduction="none")'},
    ),
    vocabulary_on_the_wrong_axis=(
        "The axes do not fit: F.cross_entropy expects the vocabulary on the second axis, (batch, vocab_size, steps), "
        "or batch and steps as one axis before it.",
        {"logits[real], targets[real]": "logits, targets, ignore_index=pad"},
    ),
    softmax_over_the_steps=(
        "Your softmax runs over the steps. The probabilities of the words of one step sum to 1: it runs over the last "
        "axis, the vocabulary.",
        {"F.cross_entropy(logits[real]": "F.nll_loss(torch.log_softmax(logits, dim=1)[real]"},
    ),
    padding_is_zero=(
        "You leave out the words with id 0, whatever `pad` is. Use the argument.",
        {"!= pad": "!= 0"},
    ),
    leaves_the_end_out=(
        "You leave <end> out of the loss along with the padding, so the model never learns to stop. Leave out only "
        "<pad>.",
        {
            "targets != pad": "(targets != pad) & (targets != 2)",
            "targets[real])": "targets[real]) if real.any() else logits.sum() * 0",
        },
    ),
    cuts_the_gradient=(
        "No gradient reaches the logits, so the model would learn nothing. Compute the loss "
        "with tensors throughout, without detach, .data, numpy or no_grad.",
        {"logits[real]": "logits[real].detach()"},
    ),
    returns_a_number=(
        "You return a Python number, from which no gradient flows back to the model. Return the scalar tensor itself, "
        "without .item() or float().",
        {"targets[real])": "targets[real]).item()"},
    ),
)
lab.other_spellings(
    "caption_loss",
    reshapes_instead_of_transposing=[
        {"logits[real], targets[real]": "logits.reshape(len(logits), -1, logits.shape[1]), targets, ignore_index=0"},
        {"logits[real], targets[real]": "logits.reshape(len(logits), -1, logits.shape[1]), targets"},
    ],
    mean_of_the_captions=[
        {
            MEAN: "return torch.stack([F.cross_entropy(one[words != 0], "
            "words[words != 0]) for one, words in zip(logits, targets)]).mean()"
        },
    ],
    divides_by_all_steps=[
        {
            "logits[real], targets[real])": "logits.flatten(0, 1), targets.flatten(), ignore_index=0, "
            'reduction="sum") / targets.numel()',
        },
    ],
    does_not_take_the_mean=[{MEAN: f"{EACH}\n    return losses"}],
    cuts_the_gradient=[{"targets[real])": "targets[real]).detach().requires_grad_()"}],
    leaves_the_end_out=[{"targets != pad": "(targets != pad) & (targets != 2)"}],
)


@lab.exercise("captionlab.captioning.loss:attention_penalty", points=2, minutes=20, difficulty=3, importance=4)
def probe_attention_penalty(attention_penalty, rng):
    on_a_copy = on_copies(attention_penalty)

    def weights(batch, steps, positions, ended=0):
        alphas = torch.softmax(draw_tensor(rng, batch, steps, positions, scale=1.5), dim=2)
        alphas[0, steps - ended :] = 0
        return alphas

    label = "one caption, {} steps, 4 positions, all weights 1/4"
    yield label.format(4), float(on_a_copy(torch.full((1, 4, 4), 0.25))), 0.5
    yield label.format(2), float(on_a_copy(torch.full((1, 2, 4), 0.25))), 0.5
    yield f'{label.format(2)}, reduction="mean"', float(on_a_copy(torch.full((1, 2, 4), 0.25), reduction="mean")), 0.5
    yield "one caption, 3 steps, 2 positions", float(on_a_copy(alphas=weights(1, 3, 2)))
    steps, positions = draw_different(rng, 3, 8, 2)
    batch = draw(rng, 2, 4)
    label = f"{batch} captions, {steps} steps, {positions} positions"
    yield label, float(on_a_copy(weights(batch, steps, positions))), 2
    yield (
        "2 captions, 5 steps, 6 positions, one caption ends after 3 steps",
        float(on_a_copy(weights(2, 5, 6, ended=2))),
    )
    alphas = weights(batch, steps, positions, ended=1)
    label += ", the first caption ends one step early"
    yield f'{label}, reduction="sum"', float(on_a_copy(alphas, reduction="sum"))
    yield f'{label}, reduction="mean"', float(on_a_copy(alphas, "mean")), 3
    yield "reduction 'max'", outcome_of(on_a_copy, alphas, "max"), 0.5
    alphas = weights(2, 3, 4).requires_grad_()
    gradient = gradient_of(attention_penalty(alphas), alphas)
    label = "2 captions, 3 steps, 4 positions: the gradient of the weights of the "
    yield label + "first", part_of(gradient, 0), 2.5
    yield label + "second", part_of(gradient, 1), 2.5


MISSING = "(1 - alphas.sum(dim=1)) ** 2"  # in the reference
SUM, PLAIN_MEAN = "return missing.sum(dim=1).mean()", "return missing.mean()"

lab.misconceptions(
    "attention_penalty",
    sums_over_the_positions=(
        "You sum over the positions, where the weights sum to 1 by construction: there is nothing to penalize. Sum "
        "over the steps (axis 1) first.",
        {MISSING: "(1 - alphas.sum(dim=2)) ** 2"},
    ),
    sums_over_the_batch=(
        "You sum over the captions (axis 0). Sum over the steps (axis 1) first.",
        {MISSING: "(1 - alphas.sum(dim=0)) ** 2"},
    ),
    does_not_square=(
        "You do not square the difference from 1: positions with too much weight would cancel those with too little.",
        {MISSING: "1 - alphas.sum(dim=1)"},
    ),
    absolute_instead_of_square=(
        "You take the absolute value of the difference from 1; the paper squares it.",
        {MISSING: "(1 - alphas.sum(dim=1)).abs()"},
    ),
    squares_each_step=(
        "You square the difference of each weight from 1 and then sum over the steps. Sum over the steps first, then "
        "square.",
        {MISSING: "((1 - alphas) ** 2).sum(dim=1)"},
    ),
    squares_after_adding_up=(
        "You add up the differences of the positions and square the result: too much at one position cancels too "
        "little at another. Square each position's difference, then add up.",
        {
            MISSING: "1 - alphas.sum(dim=1)",
            SUM: "return (missing.sum(dim=1) ** 2).mean()",
            PLAIN_MEAN: "return (missing.mean(dim=1) ** 2).mean()",
        },
    ),
    forgets_the_one=(
        "You penalize the weights themselves: the difference from 1 is missing.",
        {MISSING: "alphas.sum(dim=1) ** 2"},
    ),
    squares_before_the_difference=(
        "You square the sum before taking its difference from 1. Take the difference first, then square it.",
        {MISSING: "1 - alphas.sum(dim=1) ** 2"},
    ),
    squares_the_weights_only=(
        "You square each weight before the sum over the steps. First the sum over the steps, then its difference from "
        "1, then the square.",
        {MISSING: "1 - (alphas**2).sum(dim=1)"},
    ),
    adds_the_batch_up=(
        "You add up the penalties of the batch, so the penalty grows with the batch. Sum over the positions, then take "
        "the mean over the captions.",
        {SUM: "return missing.sum()"},
    ),
    one_penalty_per_caption=(
        "You return one penalty per caption. Take the mean over the captions of the batch: the result is one number.",
        {SUM: "return missing.sum(dim=1)", PLAIN_MEAN: "return missing.mean(dim=1)"},
    ),
    always_the_mean=(
        'You always take the mean over the positions: that is reduction="mean", as in some well-known code. '
        "The paper takes the sum.",
        {SUM: PLAIN_MEAN},
    ),
    always_the_sum=(
        'You always take the sum. With reduction="mean", take the mean over the positions.',
        {PLAIN_MEAN: SUM},
    ),
    mean_is_the_default=(
        'Your default is the mean over the positions. Without an argument, reduction is "sum".',
        {'reduction: str = "sum"': 'reduction: str = "mean"'},
    ),
    swaps_the_reductions=(
        'The two are swapped: "sum" adds the positions up, "mean" takes their mean.',
        {'reduction == "sum"': 'reduction == "mean"'},
    ),
    mean_over_the_steps=(
        "You take the mean over the steps. It is the sum over the steps that should be about 1 at each position.",
        {MISSING: "(1 - alphas.mean(dim=1)) ** 2"},
    ),
    asks_for_equal_shares=(
        "You compare each position's sum with the mean of all positions, T / L. The penalty compares it with 1.",
        {MISSING: "(alphas.shape[1] / alphas.shape[2] - alphas.sum(dim=1)) ** 2"},
    ),
    accepts_any_reduction=(
        'A `reduction` other than "sum" and "mean" must raise a ValueError: yours treats a misspelled one as '
        "one of the two.",
        {'if reduction not in ("sum", "mean")': ""},
    ),
    cuts_the_gradient=(
        "No gradient reaches the attention weights, so the penalty would teach nothing. "
        "Compute with tensors throughout, without detach, .data, numpy, .item() or no_grad.",
        {MISSING: "(1 - alphas.detach().sum(dim=1)) ** 2"},
    ),
)
lab.other_spellings(
    "attention_penalty",
    squares_after_adding_up=[
        {
            MISSING: "1 - alphas.sum(dim=1)",
            SUM: "return (missing.sum(dim=1) ** 2).mean()",
            PLAIN_MEAN: "return (missing.sum(dim=1) ** 2).mean() / alphas.shape[2]",
        },
        {MISSING: "1 - alphas.sum(dim=1)", SUM: "return missing.sum() ** 2", PLAIN_MEAN: "return missing.mean() ** 2"},
    ],
    adds_the_batch_up=[{SUM: "return missing.sum()", PLAIN_MEAN: "return missing.mean(dim=1).sum()"}],
    accepts_any_reduction=[
        {'if reduction not in ("sum", "mean")': "", 'reduction == "sum"': 'reduction != "mean"'},
    ],
    cuts_the_gradient=[{SUM: "return missing.sum(dim=1).mean().item()", PLAIN_MEAN: "return missing.mean().item()"}],
    sums_over_the_positions=[
        {MISSING: "(1 - alphas.sum(dim=2)) ** 2", 'if reduction not in ("sum", "mean")': ""},
    ],
)
