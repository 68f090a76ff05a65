"""Choosing a network that can really classify, and saying which one it is.

Random weights look like a network and know nothing, so they are never taken. In this order: weights the caller names;
ImageNet weights of the network (VGG16 if none is named) in torch hub's cache; a weight file in the mirror, a folder or
a URL, named by the environment variable ``CAPTIONLAB_MIRROR``; the embedded ``tiny_vgg``, which is always there.
"""

from __future__ import annotations

import difflib
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision import models
from torchvision.models import WeightsEnum

from captionlab.datasets.disk import remove
from captionlab.datasets.errors import DamagedFile, DataError, MissingAtSource, Unreachable
from captionlab.datasets.paths import MIRROR_VARIABLE, Mirror, find_mirror
from captionlab.vision.embedded import CATEGORIES, PREPARATION, tiny_resnet, tiny_vgg

EMBEDDED: dict[str, Callable[..., nn.Module]] = {"tiny_vgg": tiny_vgg, "tiny_resnet": tiny_resnet}
MIRROR_FILES = {"mobilenet_v2": "mobilenet_v2-imagenet-int8.pth"}
# These two prepare their input themselves, but only when told so, which torchvision does together with its weights.
_OPTIONS = {name: {"transform_input": True, "init_weights": False} for name in ("inception_v3", "googlenet")}
_CHECKPOINTS = "torch hub's checkpoints folder (~/.cache/torch/hub/checkpoints if nothing else is set)"


@dataclass(frozen=True)
class Classifier:
    """A network in evaluation mode that can really classify.

    Attributes:
        name: torchvision's name of the network, or ``"tiny_vgg"``, ``"tiny_resnet"``.
        categories: what each score stands for.
        input_size: side of the square image it expects, pixels.
        weights_source: where the weights come from, in words without folders.
    """

    model: nn.Module
    categories: tuple[str, ...]
    input_size: int
    name: str
    weights_source: str

    def predict(self, images: Tensor, batch_size: int = 32) -> Tensor:
        """Probabilities (batch, categories), float32, each row summing to 1 (see :meth:`scores`)."""
        return self.scores(images, batch_size).softmax(dim=1)

    def scores(self, images: Tensor, batch_size: int = 32) -> Tensor:
        """The network's raw outputs (batch, categories), float32, computed without gradients.

        Args:
            images: (batch, 3, input_size, input_size), normalized with ImageNet's mean and standard deviation.
            batch_size: images that go through the network at a time; changes the memory needed, not the result.

        Raises:
            ValueError: if the images have another shape.
        """
        expected = (3, self.input_size, self.input_size)
        if images.ndim != 4 or tuple(images.shape[1:]) != expected:
            raise ValueError(
                f"found images of shape {tuple(images.shape)}, expected (batch, {', '.join(map(str, expected))}): "
                f"prepare each for {self.name} with prepare_image(image, size={self.input_size})"
            )
        with torch.no_grad():
            rows = [self.model(part).float() for part in images.split(batch_size)] if len(images) else []
        return torch.cat(rows) if rows else torch.zeros(0, len(self.categories))

    def describe(self) -> str:
        """Which network this is, in a line."""
        house = "embedded" if self.name in EMBEDDED else "torchvision"
        size = f"{self.input_size}x{self.input_size} images, {len(self.categories)} categories"
        return f"{house} {self.name} ({size}), {self.weights_source}"


