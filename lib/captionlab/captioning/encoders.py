"""Encoders: a network trained to classify, without its head, as a grid of feature vectors for the attention.

Source: Xu et al. 2015, "Show, Attend and Tell", sections 3.1.1 and 4.3. The paper's encoder is a VGG that is never
fine-tuned, cut before its last max pooling: 14x14 positions of 512 channels.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captionlab.vision.classifiers import Classifier, load_classifier
from captionlab.vision.networks import get_network


def cut_before_pooling(network: nn.Module) -> nn.Module:
    """Take the convolutional part of a classification network: everything before its last pooling and its classifier.

    A VGG or a MobileNet keeps its convolutions in ``network.features``; what follows (in a VGG an adaptive pooling to
    7x7 and the classifier) is dropped. VGG's last max pooling is a part of ``features`` and stays; Xu et al. drop it,
    too, for a grid of 14x14. A ResNet is a sequence of children, of which the last two, the average pooling
    and the classifier, are dropped.

    Args:
        network: a torchvision VGG or MobileNet, which has ``features``, or a ResNet, which has ``layer4``.

    Returns:
        A module from images ``(batch, 3, height, width)`` to feature maps ``(batch, channels, h, w)``, made of the
        network's own layers (no copies). For 224x224 images VGG16 gives ``(batch, 512, 7, 7)`` and ResNet-101
        ``(batch, 2048, 7, 7)``.

    Raises:
        TypeError: if the network has neither ``features`` nor ``layer4``.

    Example:
        >>> from torchvision.models import resnet18
        >>> cut_before_pooling(resnet18())(torch.rand(1, 3, 64, 96)).shape
        torch.Size([1, 512, 2, 3])
    """
    if hasattr(network, "features"):
        return network.get_submodule("features")
    if hasattr(network, "layer4"):
        return nn.Sequential(*list(network.children())[:-2])
    raise TypeError(f"expected a network with features or layer4, found {type(network).__name__}")


def encoder_input(images: np.ndarray, size: int, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """Prepare images as a network expects them: resized, scaled to 0..1, and normalized.

    Each network has its own numbers: most of torchvision's expect 224 pixels and ImageNet's mean and standard
    deviation. Inception v3 was trained on 299 pixels and values from -1 to 1 (mean and standard deviation 0.5).

    Args:
        images: ``(batch, height, width, 3)``, uint8: red, green and blue from 0 to 255.
        size: height and width the network expects, pixels; the aspect ratio is not kept.
        mean, std: three numbers each, one per color, for values from 0 to 1.

    Returns:
        ``(batch, 3, size, size)``, float32: values from 0 to 1, resized (bilinear with antialiasing:
        ``torch.nn.functional.interpolate`` with ``antialias=True``), minus the mean and divided by the standard
        deviation of their color.

    Example:
        >>> black = np.zeros((1, 10, 10, 3), dtype=np.uint8)
        >>> encoder_input(black, 2, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))[0, 0]
        tensor([[-1., -1.],
                [-1., -1.]])
    """
    scaled = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255  # (batch, 3, height, width)
    resized = F.interpolate(scaled, size=(size, size), mode="bilinear", antialias=True)  # (batch, 3, size, size)
    return (resized - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


def to_positions(feature_maps: torch.Tensor) -> torch.Tensor:
    """Turn feature maps into a list of positions, row by row, each with the values of all channels.

    Args:
        feature_maps: ``(batch, channels, height, width)``.

    Returns:
        ``(batch, height * width, channels)``; row ``y`` and column ``x`` become position ``y * width + x``.

    Example:
        >>> to_positions(torch.rand(2, 512, 7, 7)).shape
        torch.Size([2, 49, 512])
    """
    return feature_maps.flatten(2).transpose(1, 2)  # (batch, height * width, channels)


class GridEncoder(nn.Module):
    """The encoder of a captioning model: frozen, or with its last blocks fine-tuned.

    Batch normalization always keeps the statistics of the images it was pretrained on: its layers stay in evaluation
    mode even when their block is trained. Frozen blocks stay in evaluation mode altogether.

    Attributes:
        network: an ``nn.Sequential`` of blocks that gives feature maps, such as :func:`cut_before_pooling` returns.
        trained_blocks: the blocks that are fine-tuned; none at first.

    Example:
        >>> encoder = GridEncoder(nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 16, 1)))  # frozen
        >>> encoder(torch.rand(2, 3, 7, 7)).shape
        torch.Size([2, 49, 16])
        >>> encoder.fine_tune(1)  # the last block is trained together with the decoder
        >>> [name for name, parameter in encoder.named_parameters() if parameter.requires_grad]
        ['network.1.weight', 'network.1.bias']
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.fine_tune(0)

    def fine_tune(self, num_blocks: int = 1) -> None:
        """Train the last ``num_blocks`` children of the network and freeze the others; sets their modes, too.

        Args:
            num_blocks: 0 freezes all of them.
        """
        children = list(self.network.children())
        self.trained_blocks = children[len(children) - num_blocks :]
        for parameter in self.network.parameters():
            parameter.requires_grad = False
        for block in self.trained_blocks:
            for parameter in block.parameters():
                parameter.requires_grad = True
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Put the trained blocks, except for batch normalization, into training mode, everything else into evaluation.

        Args:
            mode: False: everything is in evaluation mode.

        Returns:
            The encoder itself, as for every ``nn.Module``.
        """
        super().train(False)
        self.training = mode
        for block in self.trained_blocks:
            for layer in block.modules():
                layer.training = mode and not isinstance(layer, nn.BatchNorm2d)
        return self

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Encode images.

        Args:
            images: ``(batch, 3, height, width)``.

        Returns:
            ``(batch, positions, channels)``, row by row.
        """
        return self.network(images).flatten(2).transpose(1, 2)  # (batch, positions, channels)


