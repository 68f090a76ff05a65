"""Counting against what torchvision's networks are known to have."""

from __future__ import annotations

import doctest

import pytest
import torch
import torchvision
from torch import nn

from captionlab.convnets import counting
from captionlab.convnets.counting import parameters_by_layer


def test_example_of_the_docstring():
    assert doctest.testmod(counting).failed == 0


def test_vgg16():
    with torch.device("meta"):
        layers = parameters_by_layer(torchvision.models.vgg16())
    assert len(layers) == 16
    assert layers[0] == ("features.0", 1_792)
    assert layers[13] == ("classifier.0", 102_764_544)
    assert sum(number for _, number in layers) == 138_357_544


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "vit_b_16"])
def test_totals_are_those_of_the_weights_metadata(name):
    with torch.device("meta"):
        layers = parameters_by_layer(torchvision.models.get_model(name))
    weights = torchvision.models.get_model_weights(name).DEFAULT
    assert sum(number for _, number in layers) == weights.meta["num_params"]
    assert all(number > 0 for _, number in layers)


def test_what_is_shared_counts_once():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    assert parameters_by_layer(nn.Sequential(first, second, first)) == [("0", 12), ("1", 3)]


def test_layers_that_own_nothing_are_not_listed():
    assert parameters_by_layer(nn.Sequential(nn.ReLU(), nn.Flatten(), nn.BatchNorm1d(4, affine=False))) == []
    assert parameters_by_layer(nn.Linear(2, 2)) == [("", 6)]
