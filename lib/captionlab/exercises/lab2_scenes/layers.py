"""Features from any layer of a network: probe and misconceptions."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, torch_seed
from captionlab.exercises.lab2_scenes.common import (
    SharedLog,
    draw_weights,
    gradient_history,
    lab,
    modes,
)
from captionlab.exercises.observing import dtype_of
from captionlab.grading.probe_helpers import outcome_of


class _Nested(nn.Module):
    """A small network with nested named modules and ReLUs that overwrite their input; it records its runs."""

    def __init__(self, rng):
        super().__init__()
        first, maps, hidden = draw_different(rng, 4, 7, 3)
        second = [("conv", nn.Conv2d(first, maps, 3)), ("bn", nn.BatchNorm2d(maps)), ("relu", nn.ReLU(inplace=True))]
        stem = [("conv", nn.Conv2d(3, first, 3, padding=1)), ("relu", nn.ReLU(inplace=True))]
        self.features = nn.Sequential(
            OrderedDict(stem=nn.Sequential(OrderedDict(stem)), block=nn.Sequential(OrderedDict(second)))
        )
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.classifier = nn.Sequential(
            *(nn.Linear(4 * maps, hidden), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(hidden, draw(rng, 8, 9)))
        )
        self.calls, self.sizes, self.recorded = SharedLog(), SharedLog(), SharedLog()
        draw_weights(rng, self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.calls.append(1)
        if isinstance(images, torch.Tensor):  # not a stand-in for one that follows the network's operations
            self.sizes.append(len(images))
            self.recorded.append(torch.is_grad_enabled())
        return self.classifier(self.pool(self.features(images)).flatten(1))

    def after(self, what: Any) -> Any:
        """What can be said of the network after it was run."""
        return what if self.calls else "the network was not run"


def _hooks(model: nn.Module) -> list[str]:
    """Names of the layers on which hooks are registered, and how many."""
    counts = [(name, len(one._forward_hooks) + len(one._forward_pre_hooks)) for name, one in model.named_modules()]
    return [f"{name or 'the network itself'}: {count}" for name, count in counts if count]


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
    yield from _small_cases(features_at, rng)
    model = _Nested(rng)

    def features(layer, count=2):
        with torch_seed(0):
            return features_at(model, layer, draw_tensor(rng, count, 3, draw(rng, 5, 6), 4))

    for layer, weight in (("features.block", 3), ("features.stem.relu", 1), ("classifier.3", 2)):
        yield f"2 images, layer {layer!r}", features(layer), weight
    yield "2 images, layer 'features.block.bn', which is followed by an in-place ReLU", features("features.block.bn"), 4
    found = features("classifier.0")
    yield "2 images, layer 'classifier.0', which is followed by an in-place ReLU", found, 2
    yield "the features' gradients", model.after(gradient_history(found)), 2
    recorded = "while gradients are recorded" if any(model.recorded) else "without recording gradients"
    yield "how the network runs", model.after(recorded), 3
    yield "the features' dtype", dtype_of(found)
    yield "layers with hooks after these calls", model.after(_hooks(model)), 4
    model.sizes.clear()
    features("pool", 3)
    runs = "several times" if len(model.sizes) > 1 else "at most once"
    yield "how often the network runs for 3 images", model.after(runs)
    yield "a layer the model does not have", outcome_of(features, "features.head"), 2

    model = _Nested(rng).train()
    model.features.stem.eval()
    case = "the model in training mode except features.stem"
    yield f"2 images, layer 'classifier', {case}", features("classifier"), 4
    yield f"{case}: modes of its modules afterwards", model.after(modes(model)), 6
    yield f"{case}: running means of its batch normalization", model.after(model.features.block.bn.running_mean)
    model = _Nested(rng)
    features("pool")
    yield "the model in evaluation mode: modes of its modules afterwards", model.after(modes(model))


def _small_cases(features_at, rng):
    """The case of the docstring's example, with other numbers."""
    negative, positive = -2.0 * draw(rng, 2, 5), 2.0 * draw(rng, 6, 9)
    model = nn.Sequential(nn.AvgPool2d(2), nn.ReLU(inplace=True), nn.Flatten(), nn.Dropout(0.5)).eval()
    row = [negative, negative, positive, positive]
    image = torch.tensor([[[row, row]]])
    label = f"one image with the two rows {row}, AvgPool2d(2) and an in-place ReLU: layer"
    yield f"{label} '3', after flattening", features_at(model, "3", image.clone())
    yield f"{label} '1', the ReLU", features_at(model=model, layer="1", images=image.clone())
    yield f"{label} '0', the pooling", features_at(model, "0", image.clone())


