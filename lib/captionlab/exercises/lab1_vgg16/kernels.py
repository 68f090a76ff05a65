"""A fully connected layer as one large kernel: probe and misconceptions."""

from __future__ import annotations

import copy

import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_tensor, run, torch_seed
from captionlab.exercises.lab1_vgg16.common import draw_linear, lab


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
    dense = draw_linear(rng, channels * height * width, outputs)
    made = convert(copy.deepcopy(dense), channels, height, width)
    shape = list(made.weight.shape) if isinstance(made, nn.Conv2d) else None
    yield f"made for maps of {(channels, height, width)}, {outputs} outputs: the convolution's weights", shape
    maps = draw_tensor(rng, 3, channels, height, width)
    yield "outputs for three maps of that size", run(made, maps)
    yield "outputs for a larger map", run(made, draw_tensor(rng, 1, channels, height + 3, width + draw(rng, 1, 3)))
    dense = draw_linear(rng, channels * height * width, outputs)
    made = convert(dense, channels=channels, height=width, width=height)
    label = f"made for maps of {(channels, width, height)}: outputs, then the linear layer's own weights"
    yield label, [run(made, draw_tensor(rng, 2, channels, width, height)), dense.weight]
    made = convert(draw_linear(rng, 12, outputs), 12, 1, 1)
    yield "a layer made for maps of one pixel: outputs", run(made, draw_tensor(rng, 2, 12, 2, 3))
    made = convert(draw_linear(rng, 4 * height * height, outputs, bias=False), 4, height, height)
    label = "a layer without bias: whether the convolution has one, and outputs"
    yield label, [made.bias is not None, run(made, draw_tensor(rng, 2, 4, height, height + 2))]


lab.misconceptions(
    "linear_to_conv",
    flattened_channels_last=(
        "You read the weights as if the map had been flattened with its channels last. torch.flatten keeps the order "
        "of the axes: channels, height, width.",
        {"channels, height, width))": "height, width, channels).permute(0, 3, 1, 2))"},
    ),
    forgets_to_copy_biases=(
        "The weights are right, but the biases are still the random ones of a new nn.Conv2d. Copy them as well.",
        {"if convolution.bias is not None": ""},
    ),
    has_no_bias=(
        "Your convolution has no bias, but the linear layer has one; it is added at every position.",
        {"bias=dense.bias is not None": "bias=False", "if convolution.bias is not None": ""},
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
        "The shape of your convolution is right, but it still has its random initial weights: copy the weights of the "
        "linear layer into it.",
        {"with torch.no_grad()": ""},
    ),
)
