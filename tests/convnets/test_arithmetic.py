"""The arithmetic against torch's own layers, built on the meta device: shapes without numbers."""

from __future__ import annotations

import doctest
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
import torchvision
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from captionlab.convnets import arithmetic
from captionlab.convnets.arithmetic import (
    VGG16_BLOCKS,
    VGG16_DENSE,
    conv_output_shape,
    conv_output_size,
    conv_parameters,
    linear_parameters,
    pool_output_shape,
    receptive_field,
    same_padding,
    vgg_parameters,
)

sizes, kernels, strides, paddings = st.integers(1, 60), st.integers(1, 9), st.integers(1, 5), st.integers(0, 4)
quick = settings(deadline=None, max_examples=60)


def meta(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_examples_of_the_docstrings():
    assert doctest.testmod(arithmetic).failed == 0


def test_arithmetic_does_without_torch():
    code = "import sys, captionlab.convnets.arithmetic; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@quick
@given(sizes, kernels, strides, paddings)
def test_conv_output_size_is_torchs(size, kernel, stride, padding):
    if kernel > size + 2 * padding:
        with pytest.raises(ValueError, match=f"kernel of {kernel}"):
            conv_output_size(size, kernel, stride, padding)
    else:
        output = F.conv1d(meta(1, 1, size), meta(1, 1, kernel), stride=stride, padding=padding)
        assert conv_output_size(size, kernel, stride, padding) == output.shape[-1]


@quick
@given(sizes, sizes, kernels, strides, paddings, st.integers(1, 5), st.integers(1, 5))
def test_conv_output_shape_is_torchs(height, width, kernel, stride, padding, channels, filters):
    assume(kernel <= min(height, width) + 2 * padding)
    layer = nn.Conv2d(channels, filters, kernel, stride, padding, device="meta")
    expected = tuple(layer(meta(channels, height, width)).shape)
    assert conv_output_shape((channels, height, width), filters, kernel, stride, padding) == expected


@quick
@given(kernels, st.integers(1, 6))
def test_same_padding_keeps_the_size(kernel, dilation):
    def output_size(padding):
        return F.conv1d(meta(1, 1, 70), meta(1, 1, kernel), padding=padding, dilation=dilation).shape[-1]

    try:
        padding = same_padding(kernel, dilation)
    except ValueError:
        assert all(output_size(padding) != 70 for padding in range(kernel * dilation + 1))
    else:
        assert output_size(padding) == 70


@quick
@given(sizes, sizes, kernels, st.none() | strides, paddings)
def test_pool_output_shape_is_torchs(height, width, kernel, stride, padding):
    assume(kernel <= min(height, width) + 2 * padding and padding <= kernel // 2)  # the second is torch's own rule
    maps = meta(3, height, width)
    expected = tuple(F.max_pool2d(maps, kernel, stride, padding).shape)
    assert tuple(F.avg_pool2d(maps, kernel, stride, padding).shape) == expected
    assert pool_output_shape((3, height, width), kernel, stride, padding) == expected


@quick
@given(st.integers(1, 600), st.integers(1, 600), kernels, st.booleans())
def test_conv_parameters_are_torchs(channels, filters, kernel, bias):
    layer = nn.Conv2d(channels, filters, kernel, bias=bias, device="meta")
    assert conv_parameters(channels, filters, kernel, bias) == count(layer)


@quick
@given(st.lists(st.integers(1, 20), min_size=1, max_size=3), st.lists(st.integers(1, 20), min_size=1, max_size=3))
def test_dense_parameters_are_torchs(input_shape, output_shape):
    for bias in (True, False):
        layer = nn.Linear(meta(*input_shape).numel(), meta(*output_shape).numel(), bias=bias, device="meta")
        assert linear_parameters(tuple(input_shape), tuple(output_shape), bias) == count(layer)


@quick
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3)), max_size=5))
def test_receptive_field_is_where_a_gradient_arrives(layers):
    size = 800  # longer than any stack drawn here can see: 1 + 4 * (1 + 3 + 9 + 27 + 81)
    signal = torch.ones(1, 1, size, requires_grad=True)
    output = signal
    for kernel, stride in layers:
        output = F.conv1d(output, torch.ones(1, 1, kernel), stride=stride)
    output[0, 0, 0].backward()
    assert receptive_field(layers) == int(signal.grad.nonzero()[:, -1].max()) + 1  # strides can leave holes


def test_receptive_field_of_vgg16():
    layers = [layer for block in VGG16_BLOCKS for layer in [(3, 1)] * len(block) + [(2, 2)]]
    assert receptive_field(layers) == 212  # Araujo et al. 2019, table of the discussion
    assert receptive_field([]) == 1


@pytest.mark.parametrize("name", ["vgg11", "vgg13", "vgg16", "vgg19"])
def test_vgg_parameters_are_torchvisions(name):
    with torch.device("meta"):
        model = torchvision.models.get_model(name)
    blocks = [[]]
    for layer in model.features:
        if isinstance(layer, nn.Conv2d):
            blocks[-1].append(layer.out_channels)
        elif isinstance(layer, nn.MaxPool2d):
            blocks.append([])
    assert vgg_parameters(blocks[:-1], VGG16_DENSE) == (count(model.features), count(model.classifier))


def test_vgg16_has_138_million_parameters():
    convolutional, fully_connected = vgg_parameters(VGG16_BLOCKS, VGG16_DENSE)
    assert (convolutional, fully_connected) == (14_714_688, 123_642_856)
    assert convolutional + fully_connected == 138_357_544


@quick
@given(st.integers(4, 40), st.integers(1, 4))
def test_vgg_parameters_follow_the_image(image_size, channels):
    features = nn.Sequential(
        *(nn.Conv2d(channels, 4, 3, padding=1), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 5, 3, padding=1), nn.Conv2d(5, 6, 3, padding=1), nn.MaxPool2d(2)),
    ).to("meta")
    classifier = nn.Linear(features(meta(channels, image_size, image_size)).numel(), 7, device="meta")
    assert vgg_parameters([[4], [5, 6]], [7], image_size, channels) == (count(features), count(classifier))
