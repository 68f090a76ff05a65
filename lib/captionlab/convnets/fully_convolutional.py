"""Fully connected layers as convolutions: a classifier that slides over images larger than those it was trained on."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torchvision
from torch import nn


def linear_to_conv(dense: nn.Linear, channels: int, height: int, width: int) -> nn.Conv2d:
    """The convolution that computes what a fully connected layer computes.

    The layer was made for maps of ``(channels, height, width)``, flattened in that order as ``torch.flatten`` does.
    On maps of that size the convolution gives the layer's outputs, as maps of one pixel; on larger maps it gives
    them at every position, without padding.

    Args:
        dense: the fully connected layer, with ``channels * height * width`` inputs; it is left as it is.
        channels, height, width: shape of the maps that the layer was made for; height and width may differ.

    Returns:
        ``nn.Conv2d`` from ``(batch, channels, rows, columns)`` to
        ``(batch, dense.out_features, rows - height + 1, columns - width + 1)``, with a bias exactly where ``dense``
        has one.

    Example:
        >>> dense = nn.Linear(8 * 4 * 3, 5)
        >>> convolution = linear_to_conv(dense, channels=8, height=4, width=3)
        >>> maps = torch.rand(1, 8, 4, 3)
        >>> torch.allclose(convolution(maps).flatten(1), dense(maps.flatten(1)), atol=1e-6)
        True
        >>> convolution(torch.rand(1, 8, 6, 10)).shape
        torch.Size([1, 5, 3, 8])

    Source: Long, Shelhamer and Darrell 2015, "Fully convolutional networks for semantic segmentation",
    arXiv:1411.4038, section 3.1; Simonyan and Zisserman 2015, arXiv:1409.1556, section 3.2.
    """
    convolution = nn.Conv2d(channels, dense.out_features, (height, width), bias=dense.bias is not None)
    with torch.no_grad():
        convolution.weight.copy_(dense.weight.view(dense.out_features, channels, height, width))
        if convolution.bias is not None:
            convolution.bias.copy_(dense.bias)
    return convolution


def fully_convolutional(vgg: torchvision.models.VGG, convert: Callable[..., nn.Conv2d]) -> nn.Sequential:
    """A VGG network that takes images of any size from its own upwards, and gives a map of logits.

    The network starts with ``vgg.features``; the layers of ``vgg.classifier`` follow, in their order, each
    ``nn.Linear`` replaced by what ``convert`` makes of it, the others kept. ``vgg.avgpool`` is left out. Nothing is
    hard-coded for VGG16: sizes are read off ``vgg``.

    Args:
        vgg: a model built like torchvision's VGG: ``features`` (convolutions, ReLUs, poolings), ``avgpool``,
            ``classifier`` (a linear layer first, made for square maps, then ReLUs, dropout, linear layers). The model
            is left as it is, and whether it is in training or in evaluation mode does not matter; ``copy.deepcopy``
            copies a module.
        convert: the function ``linear_to_conv``, or one with its arguments: ``convert(dense, channels, height, width)``
            turns a linear layer made for maps of that shape into a convolution. Call this one, whatever it computes.

    Returns:
        A network in evaluation mode, from ``(batch, 3, rows, columns)`` to ``(batch, categories, out_rows,
        out_columns)``: logits, one pixel for an image of the network's own size, more for a larger one.

    Example::

        network = fully_convolutional(vgg16, linear_to_conv)
        network(torch.rand(1, 3, 224, 224)).shape  # (1, 1000, 1, 1)
        network(torch.rand(1, 3, 320, 480)).shape  # (1, 1000, 4, 9)

    Source: Simonyan and Zisserman 2015, arXiv:1409.1556, section 3.2; Long, Shelhamer and Darrell 2015,
    arXiv:1411.4038, section 3.1.
    """
    import copy  # here, so that the function can be read and run on its own

    maps = [layer for layer in vgg.features.modules() if isinstance(layer, nn.Conv2d)][-1].out_channels
    side = math.isqrt(vgg.classifier[0].in_features // maps)  # of the maps that the classifier was made for
    layers = [copy.deepcopy(vgg.features)]
    for layer in vgg.classifier:
        if isinstance(layer, nn.Linear):
            layers.append(convert(layer, maps, side, side))
            maps, side = layer.out_features, 1  # the next linear layer sees one value a map
        else:
            layers.append(copy.deepcopy(layer))
    return nn.Sequential(*layers).eval()


def class_heat_map(logits: torch.Tensor, category: int) -> torch.Tensor:
    """Where in an image a class is probable.

    Args:
        logits: ``(1, categories, height, width)``, the output of a fully convolutional network for one image: raw
            logits, not yet probabilities.
        category: number of the class, from 0.

    Returns:
        ``(height, width)``: probability of that class, against all others, at each position.

    Example:
        >>> logits = torch.zeros(1, 4, 2, 3)
        >>> logits[0, 1, 0, 2] = 100
        >>> class_heat_map(logits, category=1)
        tensor([[0.2500, 0.2500, 1.0000],
                [0.2500, 0.2500, 0.2500]])

    Source: Long, Shelhamer and Darrell 2015, arXiv:1411.4038, section 3.1 and figure 2.
    """
    return torch.softmax(logits, dim=1)[0, category]
