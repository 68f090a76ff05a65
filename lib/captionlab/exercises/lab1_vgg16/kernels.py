"""A fully connected layer as one large kernel: probe and misconceptions."""

from __future__ import annotations

import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_tensor, run, torch_seed
from captionlab.exercises.lab1_vgg16.common import add_pairs, draw_linear, lab
from captionlab.grading.probe_helpers import outcome_of


def _layer(made):
    """What a layer is, and the shape of its weights."""
    if not isinstance(made, nn.Conv2d):
        return type(made).__name__
    return f"Conv2d with weights of shape {list(made.weight.shape)}"


def _biases(made):
    """The biases of a convolution, or what there is instead."""
    bias = getattr(made, "bias", None)
    return "no biases" if bias is None else bias


@lab.exercise(
    "captionlab.convnets.fully_convolutional:linear_to_conv",
    paper=True,
    points=3,
    minutes=20,
    difficulty=3,
    importance=5,
    rtol=1e-3,
    atol=1e-5,
)
def probe_linear_to_conv(linear_to_conv, rng):
    def convert(dense, *args, **kwargs):
        with torch_seed(0):  # weights that are never set are the same every time
            return linear_to_conv(dense, *args, **kwargs)

    channels, height = draw(rng, 2, 4), draw(rng, 2, 4)
    width, outputs = height + draw(rng, 1, 2), draw(rng, 3, 6)
    maps = f"a layer without bias for maps of {(channels, height, width)}, {outputs} outputs"
    dense = draw_linear(rng, channels * height * width, outputs, bias=False)
    made = convert(dense, channels, height, width)
    yield f"{maps}: what you return", _layer(made)
    yield f"{maps}: whether the convolution has biases", "no biases" if isinstance(_biases(made), str) else "biases"
    yield f"{maps}: outputs for one map", outcome_of(run, made, draw_tensor(rng, 1, channels, height, width)), 2
    larger = draw_tensor(rng, 1, channels, height + 1, width + draw(rng, 2, 3))
    yield f"{maps}: outputs for a larger map", outcome_of(run, made, larger), 3

    maps = f"a layer with a bias for maps of {(channels, width, height)}"
    dense = draw_linear(rng, channels * height * width, outputs)
    before = dense.weight.detach().clone()
    made = convert(dense, channels=channels, height=width, width=height)
    yield f"{maps}: the convolution's biases", _biases(made), 2
    yield f"{maps}: outputs for two maps", outcome_of(run, made, draw_tensor(rng, 2, channels, width, height)), 3
    is_same = torch.equal(dense.weight, before)
    label = f"{maps}: what you return, and the linear layer's own weights"
    yield label, [_layer(made), "unchanged" if is_same else "changed"], 0.5

    made = convert(draw_linear(rng, 12, outputs, bias=False), 12, 1, 1)
    yield "a layer made for maps of one pixel: outputs", outcome_of(run, made, draw_tensor(rng, 1, 12, 2, 3))
    made = convert(draw_linear(rng, 8 * 4 * 3, 5), channels=8, height=4, width=3)
    yield "a layer for maps of (8, 4, 3): outputs for a map", outcome_of(run, made, draw_tensor(rng, 1, 8, 5, 3)), 2


lab.misconceptions(
    "linear_to_conv",
    flattened_channels_last=(
        "You read the weights as if the map had been flattened with its channels last. torch.flatten keeps the order "
        "of the axes: channels, height, width.",
        {"channels, height, width))": "height, width, channels).permute(0, 3, 1, 2))"},
    ),
    reads_columns_first=(
        "You read the weights as if the map had been flattened column by column. torch.flatten keeps the order of the "
        "axes: channels, height, width.",
        {"channels, height, width))": "channels, width, height).transpose(2, 3))"},
    ),
    forgets_to_copy_biases=(
        "The biases of your convolution are still the random ones of a new nn.Conv2d. Copy those of the linear layer.",
        {"if convolution.bias is not None": ""},
    ),
    has_no_bias=(
        "Your convolution has no bias, but the linear layer has one; it is added at every position.",
        {"bias=dense.bias is not None": "bias=False", "if convolution.bias is not None": ""},
    ),
    always_has_a_bias=(
        "Your convolution has a bias even if the linear layer has none: then its random initial bias is added.",
        {", bias=dense.bias is not None": "", "if convolution.bias is not None": "if dense.bias is not None"},
    ),
    pads_the_map=(
        "Your convolution pads its input, so its output is too large: without padding the kernel covers a map "
        "of its own size exactly once.",
        {"bias=dense.bias": "padding=(height // 2, width // 2), bias=dense.bias"},
    ),
    moves_by_its_own_size=(
        "Your kernel moves by its own size: on larger maps it must visit every position.",
        {"bias=dense.bias": "stride=(height, width), bias=dense.bias"},
    ),
    returns_a_sequential=(
        "You wrap the convolution in another module; return the nn.Conv2d itself.",
        {"return convolution": "return nn.Sequential(convolution)"},
    ),
)


@lab.misconception(
    "linear_to_conv",
    hint="Your kernel is 1 by 1, with the whole flattened map as its channels. It has to see the unflattened map: "
    "which kernel covers it exactly once?",
)
def one_by_one_kernel(dense, channels, height, width):
    made = nn.Conv2d(dense.in_features, dense.out_features, 1, bias=dense.bias is not None)
    with torch.no_grad():
        made.weight.copy_(dense.weight[:, :, None, None])
        if dense.bias is not None:
            made.bias.copy_(dense.bias)
    return made


lab.misconceptions(
    "linear_to_conv",
    swaps_height_and_width=(
        "The height and width of the kernel are swapped. nn.Conv2d takes (height, width), in the order of the map's "
        "axes.",
        {
            "(height, width)": "(width, height)",
            "view(dense.out_features, channels, height, width)": "view_as(convolution.weight)",
        },
    ),
    random_weights=(
        "Your convolution still has its random initial weights: copy the weights of the linear layer into it.",
        {"with torch.no_grad()": ""},
    ),
)
lab.other_spellings(
    "linear_to_conv",
    forgets_to_copy_biases=[{", bias=dense.bias is not None": "", "if convolution.bias is not None": ""}],
)
add_pairs(
    "linear_to_conv",
    (
        "flattened_channels_last reads_columns_first",
        "forgets_to_copy_biases has_no_bias always_has_a_bias pads_the_map moves_by_its_own_size",
    ),
    ("pads_the_map moves_by_its_own_size", "forgets_to_copy_biases has_no_bias always_has_a_bias"),
    ("swaps_height_and_width", "forgets_to_copy_biases has_no_bias"),
)
