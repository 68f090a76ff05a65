"""Encoders: a network trained to classify, without its head, as a grid of feature vectors for the attention.

Source: Xu et al. 2015, "Show, Attend and Tell", section 3.1.1.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captionlab.vision.classifiers import EMBEDDED, Classifier, load_classifier

# Where a network's grid is taken: the output of its last block. Others of torchvision have `features` or `layer4`.
# The embedded networks were trained to take no notice of colors: an early layer, which still has them, is put beside.
LAYERS = {
    "inception_v3": ("Mixed_7c",),
    "googlenet": ("inception5b",),
    "tiny_vgg": ("features.2", "features.15"),
    "tiny_resnet": ("maxpool", "layer4"),
}
PUBLISHED = ("vgg16", "resnet101", "resnet50", "inception_v3", "mobilenet_v2")


def cut_before_pooling(network):
    """The part of a classification network that makes maps: everything before its last pooling and its classifier.

    A VGG or a MobileNet keeps its convolutions in ``network.features``; what follows (a VGG's adaptive pooling to 7x7,
    the classifier) is left away. A ResNet is a row of children, of which the last two, the average pooling and
    the classifier, are left away.

    Args:
        network: a torchvision VGG or MobileNet, with ``features``, or ResNet, with ``layer4``.

    Returns:
        A module that turns images ``(batch, 3, height, width)`` into maps ``(batch, channels, h, w)``, with the
        network's own layers (no copies). For 224x224 images VGG16 gives (batch, 512, 7, 7), ResNet-101
        (batch, 2048, 7, 7).

    Raises:
        TypeError: if the network is of neither kind.

    Example::

        vgg = torchvision.models.vgg16()
        cut_before_pooling(vgg)(torch.rand(1, 3, 448, 448)).shape  # (1, 512, 14, 14): no pooling to 7x7 at the end
    """
    if hasattr(network, "features"):
        return network.features
    if hasattr(network, "layer4"):
        return nn.Sequential(*list(network.children())[:-2])
    raise TypeError(f"expected a network with features or layer4, found {type(network).__name__}")


def encoder_input(pixels, size, mean, std):
    """Pictures as the network expects them: of its size, and with the mean and spread it was trained on.

    Each network has its own: most of torchvision's want 224 pixels and ImageNet's mean and standard deviation.
    Inception v3 was trained on 299 pixels and values from -1 to 1 (mean and standard deviation 0.5).

    Args:
        pixels: ``(batch, height, width, 3)``, uint8 array: red, green, blue from 0 to 255.
        size: side of the images the network expects, pixels; the whole picture is resized, both ways.
        mean, std: of each color, three numbers each, for values from 0 to 1.

    Returns:
        ``(batch, 3, size, size)``, float32: values from 0 to 1, resized (bilinear, smoothed where it gets smaller, as
        ``torch.nn.functional.interpolate`` does with ``antialias=True``), minus the mean, divided by the standard
        deviation of their color.

    Example::

        gray = np.full((1, 10, 10, 3), 255, dtype=np.uint8)
        encoder_input(gray, 4, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # (1, 3, 4, 4), all 1.0
    """
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    images = F.interpolate(images, size=(size, size), mode="bilinear", antialias=True)
    mean, std = torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)
    return (images - mean) / std


def to_positions(maps):
    """A grid as a list of positions, for the attention: row after row, each position with all its channels.

    Args:
        maps: ``(batch, channels, height, width)``.

    Returns:
        ``(batch, height * width, channels)``; the position in row y and column x is number ``y * width + x``.

    Example::

        to_positions(torch.rand(2, 512, 7, 7)).shape  # (2, 49, 512)
    """
    return maps.flatten(2).transpose(1, 2)


class GridEncoder(nn.Module):
    """An encoder as part of a captioning model: frozen, or with its last blocks trained on.

    Whatever is trained, batch normalization keeps the statistics of the images it was pretrained on: its layers stay in
    evaluation mode also while the model trains. The frozen blocks stay in evaluation mode altogether.

    Attributes:
        network: a network that gives maps, a row of blocks: ``nn.Sequential``, as ``cut_before_pooling`` gives.

    Example::

        encoder = GridEncoder(cut_before_pooling(torchvision.models.resnet50()))  # frozen
        encoder(torch.rand(2, 3, 224, 224)).shape  # (2, 49, 2048)
        encoder.fine_tune(3)  # layer2, layer3 and layer4 of the ResNet learn with the decoder
    """

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.fine_tune(0)

    def fine_tune(self, blocks=1):
        """Let the last ``blocks`` children of the network be trained, and no others; 0: none. Modes follow at once."""
        children = list(self.network.children())
        self.trained = children[len(children) - blocks :]
        for parameter in self.network.parameters():
            parameter.requires_grad = False
        for block in self.trained:
            for parameter in block.parameters():
                parameter.requires_grad = True
        self.train(self.training)

    def train(self, mode=True):
        """Training mode for the blocks that are trained, without their batch normalization; evaluation mode else."""
        super().train(False)
        self.training = mode
        for block in self.trained:
            for layer in block.modules():
                layer.training = mode and not isinstance(layer, nn.BatchNorm2d)
        return self

    def forward(self, images):
        """Images ``(batch, 3, height, width)`` to positions ``(batch, positions, channels)``."""
        return self.network(images).flatten(2).transpose(1, 2)


def to_maps(positions: Tensor) -> Tensor:
    """A square grid as maps again: (batch, positions, channels) to (batch, channels, height, width)."""
    batch, count, channels = positions.shape
    side = math.isqrt(count)
    return positions.transpose(1, 2).reshape(batch, channels, side, side)


def split_by_size(positions: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    """The grids that stand behind each other, apart again; their sides are to each other as the images' sizes.

    Args:
        positions: (rows, positions, ...).

    Raises:
        ValueError: if the positions are not those of square grids of these sizes.
    """
    count = positions.shape[1]
    scale = math.sqrt(count / sum(size**2 for size in sizes))
    counts = [round(scale * size) ** 2 for size in sizes]
    if sum(counts) != count:
        raise ValueError(
            f"{count} positions are no grids of images of {' and '.join(map(str, sizes))} pixels: give sizes that the "
            "network reduces without a remainder, such as multiples of 32"
        )
    return list(positions.split(counts, dim=1))


def encode_grids(encoder: GridEncoder, positions: Tensor, sizes: Sequence[int]) -> Tensor:
    """What the blocks that learn make of each grid, (images, positions, channels), from the frozen part's grids."""
    return torch.cat([encoder(to_maps(part)) for part in split_by_size(positions, sizes)], dim=1)


def on_first_grid(alphas: Tensor, sizes: Sequence[int]) -> Tensor:
    """Weights over the positions of several grids as weights over the first one's: (words, positions), sums kept."""
    first, *others = [to_maps(part.unsqueeze(2)) for part in split_by_size(alphas, sizes)]
    for maps in others:
        moved = F.interpolate(maps, first.shape[2:], mode="bilinear", align_corners=False, antialias=True)
        first = first + moved * (maps.sum((2, 3)) / moved.sum((2, 3)).clamp(min=1e-9))[..., None, None]
    return first.flatten(1)


def last_blocks(network: nn.Module, blocks: int) -> tuple[str, GridEncoder]:
    """The blocks of a network that learn with a decoder, and the layer before them.

    What comes before them never changes, so its grids are computed once; only these blocks are run in training.

    Args:
        network: as for :func:`cut_before_pooling`; it stays as it is.
        blocks: how many of its last children, ``layer4`` of a ResNet being one, or the last of ``features``.

    Returns:
        The name of the last layer that stays frozen, and a copy of the blocks, all of them trained.

    Raises:
        ValueError: if the network has not as many, they have no weights, or it is built in another way.
    """
    try:
        cut = cut_before_pooling(network)
    except TypeError as error:
        raise ValueError(f"no encoder that learns: {error}") from error
    prefix = "features." if cut is getattr(network, "features", None) else ""
    owner = cut if prefix else network
    names = [name for name, _ in owner.named_children()][: len(list(cut.children()))]
    if not 0 < blocks < len(names):
        raise ValueError(f"learnt is {blocks}: the network has {len(names)} blocks, give fewer, and at least 1")
    learning = GridEncoder(nn.Sequential(*copy.deepcopy(list(cut.children())[-blocks:])))
    learning.fine_tune(blocks)
    if not any(parameter.requires_grad for parameter in learning.parameters()):
        raise ValueError(f"learnt is {blocks}: the last blocks of the network have no weights, give more")
    return prefix + names[-blocks - 1], learning


@dataclass(frozen=True)
class Encoder:
    """A pretrained network and where its grid is taken.

    Attributes:
        classifier: the network with its weights; what it expects of images belongs to it.
        layers: names of layers, as in ``model.named_modules()``. With several, the grid is that of the last one, and
            the others' maps, averaged over its cells, stand beside it at each position.
        size: images are resized to this many pixels, both ways.
        second_size: and to this many for a second grid, whose positions stand behind those of the first; 0: none.
    """

    classifier: Classifier
    layers: tuple[str, ...]
    size: int
    second_size: int = 0

    @property
    def sizes(self) -> tuple[int, ...]:
        """One size, or both."""
        return (self.size, self.second_size) if self.second_size else (self.size,)


def load_encoder(
    network: str | None = None, size: int | None = None, layers: Sequence[str] | None = None, second_size: int = 0
) -> Encoder:
    """A pretrained network as an encoder.

    Inception v3 was trained on values from -1 to 1, at 299 pixels; torchvision's turns ImageNet-normalized images into
    these itself (``transform_input``), so every network is fed alike here.

    Args:
        network: torchvision's name, "tiny_vgg" or "tiny_resnet". None: MobileNetV2 where its weights are, else
            ``tiny_resnet``.
        size: of the images; the network's own by default. A larger one gives a larger grid.
        layers: where the grid is taken; the output of the last block by default.
        second_size: see `Encoder`.

    Raises:
        FileNotFoundError, ValueError: see :func:`captionlab.vision.classifiers.load_classifier`; and if it has no
            such layer.
    """
    if network is None:
        try:
            classifier = load_classifier("mobilenet_v2")
        except FileNotFoundError:
            classifier = load_classifier("tiny_resnet")
    else:
        classifier = load_classifier(network)
    layers = tuple(layers or grid_layers(classifier))
    known = [name for name, _ in classifier.model.named_modules() if name]
    for layer in layers:
        if layer not in known:
            raise ValueError(f"{classifier.name} has no layer {layer!r}; it has {', '.join(known)}")
    return Encoder(classifier, layers, size or classifier.input_size, second_size)


def grid_layers(classifier: Classifier) -> tuple[str, ...]:
    """The layers whose maps are the grid: the output of the last block before any global pooling.

    Raises:
        ValueError: for a network built in another way.
    """
    if classifier.name in LAYERS:
        return LAYERS[classifier.name]
    for layer in ("features", "layer4"):
        if hasattr(classifier.model, layer):
            return (layer,)
    raise ValueError(
        f"where {classifier.name} ends its maps is not known: name a layer, or use {', '.join((*PUBLISHED, *EMBEDDED))}"
    )
