"""The parameters of a model, layer by layer: probe and misconceptions."""

from __future__ import annotations

import torch
from torch import nn

from captionlab.exercises.drawing import draw
from captionlab.exercises.lab1_vgg16.common import add_pairs, lab


class _Scaled(nn.Module):
    """A module that has its own parameter and holds a convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))
        self.inner = nn.Conv2d(channels, channels, 1)


def _models(rng):
    """Yield small models, each with a name and the weight of its check."""
    a, b, c = draw(rng, 2, 6), draw(rng, 7, 12), draw(rng, 13, 20)
    yield "a single linear layer", nn.Linear(b, c), 1
    plain = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 2)))
    yield "a linear layer, a ReLU and a Sequential that holds another linear layer", plain, 2
    features = nn.Sequential(nn.Conv2d(3, a, 3), nn.ReLU(), nn.Conv2d(a, b, 3), nn.MaxPool2d(2))
    nested = nn.Sequential(features, nn.Flatten(), nn.Sequential(nn.Linear(b, c), nn.ReLU(), nn.Linear(c, 2)))
    yield "convolutions and linear layers, nested", nested, 2
    yield "batch normalization", nn.Sequential(nn.Conv2d(3, b, 3, bias=False), nn.BatchNorm2d(b), nn.ReLU()), 2
    frozen = nn.Sequential(nn.Conv2d(1, a, 5), nn.ReLU(), nn.Conv2d(a, c, 1))
    frozen[0].requires_grad_(False)
    yield "the first layer frozen", frozen, 2
    tied = nn.Sequential(nn.Linear(a, a), nn.Tanh(), nn.Linear(a, a), nn.Linear(a, b))
    tied[2].weight = tied[0].weight
    yield "two layers that share their weights but not their biases", tied, 2
    holding = nn.Sequential(_Scaled(b), nn.ReLU(), nn.Linear(b, a))
    yield "a module that has a parameter and holds a convolution", holding, 2


@lab.exercise(
    "captionlab.convnets.counting:parameters_by_layer", paper=True, points=2, minutes=15, difficulty=2, importance=4
)
def probe_parameters_by_layer(parameters_by_layer, rng):
    for label, model, weight in _models(rng):
        frozen = [name for name, one in model.named_parameters() if not one.requires_grad]
        yield label, parameters_by_layer(model), weight
        if frozen:
            after = [name for name, one in model.named_parameters() if not one.requires_grad]
            yield "the model's frozen parameters after the call", after, 0.5


lab.misconceptions(
    "parameters_by_layer",
    returns_a_dictionary=(
        "You return a dictionary. Return a list of pairs (name, number of parameters).",
        {"return layers": "return dict(layers)"},
    ),
    numbers_first=(
        "The number comes first in your pairs; the name should.",
        {"(name, sum(": "(sum(", "for parameter in own)))": "for parameter in own), name))"},
    ),
    types_for_names=(
        "You return the type of each layer. Return its name in the model, as model.named_modules() gives it.",
        {"(name, sum(": "(type(module).__name__, sum("},
    ),
    children_only=(
        "You look only at the model's direct children and count everything inside each of them. Layers may be "
        "nested several levels deep: look for the method that visits all modules.",
        {"model.named_modules()": "model.named_children()", "recurse=False": "recurse=True"},
    ),
    lists_layers_without_parameters=(
        "You list modules that have no parameters of their own, such as a ReLU or a Sequential. Leave them out.",
        {
            "if own:\n            layers": "layers",
        },
    ),
    counts_tensors=(
        "You count tensors, a weight and a bias as two. The number of parameters is the number of values in them.",
        {"parameter.numel() for": "1 for"},
    ),
    counts_containers_too=(
        "You list containers with everything they hold, so the sum counts parameters more than once. Look up the "
        "argument `recurse` of Module.parameters.",
        {"recurse=False) if id(parameter) not in counted": "recurse=True)"},
    ),
)


@lab.misconception("parameters_by_layer", hint="You count only weights. Layers have biases as well.")
def weights_only(model):
    return [(name, each.weight.numel()) for name, each in model.named_modules() if hasattr(each, "weight")]


lab.misconceptions(
    "parameters_by_layer",
    counts_buffers_too=(
        "You count buffers: the running mean and variance of a batch normalization are stored in the model, but not "
        "learned.",
        {"module.parameters(recurse=False)": "[*module.parameters(recurse=False), *module.buffers(recurse=False)]"},
    ),
)


@lab.misconception(
    "parameters_by_layer",
    hint="You list weights and biases separately. Return one entry per layer: both belong to the same module.",
)
def lists_every_tensor(model):
    return [(name, each.numel()) for name, each in model.named_parameters()]


@lab.misconception(
    "parameters_by_layer",
    hint="You skip modules that hold other modules. Such a module can have parameters of its own, which you would "
    "miss.",
)
def innermost_only(model):
    owners = {}
    for name, each in model.named_parameters():
        owner = name.rpartition(".")[0]
        owners[owner] = owners.get(owner, 0) + each.numel()
    return [(name, number) for name, number in owners.items() if not list(model.get_submodule(name).children())]


lab.misconceptions(
    "parameters_by_layer",
    trainable_only=(
        "You leave out frozen parameters. A parameter that is not trained is still part of the model.",
        {"if id(parameter) not in counted": "if id(parameter) not in counted and parameter.requires_grad"},
    ),
    counts_shared_twice=(
        "A parameter shared by two layers is one parameter of the model; you count it twice.",
        {" if id(parameter) not in counted": ""},
    ),
)
lab.other_spellings(
    "parameters_by_layer",
    counts_containers_too=[
        {"recurse=False) if id(parameter) not in counted": "recurse=True) if parameter.requires_grad"},
    ],
)
add_pairs(
    "parameters_by_layer",
    ("counts_containers_too", "numbers_first types_for_names counts_tensors"),
    ("children_only", "numbers_first types_for_names counts_tensors"),
    ("lists_layers_without_parameters", "numbers_first types_for_names counts_tensors counts_containers_too"),
)
