"""Find the bug: a network cut in the wrong place; and maps as lists of positions. Probes and misconceptions."""

from __future__ import annotations

import copy

import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, draw_weights, run
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.grading.probe_helpers import outcome_of


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True))


class _VGG(nn.Module):
    """With torchvision's three children; the adaptive pooling gives maps of 2 by 2."""

    def __init__(self, first: int, maps: int):
        super().__init__()
        layers = [*_block(3, first), nn.MaxPool2d(2), *_block(first, maps), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(2)
        self.classifier = nn.Sequential(nn.Linear(4 * maps, 5), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(5, 3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.avgpool(self.features(images)).flatten(1))


class _ResNet(nn.Module):
    """With torchvision's ten children."""

    def __init__(self, first: int, maps: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, first, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(2)
        self.layer1 = _block(first, first)
        self.layer2 = _block(first, first)
        self.layer3 = _block(first, first)
        self.layer4 = nn.Sequential(*_block(first, maps), nn.MaxPool2d(2))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(maps, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        return self.fc(self.avgpool(self.layer4(self.layer3(self.layer2(self.layer1(maps))))).flatten(1))


class _MobileNet(nn.Module):
    """With torchvision's two children: its average pooling is no layer."""

    def __init__(self, first: int, maps: int):
        super().__init__()
        self.features = nn.Sequential(_block(3, first), nn.MaxPool2d(2), _block(first, maps))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(maps, 3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(images).mean((2, 3)))


class _Other(nn.Module):
    """A network of none of these families."""

    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3)
        self.pooling = nn.AdaptiveAvgPool2d(1)
        self.scores = nn.Linear(4, 3)


def _network(rng, family):
    return draw_weights(rng, family(*draw_different(rng, 4, 9, 2)), scale=1.5)


@lab.exercise(
    "captionlab.captioning.encoders:cut_before_pooling",
    points=2,
    minutes=20,
    difficulty=2,
    importance=4,
    rtol=1e-3,
    atol=1e-5,
    starter="all_children_but_the_last",
)
def probe_cut_before_pooling(cut_before_pooling, rng):
    height, width = draw_different(rng, 3, 6, 2)

    def maps(family, count, name):
        network, images = _network(rng, family), draw_tensor(rng, count, 3, 4 * height, 4 * width)
        cut = cut_before_pooling(network)
        own = {id(parameter) for parameter in network.parameters()}
        shared = all(id(parameter) in own for parameter in cut.parameters())
        label = f"{name}, {count} images of {4 * height} by {4 * width}: "
        label += "the maps; are the layers the network's own; how many parameters do they have"
        yield label, [run(cut, images), shared, len(list(cut.parameters()))]

    yield from maps(_MobileNet, 1, "a MobileNet")
    yield from maps(_VGG, draw(rng, 2, 3), "a VGG")
    yield from maps(_VGG, 1, "another VGG")
    yield from maps(_ResNet, draw(rng, 2, 3), "a ResNet")
    yield "a network with neither features nor layer4", str(outcome_of(cut_before_pooling, _Other()))[:16]


@lab.misconception(
    "cut_before_pooling",
    hint="This is the code you were given. Print the children of a VGG: the last one is the classifier, and the one "
    "before it is the average pooling, which is still in. A ResNet has one too.",
)
def all_children_but_the_last(network):
    if not hasattr(network, "features") and not hasattr(network, "layer4"):
        raise TypeError(f"expected a network with features or layer4, found {type(network).__name__}")
    # The last child is the classifier: everything before it gives maps.
    return nn.Sequential(*list(network.children())[:-1])


@lab.misconception(
    "cut_before_pooling",
    hint="VGG and ResNet are right. A MobileNet has two children only, its pooling is none of them: without the last "
    "two nothing is left. Take `features` where a network has it.",
)
def all_children_but_two(network):
    if not hasattr(network, "features") and not hasattr(network, "layer4"):
        raise TypeError("neither features nor layer4")
    return nn.Sequential(*list(network.children())[:-2])


@lab.misconception(
    "cut_before_pooling",
    hint="A ResNet still ends with its average pooling. Its last two children go: the pooling and fc.",
)
def keeps_the_resnets_pooling(network):
    if hasattr(network, "features"):
        return network.features
    if hasattr(network, "layer4"):
        return nn.Sequential(*list(network.children())[:-1])
    raise TypeError("neither features nor layer4")


@lab.misconception(
    "cut_before_pooling",
    hint="You also drop the last layer of `features`. In VGG that is a max pooling, which the paper's 14 by 14 grid "
    "leaves out; here the whole of `features` is asked for.",
)
def drops_the_last_layer_of_features(network):
    if hasattr(network, "features"):
        return network.features[:-1]
    if hasattr(network, "layer4"):
        return nn.Sequential(*list(network.children())[:-2])
    raise TypeError("neither features nor layer4")


@lab.misconception(
    "cut_before_pooling",
    hint="Of a ResNet too much is gone: layer4 is the last one that gives maps, and belongs to it.",
)
def drops_layer4(network):
    if hasattr(network, "features"):
        return network.features
    if hasattr(network, "layer4"):
        return nn.Sequential(*list(network.children())[:-3])
    raise TypeError("neither features nor layer4")


@lab.misconception(
    "cut_before_pooling",
    hint="The layers are copies. Then fine-tuning changes the copy while everything else still uses the original; take "
    "the network's own layers.",
)
def copies_the_layers(network):
    if hasattr(network, "features"):
        return copy.deepcopy(network.features)
    if hasattr(network, "layer4"):
        return copy.deepcopy(nn.Sequential(*list(network.children())[:-2]))
    raise TypeError("neither features nor layer4")


@lab.misconception(
    "cut_before_pooling",
    hint="A network of neither kind is cut just the same, though nobody knows what its last two children are. Raise a "
    "TypeError that says what was expected.",
)
def cuts_whatever_comes(network):
    return network.features if hasattr(network, "features") else nn.Sequential(*list(network.children())[:-2])


@lab.exercise("captionlab.captioning.encoders:to_positions", points=1, minutes=10, difficulty=2, importance=5)
def probe_to_positions(to_positions, rng):
    height, width = draw_different(rng, 2, 5, 2)
    channels = draw(rng, 6, 8)
    yield (
        f"2 images, {channels} maps of {height} by {width}",
        to_positions(draw_tensor(rng, 2, channels, height, width)),
    )
    yield "1 image, 3 maps of 2 by 2", to_positions(draw_tensor(rng, 1, 3, 2, 2))
    yield f"3 images, 2 maps of {width} by {height}", to_positions(maps=draw_tensor(rng, 3, 2, width, height))
    yield "2 images, 4 maps of 2 by 2", to_positions(draw_tensor(rng, 2, 4, 2, 2))


@lab.misconception(
    "to_positions",
    hint="The shape is right, the numbers are not: reshaping cuts the row of numbers anew, so that a position "
    "gets values of one map at several places. The channels have to be moved to the last axis.",
)
def reshapes_only(maps):
    return maps.reshape(len(maps), -1, maps.shape[1])


@lab.misconception(
    "to_positions", hint="The axes come as (batch, channels, positions). Positions go before channels: swap the two."
)
def leaves_channels_first(maps):
    return maps.flatten(2)


@lab.misconception(
    "to_positions",
    hint="Positions go down the columns. They are to go row after row: number y * width + x.",
)
def column_after_column(maps):
    return maps.permute(0, 3, 2, 1).flatten(1, 2)


@lab.misconception("to_positions", hint="The images of the batch are joined to one long list: keep the batch axis.")
def joins_the_batch(maps):
    return maps.permute(0, 2, 3, 1).flatten(0, 2)


@lab.misconception(
    "to_positions",
    hint="The grid still has two axes. Height and width become one axis of positions.",
)
def keeps_the_grid(maps):
    return maps.permute(0, 2, 3, 1)


@lab.misconception(
    "to_positions",
    hint="You take the mean over the positions: a single vector, which says what is in the image and no longer where.",
)
def averages_the_positions(maps):
    return maps.mean(dim=(2, 3))


@lab.misconception("to_positions", hint="The last position comes first. Count from the upper left corner.")
def backwards(maps):
    return torch.flip(maps.flatten(2).transpose(1, 2), [1])
