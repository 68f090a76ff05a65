"""Two small pretrained networks that ship with the course: VGG's shape and ResNet's, for 64x64 images, offline.

They carry torchvision's attribute names, so whatever is written for `torchvision.models.vgg16` (`features`, `avgpool`,
`classifier`) or `resnet18` (`conv1` ... `layer4`, `avgpool`, `fc`) works on them unchanged. They were pretrained on the
synthetic task of `captionlab.datasets.shapes` by `data_scripts/train_embedded.py`, which also measures them
(`results/embedded_networks.json`). Images are prepared as for ImageNet networks: scale to 0..1, then normalize.

Sources: Simonyan & Zisserman, arXiv:1409.1556 (VGG); He et al., arXiv:1512.03385 (ResNet).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock
from torchvision.models.vgg import make_layers

from captionlab.datasets.shapes import CLASSES

CATEGORIES: tuple[str, ...] = CLASSES
WEIGHTS_FOLDER = Path(__file__).parent / "weights"

# Numbers are 3x3 convolutions and their maps, "M" a 2x2 max pooling: VGG's notation, and its doubling of the maps.
VGG_BLOCKS: list[int | str] = [16, "M", 32, "M", 64, 64, "M", 128, 128, "M"]
RESNET_WIDTHS = (16, 32, 64, 128)


@dataclass(frozen=True)
class Preparation:
    """What the networks expect of an image: RGB in 0..1, `size` pixels square, then (x - mean) / std a channel."""

    size: int = 64
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


PREPARATION = Preparation()


class TinyVGG(nn.Module):
    """VGG in small: four blocks of 3x3 convolutions with ReLU and max pooling, then three fully connected layers.

    Images (batch, 3, 64, 64), prepared as `PREPARATION` says, give scores (batch, classes). At 64x64 the maps
    arrive at the adaptive pooling as (batch, 128, 4, 4), which it leaves as they are; other sizes it averages.
    """

    def __init__(self, num_classes: int = len(CATEGORIES), hidden: int = 256, dropout: float = 0.3) -> None:
        super().__init__()
        side = PREPARATION.size // 2 ** VGG_BLOCKS.count("M")
        self.features = make_layers(VGG_BLOCKS, batch_norm=False)
        self.avgpool = nn.AdaptiveAvgPool2d((side, side))
        self.classifier = nn.Sequential(
            nn.Linear(int(VGG_BLOCKS[-2]) * side * side, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )
        for layer in self.modules():
            # Without batch normalization, the default start lets the signal fade from layer to layer.
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        # All classes start out about equally likely.
        nn.init.normal_(self.classifier[-1].weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, classes) of images (batch, 3, height, width)."""
        x = self.avgpool(self.features(x))  # (batch, 128, 4, 4)
        return self.classifier(torch.flatten(x, 1))