def encode_grids(encoder: GridEncoder | None, grids: Sequence[Tensor]) -> list[Tensor]:
    """Run the fine-tuned blocks of an encoder on the output of its frozen part.

    Args:
        encoder: the fine-tuned blocks; None: there are none, and the grids are returned as they are.
        grids: one for each input size: (images, height, width, channels).

    Returns:
        As many grids: (images, height, width, channels), of the last block.
    """
    if encoder is None:
        return list(grids)
    return [encoder.network(grid.permute(0, 3, 1, 2)).permute(0, 2, 3, 1) for grid in grids]


def flatten_grids(grids: Sequence[Tensor]) -> Tensor:
    """The decoder's input, (images, positions, channels): the cells row by row, one grid after the other.

    Args:
        grids: one or more, (images, height, width, channels).
    """
    return torch.cat([grid.flatten(1, 2) for grid in grids], dim=1)


def on_first_grid(alphas: Tensor, shapes: Sequence[tuple[int, int]]) -> Tensor:
    """Attention weights over the cells of several grids as weights over the cells of the first one.

    Args:
        alphas: (words, positions), positions as from :func:`flatten_grids`.
        shapes: (height, width) of each grid.

    Returns:
        (words, height, width) of the first grid; each word's weights have the same sum as before.
    """
    parts = alphas.split([height * width for height, width in shapes], dim=1)
    first, *others = [part.unflatten(1, (1, *shape)) for part, shape in zip(parts, shapes, strict=True)]
    for maps in others:  # (words, 1, height, width)
        moved = F.interpolate(maps, first.shape[2:], mode="bilinear", align_corners=False, antialias=True)
        first = first + moved * (maps.sum((2, 3)) / moved.sum((2, 3)).clamp(min=1e-9))[..., None, None]
    return first.squeeze(1)


