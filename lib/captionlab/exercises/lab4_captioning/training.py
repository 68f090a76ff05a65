"""Parts of the training loop: scheduled sampling, gradient clipping, the best epoch. Probes and misconceptions."""

from __future__ import annotations

import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, on_copies
from captionlab.exercises.lab4_captioning.common import lab


@lab.exercise("captionlab.captioning.sampling:scheduled_words", points=1, minutes=10, difficulty=2, importance=3)
def probe_scheduled_words(scheduled_words, rng):
    def case(probability, uniform):
        targets = torch.tensor(draw_different(rng, 4, 20, len(uniform)))
        predicted = torch.tensor(draw_different(rng, 21, 40, len(uniform)))
        return scheduled_words(targets, predicted, torch.tensor(uniform), probability)

    def shuffled(*values):
        return [values[at] for at in rng.permutation(len(values))]

    low, high = draw(rng, 5, 12) / 64, draw(rng, 40, 60) / 64  # exact in binary
    yield (
        f"probability 0.25, random numbers about {low} and {high}",
        case(0.25, shuffled(low, high, low / 2, high, 0.99, 0.9)),
    )
    yield "probability 0.75", case(0.75, shuffled(low, 0.5, 0.7, 0.8, 0.875))
    yield "a random number that equals the probability", case(0.5, shuffled(0.5, 0.5, 0.25, 0.75, 0.5))
    yield "probability 0, a random number of 0", case(0.0, shuffled(0.0, low, high))
    yield "probability 1", case(1.0, shuffled(0.0, low, high, 0.999))


CHOICE = "torch.where(uniform < probability, predicted, targets)"  # in the reference

lab.misconceptions(
    "scheduled_words",
    the_other_way_round=(
        "It is the other way round: `probability` says how often the model's own word is read. 0 is teacher forcing.",
        {CHOICE: "torch.where(uniform < probability, targets, predicted)"},
    ),
    one_number_for_all=(
        "One random number decides for the whole batch. Each caption has a number of its own.",
        {CHOICE: "predicted if uniform[0] < probability else targets"},
    ),
    less_or_equal=(
        "With a probability of 0 the model's own word is still read sometimes: random numbers come from [0, 1), and "
        "0 is one of them. Compare with <.",
        {"uniform < probability": "uniform <= probability"},
    ),
    compares_with_the_rest=(
        "You compare with 1 - probability. Take the model's own word where the random number is smaller than the "
        "probability.",
        {"uniform < probability": "uniform >= 1 - probability"},
    ),
    always_the_true_words=(
        "You always return the true words. Return the model's own word where the random number is below `probability`.",
        {CHOICE: "targets"},
    ),
)


@lab.exercise("captionlab.captioning.optimization:clip_grad_norm", points=2, minutes=20, difficulty=3, importance=4)
def probe_clip_grad_norm(clip_grad_norm, rng):
    def parameters(norm, *shapes):
        gradients = [draw_tensor(rng, *shape) for shape in shapes]
        drawn = torch.cat([gradient.flatten() for gradient in gradients]).norm()
        made = [nn.Parameter(torch.zeros(shape)) for shape in shapes]
        for parameter, gradient in zip(made, gradients, strict=True):
            parameter.grad = gradient * (norm / drawn)
        return made

    def gradients(made):
        return [parameter.grad for parameter in made]

    rows, columns = draw_different(rng, 2, 5, 2)
    large, max_norm = draw(rng, 20, 40) / 2, draw(rng, 4, 8) / 2
    made = parameters(large, (rows, columns), (columns,), (2,))
    norm = clip_grad_norm(list(made), max_norm)
    label = f"norm {large}, max_norm {max_norm}: "
    yield label + "the result, and whether it is a float", [norm, isinstance(norm, float)]
    yield label + "the gradients afterwards", gradients(made)
    small = draw(rng, 10, 18) / 8
    made = parameters(small, (3, 2), (4,))
    norm = clip_grad_norm(parameters=list(made), max_norm=2.5)
    yield f"norm {small}, max_norm 2.5: the result, and the gradients", [norm, *gradients(made)]
    made = parameters(large, (1,), (rows, 2))
    norm = clip_grad_norm((one for one in made), 1.0)
    yield "parameters from a generator: the result, and the gradients", [norm, *gradients(made)]
    made = parameters(large, (rows,))
    frozen = nn.Parameter(torch.zeros(3))
    yield "one of two parameters has no gradient", [clip_grad_norm([frozen, *made], max_norm), *gradients(made)]


NORM = "torch.stack([gradient.norm() for gradient in gradients]).norm().item()"  # in the reference

