"""Features from any layer of a network: probe and misconceptions."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from captionlab.exercises.lab2_scenes.common import (
    draw,
    draw_different,
    draw_tensor,
    draw_weights,
    lab,
    modes,
    needs_gradient,
    torch_seed,
)
from captionlab.grading.probe_helpers import outcome_of


class _Nested(nn.Module):
    """A small network with named parts inside named parts, and ReLUs that overwrite their input."""

    def __init__(self, rng):
        super().__init__()
        first, maps, hidden = draw_different(rng, 4, 9, 3)
        second = [("conv", nn.Conv2d(first, maps, 3)), ("bn", nn.BatchNorm2d(maps)), ("relu", nn.ReLU(inplace=True))]
        stem = [("conv", nn.Conv2d(3, first, 3, padding=1)), ("relu", nn.ReLU(inplace=True))]
        self.features = nn.Sequential(
            OrderedDict(stem=nn.Sequential(OrderedDict(stem)), block=nn.Sequential(OrderedDict(second)))
        )
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.classifier = nn.Sequential(
            *(nn.Linear(4 * maps, hidden), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(hidden, draw(rng, 10, 12)))
        )
        draw_weights(rng, self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.pool(self.features(images)).flatten(1))


def _hooks(model: nn.Module) -> int:
    """How many forward hooks hang on a model."""
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


@lab.exercise(
    "captionlab.transfer.features:features_at",
    points=3,
    minutes=30,
    difficulty=4,
    importance=4,
    rtol=1e-3,
    atol=1e-5,
)
def probe_features_at(features_at, rng):
    model = _Nested(rng)

    def features(layer, count=3):
        with torch_seed(0):
            return features_at(model, layer, draw_tensor(rng, count, 3, draw(rng, 6, 8), 7))

    for layer in ("features.block", "features.stem.relu", "classifier.3"):
        yield f"3 images, layer {layer!r}", features(layer)
    yield "3 images, layer 'features.block.bn', which a ReLU that works in place follows", features("features.block.bn")
    label = "2 images, layer 'classifier.0', likewise; then whether they hang on gradients, and hooks left on the model"
    found = features("classifier.0", 2)
    yield label, [found, needs_gradient(found), _hooks(model)]
    yield "a layer that the model does not have", [features("features.block", 1), outcome_of(features, "features.head")]
    model.train()
    model.features.stem.eval()
    label = "3 images, layer 'classifier', the model in training mode but for features.stem"
    yield label, features("classifier")
    label = "1 image, layer 'pool', then which parts are in training mode, and the statistics of batch normalization"
    yield label, [features("pool", 1), modes(model), model.features.block.bn.running_mean]


@lab.misconception(
    "features_at",
    hint="You take each map's value in the top left corner. The object may be anywhere: average over all positions.",
)
def takes_the_first_position(model, layer, images):
    layers = dict(model.named_modules())
    if layer not in layers:
        raise ValueError(f"no layer {layer}")
    found = []

    def keep(module, inputs, output):
        found.append(output[:, :, 0, 0].clone() if output.ndim == 4 else output.clone())

    modes = {module: module.training for module in model.modules()}
    hook = layers[layer].register_forward_hook(keep)
    model.eval()
    with torch.no_grad():
        model(images)
    hook.remove()
    for module, mode in modes.items():
        module.training = mode
    return found[0]


@lab.misconception(
    "features_at", hint="You take each map's largest value. The question here is how much of it there is: the mean."
)
def takes_the_largest(model, layer, images):
    layers = dict(model.named_modules())
    if layer not in layers:
        raise ValueError(f"no layer {layer}")
    found = []

    def keep(module, inputs, output):
        found.append(output.amax((2, 3)) if output.ndim == 4 else output.clone())

    modes = {module: module.training for module in model.modules()}
    hook = layers[layer].register_forward_hook(keep)
    model.eval()
    with torch.no_grad():
        model(images)
    hook.remove()
    for module, mode in modes.items():
        module.training = mode
    return found[0]


@lab.misconception(
    "features_at",
    hint="You flatten the maps, every position a feature of its own. One number a map is wanted: average over rows and "
    "columns.",
)
def flattens_the_maps(model, layer, images):
    layers = dict(model.named_modules())
    if layer not in layers:
        raise ValueError(f"no layer {layer}")
    found = []
    modes = {module: module.training for module in model.modules()}
    hook = layers[layer].register_forward_hook(lambda module, inputs, output: found.append(output.clone().flatten(1)))
    model.eval()
    with torch.no_grad():
        model(images)
    hook.remove()
    for module, mode in modes.items():
        module.training = mode
    return found[0]


@lab.misconception(
    "features_at",
    hint="You return what goes into the layer. A hook is given the module, its inputs and its output, in this order.",
)
def takes_the_input(model, layer, images):
    layers = dict(model.named_modules())
    if layer not in layers:
        raise ValueError(f"no layer {layer}")
    found = []

    def keep(module, inputs, output):
        found.append(inputs[0].mean((2, 3)) if inputs[0].ndim == 4 else inputs[0].clone())

    modes = {module: module.training for module in model.modules()}
    hook = layers[layer].register_forward_hook(keep)
    model.eval()
    with torch.no_grad():
        model(images)
    hook.remove()
    for module, mode in modes.items():
        module.training = mode
    return found[0]


@lab.misconception(
    "features_at",
    hint="No feature is negative even where the layer gives negative values: the ReLU after it works in place and "
    "overwrites what you kept. Average or copy inside the hook.",
)
def is_overwritten_in_place(model, layer, images):
    layers = dict(model.named_modules())
    if layer not in layers:
        raise ValueError(f"no layer {layer}")
    found = []
    modes = {module: module.training for module in model.modules()}
    hook = layers[layer].register_forward_hook(lambda module, inputs, output: found.append(output))
    model.eval()
    with torch.no_grad():
        model(images)
    hook.remove()
    for module, mode in modes.items():
        module.training = mode
    return found[0].mean((2, 3)) if found[0].ndim == 4 else found[0]


@lab.misconception(
    "features_at",
    hint="The features are right, but your hook stays on the model, and runs whenever the model does, for ever. Keep "
    "what register_forward_hook returns, and remove it.",
)
def leaves_the_hook(model, layer, images):
    layers = dict(model.named_modules())
    if layer not in layers:
        raise ValueError(f"no layer {layer}")
    found = []

    def keep(module, inputs, output):
        found.append(output.mean((2, 3)) if output.ndim == 4 else output.clone())

    modes = {module: module.training for module in model.modules()}
    layers[layer].register_forward_hook(keep)
    model.eval()
    with torch.no_grad():
        model(images)
    for module, mode in modes.items():
        module.training = mode
    return found[0]


@lab.misconception(
    "features_at",
    hint="You do not set the model's mode: in training mode dropout removes values at random, and batch normalization "
    "uses and changes its statistics.",
)
def runs_in_any_mode(model, layer, images):
    layers = dict(model.named_modules())
    if layer not in layers:
        raise ValueError(f"no layer {layer}")
    found = []

    def keep(module, inputs, output):
        found.append(output.mean((2, 3)) if output.ndim == 4 else output.clone())

    hook = layers[layer].register_forward_hook(keep)
    with torch.no_grad():
        model(images)
    hook.remove()
    return found[0]


@lab.misconception(
    "features_at",
    hint="The features are right, but a model in training mode comes back in evaluation mode. Note the mode of each of "
    "its parts before, and restore it after.",
)
def changes_the_mode(model, layer, images):
    layers = dict(model.named_modules())
    if layer not in layers:
        raise ValueError(f"no layer {layer}")
    found = []

    def keep(module, inputs, output):
        found.append(output.mean((2, 3)) if output.ndim == 4 else output.clone())

    hook = layers[layer].register_forward_hook(keep)
    model.eval()
    with torch.no_grad():
        model(images)
    hook.remove()
    return found[0]


@lab.misconception(
    "features_at",
    hint="The features are right, but still hang on the network's gradients, and with them all maps stay in memory.",
)
def keeps_the_gradients(model, layer, images):
    layers = dict(model.named_modules())
    if layer not in layers:
        raise ValueError(f"no layer {layer}")
    found = []

    def keep(module, inputs, output):
        found.append(output.mean((2, 3)) if output.ndim == 4 else output.clone())

    modes = {module: module.training for module in model.modules()}
    hook = layers[layer].register_forward_hook(keep)
    model.eval()
    model(images)
    hook.remove()
    for module, mode in modes.items():
        module.training = mode
    return found[0]


@lab.misconception(
    "features_at",
    hint="The features are right. What is missing is the error for a layer that the model does not have: a ValueError "
    "that names the layers there are would save its user a search.",
)
def says_nothing_of_unknown_layers(model, layer, images):
    found = []

    def keep(module, inputs, output):
        found.append(output.mean((2, 3)) if output.ndim == 4 else output.clone())

    modes = {module: module.training for module in model.modules()}
    hook = dict(model.named_modules())[layer].register_forward_hook(keep)
    model.eval()
    with torch.no_grad():
        model(images)
    hook.remove()
    for module, mode in modes.items():
        module.training = mode
    return found[0]
