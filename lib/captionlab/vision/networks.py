"""The registry of networks: how each is built, where its weights are, what it expects of images, where its grid is.

Nearly everything about torchvision's networks is derived from their weights: input size, mean, std, interpolation and
categories. `ENTRIES` states the rest. To add an encoder, add one entry there.

    network = get_network("resnet50")
    network.grid_layers                        # ('layer4',)
    network.weights[0].preprocessing           # Preprocessing(size=224, mean=(0.485, ...), ...)
    model = network.build()                    # random weights
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torchvision import models
from torchvision.models import WeightsEnum

from captionlab.common.weight_files import fit_names
from captionlab.vision.embedded import CATEGORIES, PREPROCESSING, WEIGHTS_FOLDER, TinyResNet, TinyVGG
from captionlab.vision.preprocessing import Preprocessing


@dataclass(frozen=True)
class PretrainedWeights:
    """One file of weights, and what a network with these weights expects and predicts.

    Attributes:
        file_name: of the file, as torch hub caches it or a mirror offers it.
        preprocessing: what the weights were trained with.
        categories: what each output stands for.
        path: of a file that ships with this package.
        enum: torchvision's entry, which can be downloaded.
    """

    file_name: str
    preprocessing: Preprocessing
    categories: tuple[str, ...]
    path: Path | None = None
    enum: WeightsEnum | None = None


@dataclass(frozen=True)
class Entry:
    """What has to be stated about a network, or about a family of networks; torchvision knows the rest.

    Attributes:
        build: makes the network with random weights; None: torchvision's builder of that name.
        options: more arguments of torchvision's builder, given the preprocessing of the weights to be loaded.
        weights: None: torchvision's, the default ones first.
        mirror_file: a file of weights that a mirror may offer besides torchvision's.
        grid_layers: the output of the last block before global pooling, (batch, channels, height, width). If there are
            several, the last one defines the grid, and the others are averaged over its cells.
        num_prefix_tokens: if the grid layer gives tokens (batch, tokens, channels) and not maps: how many of the first
            stand for no patch of the image, such as the class token.
        feature_layers: layers worth comparing, from the first to the last before the classification layer.
    """

    build: Callable[[], nn.Module] | None = None
    options: Callable[[Preprocessing], dict[str, Any]] | None = None
    weights: tuple[PretrainedWeights, ...] | None = None
    mirror_file: str | None = None
    grid_layers: tuple[str, ...] | None = None
    num_prefix_tokens: int | None = None
    feature_layers: tuple[str, ...] | None = None


def _embedded(name: str) -> tuple[PretrainedWeights, ...]:
    file_name = f"{name}.safetensors"
    return (PretrainedWeights(file_name, PREPROCESSING, CATEGORIES, path=WEIGHTS_FOLDER / file_name),)


def _transform_input(_: Preprocessing) -> dict[str, Any]:
    """These networks convert ImageNet's normalization to their own, -1 to 1, inside `forward`, but only if told to."""
    return {"transform_input": True, "init_weights": False}


_RESNET = Entry(grid_layers=("layer4",), feature_layers=("maxpool", "layer1", "layer2", "layer3", "layer4"))

# Keys are names, or patterns for families of torchvision's names; what is stated for a name overrides its family.
ENTRIES: dict[str, Entry] = {
    "tiny_vgg": Entry(
        build=TinyVGG,
        weights=_embedded("tiny_vgg"),
        # The embedded networks were trained to ignore colors: an early layer, which still has them, is added.
        grid_layers=("features.2", "features.15"),
        feature_layers=("features.2", "features.5", "features.10", "features.15", "classifier.1", "classifier.4"),
    ),
    "tiny_resnet": Entry(
        build=TinyResNet,
        weights=_embedded("tiny_resnet"),
        grid_layers=("maxpool", "layer4"),
        feature_layers=_RESNET.feature_layers,
    ),
    "alexnet": Entry(grid_layers=("features",)),
    "convnext_*": Entry(grid_layers=("features",)),
    "densenet*": Entry(grid_layers=("features",)),
    "efficientnet_*": Entry(grid_layers=("features",)),
    "googlenet": Entry(grid_layers=("inception5b",), options=_transform_input),
    "inception_v3": Entry(grid_layers=("Mixed_7c",), options=_transform_input),
    "maxvit_*": Entry(grid_layers=("blocks.3",)),
    "mnasnet*": Entry(grid_layers=("layers",)),
    "mobilenet_*": Entry(grid_layers=("features",)),
    "mobilenet_v2": Entry(
        mirror_file="mobilenet_v2-imagenet-int8.pth",
        feature_layers=tuple(f"features.{block}" for block in (3, 6, 10, 13, 14, 15, 16, 17, 18)),
    ),
    "regnet_*": Entry(grid_layers=("trunk_output",)),
    "resnet*": _RESNET,
    "resnext*": _RESNET,
    "shufflenet_*": Entry(grid_layers=("conv5",)),
    "squeezenet*": Entry(grid_layers=("features",)),
    "swin_*": Entry(grid_layers=("permute",)),  # the blocks have channels last, (batch, height, width, channels)
    "vgg*": Entry(grid_layers=("features",)),
    "vgg16": Entry(
        feature_layers=(
            *("features.4", "features.9", "features.16", "features.23", "features.30"),
            *("classifier.1", "classifier.4"),
        ),
    ),
    # Position embeddings, and with them the input size, are part of the weights.
    "vit_*": Entry(
        grid_layers=("encoder.ln",),
        num_prefix_tokens=1,
        options=lambda preprocessing: {"image_size": preprocessing.height},
    ),
    "wide_resnet*": _RESNET,
}


