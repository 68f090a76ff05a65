"""The parameters of a model, layer by layer: probe and misconceptions."""

from __future__ import annotations

import torch
from torch import nn

from captionlab.exercises.drawing import draw
from captionlab.exercises.lab1_vgg16.common import lab


class _Scaled(nn.Module):
    """A module that has its own parameter and holds a convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))
        self.inner = nn.Conv2d(channels, channels, 1)


def _models(rng):
    """Yield small models, each with a name."""
    a, b, c = draw(rng, 2, 6), draw(rng, 7, 12), draw(rng, 13, 20)
    features = nn.Sequential(nn.Conv2d(3, a, 3), nn.ReLU(), nn.Conv2d(a, b, 3), nn.MaxPool2d(2))
    nested = nn.Sequential(features, nn.Flatten(), nn.Sequential(nn.Linear(b, c), nn.ReLU(), nn.Linear(c, 2)))
    yield "convolutions and linear layers, nested", nested
    yield "batch normalization", nn.Sequential(nn.Conv2d(3, b, 3, bias=False), nn.BatchNorm2d(b), nn.ReLU())
    frozen = nn.Sequential(nn.Conv2d(1, a, 5), nn.ReLU(), nn.Conv2d(a, c, 1))
    frozen[0].requires_grad_(False)
    yield "the first layer frozen", frozen
    tied = nn.Sequential(nn.Linear(a, a), nn.Tanh(), nn.Linear(a, a), nn.Linear(a, b))
    tied[2].weight = tied[0].weight
    yield "two layers that share their weights but not their biases", tied
    yield "a module that has a parameter and holds a convolution", nn.Sequential(_Scaled(b), nn.ReLU(), nn.Linear(b, a))
    yield "a single layer", nn.Linear(b, c)


@lab.exercise(
    "captionlab.convnets.counting:parameters_by_layer", paper=True, points=2, minutes=15, difficulty=2, importance=4
)
def probe_parameters_by_layer(parameters_by_layer, rng):
    for label, model in _models(rng):
        yield label, parameters_by_layer(model)


lab.misconceptions(
    "parameters_by_layer",
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