lab.misconceptions(
    "clip_grad_norm",
    clips_each_value=(
        "You clip each number by itself, which changes the direction of the gradient. Multiply all of it by one "
        "factor.",
        {"gradient.mul_(max_norm / norm)": "gradient.clamp_(-max_norm, max_norm)"},
    ),
    clips_each_parameter=(
        "You clip each parameter by its own norm. The gradients of all parameters are one long vector with one norm.",
        {"max_norm / norm": "min(1.0, max_norm / gradient.norm().item())"},
    ),
    enlarges_small_ones=(
        "A gradient whose norm is below max_norm is made larger. Clipping only ever makes gradients smaller.",
        {"if norm > max_norm:": "if True:"},
    ),
    returns_the_norm_after=(
        "The gradients are right. Return the norm before clipping: in a log it shows how often clipping was needed.",
        {"return norm": "return min(norm, float(max_norm))"},
    ),
    adds_the_norms=(
        "You add up the norms of the parameters' gradients. The norm of a vector is the root of the sum of squares.",
        {NORM: "sum(gradient.norm().item() for gradient in gradients)"},
    ),
    changes_nothing=(
        "The scaled gradients are computed and discarded: a new tensor does not change parameter.grad. Work in place.",
        {"gradient.mul_(max_norm / norm)": "gradient = gradient * (max_norm / norm)"},
    ),
    forgets_the_root=(
        "The root is missing: you compare the squared norm with max_norm.",
        {NORM: "sum((gradient**2).sum().item() for gradient in gradients)"},
    ),
)


@lab.exercise(
    "captionlab.captioning.optimization:best_epoch",
    points=1,
    minutes=10,
    difficulty=1,
    importance=4,
    starter="as_the_log_shows_them",
)
def probe_best_epoch(best_epoch, rng):
    best_epoch = on_copies(best_epoch)

    def losses_by(*steps):
        """Changes by thousandths; a log with two decimals does not show changes below 0.005."""
        level, losses = draw(rng, 300, 340) * 10, []
        for step in steps:
            level += step
            losses.append(level / 1000)
        return losses

    def say(losses):
        return ", ".join(f"{loss:.3f}" for loss in losses)

    def tens(low, high):
        return 10 * draw(rng, low, high)

    low = draw(rng, 270, 280)  # as in the report: 2.776 and 2.778
    losses = [3.18, 2.92, 2.82, low / 100 - 0.004, low / 100 - 0.002, low / 100 + 0.02, 2.84]
    yield say(losses), best_epoch(losses)
    losses = losses_by(-tens(5, 9), -tens(5, 9), tens(2, 5), -tens(12, 15), draw(rng, 1, 4), tens(3, 9))
    yield say(losses), best_epoch(losses)
    losses = losses_by(-tens(5, 9), -tens(5, 9), draw(rng, 1, 4), tens(6, 9), -30, draw(rng, 5, 9) * 5)
    yield say(losses), best_epoch(losses)
    losses = losses_by(-90, 0, 0, tens(1, 6))
    yield f"the same three times: {say(losses)}", best_epoch(losses=losses)
    falling = losses_by(-tens(3, 6), -draw(rng, 1, 2), -draw(rng, 1, 2))
    yield f"it falls a little: {say(falling)}", best_epoch(falling)
    rising = losses_by(*(tens(2, 6) for _ in range(draw(rng, 3, 5))))
    yield f"it only rises: {say(rising)}", best_epoch(rising)
    yield "no losses, then one", [best_epoch([]), best_epoch([losses[0]])]


lab.misconceptions(
    "best_epoch",
    as_the_log_shows_them=(
        "This is the code you were given. Work through the first example by hand: what becomes of 2.776 and 2.778 "
        "before they are compared, and what does <= do then?",
        {
            "if loss < lowest": 'loss = float(f"{loss:.2f}")  # two digits are enough for a log\n'
            "        if loss <= lowest"
        },
    ),
    last_of_equals=(
        "Of equal losses you take the last one. An epoch is better only if its loss is lower: the first one counts.",
        {"loss < lowest": "loss <= lowest"},
    ),
    two_digits=(
        "You compare two decimals, as a log shows them. Losses that differ in the third decimal are different.",
        {"if loss < lowest": "loss = round(loss, 2)\n        if loss < lowest"},
    ),
    counts_from_zero=("Epochs are counted from 1; you count from 0.", {"start=1": "start=0"}),
    highest_loss=(
        "That is the epoch with the highest loss. Lower losses are better.",
        {'float("inf")': '-float("inf")', "loss < lowest": "loss > lowest"},
    ),
    better_than_the_one_before=(
        'You compare each epoch with the one before. After a bad epoch the next one "improves" easily; compare with '
        "the best so far.",
        {"best, lowest = epoch, loss": "best = epoch\n        lowest = loss"},
    ),
    until_the_first_rise=(
        "You stop at the first epoch that is no better than the one before. A later one may be better still.",
        {"if loss < lowest": "if loss >= lowest:\n            break\n        if loss < lowest"},
    ),
)
