"""From logits to probabilities and named classes: probes and misconceptions."""

from __future__ import annotations

import numpy as np
import torch

from captionlab.exercises.drawing import draw, draw_tensor
from captionlab.exercises.lab1_vgg16.common import add_pairs, lab

NAMES = ("tench", "goldfish", "ostrich", "magpie", "bulbul", "kite", "newt", "axolotl", "drake", "wombat", "otter")


@lab.exercise("captionlab.convnets.predictions:softmax", points=2, minutes=10, difficulty=2, importance=4)
def probe_softmax(softmax, rng):
    for shape in ((2, 2), (3, 5)):
        yield f"logits of shape {shape}", softmax(logits=draw_tensor(rng, *shape, scale=2))
    shift = torch.tensor([[5.0], [0.0], [-5.0]])
    yield "rows at different levels", softmax(draw_tensor(rng, 3, 6, scale=2) + shift)
    yield "logits of shape (2, 3, 4)", softmax(draw_tensor(rng, 2, 3, 4, scale=2)), 2
    yield "logits around 1000", softmax(draw_tensor(rng, 1, 5, scale=2, mean=1000)), 2
    yield "logits around -1000", softmax(draw_tensor(rng, 2, 6, scale=2, mean=-1000))
    yield "a row of 0 and 0, and a row of 1000 and 0", softmax(torch.tensor([[0.0, 0.0], [1000.0, 0.0]]))
    yield "rows around 1000, 0 and -1000", softmax(draw_tensor(rng, 3, 5, scale=2) + 200 * shift), 4
    yield "one image, without an axis for the batch", softmax(draw_tensor(rng, draw(rng, 4, 7), scale=2))


@lab.misconception(
    "softmax",
    hint="Large logits overflow: the exponential of 1000 is infinite. Adding the same number to all logits "
    "of a row does not change their softmax; choose one that helps.",
)
def overflows(logits):
    return logits.exp() / logits.exp().sum(-1, keepdim=True)


@lab.misconception(
    "softmax",
    hint="You normalize along the first axis, over the images of the batch. The last axis holds the classes.",
)
def first_axis(logits):
    return torch.softmax(logits, 0)


@lab.misconception(
    "softmax",
    hint="You sum along the second axis. It is the last one only for logits with two axes: logits may have any number "
    "of axes, and the last holds the classes.",
)
def second_axis(logits):
    return torch.softmax(logits, 1)


@lab.misconception(
    "softmax",
    hint="The sum has lost the last axis, so dividing by it mixes up rows and columns, or fails. Keep the axis: look "
    "up keepdim.",
)
def forgets_keepdim(logits):
    exponentials = (logits - logits.amax(-1, keepdim=True)).exp()
    return exponentials / exponentials.sum(-1)


@lab.misconception(
    "softmax",
    hint="All your values together sum to 1. Every row must sum to 1 on its own: sum along the last axis only.",
)
def one_sum_for_all(logits):
    return torch.softmax(logits.reshape(-1), 0).reshape(logits.shape)


@lab.misconception(
    "softmax",
    hint="You subtract the largest logit of the whole batch. A row far below it underflows to 0 / 0: every row needs "
    "its own maximum.",
)
def one_maximum_for_all(logits):
    exponentials = (logits - logits.max()).exp()
    return exponentials / exponentials.sum(-1, keepdim=True)


@lab.misconception(
    "softmax",
    hint="You do not subtract the largest logit of each row but another number, which may still lie far below it: then "
    "an exponential is infinite.",
)
def subtracts_the_mean(logits):
    exponentials = (logits - logits.mean(-1, keepdim=True)).exp()
    return exponentials / exponentials.sum(-1, keepdim=True)


@lab.misconception(
    "softmax",
    hint="You limit the logits to a range, which makes different logits equal. Their differences must stay: subtract "
    "the same number from all logits of a row instead.",
)
def clamps_the_logits(logits):
    exponentials = logits.clamp(-50, 50).exp()
    return exponentials / exponentials.sum(-1, keepdim=True)


@lab.misconception(
    "softmax",
    hint="You divide the logits by their sum, but logits can be negative. Turn them into positive numbers first.",
)
def no_exponential(logits):
    return logits / logits.sum(-1, keepdim=True)


