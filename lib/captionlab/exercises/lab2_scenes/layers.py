"""Features from any layer of a network: probe and misconceptions."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, torch_seed
from captionlab.exercises.lab2_scenes.common import draw_weights, lab, modes, needs_gradient
from captionlab.grading.probe_helpers import outcome_of


class _Nested(nn.Module):
    """A small network with nested named modules and ReLUs that overwrite their input."""

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
    """How many forward hooks are registered on a model."""
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
    yield "3 images, layer 'features.block.bn', which is followed by an in-place ReLU", features("features.block.bn")
    label = "2 images, layer 'classifier.0': features, whether they require gradients, and hooks left on the model"
    found = features("classifier.0", 2)
    yield label, [found, needs_gradient(found), _hooks(model)]
    yield "a layer the model does not have", [features("features.block", 1), outcome_of(features, "features.head")]
    model.train()
    model.features.stem.eval()
    label = "3 images, layer 'classifier', the model in training mode except features.stem"
    yield label, features("classifier")
    label = "1 image, layer 'pool', then which modules are in training mode, and the batch normalization statistics"
    yield label, [features("pool", 1), modes(model), model.features.block.bn.running_mean]


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
        "The features are right, but your hook stays on the model and runs on every later forward pass. Save what "
        "register_forward_hook returns, and remove it.",
        {"hook.remove()": "hook"},
    ),
    runs_in_any_mode=(
        "You do not set the model's mode: in training mode, dropout zeroes values at random, and batch normalization "
        "uses the batch's statistics and updates its running ones.",
        {"model.eval()": ""},
    ),
    changes_the_mode=(
        "The features are right, but a model in training mode comes back in evaluation mode. Save the mode of each "
        "module first, and restore it afterwards.",
        {"for module, training in modes": ""},
    ),
    keeps_the_gradients=(
        "The features are right, but they still require gradients, which keeps all maps in memory.",
        {"with torch.no_grad():": "with torch.enable_grad():"},
    ),
    says_nothing_of_unknown_layers=(
        "The features are right, but the error for an unknown layer is missing: raise a ValueError that lists the "
        "available layers.",
        {"if layer not in layers": ""},
    ),
)
