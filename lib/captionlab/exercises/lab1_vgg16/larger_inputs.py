"""Images larger than those the network was built for: probes and misconceptions."""

from __future__ import annotations

import math

import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_tensor, run
from captionlab.exercises.lab1_vgg16.common import draw_linear, lab
from captionlab.grading.probe_helpers import outcome_of


class _SmallVGG(nn.Module):
    """Built like torchvision's VGG, for images of ``4 * side`` pixels."""

    def __init__(self, rng, maps, side):
        super().__init__()
        first, hidden, last, classes = draw(rng, 3, 4), draw(rng, 9, 12), draw(rng, 13, 16), draw(rng, 4, 6)
        self.features = nn.Sequential(
            *(nn.Conv2d(3, first, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
            *(nn.Conv2d(first, maps, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((side, side))
        self.classifier = nn.Sequential(
            *(draw_linear(rng, maps * side * side, hidden), nn.ReLU(inplace=True), nn.Dropout(0.5)),
            *(draw_linear(rng, hidden, last), nn.ReLU(inplace=True), nn.Dropout(0.5), draw_linear(rng, last, classes)),
        )
        with torch.no_grad():
            for layer in (self.features[0], self.features[3]):
                layer.weight.copy_(draw_tensor(rng, *layer.weight.shape, scale=(9 * layer.in_channels) ** -0.5))
                layer.bias.copy_(draw_tensor(rng, layer.out_channels, scale=0.3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.avgpool(self.features(images)).flatten(1))


class _Convert:
    """Stands in for linear_to_conv: a convolution of the right shape with other weights; records its arguments."""

    def __init__(self):
        self.calls = []

    def __call__(self, dense, channels, height, width):
        self.calls.append([dense.in_features, channels, height, width])
        made = nn.Conv2d(channels, dense.out_features, (height, width))
        weight = torch.arange(1.0, made.weight.numel() + 1).mul_(1.7).sin_().view_as(made.weight)
        with torch.no_grad():
            made.weight.copy_(weight * 1.4 / math.sqrt(channels * height * width))
            made.bias.copy_(dense.bias.flip(0) + dense.weight.mean())
        return made


@lab.exercise(
    "captionlab.convnets.fully_convolutional:fully_convolutional",
    paper=True,
    points=3,
    minutes=30,
    difficulty=4,
    importance=4,
    rtol=1e-3,
    atol=1e-5,
)
def probe_fully_convolutional(fully_convolutional, rng):
    maps, side = draw(rng, 5, 8), draw(rng, 2, 3)
    vgg, convert = _SmallVGG(rng, maps, side).eval(), _Convert()
    network = fully_convolutional(vgg, convert)
    size = 4 * side
    label = f"{maps} maps of {side} by {side}: layer inputs, channels, height and width in each call of convert"
    yield label, sorted(convert.calls)
    yield "logits for two images of the network's own size", run(network, draw_tensor(rng, 2, 3, size, size))
    yield "logits for a larger image", run(network, draw_tensor(rng, 1, 3, size + 12, size + 12))
    wide = draw_tensor(rng, 1, 3, size + 4, size + 4 * draw(rng, 2, 4))
    yield "logits for a wide image", run(network, wide)
    small = draw_tensor(rng, 1, 3, size, size)
    label = "logits for another image, then the original model's output for it"
    yield label, [run(network, small), outcome_of(run, vgg, small)]
    side = 5 - side
    vgg = _SmallVGG(rng, draw(rng, 5, 8), side).train()
    network = fully_convolutional(vgg=vgg, convert=_Convert())
    image = draw_tensor(rng, 1, 3, 4 * side + 4, 4 * side + 8)
    yield "a model in training mode: logits", run(network, image)
    label = "logits again, then whether the original model is still in training mode"
    yield label, [run(network, image), [module.training for module in vgg.modules()]]


lab.misconceptions(
    "fully_convolutional",
    keeps_adaptive_pooling=(
        "Larger images still give a single position: the adaptive pooling squeezes every map to the same size. Leave "
        "it out.",
        {"[copy.deepcopy(vgg.features)]": "[copy.deepcopy(vgg.features), copy.deepcopy(vgg.avgpool)]"},
    ),
    loses_relus=(
        "The ReLUs of the classifier are lost: go through all its layers, not only the linear ones. Without ReLUs, "
        "the three layers collapse into a single linear one.",
        {"layers.append(copy.deepcopy(layer))": "continue"},
    ),
    drops_out=(
        "Dropout is active in your network: a new nn.Dropout is in training mode. Return the network in evaluation "
        "mode.",
        {
            "copy.deepcopy(layer)": "nn.Dropout(layer.p) if isinstance(layer, nn.Dropout) else nn.ReLU()",
            ".eval()": "",
        },
    ),
    keeps_the_mode=(
        "Your network inherits the original's mode: if that is training mode, dropout is active. Return the network "
        "in evaluation mode.",
        {".eval()": ""},
    ),
    switches_the_original=(
        "Your network shares layers with the original, so setting its mode also sets the original's. Copy the layers "
        "you keep.",
        {"copy.deepcopy(vgg.features)": "vgg.features", "copy.deepcopy(layer)": "layer"},
    ),
)


@lab.misconception(
    "fully_convolutional",
    hint="You replace layers inside the original's classifier, so the original no longer works. Build a new "
    "nn.Sequential.",
)
def replaces_in_place(vgg, convert):
    maps = vgg.features[-3].out_channels
    side = math.isqrt(vgg.classifier[0].in_features // maps)
    for index, layer in enumerate(vgg.classifier):
        if isinstance(layer, nn.Linear):
            vgg.classifier[index] = convert(layer, maps, side, side)
            maps, side = layer.out_features, 1
    return nn.Sequential(vgg.features, vgg.classifier).eval()


lab.misconceptions(
    "fully_convolutional",
    assumes_vgg16=(
        "You hard-code VGG16's 512 maps of 7 by 7. Derive these numbers from the model you are given: from its last "
        "convolution and the inputs of its first linear layer.",
        {
            "maps = [layer": "maps, side = 512, 7  # [layer",
            "side = math.isqrt": "",
            "layer.out_features, 1": "4096, 1",
        },
    ),
)


@lab.misconception(
    "fully_convolutional",
    hint="You convert with your own function. Call `convert`, the function you are given, for every linear layer: "
    "this exercise checks how you use it.",
)
def ignores_convert(vgg, convert):
    import copy

    maps = vgg.features[-3].out_channels
    side = math.isqrt(vgg.classifier[0].in_features // maps)
    layers = [copy.deepcopy(vgg.features)]
    for layer in vgg.classifier:
        if isinstance(layer, nn.Linear):
            made = nn.Conv2d(maps, layer.out_features, side)
            made.load_state_dict({"weight": layer.weight.view_as(made.weight), "bias": layer.bias})
            layers.append(made)
            maps, side = layer.out_features, 1
        else:
            layers.append(copy.deepcopy(layer))
    return nn.Sequential(*layers).eval()


@lab.exercise(
    "captionlab.convnets.fully_convolutional:class_heat_map",
    paper=True,
    points=1,
    minutes=10,
    difficulty=2,
    importance=3,
)
def probe_class_heat_map(class_heat_map, rng):
    for index, (rows, columns) in enumerate(((1, 1), (2, 5), (4, 3), (6, 1), (5, 7), (3, 3))):
        categories = draw(rng, 3, 7)
        category = (0, categories - 1, draw(rng, 1, categories - 2))[index % 3]
        logits = draw_tensor(rng, 1, categories, rows, columns, scale=2, mean=3)
        label = f"category {category} of {categories}, {rows} by {columns} positions"
        yield label, class_heat_map(logits, category) if index % 2 else class_heat_map(logits=logits, category=category)


lab.misconceptions(
    "class_heat_map",
    softmax_over_positions=(
        "Your map sums to 1 over the positions. The classes compete at every position: take the softmax over the "
        "categories.",
        {"torch.softmax(logits, dim=1)[0, category]": "logits[0, category].ravel().softmax(0).view(logits.shape[2:])"},
    ),
    raw_scores=(
        "These are raw logits. Turn them into probabilities over the categories first.",
        {"torch.softmax(logits, dim=1)": "logits"},
    ),
    keeps_the_batch_axis=(
        "The values are right, but the shape has one axis too many: there is only one image, so return its map alone.",
        {"[0, category]": "[:, category]"},
    ),
    softmax_over_the_batch=(
        "Your map is 1 everywhere: you take the softmax over the batch, which holds one image. Which axis holds the "
        "categories?",
        {"dim=1": "dim=0"},
    ),
    sigmoid_of_one_class=(
        "You take a sigmoid of one class on its own. The classes exclude each other: the other classes' logits at the "
        "same position count as well.",
        {"torch.softmax(logits, dim=1)[0, category]": "torch.sigmoid(logits[0, category])"},
    ),
)