def load_classifier(
    network: str | None = None, weights: Path | str | None = None, download: bool = False
) -> Classifier:
    """The best classifier at hand (see the module's text for the order).

    Args:
        network: torchvision's name of an ImageNet classifier, or ``"tiny_vgg"``, ``"tiny_resnet"``. None: the network
            the weight file's name begins with, or the best at hand.
        weights: a ``.pth`` state_dict (loaded without pickled code) or a ``.safetensors`` file.
        download: whether weights may be fetched from torchvision's public server, into torch hub's cache. A mirror
            that is named is asked in any case; what it has is kept below the folder of all data.

    Raises:
        FileNotFoundError: if the file, or any weights for a network asked for by name, are not there.
        ValueError: if the network is unknown, or the file damaged or another network's.
        ConnectionError: if the download from torchvision's server fails.
        DataError: if there is no room for the mirror's file, or its address is none.
    """
    if network is not None:
        _require_known(network)
    if weights is not None:
        path = Path(weights)
        if not path.is_file():
            raise FileNotFoundError(
                f"no weight file {path.name} in {path.parent}: give an existing .pth or .safetensors"
            )
        return _from_file(network or recognize(path), path, f"weights from the file {path.name}")
    if network in EMBEDDED:
        return _embedded(network, "pretrained on synthetic images, shipped with the course")
    tried: list[str] = []
    found = _from_cache(network or "vgg16") or _from_mirror(network, tried)
    if found is None and download:
        found = _from_server(network or "vgg16")
    if found is None and network is not None:
        tried.insert(0, f"no {' or '.join(_file_names(network))} in {_CHECKPOINTS}")
        raise FileNotFoundError(f"no weights of {network}: {', '.join(tried)}; {_advice(network)}")
    return found or _embedded(
        "tiny_vgg",
        f"pretrained on synthetic images; ImageNet weights of VGG16 were not found: {_advice('vgg16')}; "
        "captionlab experiment classify --weights PATH takes a file from anywhere",
    )


def known_networks() -> list[str]:
    """Names `load_classifier` takes: the embedded networks, and torchvision's ImageNet classifiers."""
    return [*EMBEDDED, *models.list_models(module=models)]


def recognize(path: Path) -> str:
    """The network a weight file's name begins with: ``vgg16-397923af.pth`` is a ``vgg16``.

    Raises:
        ValueError: if the name begins with no network's.
    """
    fitting = [name for name in known_networks() if path.stem.lower().startswith(name)]
    if not fitting:
        raise ValueError(f"the file name {path.name} begins with no network's name: say which it is (--network NAME)")
    return max(fitting, key=len)  # vgg16_bn also begins with vgg16


def _require_known(network: str) -> None:
    known = known_networks()
    if network not in known:
        near = difflib.get_close_matches(network.lower(), known, n=3, cutoff=0.5)
        advice = f"did you mean {' or '.join(near)}?" if near else "torchvision.models.list_models() names them all"
        raise ValueError(f"no network {network!r}: {advice}")


# --- places -----------------------------------------------------------------------------------------------------------


def _embedded(network: str, source: str) -> Classifier:
    return Classifier(EMBEDDED[network](), CATEGORIES, PREPARATION.size, network, source)


def _advice(network: str) -> str:
    """How weights of a network get where they are looked for, in a command as in Python."""
    return (
        f"put {_file_names(network)[0]} into torch hub's checkpoints folder, or, where torchvision's server can be "
        f'reached, run in Python: load_classifier("{network}", download=True)'
    )


def _from_cache(network: str) -> Classifier | None:
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    for file in _file_names(network):
        path = folder / file
        if path.is_file():
            return _from_file(network, path, f"ImageNet weights {path.name} from torch hub's cache")
    return None


def _from_mirror(network: str | None, tried: list[str]) -> Classifier | None:
    """The network asked for, or any, from the mirror; where it has none, what was tried is added to the list."""
    try:
        mirror = find_mirror()
    except DataError as error:
        raise FileNotFoundError(str(error)) from error
    for name, file in MIRROR_FILES.items() if mirror else ():
        if network not in (None, name):
            continue
        if mirror.is_url:
            found = _from_url(name, mirror, file, tried)
        elif mirror.path(file).is_file():
            found = _from_file(
                name, mirror.path(file), f"ImageNet weights {file} from the folder {MIRROR_VARIABLE} names"
            )
        else:
            found = None
            tried.append(f"no {file} in the folder {MIRROR_VARIABLE} names")
        if found:
            return found
    return None