@dataclass(frozen=True)
class Network:
    """A network of the registry, with everything that is known about it.

    Attributes:
        name: torchvision's name, or ``"tiny_vgg"``, ``"tiny_resnet"``.
        weights: its files of weights, the default first.
        mirror_file, grid_layers, num_prefix_tokens, feature_layers: as in `Entry`.
    """

    name: str
    weights: tuple[PretrainedWeights, ...]
    mirror_file: str | None
    grid_layers: tuple[str, ...]
    num_prefix_tokens: int
    feature_layers: tuple[str, ...]

    @property
    def is_embedded(self) -> bool:
        """Whether its weights ship with this package; it then knows drawings, not photographs."""
        return self.name in EMBEDDED_NETWORKS

    def build(self, weights: PretrainedWeights | None = None) -> nn.Module:
        """The network with random weights, of the shape that `weights` need (by default the first)."""
        entry = _entry(self.name)
        if entry.build is not None:
            return entry.build()
        preprocessing = (weights or self.weights[0]).preprocessing
        options = entry.options(preprocessing) if entry.options else {}
        return models.get_model(self.name, weights=None, **options)

    def weights_for(self, file_name: str) -> PretrainedWeights:
        """The weights with this file name; the default ones if there is none, as for a file of one's own."""
        return next((each for each in self.weights if each.file_name == file_name), self.weights[0])


EMBEDDED_NETWORKS = tuple(
    name for name, entry in ENTRIES.items() if entry.weights and all(each.path for each in entry.weights)
)


def list_networks() -> list[str]:
    """Names of all networks: those stated by name in `ENTRIES`, and torchvision's ImageNet classifiers."""
    stated = [name for name in ENTRIES if "*" not in name]
    return [*stated, *(name for name in models.list_models(module=models) if name not in stated)]


def list_mirrored_networks() -> list[str]:
    """Names of the networks whose weights a mirror may offer."""
    return [name for name, entry in ENTRIES.items() if entry.mirror_file]


@cache
def get_network(name: str) -> Network:
    """Everything known about a network.

    Raises:
        ValueError: if there is no network of this name.
    """
    if name not in (known := list_networks()):
        near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
        advice = f"did you mean {' or '.join(near)}?" if near else "torchvision.models.list_models() lists them all"
        raise ValueError(f"no network {name!r}: {advice}")
    entry = _entry(name)
    return Network(
        name,
        entry.weights or _torchvision_weights(name),
        entry.mirror_file,
        entry.grid_layers or (),
        entry.num_prefix_tokens or 0,
        entry.feature_layers or (),
    )


def recognize_network(tensors: Mapping[str, Tensor]) -> tuple[str, int, int] | None:
    """The network that a state dict is from, by its names and shapes, apart from the number of classes.

    Args:
        tensors: a state dict; prefixes of wrapped models do not matter.

    Returns:
        The network's name, the number of classes of the tensors, and that of the network; None if there is none.
    """
    matrices = [tensor for name, tensor in tensors.items() if name.endswith("weight") and tensor.ndim >= 2]
    if not matrices:
        return None
    classes, *inputs = matrices[-1].shape  # of the classification layer, which is the last one
    size = prod(inputs) + 1  # parameters per class, with the bias
    buffers = ("running_mean", "running_var")  # others are integers
    parameters = sum(
        tensor.numel() for name, tensor in tensors.items() if tensor.is_floating_point() and not name.endswith(buffers)
    )
    for name in list_networks():
        network = get_network(name)
        known, expected = network.weights[0], len(network.weights[0].categories)
        # Building all networks would take seconds: torchvision states how many parameters each has.
        if known.enum and known.enum.meta["num_params"] - expected * size != parameters - classes * size:
            continue
        shapes = {key: tuple(tensor.shape) for key, tensor in network.build(known).state_dict().items()}
        found = {key: tuple(tensor.shape) for key, tensor in fit_names(tensors, shapes).items()}
        differing = [key for key in shapes | found if found.get(key) != shapes.get(key)]
        heads = [key for key in differing if key in found and found[key][1:] == shapes.get(key, ())[1:]]
        if len(differing) == len(heads) <= 2:
            return name, classes, expected
    return None


def _entry(name: str) -> Entry:
    """What `ENTRIES` state about a network, exact names before patterns."""
    stated: dict[str, Any] = {}
    for pattern, entry in sorted(ENTRIES.items(), key=lambda item: "*" not in item[0]):
        if fnmatchcase(name, pattern):
            values = {field.name: getattr(entry, field.name) for field in fields(entry)}
            stated |= {field: value for field, value in values.items() if value is not None}
    return Entry(**stated)


def _torchvision_weights(name: str) -> tuple[PretrainedWeights, ...]:
    enum = models.get_model_weights(name)
    ordered = [enum.DEFAULT, *(entry for entry in enum if entry is not enum.DEFAULT)]
    # VGG16 also has weights without a classifier, which predict nothing.
    return tuple(_from_enum(entry) for entry in ordered if entry.meta["categories"])


def _from_enum(entry: WeightsEnum) -> PretrainedWeights:
    transforms = entry.transforms()
    preprocessing = Preprocessing(
        transforms.crop_size[0], tuple(transforms.mean), tuple(transforms.std), transforms.interpolation.value
    )
    return PretrainedWeights(entry.url.rpartition("/")[2], preprocessing, tuple(entry.meta["categories"]), enum=entry)
