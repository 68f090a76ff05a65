"""Small parts of the training loop: the model's own words, clipping, the best epoch. Probes and misconceptions."""

from __future__ import annotations

import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, on_copies
from captionlab.exercises.lab4_captioning.common import lab


@lab.exercise("captionlab.captioning.sampling:scheduled_words", points=1, minutes=10, difficulty=2, importance=3)
def probe_scheduled_words(scheduled_words, rng):
    def case(probability, drawn):
        truth = torch.tensor(draw_different(rng, 4, 20, len(drawn)))
        predicted = torch.tensor(draw_different(rng, 21, 40, len(drawn)))
        return scheduled_words(truth, predicted, torch.tensor(drawn), probability)

    def numbers(*values):
        return [values[at] for at in rng.permutation(len(values))]

    low, high = draw(rng, 5, 12) / 64, draw(rng, 40, 60) / 64  # exact in binary
    yield f"probability 0.25, drawn about {low} and {high}", case(0.25, numbers(low, high, low / 2, high, 0.99, 0.9))
    yield "probability 0.75", case(0.75, numbers(low, 0.5, 0.7, 0.8, 0.875))
    yield "a number drawn that equals the probability", case(0.5, numbers(0.5, 0.5, 0.25, 0.75, 0.5))
    yield "probability 0, a number drawn is 0", case(0.0, numbers(0.0, low, high))
    yield "probability 1", case(1.0, numbers(0.0, low, high, 0.999))


@lab.misconception(
    "scheduled_words",
    hint="It is the other way round: `probability` says how often the model's own word is read. 0 is teacher forcing.",
)
def the_other_way_round(truth, predicted, drawn, probability):
    return torch.where(drawn < probability, truth, predicted)


@lab.misconception(
    "scheduled_words",
    hint="One draw decides for the whole batch. Each caption has a number of its own.",
)
def one_draw_for_all(truth, predicted, drawn, probability):
    return predicted if drawn[0] < probability else truth


@lab.misconception(
    "scheduled_words",
    hint="With a probability of 0 the model's word is still read now and then: numbers are drawn from [0, 1), "
    "and 0 is one of them. Compare with <.",
)
def less_or_equal(truth, predicted, drawn, probability):
    return torch.where(drawn <= probability, predicted, truth)


@lab.misconception(
    "scheduled_words",
    hint="You compare with 1 - probability. Own words where the number drawn is smaller than the probability.",
)
def compares_with_the_rest(truth, predicted, drawn, probability):
    return torch.where(drawn >= 1 - probability, predicted, truth)


@lab.misconception(
    "scheduled_words",
    hint="You always give the true words, whatever is drawn.",
)
def always_the_truth(truth, predicted, drawn, probability):
    return truth.clone()


@lab.exercise("captionlab.captioning.optimization:clip_gradients", points=2, minutes=20, difficulty=3, importance=4)
def probe_clip_gradients(clip_gradients, rng):
    def parameters(length, *shapes):
        gradients = [draw_tensor(rng, *shape) for shape in shapes]
        whole = torch.cat([gradient.flatten() for gradient in gradients]).norm()
        made = [nn.Parameter(torch.zeros(shape)) for shape in shapes]
        for parameter, gradient in zip(made, gradients, strict=True):
            parameter.grad = gradient * (length / whole)
        return made

    def gradients(made):
        return [parameter.grad for parameter in made]

    rows, columns = draw_different(rng, 2, 5, 2)
    long, limit = draw(rng, 20, 40) / 2, draw(rng, 4, 8) / 2
    made = parameters(long, (rows, columns), (columns,), (2,))
    length = clip_gradients(list(made), limit)
    yield (
        f"a gradient of length {long}, limit {limit}: what is returned, and whether it is a float",
        [
            length,
            isinstance(length, float),
        ],
    )
    yield f"a gradient of length {long}, limit {limit}: the gradients afterwards", gradients(made)
    short = draw(rng, 10, 18) / 8
    made = parameters(short, (3, 2), (4,))
    length = clip_gradients(parameters=list(made), limit=2.5)
    yield f"a gradient of length {short}, limit 2.5: what is returned, and the gradients", [length, *gradients(made)]
    made = parameters(long, (1,), (rows, 2))
    yield (
        "given as a generator: what is returned, and the gradients",
        [
            clip_gradients((one for one in made), 1.0),
            *gradients(made),
        ],
    )
    made = parameters(long, (rows,))
    frozen = nn.Parameter(torch.zeros(3))
    yield "one of two parameters has no gradient", [clip_gradients([frozen, *made], limit), *gradients(made)]


def _present(parameters):
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def _length(gradients):
    return torch.stack([gradient.norm() for gradient in gradients]).norm().item()


