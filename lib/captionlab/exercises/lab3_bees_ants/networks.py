"""Miniature networks with the attribute names of torchvision's families: `fc`, `features`, `classifier`."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_different, torch_seed

Network = TypeVar("Network", bound=nn.Module)


class SmallResNet(nn.Module):
    """A stem and one stage, both with batch normalization, then average pooling and ``fc``."""

    def __init__(self, first: int, maps: int, classes: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, first, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.layer1 = nn.Sequential(nn.Conv2d(first, maps, 3, bias=False), nn.BatchNorm2d(maps), nn.ReLU())
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(maps, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(self.avgpool(self.layer1(torch.relu(self.bn1(self.conv1(images))))).flatten(1))


class SmallVGG(nn.Module):
    """Blocks of convolutions, each ending with a pooling, then a classifier of two linear layers.

    ``blocks`` are the output channels of the convolutions of each block, as in ``[[4], [6, 6]]``.
    """

    def __init__(self, blocks: list[list[int]], hidden: int, classes: int, batch_norm: bool = False):
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for block in blocks:
            for filters in block:
                layers.append(nn.Conv2d(channels, filters, 3, padding=1))
                layers += [nn.BatchNorm2d(filters)] * batch_norm + [nn.ReLU()]
                channels = filters
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(channels, hidden), nn.ReLU(), nn.Dropout(0.5), nn.Linear(hidden, classes)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.avgpool(self.features(images)).flatten(1))


class SmallMobileNet(nn.Module):
    """Two convolutions with batch normalization in ``features``, a dropout and a linear layer in ``classifier``."""

    def __init__(self, first: int, maps: int, classes: int):
        super().__init__()
        self.features = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, first, 3, bias=False), nn.BatchNorm2d(first), nn.ReLU()),
            nn.Sequential(nn.Conv2d(first, maps, 1, bias=False), nn.BatchNorm2d(maps), nn.ReLU()),
        )
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Linear(maps, classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(images).mean((2, 3)))


class Other(nn.Module):
    """A network that belongs to none of these families."""

    def __init__(self, classes: int):
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3)
        self.linear = nn.Linear(4, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.linear(self.body(images).mean((2, 3)))


def small_resnet(rng: np.random.Generator, classes: int = 10) -> SmallResNet:
    """With drawn sizes, weights and running statistics; in training mode, like any new module."""
    return _drawn(rng, SmallResNet, *draw_different(rng, 4, 9, 2), classes)


def small_vgg(rng: np.random.Generator, classes: int = 10) -> SmallVGG:
    """Two blocks of drawn sizes, for images of 8 by 8 pixels; in training mode."""
    maps = draw_different(rng, 4, 7, 2)
    return _drawn(rng, SmallVGG, [maps[:1], maps[1:] * 2], draw(rng, 8, 9), classes)


def small_mobilenet(rng: np.random.Generator, classes: int = 10) -> SmallMobileNet:
    """With drawn sizes, weights and running statistics; in training mode."""
    return _drawn(rng, SmallMobileNet, *draw_different(rng, 4, 9, 2), classes)


def normed_head(rng: np.random.Generator, model: SmallMobileNet) -> nn.Sequential:
    """Give the model a head with its own batch normalization, in training mode; returns the head."""
    old = model.classifier[-1]
    assert isinstance(old, nn.Linear)
    with torch_seed(draw(rng, 0, 2**31)):
        hidden = nn.Linear(old.in_features, 6)
        model.classifier = nn.Sequential(hidden, nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, old.out_features))
    return model.classifier


def _drawn(rng: np.random.Generator, family: type[Network], *arguments: Any) -> Network:
    with torch_seed(draw(rng, 0, 2**31)), torch.no_grad():
        model = family(*arguments)
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):  # far from those of any batch, so that the two modes differ
                assert layer.running_mean is not None
                assert layer.running_var is not None
                layer.running_mean.normal_()
                layer.running_var.uniform_(2, 4)
                layer.weight.uniform_(0.5, 1.5)
                layer.bias.normal_()
            elif isinstance(layer, nn.Conv2d) and layer.bias is not None:
                layer.bias.normal_(std=0.3)
    return model