lab.misconceptions(
    "features_at",
    takes_the_first_position=(
        "You take each map's value in the top left corner. The object may be anywhere: average over all positions.",
        {"output.float().mean(dim=(2, 3))": "output[:, :, 0, 0].clone()"},
    ),
    takes_the_largest=(
        "You take each map's largest value. The question here is how much of a feature there is: take the mean.",
        {"output.float().mean(dim=(2, 3))": "output.amax(dim=(2, 3))"},
    ),
    flattens_the_maps=(
        "You flatten the maps, which makes every position a separate feature. You need one number per map: average "
        "over rows and columns.",
        {"output.float().mean(dim=(2, 3))": "output.flatten(1).clone()"},
    ),
    takes_the_input=(
        "You return the layer's input. A hook receives the module, its inputs and its output, in this order.",
        {"found.append(": "output = inputs[0]\n        found.append("},
    ),
    is_overwritten_in_place=(
        "No feature is negative even where the layer gives negative values: the ReLU after it works in place and "
        "overwrites what you saved. Average or copy inside the hook.",
        {
            "output.float().mean(dim=(2, 3)) if output.ndim == 4 else output.float().clone()": "output",
            "return found[0]": "return found[0].mean(dim=(2, 3)) if found[0].ndim == 4 else found[0]",
        },
    ),
    leaves_the_hook=(
        "Your hook stays on the model and runs on every later forward pass. Save what "
        "register_forward_hook returns, and remove it.",
        {"hook.remove()": "hook"},
    ),
    runs_in_any_mode=(
        "You do not set the model's mode: in training mode, dropout zeroes values at random, and batch normalization "
        "uses the batch's statistics and updates its running ones.",
        {"model.eval()": ""},
    ),
    changes_the_mode=(
        "A model in training mode comes back in evaluation mode. Save the mode of each "
        "module first, and restore it afterwards.",
        {"for module, training in modes": ""},
    ),
    keeps_the_gradients=(
        "The features still require gradients, which keeps all maps in memory.",
        {"with torch.no_grad():": "with torch.enable_grad():"},
    ),
    says_nothing_of_unknown_layers=(
        "The error for an unknown layer is missing: raise a ValueError that lists the available layers.",
        {"if layer not in layers": ""},
    ),
    detaches_afterwards=(
        "You detach the features at the end: the network still records every step while it runs, for no benefit. Turn "
        "recording off around the forward pass.",
        {"with torch.no_grad():": "with torch.enable_grad():", "return found[0]": "return found[0].detach()"},
    ),
    restores_the_outermost_mode=(
        "You give all modules the mode of the outermost one. A module that was in evaluation mode inside a model in "
        "training mode comes back in training mode: save the mode of every module.",
        {"for module, training in modes": "model.train(modes[0][1])\n        for module, training in []"},
    ),
    always_ends_in_training_mode=(
        "You always switch to training mode at the end. A module that was in evaluation mode has to stay in it.",
        {"for module, training in modes": "model.train()\n        for module, training in []"},
    ),
    averages_over_the_channels=(
        "You average over the wrong axes: the maps have shape (n, channels, rows, columns), counted from 0. Keep the "
        "first two axes.",
        {"dim=(2, 3)": "dim=(1, 2)"},
    ),
    averages_over_columns_only=(
        "You average over one axis of the maps only. Average over both rows and columns, so that one number "
        "per map remains.",
        {"dim=(2, 3)": "dim=3"},
    ),
    averages_over_everything=(
        "You average over the channels as well, so one number per image remains. Each channel is a feature of its own.",
        {"dim=(2, 3)": "dim=(1, 2, 3)"},
    ),
    sums_the_positions=(
        "You add up each map's positions, so larger images get larger features. Take the mean.",
        {"output.float().mean(": "output.float().sum("},
    ),
    returns_the_maps=(
        "You return whole maps. You need one number per map: average over rows and columns.",
        {"output.float().mean(dim=(2, 3))": "output.float().clone()"},
    ),
    keeps_both_axes=(
        "Two axes of length 1 are left over: keepdim is not wanted here.",
        {"dim=(2, 3)": "dim=(2, 3), keepdim=True"},
    ),
    returns_the_networks_output=(
        "You return the network's output, whatever the layer. A forward hook on the layer sees the output you need.",
        {"model(images)\n": "found = [model(images).clone()]\n"},
    ),
    looks_among_the_attributes=(
        "Layers inside other layers are not found: `features.28` is not an attribute of the model. Look the whole name "
        "up in dict(model.named_modules()), or use get_submodule.",
        {"layers[layer].register_forward_hook": "getattr(model, layer).register_forward_hook"},
    ),
    runs_image_by_image=(
        "You run the network once per image. It takes all images at once.",
        {
            "model(images)\n": "[model(image) for image in images.split(1)]\n",
            "return found[0]": "return torch.cat(found)",
        },
    ),
)
lab.other_spellings(
    "features_at",
    takes_the_largest=[
        {
            "output.float().mean(dim=(2, 3))": "nn.functional.adaptive_max_pool2d(output, 1).flatten(1)",
        },
    ],
    is_overwritten_in_place=[
        {
            "output.float().mean(dim=(2, 3)) if output.ndim == 4 else output.float().clone()": "output.detach()",
            "return found[0]": "return found[0].mean(dim=(2, 3)) if found[0].ndim == 4 else found[0]",
        },
    ],
    looks_among_the_attributes=[
        {"dict(model.named_modules())": "dict(model.named_children())"},
        {"dict(model.named_modules())": "model._modules", "if layer not in layers": ""},
    ],
    changes_the_mode=[{"module.training = training": "module.eval()"}],
    keeps_the_gradients=[{"with torch.no_grad():": "if True:"}],
)
