"""Cutting a network in two: the early part, which stays frozen and is computed once, and the part that is trained.

A frozen layer gives the same output for the same image in every epoch. Where to cut is a compromise: early layers see
edges and textures that serve any photographs, late ones what ImageNet's classes need (Yosinski et al. 2014,
arXiv:1411.1792); and what is before the cut costs nothing in training.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from captionlab.transfer.heads import head_of


def stages(model: nn.Module) -> tuple[list[nn.Module], list[nn.Module]]:
    """The layers of a network in the order in which images go through them.

    Args:
        model: built like torchvision's ResNet, VGG or MobileNet.

    Returns:
        The stages at whose borders it can be cut (of a ResNet: the stem, then layer1 to layer4; of the others: the
        layers of ``features``), and what follows: pooling, flattening, the classifier.

    Raises:
        TypeError: if it is of another family.
    """
    head_of(model)
    if isinstance(getattr(model, "layer4", None), nn.Module):
        stem = nn.Sequential(model.conv1, model.bn1, model.relu, model.maxpool)
        parts = [stem, model.layer1, model.layer2, model.layer3, model.layer4]
        return parts, [model.avgpool, nn.Flatten(), model.fc]
    if not isinstance(getattr(model, "features", None), nn.Sequential):
        raise TypeError(
            f"{type(model).__name__} has neither `layer4` nor `features`: expected a ResNet, VGG, MobileNet"
        )
    # torchvision's MobileNets pool inside `forward`, not in a layer.
    pooling = getattr(model, "avgpool", None) or nn.AdaptiveAvgPool2d((1, 1))
    return list(model.features), [pooling, nn.Flatten(), model.classifier]


def cut_network(model: nn.Module, kept: int) -> tuple[nn.Sequential, nn.Sequential]:
    """The first ``kept`` stages of a network, and the rest of it with the classifier.

    Both are made of the model's own layers: training the second trains the model.

    Returns:
        ``(trunk, rest)``; ``rest(trunk(images))`` is ``model(images)``.

    Raises:
        ValueError: if the network has fewer stages.
        TypeError: if it is of a family that is not known.
    """
    parts, ending = stages(model)
    if not 0 <= kept <= len(parts):
        raise ValueError(f"found kept={kept}, expected 0 to {len(parts)}: {type(model).__name__} has so many stages")
    return nn.Sequential(*parts[:kept]), nn.Sequential(*parts[kept:], *ending)


def without_head(model: nn.Module) -> nn.Module:
    """A copy of a network, in evaluation mode, that gives what its classification layer takes: (batch, features).

    Raises:
        TypeError: if the network is of a family that is not known.
    """
    copied = copy.deepcopy(model)
    head_of(copied)
    if isinstance(getattr(copied, "fc", None), nn.Linear):
        copied.fc = nn.Identity()
    else:
        copied.classifier[-1] = nn.Identity()
    return copied.eval()


def run_frozen(network: nn.Module, inputs: Tensor, batch_size: int = 32) -> Tensor:
    """Outputs of a network in evaluation mode, without gradients, batch by batch, in the layout that suits CPUs best.

    Args:
        network: any; its layers' modes are left as they were.
        inputs: (n, channels, height, width), or (n, features).

    Returns:
        (n, ...), on the CPU.
    """
    modes = [(layer, layer.training) for layer in network.modules()]
    network.eval()
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    layout = torch.channels_last if inputs.ndim == 4 else torch.contiguous_format
    with torch.no_grad():
        parts = (part.to(device).contiguous(memory_format=layout) for part in inputs.split(batch_size))
        rows = [network(part).cpu() for part in parts]
    for layer, was_training in modes:
        layer.training = was_training
    return torch.cat(rows)


class DrawnViews(Dataset):
    """Training examples of which several augmented views were computed beforehand: each time one of them, at random.

    Args:
        views: (views, n, ...): what goes into the part that is trained.
        labels: (n,), int64.
        images: which of the n images are in this data set; all by default.
    """

    def __init__(self, views: Tensor, labels: Tensor, images: list[int] | None = None) -> None:
        self.views, self.labels = views, labels
        self.images = list(range(len(labels))) if images is None else list(images)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, k: int) -> tuple[Tensor, Tensor]:
        view = int(torch.randint(len(self.views), ()))  # of torch's generator, which the training loop seeds and saves
        return self.views[view, self.images[k]], self.labels[self.images[k]]
