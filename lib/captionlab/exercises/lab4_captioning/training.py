"""Parts of the training loop: gradient clipping, the best epoch. Probes and misconceptions."""

from __future__ import annotations

import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, on_copies
from captionlab.exercises.lab4_captioning.common import lab


@lab.exercise("captionlab.captioning.optimization:clip_grad_norm", points=2, minutes=20, difficulty=3, importance=4)
def probe_clip_grad_norm(clip_grad_norm, rng):
    def parameters(norm, *shapes):
        gradients = [draw_tensor(rng, *shape) for shape in shapes]
        drawn = torch.cat([gradient.flatten() for gradient in gradients]).norm()
        made = [nn.Parameter(draw_tensor(rng, *shape)) for shape in shapes]
        for parameter, gradient in zip(made, gradients, strict=True):
            parameter.grad = gradient * (norm / drawn)
        return made

    def gradients(made):
        return [parameter.grad for parameter in made]

    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([3.0, 4.0])
    norm = clip_grad_norm([weight], max_norm=1.0)
    kind = "float" if isinstance(norm, float) else type(norm).__name__
    yield (
        "one gradient, (3, 4), max_norm 1: the result, its type, and the gradient afterwards",
        [norm, kind, weight.grad],
        2,
    )
    rows, columns = draw_different(rng, 2, 5, 2)
    large, max_norm = draw(rng, 20, 40) / 2, draw(rng, 4, 8) / 2
    made = parameters(large, (2,), (rows, columns), (columns,))
    before = [parameter.detach().clone() for parameter in made]
    label = f"3 parameters, norm {large}, max_norm {max_norm}: "
    yield label + "the result", clip_grad_norm(list(made), max_norm), 2.5
    yield label + "the gradients afterwards", gradients(made), 3.5
    changed = [not torch.equal(one, other) for one, other in zip(before, made, strict=True)]
    yield label + "the parameters", "changed" if any(changed) else "not changed"
    small = draw(rng, 10, 18) / 8
    made = parameters(small, (3, 2), (4,))
    label = f"2 parameters, norm {small}, max_norm 2.5: "
    yield label + "the result", clip_grad_norm(parameters=list(made), max_norm=2.5)
    yield label + "the gradients afterwards", gradients(made), 3
    made = parameters(large, (1,), (rows, 2))
    label = f"parameters from a generator, like model.parameters(), norm {large}, max_norm 1.5: "
    yield label + "the result", clip_grad_norm((one for one in made), 1.5), 1.5
    yield label + "the gradients afterwards", gradients(made), 3
    made = parameters(small, (rows,))
    frozen = nn.Parameter(torch.zeros(3))
    label = f"2 parameters, the first one without a gradient, norm {small}, max_norm 2.75: "
    yield label + "the result", clip_grad_norm([frozen, *made], 2.75)
    yield label + "the gradient of the other afterwards", gradients(made)[0], 3


# In the reference.
NORM = "torch.stack([gradient.norm() for gradient in gradients]).norm().item()"
GRADIENTS = "[parameter.grad for parameter in parameters if parameter.grad is not None]"
FACTOR = "max_norm / norm"
SCALED = f"for gradient in gradients:\n            gradient.mul_({FACTOR})"
PRESENT = "parameters = [one for one in parameters if one.grad is not None]\n    gradients = "