def _from_url(network: str, mirror: Mirror, file: str, tried: list[str]) -> Classifier | None:
    """A network from a mirror at a URL; None where it has no such file or does not answer."""
    from captionlab.datasets.store import kept_file

    try:
        path = kept_file(mirror, file)
    except (MissingAtSource, Unreachable) as error:
        tried.append(str(error).partition(";")[0])
        return None
    except DamagedFile as error:
        raise ValueError(str(error)) from error
    try:
        return _from_file(network, path, f"ImageNet weights {file} from the mirror {MIRROR_VARIABLE} names")
    except ValueError as error:
        remove(path)  # kept, it would be in the way for ever
        raise ValueError(f"{error}; this copy of the mirror's was thrown away, the next try fetches it anew") from error


def _from_server(network: str) -> Classifier:
    entry = _entries(network)[0]
    try:
        # Into the cache first: from there it is read like any other file, without pickled code.
        entry.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except (URLError, TimeoutError) as error:
        raise ConnectionError(
            f"{entry.url} cannot be fetched ({error}): fetch {_file_name(entry)} elsewhere and give it, "
            f'load_classifier("{network}", weights=PATH)'
        ) from error
    return _from_cache(network)


def _entries(network: str) -> list[WeightsEnum]:
    """torchvision's ImageNet weights for a network that expect the course's normalization, the default first."""
    enum = models.get_model_weights(network)
    ordered = [enum.DEFAULT, *(entry for entry in enum if entry is not enum.DEFAULT)]
    fitting = [entry for entry in ordered if tuple(entry.transforms().mean) == PREPARATION.mean]
    if not fitting:
        raise ValueError(
            f"{network} expects images normalized in another way than this course's: choose another network"
        )
    return fitting


def _file_names(network: str) -> list[str]:
    """The names under which torch hub keeps a network's weights, the default's first."""
    return [_file_name(entry) for entry in _entries(network)]


def _file_name(entry: WeightsEnum) -> str:
    return entry.url.rpartition("/")[2]


# --- weight files -----------------------------------------------------------------------------------------------------


def _from_file(network: str, path: Path, source: str) -> Classifier:
    state = read_state(path)
    if network in EMBEDDED:
        model = EMBEDDED[network](pretrained=False)
        categories, input_size = CATEGORIES, PREPARATION.size
    else:
        entries = _entries(network)
        entry = next((entry for entry in entries if _file_name(entry) == path.name), entries[0])
        with torch.device("meta"):  # random numbers that are replaced at once would cost seconds
            model = models.get_model(network, weights=None, **_OPTIONS.get(network, {}))
        categories, input_size = tuple(entry.meta["categories"]), entry.transforms().crop_size[0]
    _require_fit(state, model, path.name, network)
    model.load_state_dict(state, assign=True)
    return Classifier(model.float().eval(), categories, input_size, network, source)


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``.pth`` or ``.safetensors`` file, by name; runs no code from the file.

    Raises:
        ValueError: if the file is damaged, or holds something else than named tensors.
    """
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        first = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
        raise ValueError(
            f"{path.name} cannot be read as weights ({first}): it is damaged or no state_dict; fetch or save it again"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        found = (
            f"a dict with {', '.join(map(str, list(state)[:4]))}" if isinstance(state, dict) else type(state).__name__
        )
        raise ValueError(f"{path.name} holds {found}, expected named tensors: save model.state_dict() alone")
    return state


def _require_fit(state: dict[str, Tensor], model: nn.Module, file: str, network: str) -> None:
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    differing = [name for name in expected | found if found.get(name) != expected.get(name)]
    if differing:
        name = differing[0]
        raise ValueError(
            f"{file} is not for {network}: {len(differing)} of {len(expected | found)} tensors differ; first {name}: "
            f"found {found.get(name, 'nothing')}, expected {expected.get(name, 'nothing')}. "
            "Name the network the file was saved from (--network NAME)"
        )