@lab.misconception(
    "softmax",
    hint="You divide the exponentials by the largest one in the row, or not at all: every row must sum to 1.",
)
def no_division(logits):
    return (logits - logits.amax(-1, keepdim=True)).exp()


@lab.misconception(
    "softmax",
    hint="You take a sigmoid of each logit on its own. The classes exclude each other: the values of a row must sum "
    "to 1.",
)
def sigmoids(logits):
    return torch.sigmoid(logits)


@lab.misconception(
    "softmax",
    hint="Your values look like the softmax of a softmax: turn logits into probabilities only once.",
)
def softmax_twice(logits):
    return torch.softmax(torch.softmax(logits, -1), -1)


@lab.misconception("softmax", hint="You return log probabilities, not probabilities.")
def logarithms(logits):
    return torch.log_softmax(logits, -1)


@lab.misconception("softmax", another="overflows")
def turns_nan_into_zero(logits):
    return torch.nan_to_num(logits.exp() / logits.exp().sum(-1, keepdim=True))


@lab.misconception("softmax", another="first_axis")
def sums_along_the_first_axis(logits):
    exponentials = logits.exp()
    return exponentials / exponentials.sum(0)


@lab.misconception("softmax", another="second_axis")
def sums_along_the_second_axis(logits):
    exponentials = (logits - logits.amax(-1, keepdim=True)).exp()
    return exponentials / exponentials.sum(1, keepdim=True)


@lab.misconception("softmax", another="forgets_keepdim")
def sums_without_keepdim(logits):
    exponentials = logits.exp()
    return exponentials / exponentials.sum(-1)


@lab.misconception("softmax", another="forgets_keepdim")
def reduces_without_keepdim(logits):
    exponentials = (logits - logits.max(-1).values).exp()
    return exponentials / exponentials.sum(-1)


@lab.misconception("softmax", another="one_sum_for_all")
def sums_over_everything(logits):
    return logits.exp() / logits.exp().sum()


@lab.misconception("softmax", another="one_sum_for_all")
def sums_rows_of_own_maximum(logits):
    exponentials = (logits - logits.amax(-1, keepdim=True)).exp()
    return exponentials / exponentials.sum()


@lab.misconception("softmax", another="subtracts_the_mean")
def subtracts_the_smallest(logits):
    exponentials = (logits - logits.amin(-1, keepdim=True)).exp()
    return exponentials / exponentials.sum(-1, keepdim=True)


@lab.misconception("softmax", another="clamps_the_logits")
def clamps_from_above(logits):
    exponentials = logits.clamp(max=80).exp()
    return exponentials / exponentials.sum(-1, keepdim=True)


@lab.exercise("captionlab.convnets.predictions:top_predictions", points=1, minutes=10, difficulty=2, importance=3)
def probe_top_predictions(top_predictions, rng):
    for k, count, mean in (
        (1, 6, 0.0),
        (3, 8, -4.0),
        (draw(rng, 2, 4), 10, 3.0),
        (2, 11, 0.0),
        (5, 7, 2.0),
        (None, 9, 0.0),
        (5, 5, 0.0),
    ):
        names = [str(name) for name in rng.permutation(NAMES)[:count]]
        levels = torch.from_numpy(rng.permutation(count).astype(np.float32)) * 0.6
        logits = levels + draw_tensor(rng, count, scale=0.05) + mean
        label = f"the {k or 'default number of'} most probable of {count} classes"
        if k is None:
            yield from _apart(label, top_predictions(logits, names))
        elif k == 1:
            yield from _apart(label, top_predictions(logits, names, 1))
        else:
            yield from _apart(label, top_predictions(logits=logits, categories=names, k=k))
    logits = torch.tensor([1.0, 4.0, 1.5])
    yield from _apart("the 2 most probable of 3 classes", top_predictions(logits, ["cat", "dog", "owl"], k=2))


def _apart(label, result):
    """Yield the names of a result and its probabilities."""
    is_pairs = isinstance(result, (list, tuple)) and all(isinstance(one, (list, tuple)) for one in result)
    if is_pairs and all(len(one) == 2 for one in result):
        yield f"{label}: names", [name for name, _ in result]
        yield f"{label}: probabilities", [probability for _, probability in result]
    else:
        yield f"{label}: names", result
        yield f"{label}: probabilities", "not a list of pairs"


