"""Images larger than those the network was built for: probes and misconceptions."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_tensor, run
from captionlab.exercises.lab1_vgg16.common import add_pairs, draw_linear, lab
from captionlab.grading.probe_helpers import outcome_of


class _SmallVGG(nn.Module):
    """Built like torchvision's VGG, for images of ``4 * side`` pixels."""

    def __init__(self, rng, maps, side):
        super().__init__()
        first, hidden, last, classes = draw(rng, 2, 3), draw(rng, 9, 12), draw(rng, 13, 16), draw(rng, 4, 6)
        self.features = nn.Sequential(
            *(nn.Conv2d(3, first, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
            *(nn.Conv2d(first, first + 1, 3, padding=1), nn.ReLU(inplace=True)),
            *(nn.Conv2d(first + 1, maps, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((side, side))
        self.classifier = nn.Sequential(
            *(draw_linear(rng, maps * side * side, hidden), nn.ReLU(inplace=True), nn.Dropout(0.5)),
            *(draw_linear(rng, hidden, last), nn.ReLU(inplace=True), nn.Dropout(0.5), draw_linear(rng, last, classes)),
        )
        with torch.no_grad():
            for layer in (self.features[0], self.features[3], self.features[5]):
                layer.weight.copy_(draw_tensor(rng, *layer.weight.shape, scale=(9 * layer.in_channels) ** -0.5))
                layer.bias.copy_(draw_tensor(rng, layer.out_channels, scale=0.3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.avgpool(self.features(images)).flatten(1))


class _Convert:
    """Stands in for linear_to_conv: a convolution of the right shape with other weights; records its arguments."""

    def __init__(self):
        self.calls = []

    def __call__(self, dense, channels, height, width):
        self.calls.append(f"{dense.in_features} inputs: maps of ({channels}, {height}, {width})")
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
    maps, side = draw(rng, 5, 7), 2
    vgg, convert = _SmallVGG(rng, maps, side).eval(), _Convert()
    network = fully_convolutional(vgg, convert)
    size = 4 * side
    first = [call for call in convert.calls if call.startswith(f"{maps * side * side} inputs")]
    yield f"{maps} maps of {side} by {side}: the call of convert for the first linear layer", first
    others = sorted(call for call in convert.calls if call not in first)
    yield f"{maps} maps of {side} by {side}: the calls of convert for the other linear layers", others
    image = draw_tensor(rng, 1, 3, size, size)
    yield "logits for an image of the network's own size", outcome_of(run, network, image), 2
    yield "logits for a larger image", outcome_of(run, network, draw_tensor(rng, 1, 3, size + 4, size + 4)), 2
    wide = draw_tensor(rng, 1, 3, size + 4, size + 4 * draw(rng, 2, 3))
    yield "logits for a wide image", outcome_of(run, network, wide), 2
    yield "the original model's output afterwards", outcome_of(run, vgg, image), 0.5
    side = 3
    vgg = _SmallVGG(rng, draw(rng, 5, 7), side).train()
    network = fully_convolutional(vgg=vgg, convert=_Convert())
    image = draw_tensor(rng, 1, 3, 4 * side, 4 * side + 4)
    yield "a model in training mode: logits for a wide image", outcome_of(run, network, image), 5
    leaves = [(name, layer) for name, layer in vgg.named_modules() if name.count(".") or name == "avgpool"]
    changed = [f"{name}: evaluation" for name, layer in leaves if not layer.training]
    label = "a model in training mode: number of logits, and layers of the original that have left training mode"
    yield label, [_size(outcome_of(run, network, image)), changed], 5


def _size(logits):
    return list(logits.shape) if isinstance(logits, (torch.Tensor, np.ndarray)) else logits


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
    converts_only_the_first=(
        "You convert only the first linear layer. The others stay linear and act on the wrong axis: they must "
        "become convolutions too, with 1x1 kernels.",
        {
            "if isinstance(layer, nn.Linear):": "if isinstance(layer, nn.Linear) and len(layers) == 1:",
            "maps, side = layer.out_features, 1": "",
        },
    ),
    flattens_the_maps=(
        "You flatten the maps before the classifier, so positions are lost. A convolution takes maps as they are.",
        {"[copy.deepcopy(vgg.features)]": "[copy.deepcopy(vgg.features), nn.Flatten()]"},
    ),
    ends_with_a_softmax=(
        "You return probabilities; the network returns logits, as the original does.",
        {"nn.Sequential(*layers)": "nn.Sequential(*layers, nn.Softmax(dim=1))"},
    ),
    averages_the_positions=(
        "You average the logits over all positions. The network should return the map of logits.",
        {"nn.Sequential(*layers)": "nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1))"},
    ),
    kernels_of_the_first_for_all=(
        "You convert all linear layers with the size of the last maps. Only the first one sees those maps; the others "
        "see one value per map.",
        {"maps, side = layer.out_features, 1": "maps = layer.out_features"},
    ),
    sets_the_originals_mode=(
        "You switch the original model to evaluation mode. It must stay as it is: set the mode of the new network.",
        {"layers = [copy": "vgg.eval()\n    layers = [copy"},
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
lab.other_spellings(
    "fully_convolutional",
    assumes_vgg16=[{"maps = [layer": "maps, side = 512, 7  # [layer", "side = math.isqrt": ""}],
    loses_relus=[{"layers.append(copy.deepcopy(layer))": "continue", ".eval()": ""}],
)
add_pairs(
    "fully_convolutional",
    ("keeps_adaptive_pooling", "loses_relus keeps_the_mode sets_the_originals_mode ends_with_a_softmax"),
    ("loses_relus", "sets_the_originals_mode ends_with_a_softmax averages_the_positions"),
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
    logits = torch.zeros(1, 4, 2, 3)
    logits[0, 1, 0, 2] = 100
    for index, (rows, columns) in enumerate(((2, 3), (2, 5), (4, 3), (1, 1), (6, 1), (5, 7))):
        categories = draw(rng, 3, 7)
        category = (0, categories - 1, draw(rng, 1, categories - 2))[index % 3]
        drawn = draw_tensor(rng, 1, categories, rows, columns, scale=2, mean=3)
        label = f"category {category} of {categories}, {rows} by {columns} positions"
        heat = class_heat_map(drawn, category) if index % 2 else class_heat_map(logits=drawn, category=category)
        yield f"{label}: probabilities, row by row", _flat(heat)
        if index in (0, 2):
            yield f"{label}: shape", _size(heat)
    yield "category 1 of 4, one logit of 100: probabilities, row by row", _flat(class_heat_map(logits, category=1)), 2


def _flat(heat):
    return heat.reshape(-1) if isinstance(heat, (torch.Tensor, np.ndarray)) else heat


lab.misconceptions(
    "class_heat_map",
    softmax_over_positions=(
        "Your map sums to 1 over the positions. The classes compete at every position: take the softmax over the "
        "categories.",
        {"torch.softmax(logits, dim=1)[0, category]": "logits[0, category].ravel().softmax(0).view(logits.shape[2:])"},
    ),
    raw_scores=(
        "You return raw logits. Turn them into probabilities over the categories first.",
        {"torch.softmax(logits, dim=1)": "logits"},
    ),
    keeps_the_batch_axis=(
        "Your result has one axis too many: there is only one image, so return its map alone.",
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
    softmax_over_rows_or_columns=(
        "You take the softmax along the height or the width of the map. The classes compete at every position: take it "
        "over the categories.",
        {"dim=1": "dim=-1"},
    ),
    exponentials_overflow=(
        "Large logits overflow: the exponential of 100 is infinite in float32. Use a softmax that is stable.",
        {"torch.softmax(logits, dim=1)": "(logits.exp() / logits.exp().sum(1, keepdim=True))"},
    ),
    other_axes_of_the_map=(
        "Your map is transposed: the height comes first, then the width.",
        {"[0, category]": "[0, category].T"},
    ),
    where_the_class_wins=(
        "Your map only says where the class is the most probable one. Return its probability at every position.",
        {"torch.softmax(logits, dim=1)[0, category]": "(logits[0].argmax(0) == category).float()"},
    ),
    next_category=(
        "You return the map of another class: categories are counted from 0.",
        {"[0, category]": "[0, category - 1]"},
    ),
)
lab.other_spellings(
    "class_heat_map",
    softmax_over_rows_or_columns=[{"dim=1": "dim=2"}],
    softmax_over_positions=[
        {"torch.softmax(logits, dim=1)[0, category]": "logits.flatten(2).softmax(2).view(logits.shape)[0, category]"},
    ],
)
add_pairs(
    "class_heat_map",
    (
        "softmax_over_positions raw_scores sigmoid_of_one_class softmax_over_rows_or_columns softmax_over_the_batch",
        "other_axes_of_the_map next_category",
    ),
)
