"""Two small pretrained networks that ship with the course, a VGG and a ResNet for 64x64 images; they work offline.

They have torchvision's attribute names, so code written for `torchvision.models.vgg16` (`features`, `avgpool`,
`classifier`) or `resnet18` (`conv1` ... `layer4`, `avgpool`, `fc`) works on them unchanged. They were pretrained on the
synthetic task of `captionlab.datasets.drawn_objects` by `data_scripts/train_embedded.py`, which also measures them
(`results/embedded_networks.json`). Their input is normalized like that of ImageNet networks.

Sources: Simonyan & Zisserman, arXiv:1409.1556 (VGG); He et al., arXiv:1512.03385 (ResNet).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock
from torchvision.models.vgg import make_layers

from captionlab.common.checkpoints import describe_mismatch
from captionlab.common.weight_files import explain_error, foreign_content
from captionlab.datasets.drawn_objects import CLASSES
from captionlab.vision.preprocessing import Preprocessing

CATEGORIES: tuple[str, ...] = CLASSES
WEIGHTS_FOLDER = Path(__file__).parent / "weights"

# A number is a 3x3 convolution with that many output channels, "M" a 2x2 max pooling; channels double as in VGG.
VGG_BLOCKS: list[int | str] = [16, "M", 32, "M", 64, 64, "M", 128, 128, "M"]
RESNET_WIDTHS = (16, 32, 64, 128)
PREPROCESSING = Preprocessing(size=64)


class TinyVGG(nn.Module):
    """A small VGG: four blocks of 3x3 convolutions with ReLU and max pooling, then three fully connected layers.

    It turns images (batch, 3, 64, 64), preprocessed by `PREPROCESSING`, into logits (batch, classes). For 64x64 pixels
    the adaptive pooling gets maps (batch, 128, 4, 4) and does not change them; it averages those of other sizes.
    """

    def __init__(self, num_classes: int = len(CATEGORIES), hidden: int = 256, dropout: float = 0.3) -> None:
        super().__init__()
        side = PREPROCESSING.height // 2 ** VGG_BLOCKS.count("M")
        self.features = make_layers(VGG_BLOCKS, batch_norm=False)
        self.avgpool = nn.AdaptiveAvgPool2d((side, side))
        head = nn.Linear(hidden, num_classes)
        self.classifier = nn.Sequential(
            nn.Linear(int(VGG_BLOCKS[-2]) * side * side, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            head,
        )
        for layer in self.modules():
            # Without batch normalization, the default initialization lets the signal fade from layer to layer.
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        # All classes start with about the same probability.
        nn.init.normal_(head.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, classes) of images (batch, 3, height, width)."""
        x = self.avgpool(self.features(x))  # (batch, 128, 4, 4)
        return self.classifier(torch.flatten(x, 1))


class TinyResNet(nn.Module):
    """A small ResNet: a stem, four stages of one basic block each, global average pooling, one linear layer.

    It turns images (batch, 3, 64, 64), preprocessed by `PREPROCESSING`, into logits (batch, classes). The stem is a
    3x3 convolution with stride 1, not 7x7 with stride 2 as in ResNet-18: a small image has no resolution to spare.
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
        """Logits (batch, classes) of images (batch, 3, height, width)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # (batch, 16, 32, 32)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # (batch, 128, 4, 4)
        return self.fc(torch.flatten(self.avgpool(x), 1))


def _stage(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    if stride == 1 and in_channels == out_channels:
        return nn.Sequential(BasicBlock(in_channels, out_channels))
    convolution = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)
    downsample = nn.Sequential(convolution, nn.BatchNorm2d(out_channels))
    return nn.Sequential(BasicBlock(in_channels, out_channels, stride, downsample))


def tiny_vgg(pretrained: bool = True) -> TinyVGG:
    """The small VGG in evaluation mode, with the weights of the package or, if not `pretrained`, random ones.

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


def save_weights(network: nn.Module, path: Path, metadata: dict[str, Any]) -> None:
    """Write a network's state dict as safetensors, matrices in half precision.

    Args:
        network: a network for the drawn objects.
        path: the file; its folder is created if it is missing.
        metadata: JSON values for the file's header; categories, input size, mean and std are added.
    """
    tensors = {}
    for name, tensor in network.state_dict().items():
        # Half precision halves the file. Biases and batch statistics stay: they are few, and can be too small for it.
        keep = tensor.ndim < 2 or not tensor.is_floating_point()
        tensors[name] = tensor.detach().contiguous() if keep else tensor.detach().half().contiguous()
    header = {
        **metadata,
        "categories": CATEGORIES,
        "input_size": PREPROCESSING.size,
        "mean": PREPROCESSING.mean,
        "std": PREPROCESSING.std,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    # safetensors' metadata are strings: one of them, with JSON in it, so their order cannot vary.
    save_file(tensors, path, metadata={"captionlab": json.dumps(header)})
    path.chmod(0o644)  # safetensors makes it readable by its owner only; a package is for everyone


def read_metadata(path: Path) -> dict[str, Any]:
    """The header of a weight file: categories, input_size, mean, std, seed, accuracy, command.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a weight file of this course.
    """
    return _read(path)[0]


def load_weights(network: nn.Module, path: Path) -> None:
    """Load a file made by `save_weights` into a network, as float32.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, or its tensors or categories are not the network's.
    """
    metadata, tensors = _read(path)
    if tuple(metadata.get("categories", ())) != CATEGORIES:
        raise ValueError(
            f"{path.name} was trained for the categories {metadata.get('categories')}, "
            f"but the drawings now have {list(CATEGORIES)}: {_REMEDY}"
        )
    if mismatch := describe_mismatch(network, tensors):
        raise ValueError(f"{path.name} does not fit {type(network).__name__}: {mismatch}: {_REMEDY}")
    network.load_state_dict(tensors)  # copies into the network's own float32


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not path.is_file():
        raise FileNotFoundError(f"no weight file {path}: {_REMEDY}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {})["captionlab"])
            return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        reason = foreign_content(path) or explain_error(error)
        raise ValueError(f"{path} is not a weight file of this course ({reason}): {_REMEDY}") from error