def split_last_blocks(network: nn.Module, num_blocks: int) -> tuple[str, GridEncoder]:
    """Split off the last blocks of a network, which are fine-tuned together with a decoder.

    What comes before them never changes, so its grids are computed once; only these blocks are run in training.

    Args:
        network: as for :func:`cut_before_pooling`; it is not changed.
        num_blocks: number of its last children; ``layer4`` of a ResNet is one, or the last child of ``features``.

    Returns:
        The name of the last layer that stays frozen, and a copy of the blocks, all of them trainable.

    Raises:
        ValueError: if the network has too few blocks, they have no weights, or it is of another kind.
    """
    try:
        body = cut_before_pooling(network)
    except TypeError as error:
        raise ValueError(f"this encoder cannot be fine-tuned: {error}") from error
    prefix = "features." if body is getattr(network, "features", None) else ""
    owner = body if prefix else network
    blocks = list(body.children())
    names = [name for name, _ in owner.named_children()][: len(blocks)]
    if not 0 < num_blocks < len(names):
        raise ValueError(
            f"finetune_blocks is {num_blocks}: the network has {len(names)} blocks, give fewer, and at least 1"
        )
    encoder = GridEncoder(nn.Sequential(*copy.deepcopy(blocks[-num_blocks:])))
    encoder.fine_tune(num_blocks)
    if not any(parameter.requires_grad for parameter in encoder.parameters()):
        raise ValueError(f"finetune_blocks is {num_blocks}: the last blocks of the network have no weights, give more")
    return prefix + names[-num_blocks - 1], encoder


@dataclass(frozen=True)
class Encoder:
    """A pretrained network and where its grid is taken.

    Attributes:
        classifier: the network with its weights and its preprocessing.
        layers: names of layers, as in ``model.named_modules()``. The last one defines the grid; the maps of the others
            are averaged over its cells and concatenated with it.
        input_size: height and width that images are resized to, pixels.
        second_input_size: of a second grid, whose cells follow those of the first; 0: none.
        num_prefix_tokens: if the layers give tokens: how many of the first stand for no patch of the image.
    """

    classifier: Classifier
    layers: tuple[str, ...]
    input_size: int
    second_input_size: int = 0
    num_prefix_tokens: int = 0

    @property
    def input_sizes(self) -> tuple[int, ...]:
        """The one input size, or both."""
        return (self.input_size, self.second_input_size) if self.second_input_size else (self.input_size,)


def load_encoder(
    network: str | None = None,
    input_size: int | None = None,
    layers: Sequence[str] | None = None,
    second_input_size: int = 0,
) -> Encoder:
    """Load a pretrained network as an encoder.

    Args:
        network: a name of `captionlab.vision.networks`. None: MobileNetV2 if its weights are found, else
            ``tiny_resnet``.
        input_size: side of the images, pixels; by default the network's own. A larger one gives a larger grid.
        layers: where the grid is taken; by default the output of the last block.
        second_input_size: see `Encoder`.

    Raises:
        FileNotFoundError, ValueError: see :func:`captionlab.vision.classifiers.load_classifier`; and if the network
            has no such layer.
    """
    if network is None:
        try:
            classifier = load_classifier("mobilenet_v2")
        except FileNotFoundError:
            classifier = load_classifier("tiny_resnet")
    else:
        classifier = load_classifier(network)
    known = get_network(classifier.name)
    names = [name for name, _ in classifier.model.named_modules() if name]
    layers = tuple(layers or known.grid_layers)
    if not layers:
        raise ValueError(
            f"where the grid of {classifier.name} is taken is not known: name a layer, or add its grid_layers to "
            "captionlab.vision.networks.ENTRIES"
        )
    for layer in layers:
        if layer not in names:
            raise ValueError(f"{classifier.name} has no layer {layer!r}; it has {', '.join(names)}")
    size = input_size or classifier.input_size
    return Encoder(classifier, layers, size, second_input_size, known.num_prefix_tokens)
