"""The two parts of the loss: probes and misconceptions."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, on_copies
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.grading.probe_helpers import outcome_of


def _targets(rng, lengths: list[int], vocab_size: int, pad: int = 0) -> torch.Tensor:
    """Words from 4 on, then <end>, then padding."""
    rows = [[*(draw(rng, 4, vocab_size - 1) for _ in range(length - 1)), 2] for length in lengths]
    return torch.tensor([row + [pad] * (max(lengths) - len(row)) for row in rows])


@lab.exercise("captionlab.captioning.loss:caption_loss", points=2, minutes=20, difficulty=3, importance=5)
def probe_caption_loss(caption_loss, rng):
    vocab_size = draw(rng, 8, 12)
    lengths = draw_different(rng, 2, 6, 3)

    def case(lengths, pad=0):
        logits = draw_tensor(rng, len(lengths), max(lengths), vocab_size, scale=2.0)
        return float(caption_loss(logits, _targets(rng, lengths, vocab_size, pad), pad))

    same = [draw(rng, 3, 5)] * 2
    yield f"2 captions of {same[0]} words, a vocabulary of {vocab_size}", case(same)
    yield f"captions of {', '.join(map(str, lengths))} words", case(lengths)
    yield "one caption of 3 words", case([3])
    yield "captions of 1 and 7 words", case([1, 7])
    yield "captions of 5 and 2 words, pad=3", case([5, 2], pad=3)
    logits = draw_tensor(rng, 2, 4, vocab_size, scale=2.0).requires_grad_()
    caption_loss(logits=logits, targets=_targets(rng, [4, 2], vocab_size)).backward()
    yield "captions of 4 and 2 words: the gradient of the logits", logits.grad


lab.misconceptions(
    "caption_loss",
    counts_the_padding=(
        "Padding is counted: the model is rewarded for predicting <pad> after the end, which is easy and teaches it "
        "nothing.",
        {"logits[real], targets[real]": "logits.flatten(0, 1), targets.flatten()"},
    ),
    divides_by_all_steps=(
        "Padding adds nothing to your sum, but you divide by the number of all steps, padding included. Divide by the "
        "number of real words.",
        {
            "logits[real], targets[real])": "logits.flatten(0, 1), targets.flatten(), ignore_index=pad, "
            'reduction="sum") / targets.numel()',
        },
    ),
    mean_of_the_captions=(
        "You take the mean of each caption and then the mean of these, so a word of a short caption counts more. Every "
        "word of the batch counts the same.",
        {
            "return F.cross_entropy(logits[real], targets[real])": "losses = real * F.cross_entropy("
            'logits.transpose(1, 2), targets, reduction="none")\n'
            "    return (losses.sum(dim=1) / real.sum(dim=1)).mean()",
        },
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
)


@lab.exercise("captionlab.captioning.loss:attention_penalty", points=2, minutes=20, difficulty=3, importance=4)
def probe_attention_penalty(attention_penalty, rng):
    attention_penalty = on_copies(attention_penalty)

    def weights(batch, steps, positions, ended=0):
        alphas = torch.softmax(draw_tensor(rng, batch, steps, positions, scale=1.5), dim=2)
        alphas[0, steps - ended :] = 0
        return alphas

    steps, positions = draw_different(rng, 3, 8, 2)
    batch = draw(rng, 2, 4)
    label = f"{batch} captions, {steps} steps, {positions} positions"
    yield label, float(attention_penalty(weights(batch, steps, positions)))
    yield (
        "2 captions, 5 steps, 6 positions, one caption ends after 3 steps",
        float(attention_penalty(weights(2, 5, 6, ended=2))),
    )
    alphas = weights(batch, steps, positions, ended=1)
    yield (
        f'{label}, the first caption ends one step early, reduction="sum"',
        float(attention_penalty(alphas, reduction="sum")),
    )
    yield f'{label}, the same, reduction="mean"', float(attention_penalty(alphas, "mean"))
    yield "one caption, 4 steps, 9 positions", float(attention_penalty(alphas=weights(1, 4, 9)))
    yield (
        "reduction 'max', then 'sum' for 3 captions, 4 steps, 4 positions",
        [
            str(outcome_of(attention_penalty, alphas, "max"))[:17],
            float(attention_penalty(weights(3, 4, 4), "sum")),
        ],
    )


MISSING = "(1 - alphas.sum(dim=1)) ** 2"  # in the reference

lab.misconceptions(
    "attention_penalty",
    sums_over_the_positions=(
        "You sum over the positions, where the weights sum to 1 by construction: there is nothing to penalize. Sum "
        "over the steps (axis 1) first.",
        {MISSING: "(1 - alphas.sum(dim=2)) ** 2"},
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
    adds_the_batch_up=(
        "You add up the penalties of the batch, so the penalty grows with the batch. Sum over the positions, then take "
        "the mean over the captions.",
        {"missing.sum(dim=1).mean()": "missing.sum()"},
    ),
    always_the_mean=(
        'You always take the mean over the positions: that is reduction="mean", the form of well-known code. The '
        "paper's form is the sum.",
        {"missing.sum(dim=1).mean()": "missing.mean()"},
    ),
    always_the_sum=(
        'The sum is right. With reduction="mean", take the mean over the positions.',
        {"return missing.mean()": "return missing.sum(dim=1).mean()"},
    ),
    mean_over_the_steps=(
        "You take the mean over the steps. It is the sum over the steps that should be about 1 at each position.",
        {MISSING: "(1 - alphas.mean(dim=1)) ** 2"},
    ),
)
