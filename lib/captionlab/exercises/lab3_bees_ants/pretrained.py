"""A network with pretrained weights: probe and misconceptions."""

from __future__ import annotations

import enum

import numpy as np
import torch
from torch import nn

from captionlab.exercises.lab3_bees_ants.common import draw, draw_images, lab, run, weights
from captionlab.grading.probe_helpers import outcome_of


def _network(seed: int | None) -> nn.Sequential:
    """A small network; the seed stands for what it was trained on, None for nothing: then weights are all 0."""
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(3 * 8 * 8, 2))
    with torch.no_grad():
        for parameter in network.parameters():
            drawn = 0 if seed is None else np.random.default_rng(seed).standard_normal(parameter.shape)
            parameter.copy_(torch.as_tensor(drawn))
    return network


class _Weights(enum.Enum):
    """As torchvision's: an entry's value is the seed of its weights; each prepares images in a way of its own."""

    def get_state_dict(self, *args, **kwargs):
        return _network(self.value).state_dict()

    def transforms(self):
        shift = float(self.value % 97)
        return lambda image: image + shift


def _build(*, weights=None, progress=True, pretrained=False):
    """As torchvision's functions, with what they still take for the sake of old programs."""
    if pretrained is True or weights is True:
        weights = ENTRIES[0]
    elif isinstance(weights, str):
        weights = getattr(ENTRIES[1], weights)
    return _network(weights.value if weights else None)


# One enumeration for all: what is drawn is which of the entries is asked for, and the image.
_Entries = _Weights("Small_Weights", {"IMAGENET1K_V1": 111, "IMAGENET1K_V2": 222, "SWAG_V1": 333, "DEFAULT": 222})
ENTRIES = list(_Entries)


@lab.exercise("captionlab.transfer.heads:pretrained_network", points=2, minutes=15, difficulty=1, importance=5)
def probe_pretrained_network(pretrained_network, rng):
    images = draw_images(rng, 2)
    asked = [ENTRIES[2], ENTRIES[draw(rng, 0, 1)]]

    def case(entry):
        network, prepare = pretrained_network(_build, entry)
        dropout = network[1].training
        return [run(network.eval(), images), dropout, None if prepare is None else outcome_of(prepare, images)]

    for entry in asked:
        scores, dropout, prepared = case(entry)
        label = f"weights {entry.name} of an enumeration with three entries: "
        yield label + "the network's scores for two images", scores
        yield label + "whether its dropout is active", dropout
        yield label + "two images, prepared", prepared
    scores, dropout, prepared = case(None)
    yield "no weights: scores, whether dropout is active, what prepares the images", [scores, dropout, prepared]
    network, _ = pretrained_network(build=_build, weights=ENTRIES[0])
    yield "arguments by name: the network's weights", weights(network)


def _prepare(weights):
    return weights.transforms() if weights is not None else None


@lab.misconception(
    "pretrained_network",
    hint="`pretrained=True` is how torchvision was asked before version 0.13, and it is deprecated. It gives the "
    "oldest weights, whichever entry was asked for, and even where none was: pass `weights=weights`.",
)
def pretrained_is_true(build, weights):
    return build(pretrained=True).eval(), _prepare(weights)


@lab.misconception(
    "pretrained_network",
    hint="`pretrained=True` is how torchvision was asked before version 0.13, and it is deprecated: it gives the "
    "oldest weights, whichever entry was asked for. Pass `weights=weights`, which may also be None.",
)
def pretrained_where_weights_are_asked_for(build, weights):
    return build(pretrained=weights is not None).eval(), _prepare(weights)


@lab.misconception(
    "pretrained_network",
    hint='"DEFAULT" names the newest weights. They are not always those that were asked for.',
)
def always_the_newest(build, weights):
    return build(weights="DEFAULT" if weights is not None else None).eval(), _prepare(weights)


@lab.misconception(
    "pretrained_network",
    hint="The network has no pretrained weights: a function of torchvision's gives random ones unless it is told "
    "which.",
)
def without_weights(build, weights):
    return build().eval(), _prepare(weights)


@lab.misconception(
    "pretrained_network",
    hint="The weights are right, but a new network is in training mode: its dropout drops, and batch normalization "
    "would use the statistics of each batch. Call eval().",
)
def left_in_training_mode(build, weights):
    return build(weights=weights), _prepare(weights)


@lab.misconception(
    "pretrained_network",
    hint="`weights.transforms` makes the preparation, it is not the preparation: call it, `weights.transforms()`.",
)
def transforms_not_called(build, weights):
    return build(weights=weights).eval(), weights.transforms if weights is not None else None


@lab.misconception(
    "pretrained_network",
    hint="The network is the one asked for, but images are prepared for the newest weights. Each entry has transforms "
    "of its own.",
)
def prepared_for_the_newest(build, weights):
    return build(weights=weights).eval(), _prepare(weights and type(weights).DEFAULT)


@lab.misconception(
    "pretrained_network",
    hint="There is no preparation: `weights.transforms()` gives the one these weights were trained with.",
)
def no_preparation(build, weights):
    return build(weights=weights).eval(), None
