"""Choosing a network with pretrained weights, and reporting which one it is.

A network with random weights predicts nothing, so it is never chosen. The order is: weights named by the caller;
ImageNet weights of the network (VGG16 by default) in torch hub's cache; a weight file of the mirror, a folder or URL
named by the environment variable ``CAPTIONLAB_MIRROR``; the embedded ``tiny_vgg``, which is always available.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor, nn

from captionlab.common.checkpoints import describe_mismatch
from captionlab.common.logs import logger
from captionlab.common.weight_files import check_finite, fit_names, load_state_dict
from captionlab.datasets.disk import remove
from captionlab.datasets.errors import DamagedFile, DataError, MissingAtSource, Unreachable
from captionlab.datasets.paths import MIRROR_VARIABLE, Mirror, find_mirror
from captionlab.vision.embedded import load_weights
from captionlab.vision.networks import (
    EMBEDDED_NETWORKS,
    Network,
    get_network,
    list_mirrored_networks,
    list_networks,
    recognize_network,
)
from captionlab.vision.preprocessing import Preprocessing

_CHECKPOINTS = "torch hub's checkpoints folder (~/.cache/torch/hub/checkpoints by default)"


@dataclass(frozen=True)
class Classifier:
    """A pretrained network in evaluation mode.

    Attributes:
        model: images in, logits out.
        categories: what each logit stands for.
        preprocessing: what turns an image into the model's input.
        name: torchvision's name of the network, or ``"tiny_vgg"``, ``"tiny_resnet"``.
        weights_source: where the weights are from, in words, without folders.
    """

    model: nn.Module
    categories: tuple[str, ...]
    preprocessing: Preprocessing
    name: str
    weights_source: str

    @property
    def input_size(self) -> int:
        """Side of the square images it expects, pixels."""
        return self.preprocessing.height

    @property
    def is_embedded(self) -> bool:
        """Whether the network ships with the course; it then knows drawings, not photographs."""
        return self.name in EMBEDDED_NETWORKS

    def predict_proba(self, images: Tensor, batch_size: int = 32) -> Tensor:
        """Probabilities (batch, categories), float32; each row sums to 1. Arguments: see :meth:`logits`."""
        return self.logits(images, batch_size).softmax(dim=1)

    def logits(self, images: Tensor, batch_size: int = 32) -> Tensor:
        """The model's output (batch, categories), float32, computed without gradients.

        Args:
            images: (batch, 3, height, width), from :attr:`preprocessing`.
            batch_size: images that go through the network at a time; affects memory, not the result.

        Raises:
            ValueError: if the images have another shape.
        """
        expected = (3, self.preprocessing.height, self.preprocessing.width)
        if images.ndim != 4 or tuple(images.shape[1:]) != expected:
            raise ValueError(
                f"found images of shape {tuple(images.shape)}, expected (batch, {', '.join(map(str, expected))}): "
                f"preprocess them for {self.name}, for instance with classifier.preprocessing.batch(images)"
            )
        with torch.no_grad():
            rows = [self.model(part).float() for part in images.split(batch_size)] if len(images) else []
        return torch.cat(rows) if rows else torch.zeros(0, len(self.categories))

    def describe(self) -> str:
        """Which network this is, in one line."""
        origin = "embedded" if self.is_embedded else "torchvision"
        size = f"{self.preprocessing.height}x{self.preprocessing.width} images, {len(self.categories)} categories"
        return f"{origin} {self.name} ({size}), {self.weights_source}"


def load_classifier(
    network: str | None = None, weights: Path | str | None = None, download: bool = False
) -> Classifier:
    """Load the best classifier available (for the order see the module's docstring).

    Args:
        network: torchvision's name of an ImageNet classifier, or ``"tiny_vgg"``, ``"tiny_resnet"``. None: the network
            that the weight file's name begins with, or that has tensors like the file's, or the best available.
        weights: a file of weights, see :func:`captionlab.common.weight_files.load_state_dict`.
        download: whether weights may be downloaded from torchvision's server into torch hub's cache. A mirror is used
            in any case; its files are cached below the folder of all data.

    Raises:
        FileNotFoundError: if the file, or all weights of a network asked for by name, are missing.
        ValueError: if the network is unknown, or the file is damaged or another network's.
        ConnectionError: if the download from torchvision's server fails.
        DataError: if there is no room for the mirror's file, or its address is invalid.
    """
    wanted = get_network(network) if network is not None else None
    if weights is not None:
        path = Path(weights)
        tensors = _load(path)
        return _from_file(
            wanted or get_network(_infer_network(path, tensors)), path, f"weights from the file {path.name}", tensors
        )
    if wanted is not None and wanted.is_embedded:
        return _embedded(wanted, "pretrained on synthetic images, shipped with the course")
    tried: list[str] = []
    default = wanted or get_network("vgg16")
    found = _from_cache(default) or _from_mirror(wanted, tried)
    if found is None and download:
        found = _from_server(default)
    if found is None and wanted is not None:
        files = " or ".join(each.file_name for each in wanted.weights)
        tried.insert(0, f"no {files} in {_CHECKPOINTS}")
        raise FileNotFoundError(f"no weights of {wanted.name}: {', '.join(tried)}; {_advice(wanted)}")
    return found or _embedded(
        get_network("tiny_vgg"),
        f"pretrained on synthetic images; ImageNet weights of VGG16 were not found: {_advice(default)}; "
        "captionlab experiment lab1 classify --weights PATH takes a file from anywhere",
    )


def infer_architecture(path: Path) -> str:
    """The network that a weight file's name begins with: ``vgg16-397923af.pth`` is from a ``vgg16``.

    Raises:
        ValueError: if the name does not begin with a network's name.
    """
    fitting = [name for name in list_networks() if path.stem.lower().startswith(name)]
    if not fitting:
        raise ValueError(f"the file name {path.name} does not begin with a network's name: give it (--network NAME)")
    return max(fitting, key=len)  # vgg16_bn also begins with vgg16


def _infer_network(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """The network that a file of weights is from: by its name, or else by its tensors."""
    try:
        return infer_architecture(path)
    except ValueError:
        found = recognize_network(tensors)
        if found is None:
            raise
        logger.info("%s has the tensors of %s", path.name, found[0])
        return found[0]


# --- where weights are looked for -------------------------------------------------------------------------------------


def _advice(network: Network) -> str:
    """How to put weights where they are looked for, for users of a command and of Python alike."""
    return (
        f"put {network.weights[0].file_name} into torch hub's checkpoints folder, or, where torchvision's server can "
        f'be reached, run in Python: load_classifier("{network.name}", download=True)'
    )


def _embedded(network: Network, source: str) -> Classifier:
    weights, model = network.weights[0], network.build()
    assert weights.path is not None
    load_weights(model, weights.path)
    return Classifier(model.eval(), weights.categories, weights.preprocessing, network.name, source)


def _from_cache(network: Network) -> Classifier | None:
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    for weights in network.weights:
        path = folder / weights.file_name
        if path.is_file():
            return _from_file(network, path, f"ImageNet weights {path.name} from torch hub's cache")
    return None


def _from_mirror(wanted: Network | None, tried: list[str]) -> Classifier | None:
    """The network asked for, or any, from the mirror; if there is none, what was tried is appended to the list."""
    try:
        mirror = find_mirror()
    except DataError as error:
        raise FileNotFoundError(str(error)) from error
    if mirror is None:
        return None
    for network in [wanted] if wanted else map(get_network, list_mirrored_networks()):
        file_name = network.mirror_file
        if file_name is None:
            continue
        if mirror.is_url:
            found = _from_url(network, mirror, file_name, tried)
        elif mirror.path(file_name).is_file():
            source = f"ImageNet weights {file_name} from the folder {MIRROR_VARIABLE} names"
            found = _from_file(network, mirror.path(file_name), source)
        else:
            found = None
            tried.append(f"no {file_name} in the folder {MIRROR_VARIABLE} names")
        if found:
            return found
    return None


def _from_url(network: Network, mirror: Mirror, file_name: str, tried: list[str]) -> Classifier | None:
    """A network from a mirror at a URL; None if it lacks the file or does not answer."""
    from captionlab.datasets.store import cached_file

    try:
        path = cached_file(mirror, file_name)
    except (MissingAtSource, Unreachable) as error:
        tried.append(str(error).partition(";")[0])
        return None
    except DamagedFile as error:
        raise ValueError(str(error)) from error
    try:
        return _from_file(network, path, f"ImageNet weights {file_name} from the mirror {MIRROR_VARIABLE} names")
    except ValueError as error:
        remove(path)  # otherwise every later try would find it again
        raise ValueError(f"{error}; the cached copy was deleted, the next try downloads it again") from error


def _from_server(network: Network) -> Classifier | None:
    weights = network.weights[0]
    if weights.enum is None:
        return None
    try:
        # Into the cache first: from there it is read like any other file, without running code from it.
        weights.enum.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except (URLError, TimeoutError) as error:
        raise ConnectionError(
            f"{weights.enum.url} cannot be downloaded ({error}): download {weights.file_name} elsewhere and give it, "
            f'load_classifier("{network.name}", weights=PATH)'
        ) from error
    return _from_cache(network)


# --- weight files -----------------------------------------------------------------------------------------------------


def _from_file(network: Network, path: Path, source: str, state_dict: Mapping[str, Tensor] | None = None) -> Classifier:
    weights = network.weights_for(path.name)
    try:
        with torch.device("meta"):  # random weights that are replaced at once would cost seconds
            model = network.build(weights)
    except NotImplementedError:  # RegNets compute their widths with tensors
        model = network.build(weights)
    tensors = fit_names(_load(path) if state_dict is None else state_dict, model.state_dict(), path.name)
    if mismatch := describe_mismatch(model, tensors):
        advice = _advice_on_mismatch(network, tensors)
        raise ValueError(f"{path.name} does not fit {network.name}: {mismatch}. {advice}")
    check_finite(tensors, path.name)
    model.load_state_dict(tensors, assign=True)
    return Classifier(model.float().eval(), weights.categories, weights.preprocessing, network.name, source)


def _load(path: Path) -> dict[str, Tensor]:
    """A state dict; of torchvision's first DenseNet files, ``norm.1`` is now ``norm1``, under the names of today."""
    old = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
    return {old.sub(r"\1\2", name): tensor for name, tensor in load_state_dict(path).items()}


def _advice_on_mismatch(network: Network, tensors: Mapping[str, Tensor]) -> str:
    nearest = recognize_network(tensors)
    if nearest is None:
        return "Name the network the file was saved from (--network NAME)"
    name, classes, expected = nearest
    if name == network.name:
        return f"Give weights for the {expected} classes of {name}"
    if classes == expected:
        return f"Its tensors are those of {name}: name it (--network {name})"
    return f"Its tensors are those of {name} with {classes} classes: give weights for {expected} classes"
