"""A network with pretrained weights: probe and misconceptions."""

from __future__ import annotations

import enum

import numpy as np
import torch
from torch import nn

from captionlab.exercises.drawing import draw, run
from captionlab.exercises.lab3_bees_ants.common import draw_images, lab, weights
from captionlab.grading.probe_helpers import outcome_of


def _network(seed: int | None) -> nn.Sequential:
    """A small network; the seed stands for what it was trained on, None for nothing: then all weights are 0."""
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(3 * 8 * 8, 2))
    with torch.no_grad():
        for parameter in network.parameters():
            drawn = 0 if seed is None else np.random.default_rng(seed).standard_normal(parameter.shape)
            parameter.copy_(torch.as_tensor(drawn))
    return network


class _Weights(enum.Enum):
    """Like torchvision's: an entry's value is the seed of its weights; each preprocesses images in its own way."""

    IMAGENET1K_V1 = 111
    IMAGENET1K_V2 = 222
    SWAG_V1 = 333
    DEFAULT = 222

    def get_state_dict(self, *args, **kwargs):
        return _network(self.value).state_dict()

    def transforms(self):
        shift = float(self.value % 97)
        return lambda image: image + shift


def _build(*, weights=None, progress=True, pretrained=False):
    """Like torchvision's model builders, with the arguments that they still accept from old programs."""
    if pretrained is True or weights is True:
        weights = ENTRIES[0]
    elif isinstance(weights, str):
        weights = getattr(ENTRIES[1], weights)
    return _network(weights.value if weights else None)


ENTRIES = list(_Weights)  # all seeds have the same: what is drawn is the entry that is requested, and the images


@lab.exercise("captionlab.transfer.heads:pretrained_network", points=2, minutes=15, difficulty=1, importance=5)
def probe_pretrained_network(pretrained_network, rng):
    images = draw_images(rng, 2)
    requested = [ENTRIES[2], ENTRIES[draw(rng, 0, 1)]]

    def case(entry):
        network, preprocess = pretrained_network(_build, entry)
        mode = "training" if network[1].training else "evaluation"
        inputs = None if preprocess is None else outcome_of(preprocess, images)
        return run(network.eval(), images), f"{mode} mode", inputs

    for entry, name in zip(requested, ("", "again, "), strict=True):
        logits, mode, inputs = case(entry)
        label = f"{name}weights {entry.name} of an enumeration with three entries: "
        weight = 4 if not name else 2
        yield label + "the mode of the network", mode, 2 * weight
        yield label + "the network's logits for two images", logits, 2 * weight
        yield label + "two images, preprocessed", inputs, weight
    made = outcome_of(case, None)
    logits, mode, inputs = made if isinstance(made, tuple) else (made, made, made)
    yield "no weights: the network's logits (the weights of a new one are 0 here)", logits
    yield "no weights: what preprocesses the images", "nothing" if inputs is None else inputs
    yield "no weights: the mode of the network", f"{mode}, without weights"
    network, _ = pretrained_network(builder=_build, weights=ENTRIES[0])
    yield "arguments by name: the network's weights", weights(network)


lab.misconceptions(
    "pretrained_network",
    pretrained_is_true=(
        "`pretrained=True` is how weights were requested before torchvision 0.13; it is deprecated. It loads "
        "the oldest weights, whichever entry was requested, even if none was. Use the builder's `weights` "
        "argument.",
        {"weights=weights": "pretrained=True"},
    ),
    pretrained_if_weights_are_requested=(
        "`pretrained=True` is how weights were requested before torchvision 0.13; it is deprecated. It loads "
        "the oldest weights, whichever entry was requested. Use the builder's `weights` argument, which may "
        "also be None.",
        {"weights=weights": "pretrained=weights is not None"},
    ),
    always_the_newest=(
        '"DEFAULT" stands for the newest weights. They are not always those that were requested.',
        {"weights=weights": 'weights="DEFAULT" if weights is not None else None'},
    ),
    without_weights=(
        "The network has no pretrained weights: torchvision's model builders initialize it at random unless you pass "
        "them an entry.",
        {"weights=weights": ""},
    ),
    left_in_training_mode=(
        "A new network is in training mode, and yours stays there: dropout is active, and batch normalization "
        "would use the statistics of each batch. Call eval().",
        {".eval()": ""},
    ),
    transforms_not_called=(
        "`weights.transforms` makes the preprocessing; it is not the preprocessing. Call it: `weights.transforms()`.",
        {"weights.transforms()": "weights.transforms"},
    ),
    preprocessed_for_the_newest=(
        "Images are preprocessed for the newest weights, not for the requested ones. Each entry has its own "
        "transforms.",
        {"weights.transforms()": "type(weights).DEFAULT.transforms()"},
    ),
    no_preprocessing=(
        "There is no preprocessing: `weights.transforms()` returns the one that these weights were trained with.",
        {"None if weights is None else weights.transforms()": "None"},
    ),
    fails_without_weights=(
        "`weights` may be None, which has no transforms(): return None as the preprocessing then.",
        {"None if weights is None else weights.transforms()": "weights.transforms()"},
    ),
)
