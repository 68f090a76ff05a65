"""The two parts of the loss: probes and misconceptions."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, on_copies
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.grading.probe_helpers import outcome_of


def _targets(rng, lengths: list[int], words: int, pad: int = 0) -> torch.Tensor:
    """Words from 4 on, then <end>, then padding."""
    rows = [[*(draw(rng, 4, words - 1) for _ in range(length - 1)), 2] for length in lengths]
    return torch.tensor([row + [pad] * (max(lengths) - len(row)) for row in rows])


@lab.exercise("captionlab.captioning.loss:caption_loss", points=2, minutes=20, difficulty=3, importance=5)
def probe_caption_loss(caption_loss, rng):
    words = draw(rng, 8, 12)
    lengths = draw_different(rng, 2, 6, 3)

    def case(lengths, pad=0):
        scores = draw_tensor(rng, len(lengths), max(lengths), words, scale=2.0)
        return float(caption_loss(scores, _targets(rng, lengths, words, pad), pad))

    same = [draw(rng, 3, 5)] * 2
    yield f"2 captions of {same[0]} words, a vocabulary of {words}", case(same)
    yield f"captions of {', '.join(map(str, lengths))} words", case(lengths)
    yield "one caption of 3 words", case([3])
    yield "captions of 1 and 7 words", case([1, 7])
    yield "captions of 5 and 2 words, the padding has number 3", case([5, 2], pad=3)
    scores = draw_tensor(rng, 2, 4, words, scale=2.0).requires_grad_()
    caption_loss(scores=scores, targets=_targets(rng, [4, 2], words)).backward()
    yield "captions of 4 and 2 words: the gradient of the scores", scores.grad


@lab.misconception(
    "caption_loss",
    hint="Padding is counted: the model is paid for predicting <pad> after the end, which is easy and teaches nothing.",
)
def counts_the_padding(scores, targets, pad=0):
    return F.cross_entropy(scores.flatten(0, 1), targets.flatten())


@lab.misconception(
    "caption_loss",
    hint="Padding adds nothing to your sum, but you divide by all places, padding among them. Divide by the number of "
    "real words.",
)
def divides_by_all_places(scores, targets, pad=0):
    return F.cross_entropy(scores.flatten(0, 1), targets.flatten(), ignore_index=pad, reduction="sum") / targets.numel()


@lab.misconception(
    "caption_loss",
    hint="You take the mean of each caption and then the mean of these, so a word of a short caption counts "
    "more. Every word of the batch counts the same.",
)
def mean_of_the_captions(scores, targets, pad=0):
    each = F.cross_entropy(scores.transpose(1, 2), targets, reduction="none") * (targets != pad)
    return (each.sum(dim=1) / (targets != pad).sum(dim=1)).mean()


@lab.misconception(
    "caption_loss", hint="The losses of the words are added up: batches of long captions weigh more. Take the mean."
)
def adds_the_words_up(scores, targets, pad=0):
    real = targets != pad
    return F.cross_entropy(scores[real], targets[real], reduction="sum")


@lab.misconception(
    "caption_loss",
    hint="You divide by the number of captions, so batches of long captions weigh more. Divide by the number of real "
    "words.",
)
def divides_by_the_captions(scores, targets, pad=0):
    real = targets != pad
    return F.cross_entropy(scores[real], targets[real], reduction="sum") / len(targets)


@lab.misconception(
    "caption_loss",
    hint="You take a softmax before F.cross_entropy, which takes one itself. It wants the scores as they are.",
)
def softmax_before_the_loss(scores, targets, pad=0):
    real = targets != pad
    return F.cross_entropy(torch.softmax(scores, dim=2)[real], targets[real])


@lab.misconception("caption_loss", hint="You leave out the words with number 0, whatever `pad` is. Use the argument.")
def padding_is_zero(scores, targets, pad=0):
    real = targets != 0
    return F.cross_entropy(scores[real], targets[real])


@lab.misconception(
    "caption_loss",
    hint="<end> is left out of your loss with the padding, so the model never learns to stop. Only <pad> does "
    "not count.",
)
def leaves_the_end_out(scores, targets, pad=0):
    real = (targets != pad) & (targets != 2)
    return F.cross_entropy(scores[real], targets[real]) if real.any() else scores.sum() * 0


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
    yield "2 captions, 5 steps, 6 positions, one ends after 3", float(attention_penalty(weights(2, 5, 6, ended=2)))
    alphas = weights(batch, steps, positions, ended=1)
    yield f'{label}, the first ends before the last step, "sum"', float(attention_penalty(alphas, reduction="sum"))
    yield f'{label}, the same, "mean"', float(attention_penalty(alphas, "mean"))
    yield "one caption, 4 steps, 9 positions", float(attention_penalty(alphas=weights(1, 4, 9)))
    yield (
        "reduction 'max', then 'sum'",
        [
            str(outcome_of(attention_penalty, alphas, "max"))[:17],
            float(attention_penalty(weights(3, 4, 4), "sum")),
        ],
    )


def _reduced(missing, reduction):
    if reduction not in ("sum", "mean"):
        raise ValueError(reduction)
    return missing.sum(dim=1).mean() if reduction == "sum" else missing.mean()


@lab.misconception(
    "attention_penalty",
    hint="You sum over the positions, where the weights are 1 by construction: there is nothing to penalize. "
    "Sum over the steps (axis 1) first.",
)
def sums_over_the_positions(alphas, reduction="sum"):
    return _reduced((1 - alphas.sum(dim=2)) ** 2, reduction)


@lab.misconception(
    "attention_penalty",
    hint="What is missing to 1 is not squared: positions looked at too often would cancel those looked at too little.",
)
def does_not_square(alphas, reduction="sum"):
    return _reduced(1 - alphas.sum(dim=1), reduction)


@lab.misconception(
    "attention_penalty",
    hint="You take the absolute value of what is missing to 1; the paper squares it.",
)
def absolute_instead_of_square(alphas, reduction="sum"):
    return _reduced((1 - alphas.sum(dim=1)).abs(), reduction)


@lab.misconception(
    "attention_penalty",
    hint="You square each weight's distance from 1 and then sum over the steps. First the sum over the steps, then the "
    "square.",
)
def squares_each_step(alphas, reduction="sum"):
    return _reduced(((1 - alphas) ** 2).sum(dim=1), reduction)


@lab.misconception(
    "attention_penalty",
    hint="The penalties of the batch are added up, so it grows with the batch. Sum over the positions, then take the "
    "mean over the captions.",
)
def adds_the_batch_up(alphas, reduction="sum"):
    missing = (1 - alphas.sum(dim=1)) ** 2
    return missing.sum() if reduction == "sum" else _reduced(missing, reduction)


@lab.misconception(
    "attention_penalty",
    hint='You always take the mean over the positions: that is reduction="mean", of well-known code. The '
    "paper's form is the sum.",
)
def always_the_mean(alphas, reduction="sum"):
    return _reduced((1 - alphas.sum(dim=1)) ** 2, "mean" if reduction == "sum" else reduction)


@lab.misconception(
    "attention_penalty", hint='The sum is right. With reduction="mean" the mean over the positions is wanted.'
)
def always_the_sum(alphas, reduction="sum"):
    return _reduced((1 - alphas.sum(dim=1)) ** 2, "sum" if reduction == "mean" else reduction)


@lab.misconception(
    "attention_penalty",
    hint="You take the mean over the steps. It is the sum over the steps that should be about 1 at each position.",
)
def mean_over_the_steps(alphas, reduction="sum"):
    return _reduced((1 - alphas.mean(dim=1)) ** 2, reduction)