lab.misconceptions(
    "clip_grad_norm",
    clips_each_value=(
        "You clip each number by itself, which changes the direction of the gradient. Multiply all of it by one "
        "factor.",
        {f"gradient.mul_({FACTOR})": "gradient.clamp_(-max_norm, max_norm)"},
    ),
    clips_each_parameter=(
        "You clip each parameter by its own norm. The gradients of all parameters are one long vector with one norm.",
        {FACTOR: "min(1.0, max_norm / gradient.norm().item())"},
    ),
    enlarges_small_ones=(
        "A gradient whose norm is below max_norm is made larger. Clipping only ever makes gradients smaller.",
        {"if norm > max_norm:": "if True:"},
    ),
    returns_the_norm_after=(
        "You return the norm after clipping. Return the norm before it: in a log it shows how often clipping "
        "was needed.",
        {"return norm": "return min(norm, float(max_norm))"},
    ),
    adds_the_norms=(
        "You add up the norms of the parameters' gradients. The norm of a vector is the root of the sum of squares.",
        {NORM: "sum(gradient.norm().item() for gradient in gradients)"},
    ),
    takes_the_largest_norm=(
        "You take the largest norm of a single parameter's gradient. All gradients are one long vector: its norm is "
        "the root of the sum of all squares.",
        {NORM: "max(gradient.norm().item() for gradient in gradients)"},
    ),
    takes_the_largest_number=(
        "You take the largest absolute value. The norm meant here is the root of the sum of all squares.",
        {NORM: "max(gradient.abs().max().item() for gradient in gradients)"},
    ),
    mean_of_the_norms=(
        "You take the mean of the norms of the parameters' gradients. All gradients are one long vector: its norm is "
        "the root of the sum of all squares.",
        {NORM: "torch.stack([gradient.norm() for gradient in gradients]).mean().item()"},
    ),
    adds_absolute_values=(
        "You add up absolute values. The norm meant here is the root of the sum of all squares.",
        {NORM: "sum(gradient.abs().sum().item() for gradient in gradients)"},
    ),
    changes_nothing=(
        "Your gradients are as they were before. A product is a new tensor: it does not change parameter.grad unless "
        "you work in place or assign it to parameter.grad.",
        {f"gradient.mul_({FACTOR})": f"gradient = gradient * ({FACTOR})"},
    ),
    scales_the_weights=(
        "You scale the parameters themselves, so the model is changed and its gradients are not. Scale parameter.grad.",
        {
            f"gradients = {GRADIENTS}": f"{PRESENT}{GRADIENTS}",
            SCALED: f"for parameter in parameters:\n            parameter.data.mul_({FACTOR})",
        },
    ),
    norm_of_the_weights=(
        "You compare the norm of the parameters with max_norm. Use the norm of their gradients.",
        {
            f"gradients = {GRADIENTS}": f"{PRESENT}{GRADIENTS}",
            NORM: "torch.stack([one.detach().norm() for one in parameters]).norm().item()",
            FACTOR: "max_norm / max(norm, 1e-6)",
        },
    ),
    forgets_the_root=(
        "The root is missing: you compare the squared norm with max_norm.",
        {NORM: "sum((gradient**2).sum().item() for gradient in gradients)"},
    ),
    scales_to_one=(
        "Clipped gradients have norm 1 instead of max_norm: you divide by the norm only.",
        {FACTOR: "1 / norm"},
    ),
    scales_by_max_norm=(
        "You multiply by max_norm without dividing by the norm. After clipping, the norm should be max_norm.",
        {FACTOR: "max_norm"},
    ),
    inverts_the_factor=(
        "Your factor is inverted: large gradients are made larger still. After clipping, the norm should be max_norm.",
        {FACTOR: "norm / max_norm"},
    ),
    goes_through_them_twice=(
        "`parameters` may be a generator, as model.parameters() is, and you go through it twice: the second time it is "
        "empty, so nothing is scaled. Make a list of it first.",
        {
            f"gradients = {GRADIENTS}": f"parameters = iter(parameters) if not isinstance(parameters, list) "
            f"else parameters\n    gradients = {GRADIENTS}",
            SCALED: "for parameter in parameters:\n            if parameter.grad is not None:\n"
            f"                parameter.grad.mul_({FACTOR})",
        },
    ),
    stumbles_over_missing_gradients=(
        "A parameter whose `grad` is None makes your function fail: a frozen parameter has no gradient. Skip it.",
        {" if parameter.grad is not None": ""},
    ),
    returns_a_tensor=(
        "Your norm is a tensor. Return a Python number.",
        {".norm().item()": ".norm()"},
    ),
)
lab.other_spellings(
    "clip_grad_norm",
    clips_each_parameter=[
        {
            "if norm > max_norm:": "if True:",
            FACTOR: "min(1.0, max_norm / gradient.norm().item())",
            NORM: "gradients[-1].norm().item()",
        },
        {
            "if norm > max_norm:": "if True:",
            FACTOR: "min(1.0, max_norm / gradient.norm().item())",
            NORM: "sum(gradient.norm().item() for gradient in gradients)",
        },
    ],
    stumbles_over_missing_gradients=[
        {" if parameter.grad is not None": "", "gradient.norm() for": "(gradient**2).sum().sqrt() for"},
    ],
    goes_through_them_twice=[
        {
            NORM: "torch.stack([p.grad.norm() for p in parameters if p.grad is not None] or [torch.zeros(())])"
            ".norm().item()",
        },
    ],
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

    yield "0.9, 0.7, 0.8", best_epoch([0.9, 0.7, 0.8]), 0.5
    first, rise, fall = -tens(5, 9), tens(2, 5), -tens(12, 15)
    losses = losses_by(first, rise, fall, -draw(rng, 1, 2), draw(rng, 1, 2), tens(5, 9), -tens(1, 3))
    yield f"neighboring losses that two decimals do not distinguish: {say(losses)}", best_epoch(losses), 3
    losses = losses_by(first, rise, fall, 0, 0, tens(5, 9), -tens(1, 3))
    yield f"the lowest loss three times: {say(losses)}", best_epoch(losses=losses), 3
    low = draw(rng, 270, 280)  # as in the report: 2.776 and 2.778
    losses = [3.18, 2.92, 2.82, low / 100 - 0.004, low / 100 - 0.002, low / 100 + 0.02, 2.84]
    yield say(losses), best_epoch(losses), 0.5
    losses = losses_by(-tens(5, 9), -tens(5, 9), tens(2, 5), -tens(12, 15), draw(rng, 1, 4), tens(3, 9))
    yield say(losses), best_epoch(losses), 0.5
    losses = losses_by(-tens(5, 9), -tens(5, 9), draw(rng, 1, 4), tens(6, 9), -30, draw(rng, 5, 9) * 5)
    yield say(losses), best_epoch(losses), 0.5
    falling = losses_by(-tens(3, 6), -draw(rng, 1, 2), -draw(rng, 1, 2))
    yield f"losses that fall a little: {say(falling)}", best_epoch(falling), 0.5
    rising = losses_by(*(tens(2, 6) for _ in range(draw(rng, 3, 5))))
    yield f"losses that only rise: {say(rising)}", best_epoch(rising), 0.5
    yield f"one epoch: {say(losses[:1])}", best_epoch(losses[:1]), 0.5
    yield "no losses", best_epoch([]), 0.5


lab.misconceptions(
    "best_epoch",
    as_the_log_shows_them=(
        "This does the same as the code you were given. Work through it by hand: what becomes of 2.776 and "
        "2.778 before they are compared, and what does <= do then?",
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
        "You return the epoch with the highest loss. Lower losses are better.",
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
    returns_the_loss=("You return the lowest loss. Return the number of its epoch.", {"return best": "return lowest"}),
    never_lowers_the_bar=(
        "You do not remember the lowest loss, so every epoch counts as the best so far. Update it together "
        "with the epoch.",
        {"best, lowest = epoch, loss": "best = epoch"},
    ),
    fails_without_losses=(
        "Without losses your function fails: min of nothing is an error. The docstring says what to return then.",
        {"best, lowest = 0, ": "losses = list(losses)\n    min(losses)\n    best, lowest = 0, "},
    ),
)
lab.other_spellings(
    "best_epoch",
    two_digits=[
        {"if loss < lowest": "loss = round(loss, 1)\n        if loss < lowest"},
        {"loss < lowest": "loss < lowest - 0.005"},
    ],
    fails_without_losses=[{"best, lowest = 0, ": "lowest = "}],
    last_of_equals=[
        {"best, lowest = 0, ": "lowest = ", "loss < lowest": "loss <= lowest"},
        {
            "best, lowest = 0, ": "losses = list(losses)\n    min(losses)\n    best, lowest = 0, ",
            "loss < lowest": "loss <= lowest",
        },
    ],
)
