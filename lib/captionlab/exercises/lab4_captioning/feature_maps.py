"""Find the bug: a network cut in the wrong place; and feature maps as lists of positions. Probes and misconceptions."""

from __future__ import annotations

import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, draw_weights, run
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.grading.probe_helpers import outcome_of


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True))


class _VGG(nn.Module):
    """With torchvision's three children; the adaptive pooling gives feature maps of 2 by 2."""

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
    """With torchvision's two children: its average pooling is not a layer."""

    def __init__(self, first: int, maps: int):
        super().__init__()
        self.features = nn.Sequential(_block(3, first), nn.MaxPool2d(2), _block(first, maps))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(maps, 3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(images).mean((2, 3)))


class _Other(nn.Module):
    """A network of another family."""

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

    def feature_maps(family, count, name):
        network, images = _network(rng, family), draw_tensor(rng, count, 3, 4 * height, 4 * width)
        cut = cut_before_pooling(network)
        own = {id(parameter) for parameter in network.parameters()}
        shared = all(id(parameter) in own for parameter in cut.parameters())
        maps = run(cut, images)
        label = f"{name}, {count} image(s) of {4 * height} by {4 * width}: "
        yield label + "the shape of the feature maps", getattr(maps, "shape", None) and list(maps.shape), 2
        yield label + "the feature maps", maps, 2
        yield f"{name}: the layers are the network's own", "yes" if shared else "no, copies", 0.5
        yield f"{name}: the number of parameters", len(list(cut.parameters())), 0.5

    yield from feature_maps(_VGG, 1, "a VGG")
    yield from feature_maps(_ResNet, 2, "a ResNet")
    yield from feature_maps(_MobileNet, 1, "a MobileNet")
    yield "a network with neither features nor layer4", outcome_of(cut_before_pooling, _Other())


@lab.misconception(
    "cut_before_pooling",
    hint="This does the same as the code you were given. Print the children of a VGG: the last one is the "
    "classifier, and the one before it is the average pooling, which is still included. A ResNet has one, "
    "too.",
)
def all_children_but_the_last(network):
    if not hasattr(network, "features") and not hasattr(network, "layer4"):
        raise TypeError(f"expected a network with features or layer4, found {type(network).__name__}")
    # The last child is the classifier: everything before it gives feature maps.
    return nn.Sequential(*list(network.children())[:-1])


# In the reference.
CHILDREN = "nn.Sequential(*list(network.children())[:-2])"

lab.misconceptions(
    "cut_before_pooling",
    all_children_but_two=(
        "Dropping the last two children works for VGG and ResNet only. A MobileNet has only two children, and "
        "its pooling is not one of them: without the last two nothing is left. Take `features` if the network "
        "has it.",
        {
            'if hasattr(network, "features")': "",
            'hasattr(network, "layer4")': 'hasattr(network, "features") or hasattr(network, "layer4")',
        },
    ),
    keeps_the_resnets_pooling=(
        "A ResNet still ends with its average pooling. Drop its last two children: the pooling and fc.",
        {"[:-2]": "[:-1]"},
    ),
    drops_the_last_layer_of_features=(
        "You also drop the last layer of `features`. In VGG that is a max pooling, which the paper leaves out for its "
        "14x14 grid; here the whole of `features` is wanted.",
        {'network.get_submodule("features")': "network.features[:-1]"},
    ),
    drops_layer4=(
        "You drop too much of a ResNet: layer4 is the last block that gives feature maps, so keep it.",
        {"[:-2]": "[:-3]"},
    ),
    copies_the_layers=(
        "The layers are copies. Fine-tuning would then change the copy while everything else still uses the original; "
        "use the network's own layers.",
        {
            'network.get_submodule("features")': "copy.deepcopy(network.features)",
            CHILDREN: f"copy.deepcopy({CHILDREN})",
        },
        "import copy",
    ),
    cuts_whatever_comes=(
        "You cut any other network as well, although its last two children may be anything. Raise a TypeError "
        "that says what was expected.",
        {'if hasattr(network, "layer4"):\n        return': "return", "raise TypeError": ""},
    ),
)


lab.other_spellings(
    "cut_before_pooling",
    drops_the_last_layer_of_features=[
        {
            'network.get_submodule("features")': "network.features[:-1] if isinstance(network.features[-1], "
            "nn.MaxPool2d) else network.features"
        }
    ],
)


@lab.exercise("captionlab.captioning.encoders:to_positions", points=1, minutes=10, difficulty=2, importance=5)
def probe_to_positions(to_positions, rng):
    height, width = draw_different(rng, 2, 5, 2)
    channels = draw(rng, 6, 8)
    counted = torch.arange(8.0).reshape(1, 2, 2, 2)
    yield "1 image, 2 channels, 2 by 2, the numbers 0 to 7", to_positions(counted)
    yield (
        f"2 images, {channels} channels, {height} by {width}",
        to_positions(draw_tensor(rng, 2, channels, height, width)),
    )
    yield "1 image, 3 channels, 3 by 1", to_positions(draw_tensor(rng, 1, 3, 3, 1))
    yield (
        f"3 images, 2 channels, {width} by {height}",
        to_positions(feature_maps=draw_tensor(rng, 3, 2, width, height)),
    )
    yield "2 images, 4 channels, 2 by 2", to_positions(draw_tensor(rng, 2, 4, 2, 2))


# What the reference does with the feature maps.
RESHAPED = "flatten(2).transpose(1, 2)"

lab.misconceptions(
    "to_positions",
    reshapes_only=(
        "Reshaping keeps the numbers in their order, so a position gets values of one channel from several "
        "positions. Move the channels to the last axis.",
        {RESHAPED: "reshape(len(feature_maps), -1, feature_maps.shape[1])"},
    ),
    leaves_channels_first=(
        "The axes are (batch, channels, positions). Positions come before channels: swap the two.",
        {".transpose(1, 2)": ""},
    ),
    column_by_column=(
        "Your positions go down the columns. They go row by row: position y * width + x.",
        {RESHAPED: "permute(0, 3, 2, 1).flatten(1, 2)"},
    ),
    joins_the_batch=(
        "The images of the batch are joined into one long list: keep the batch axis.",
        {RESHAPED: "permute(0, 2, 3, 1).flatten(0, 2)"},
    ),
    keeps_the_grid=(
        "Your grid still has two axes. Height and width become one axis of positions.",
        {RESHAPED: "permute(0, 2, 3, 1)"},
    ),
    averages_the_positions=(
        "You average over the positions: a single vector, which says what is in the image but no longer where.",
        {RESHAPED: "mean(dim=(2, 3))"},
    ),
    loses_the_batch_of_one=(
        "A single image loses its batch axis: `squeeze` removes every axis of length 1. Name the axis.",
        {RESHAPED: f"{RESHAPED}.squeeze()"},
    ),
    mixes_images_and_channels=(
        "You mix up the batch and channel axes: the batch stays first.",
        {RESHAPED: "permute(1, 2, 3, 0).flatten(1, 2)"},
    ),
    backwards=(
        "The last position comes first. Count from the top left corner.",
        {".transpose(1, 2)": ".transpose(1, 2).flip(1)"},
    ),
)