class TinyResNet(nn.Module):
    """ResNet in small: a stem, then four stages of one basic block each, an average over places, one linear layer.

    Images (batch, 3, 64, 64), prepared as `PREPARATION` says, give scores (batch, classes). The stem is a 3x3
    convolution of stride 1 where ResNet-18 has 7x7 of stride 2: a small image has no resolution to spare.
    """

    def __init__(self, num_classes: int = len(CATEGORIES)) -> None:
        super().__init__()
        first = RESNET_WIDTHS[0]
        self.conv1 = nn.Conv2d(3, first, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = _stage(first, RESNET_WIDTHS[0], stride=1)
        self.layer2 = _stage(RESNET_WIDTHS[0], RESNET_WIDTHS[1], stride=2)
        self.layer3 = _stage(RESNET_WIDTHS[1], RESNET_WIDTHS[2], stride=2)
        self.layer4 = _stage(RESNET_WIDTHS[2], RESNET_WIDTHS[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(RESNET_WIDTHS[3], num_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, classes) of images (batch, 3, height, width)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # (batch, 16, 32, 32)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # (batch, 128, 4, 4)
        return self.fc(torch.flatten(self.avgpool(x), 1))


def _stage(channels: int, maps: int, stride: int) -> nn.Sequential:
    if stride == 1 and channels == maps:
        return nn.Sequential(BasicBlock(channels, maps))
    shortcut = nn.Sequential(nn.Conv2d(channels, maps, kernel_size=1, stride=stride, bias=False), nn.BatchNorm2d(maps))
    return nn.Sequential(BasicBlock(channels, maps, stride, shortcut))


def tiny_vgg(pretrained: bool = True) -> TinyVGG:
    """The small VGG in evaluation mode, with the weights of the package or, if not `pretrained`, fresh random ones.

    Raises:
        FileNotFoundError: if the weight file is not there.
        ValueError: if it does not fit.
    """
    network = TinyVGG()
    if pretrained:
        load_weights(network, WEIGHTS_FOLDER / "tiny_vgg.safetensors")
    return network.eval()


def tiny_resnet(pretrained: bool = True) -> TinyResNet:
    """The small ResNet in evaluation mode, with the weights of the package or, if not `pretrained`, random ones.

    Raises:
        FileNotFoundError: if the weight file is not there.
        ValueError: if it does not fit.
    """
    network = TinyResNet()
    if pretrained:
        load_weights(network, WEIGHTS_FOLDER / "tiny_resnet.safetensors")
    return network.eval()


_REMEDY = "make it again with `python data_scripts/train_embedded.py`, or reinstall captionlab"


def save_weights(network: nn.Module, path: Path, about: dict) -> None:
    """Write a network's state as safetensors, matrices in half precision, with `about` and what an image needs.

    `about` (JSON values) lands in the file's header beside the categories, input size, mean and std.
    """
    tensors = {}
    for name, tensor in network.state_dict().items():
        # Half precision halves the file; biases and batch statistics are few, and can be too small for it.
        keep = tensor.ndim < 2 or not tensor.is_floating_point()
        tensors[name] = tensor.detach().contiguous() if keep else tensor.detach().half().contiguous()
    header = {
        **about,
        "categories": CATEGORIES,
        "input_size": PREPARATION.size,
        "mean": PREPARATION.mean,
        "std": PREPARATION.std,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    # safetensors keeps strings only; under one key, their order in the file cannot vary.
    save_file(tensors, path, metadata={"captionlab": json.dumps(header)})
    path.chmod(0o644)  # safetensors leaves it readable by its owner alone; a package is for everyone


def read_about(path: Path) -> dict:
    """What the header of a weight file says: categories, input_size, mean, std, seed, accuracy, command.

    Raises:
        FileNotFoundError: if the file is not there.
        ValueError: if it is no weight file of this course.
    """
    return _read(path)[0]


def load_weights(network: nn.Module, path: Path) -> None:
    """Load a file made by `save_weights` into a network, as float32.

    Raises:
        FileNotFoundError: if the file is not there.
        ValueError: if it is damaged, or its tensors or categories are not the network's.
    """
    about, tensors = _read(path)
    if tuple(about.get("categories", ())) != CATEGORIES:
        raise ValueError(
            f"{path.name} was trained for the categories {about.get('categories')}, "
            f"but the drawings now have {list(CATEGORIES)}: {_REMEDY}"
        )
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise ValueError(
                f"{path.name} does not fit {type(network).__name__}: for {name} the file has "
                f"{found.get(name, 'nothing')}, the network {expected.get(name, 'nothing')}: {_REMEDY}"
            )
    network.load_state_dict(tensors)  # copies into the network's own float32


def _read(path: Path) -> tuple[dict, dict[str, Tensor]]:
    if not path.is_file():
        raise FileNotFoundError(f"no weight file {path}: {_REMEDY}")
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["captionlab"])
            return about, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a weight file of this course ({error}): {_REMEDY}") from error
