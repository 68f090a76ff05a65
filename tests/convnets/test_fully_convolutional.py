"""Dense layers as convolutions: the same numbers at the network's own size, and sliding over larger images."""

from __future__ import annotations

import copy
import doctest

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torchvision.models.vgg import VGG, make_layers

from captionlab.convnets import fully_convolutional as module
from captionlab.convnets.fully_convolutional import class_heat_map, fully_convolutional, linear_to_conv


class ThinVGG(nn.Module):
    """torchvision's VGG with few maps, for images of 32 pixels and 10 classes."""

    def __init__(self):
        super().__init__()
        self.features = make_layers([4, "M", 5, "M", 6, 6, "M"], batch_norm=True)
        self.avgpool = nn.AdaptiveAvgPool2d((4, 4))
        self.classifier = nn.Sequential(
            *(nn.Linear(6 * 4 * 4, 20), nn.ReLU(True), nn.Dropout()),
            *(nn.Linear(20, 15), nn.ReLU(True), nn.Dropout(), nn.Linear(15, 10)),
        )

    forward = VGG.forward


@pytest.fixture
def thin_vgg() -> ThinVGG:
    torch.manual_seed(0)
    model = ThinVGG()
    for layer in model.features:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean, -0.2, 0.2)
    return model.eval()


def test_examples_of_the_docstrings():
    assert doctest.testmod(module).failed == 0


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.booleans(), st.integers(0, 2**32))
def test_dense_to_conv_is_the_dense_layer_in_every_window(channels, height, width, bias, seed):
    generator = torch.Generator().manual_seed(seed)
    dense = nn.Linear(channels * height * width, 6, bias=bias)
    convolution = linear_to_conv(dense, channels, height, width)
    maps = torch.randn(2, channels, height + 1, width + 2, generator=generator)
    outputs = convolution(maps)
    assert outputs.shape == (2, 6, 2, 3)
    assert (convolution.bias is not None) == bias
    for row in range(2):
        for column in range(3):
            window = maps[:, :, row : row + height, column : column + width]
            expected = dense(window.flatten(1))
            torch.testing.assert_close(outputs[:, :, row, column], expected, rtol=1e-4, atol=1e-5)


def test_dense_to_conv_shares_nothing_with_the_layer():
    dense = nn.Linear(12, 2)
    before = copy.deepcopy(dense.state_dict())
    convolution = linear_to_conv(dense, 3, 2, 2)
    nn.init.zeros_(convolution.weight)
    nn.init.zeros_(convolution.bias)
    torch.testing.assert_close(dense.state_dict(), before)
    assert convolution.weight.requires_grad


def test_the_same_scores_at_the_networks_own_size(thin_vgg):
    images = torch.randn(3, 3, 32, 32)
    scores = fully_convolutional(thin_vgg, linear_to_conv)(images)
    assert scores.shape == (3, 10, 1, 1)
    torch.testing.assert_close(scores.flatten(1), thin_vgg(images), rtol=1e-4, atol=1e-5)


def test_a_larger_image_is_seen_window_by_window(thin_vgg):
    scores = fully_convolutional(thin_vgg, linear_to_conv)(torch.randn(1, 3, 48, 64))
    assert scores.shape == (1, 10, 3, 5)
    assert scores.std(dim=(2, 3)).min() > 0


@pytest.mark.parametrize("training", [True, False])
def test_the_original_is_left_as_it_is(thin_vgg, training):
    thin_vgg.train(training)
    before = copy.deepcopy(thin_vgg.state_dict())
    network = fully_convolutional(thin_vgg, linear_to_conv)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert not any(layer.training for layer in network.modules())
    assert all(layer.training == training for layer in thin_vgg.modules())
    torch.testing.assert_close(thin_vgg.state_dict(), before)


def test_vgg16_on_a_larger_photograph():
    with torch.device("meta"):
        network = fully_convolutional(torchvision.models.vgg16(), linear_to_conv)
        assert network(torch.empty(1, 3, 224, 224)).shape == (1, 1000, 1, 1)
        assert network(torch.empty(1, 3, 320, 480)).shape == (1, 1000, 4, 9)
    kinds = [type(layer).__name__ for layer in network[1:]]
    assert kinds == ["Conv2d", "ReLU", "Dropout", "Conv2d", "ReLU", "Dropout", "Conv2d"]


def test_heat_maps_of_all_classes_sum_to_one():
    scores = torch.randn(1, 5, 3, 4) * 50
    maps = torch.stack([class_heat_map(scores, category) for category in range(5)])
    assert maps.shape == (5, 3, 4)
    torch.testing.assert_close(maps.sum(0), torch.ones(3, 4))
    assert torch.equal(maps.argmax(0), scores[0].argmax(0))