@lab.misconception(
    "clip_gradients",
    hint="You clip each number by itself, which turns the gradient's direction. Multiply all of it by one factor.",
)
def clips_each_value(parameters, limit):
    gradients = _present(parameters)
    length = _length(gradients)
    for gradient in gradients:
        gradient.clamp_(-limit, limit)
    return length


@lab.misconception(
    "clip_gradients",
    hint="Each parameter is clipped by its own length. The gradients of all of them are one long vector, with "
    "one length.",
)
def clips_each_parameter(parameters, limit):
    gradients = _present(parameters)
    length = _length(gradients)
    for gradient in gradients:
        gradient.mul_(min(1.0, limit / gradient.norm().item()))
    return length


@lab.misconception(
    "clip_gradients",
    hint="A gradient shorter than the limit is made longer. Clipping only ever shortens.",
)
def lengthens_short_ones(parameters, limit):
    gradients = _present(parameters)
    length = _length(gradients)
    for gradient in gradients:
        gradient.mul_(limit / length)
    return length


@lab.misconception(
    "clip_gradients",
    hint="The gradients are right. Return the length before clipping: in a log it tells how often clipping was needed.",
)
def returns_the_length_after(parameters, limit):
    gradients = _present(parameters)
    length = _length(gradients)
    if length > limit:
        for gradient in gradients:
            gradient.mul_(limit / length)
    return min(length, float(limit))


@lab.misconception(
    "clip_gradients",
    hint="You add the lengths of the parameters' gradients up. The length of a vector is the root of the sum "
    "of squares.",
)
def adds_the_lengths(parameters, limit):
    gradients = _present(parameters)
    length = sum(gradient.norm().item() for gradient in gradients)
    if length > limit:
        for gradient in gradients:
            gradient.mul_(limit / length)
    return length


@lab.misconception(
    "clip_gradients",
    hint="The shortened gradients are computed and thrown away: a new tensor does not change parameter.grad. "
    "Work in place.",
)
def changes_nothing(parameters, limit):
    gradients = _present(parameters)
    length = _length(gradients)
    if length > limit:
        gradients = [gradient * (limit / length) for gradient in gradients]
    return length


@lab.misconception(
    "clip_gradients",
    hint="The root is missing: you compare the squared length with the limit.",
)
def forgets_the_root(parameters, limit):
    gradients = _present(parameters)
    length = sum((gradient**2).sum().item() for gradient in gradients)
    if length > limit:
        for gradient in gradients:
            gradient.mul_(limit / length)
    return length


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
        """From steps of a thousandth; a log with two digits does not show steps below 0.005."""
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


@lab.misconception(
    "best_epoch",
    hint="This is the code you were given. Work through the first example by hand: what becomes of 2.776 and "
    "2.778 before they are compared, and what does <= do then?",
)
def as_the_log_shows_them(losses):
    best, lowest = 0, float("inf")
    for epoch, loss in enumerate(losses, start=1):
        loss = float(f"{loss:.2f}")  # two digits are enough for a log
        if loss <= lowest:
            best, lowest = epoch, loss
    return best


@lab.misconception(
    "best_epoch",
    hint="Of equal losses you take the last one. An epoch is better only if its loss is lower: the first of "
    "them counts.",
)
def last_of_equals(losses):
    best, lowest = 0, float("inf")
    for epoch, loss in enumerate(losses, start=1):
        if loss <= lowest:
            best, lowest = epoch, loss
    return best


@lab.misconception(
    "best_epoch",
    hint="You compare with two digits, as a log shows them. Losses that differ in the third digit are different.",
)
def two_digits(losses):
    best, lowest = 0, float("inf")
    for epoch, loss in enumerate(losses, start=1):
        if round(loss, 2) < lowest:
            best, lowest = epoch, round(loss, 2)
    return best


@lab.misconception("best_epoch", hint="Epochs are counted from 1, yours from 0.")
def counts_from_zero(losses):
    return min(range(len(losses)), key=lambda epoch: losses[epoch]) if losses else 0


@lab.misconception("best_epoch", hint="That is the epoch with the highest loss. A loss is better the lower it is.")
def highest_loss(losses):
    return losses.index(max(losses)) + 1 if losses else 0


@lab.misconception(
    "best_epoch",
    hint='You compare each epoch with the one before. After a bad epoch the next one "improves" easily; '
    "compare with the best so far.",
)
def better_than_the_one_before(losses):
    best, before = 0, float("inf")
    for epoch, loss in enumerate(losses, start=1):
        if loss < before:
            best = epoch
        before = loss
    return best


@lab.misconception(
    "best_epoch",
    hint="You stop at the first epoch that is worse than the one before. A later one may be better still.",
)
def until_the_first_rise(losses):
    for epoch in range(1, len(losses)):
        if losses[epoch] >= losses[epoch - 1]:
            return epoch
    return len(losses)
