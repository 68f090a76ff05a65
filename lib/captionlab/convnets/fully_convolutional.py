"""Fully connected layers as convolutions: a classifier that slides over images larger than those it was trained on."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torchvision
from torch import nn


def linear_to_conv(dense: nn.Linear, channels: int, height: int, width: int) -> nn.Conv2d:
    """The convolution that computes what a fully connected layer computes.

    The layer was built for maps of ``(channels, height, width)``, flattened in that order as ``torch.flatten`` does.
    On maps of that size the convolution gives the layer's outputs as maps of one pixel; on larger maps it gives
    them at every position, without padding.

    Args:
        dense: the fully connected layer, with ``channels * height * width`` inputs; it is not modified.
        channels, height, width: shape of the maps the layer was built for; height and width may differ.

    Returns:
        ``nn.Conv2d`` from ``(batch, channels, rows, columns)`` to
        ``(batch, dense.out_features, rows - height + 1, columns - width + 1)``, with a bias only if ``dense``
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
    """A VGG network that takes images of its own size or larger and returns a map of logits.

    The network starts with ``vgg.features``. The layers of ``vgg.classifier`` follow in the same order; each
    ``nn.Linear`` is replaced by what ``convert`` returns for it, and the other layers are kept. ``vgg.avgpool`` is
    left out. Nothing is hard-coded for VGG16: sizes are read from ``vgg``.

    Args:
        vgg: a model built like torchvision's VGG: ``features`` (convolutions, ReLUs, poolings), ``avgpool``,
            ``classifier`` (first a linear layer built for square maps, then ReLUs, dropout, linear layers). The model
            may be in training or evaluation mode and is not modified; ``copy.deepcopy`` copies a module.
        convert: ``linear_to_conv``, or a function with the same arguments: ``convert(dense, channels, height, width)``
            turns a linear layer built for maps of that shape into a convolution. Call this function, whatever it
            computes.

    Returns:
        A network in evaluation mode, from ``(batch, 3, rows, columns)`` to ``(batch, categories, out_rows,
        out_columns)``: logits, one pixel for an image of the network's own size, more for a larger one.

    Example:
        >>> with torch.device("meta"):  # shapes only, no weights
        ...     network = fully_convolutional(torchvision.models.vgg16(), linear_to_conv)
        ...     network(torch.rand(1, 3, 224, 224)).shape
        ...     network(torch.rand(1, 3, 320, 480)).shape
        torch.Size([1, 1000, 1, 1])
        torch.Size([1, 1000, 4, 9])

    Source: Simonyan and Zisserman 2015, arXiv:1409.1556, section 3.2; Long, Shelhamer and Darrell 2015,
    arXiv:1411.4038, section 3.1.
    """
    import copy  # imported here so that the function is self-contained

    maps = [layer for layer in vgg.features.modules() if isinstance(layer, nn.Conv2d)][-1].out_channels
    side = math.isqrt(vgg.classifier[0].in_features // maps)  # of the maps the classifier was built for
    layers = [copy.deepcopy(vgg.features)]
    for layer in vgg.classifier:
        if isinstance(layer, nn.Linear):
            layers.append(convert(layer, maps, side, side))
            maps, side = layer.out_features, 1  # the next linear layer sees one value per map
        else:
            layers.append(copy.deepcopy(layer))
    return nn.Sequential(*layers).eval()


def class_heat_map(logits: torch.Tensor, category: int) -> torch.Tensor:
    """Where in an image a class is probable.

    Args:
        logits: ``(1, categories, height, width)``, the output of a fully convolutional network for one image: raw
            logits, not yet probabilities.
        category: index of the class, from 0.

    Returns:
        ``(height, width)``: probability of that class among all classes at each position.

    Example:
        >>> logits = torch.zeros(1, 4, 2, 3)
        >>> logits[0, 1, 0, 2] = 100
        >>> class_heat_map(logits, category=1)
        tensor([[0.2500, 0.2500, 1.0000],
                [0.2500, 0.2500, 0.2500]])

    Source: Long, Shelhamer and Darrell 2015, arXiv:1411.4038, section 3.1 and figure 2.
    """
    return torch.softmax(logits, dim=1)[0, category]