lab.misconceptions(
    "top_predictions",
    returns_scores=(
        "You return logits. Turn them into probabilities with a softmax over all classes.",
        {"torch.softmax(logits, dim=-1).topk(k)": "logits.topk(k)"},
    ),
    sigmoid_of_each_class=(
        "You take a sigmoid of each logit on its own. The classes exclude each other: take the softmax over all of "
        "them.",
        {"torch.softmax(logits, dim=-1)": "torch.sigmoid(logits)"},
    ),
    log_probabilities=(
        "You return log probabilities, not probabilities.",
        {"torch.softmax": "torch.log_softmax"},
    ),
    worst_of_the_best_first=(
        "Your classes go from least to most probable; the most probable should come first.",
        {"strict=True)]": "strict=True)][::-1]"},
    ),
    least_probable=(
        "You return the least probable classes: sorting functions put the smallest first by default.",
        {".topk(k)": ".topk(k, largest=False)"},
    ),
    in_the_order_of_the_classes=(
        "You do not sort: the most probable class comes first, whatever its index among the logits.",
        {
            "probabilities, indices = torch.softmax(logits, dim=-1).topk(k)": (
                "probabilities = torch.softmax(logits, dim=-1)[:k]\n    indices = torch.arange(k)"
            )
        },
    ),
    softmax_of_the_best=(
        "Your probabilities sum to 1 over the classes you return. Take the softmax over all classes first, then "
        "select.",
        {
            "torch.softmax(logits, dim=-1).topk(k)": "logits.topk(k)",
            "    return": "    probabilities = torch.softmax(probabilities, dim=-1)\n    return",
        },
    ),
    softmax_applied_twice=(
        "You apply softmax twice, so your probabilities are too similar. Apply it to the logits, once.",
        {"torch.softmax(logits, dim=-1)": "torch.softmax(torch.softmax(logits, dim=-1), dim=-1)"},
    ),
    numbers_for_names=(
        "You return the index of each class; look up its name in categories.",
        {"categories[index]": "index"},
    ),
    probability_first=(
        "The probability comes first in your pairs; the name of the class should.",
        {"(categories[index], value)": "(value, categories[index])"},
    ),
    names_without_probabilities=(
        "You return names only. Each class comes with its probability, as a pair.",
        {"(categories[index], value)": "categories[index]"},
    ),
    two_lists=(
        "You return names and probabilities as two lists. Return one list of (name, probability) pairs.",
        {"    return [(categories[index], value) for": "    pairs = [(categories[index], value) for"}
        | {"strict=True)]": "strict=True)]\n    return [name for name, _ in pairs], [value for _, value in pairs]"},
    ),
    always_five=(
        "You always return five classes, whatever k is. Five is only the default.",
        {".topk(k)": ".topk(5)"},
    ),
    rounds_probabilities=(
        "You round the probabilities. The docstring's example rounds only for display.",
        {"(categories[index], value)": "(categories[index], round(value, 3))"},
    ),
)
lab.other_spellings(
    "top_predictions",
    returns_scores=[{"torch.softmax(logits, dim=-1).topk(k)": "logits.topk(5)"}],
    always_five=[{".topk(k)": ".topk(min(5, len(categories)))"}],
    rounds_probabilities=[{"(categories[index], value)": "(categories[index], round(value, 2))"}],
)
add_pairs(
    "top_predictions",
    ("returns_scores", "worst_of_the_best_first numbers_for_names probability_first two_lists rounds_probabilities"),
    ("worst_of_the_best_first least_probable", "numbers_for_names probability_first names_without_probabilities"),
    ("softmax_of_the_best sigmoid_of_each_class", "numbers_for_names probability_first two_lists"),
    ("always_five", "numbers_for_names probability_first two_lists names_without_probabilities"),
    (
        "sigmoid_of_each_class log_probabilities softmax_applied_twice",
        "worst_of_the_best_first probability_first two_lists",
    ),
    ("softmax_of_the_best", "least_probable"),
    ("least_probable", "two_lists"),
    ("in_the_order_of_the_classes", "numbers_for_names probability_first two_lists"),
    ("worst_of_the_best_first", "softmax_of_the_best always_five rounds_probabilities"),
)
