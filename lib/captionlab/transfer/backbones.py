"""Splitting a network into a backbone, which is frozen and whose output is computed once, and the part that is trained.

A frozen layer gives the same output for the same image in every epoch. Where to split is a compromise: early layers
detect edges and textures, which are useful for any photograph, late ones what ImageNet's classes need (Yosinski et al.
2014, arXiv:1411.1792); and the layers of the backbone cost nothing in training.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from captionlab.transfer.heads import get_head


def list_stages(model: nn.Module) -> tuple[list[nn.Module], list[nn.Module]]:
    """The layers of a network in the order of its forward pass.

    Args:
        model: built like torchvision's ResNet, VGG or MobileNet.

    Returns:
        The stages between which the network can be split (of a ResNet: the stem, then layer1 to layer4; of the others:
        the layers of ``features``), and the layers after them: pooling, flattening, the classifier.

    Raises:
        TypeError: if it is of another family.
    """
    get_head(model)
    if isinstance(getattr(model, "layer4", None), nn.Module):
        stem = nn.Sequential(*map(model.get_submodule, ("conv1", "bn1", "relu", "maxpool")))
        blocks = map(model.get_submodule, ("layer1", "layer2", "layer3", "layer4"))
        return [stem, *blocks], [model.get_submodule("avgpool"), nn.Flatten(), model.get_submodule("fc")]
    features = getattr(model, "features", None)
    if not isinstance(features, nn.Sequential):
        raise TypeError(
            f"{type(model).__name__} has neither `layer4` nor `features`: expected a ResNet, VGG or MobileNet"
        )
    # torchvision's MobileNets pool in `forward`, not in a layer.
    pooling = getattr(model, "avgpool", None) or nn.AdaptiveAvgPool2d((1, 1))
    return list(features), [pooling, nn.Flatten(), model.get_submodule("classifier")]


def split_backbone(model: nn.Module, num_stages: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Split a network into its first ``num_stages`` stages and the rest, with the classifier.

    Both are made of the model's own layers: training the second one trains the model.

    Args:
        model: built like torchvision's ResNet, VGG or MobileNet.
        num_stages: of the backbone; see :func:`list_stages`.

    Returns:
        ``(backbone, rest)``; ``rest(backbone(images))`` equals ``model(images)`` in evaluation mode.

    Raises:
        ValueError: if the network has fewer stages.
        TypeError: if it is of another family.
    """
    stages, tail = list_stages(model)
    if not 0 <= num_stages <= len(stages):
        raise ValueError(
            f"num_stages is {num_stages}, expected 0 to {len(stages)}, the number of stages of {type(model).__name__}"
        )
    return nn.Sequential(*stages[:num_stages]), nn.Sequential(*stages[num_stages:], *tail)


def remove_head(model: nn.Module) -> nn.Module:
    """A copy of a network, in evaluation mode, that returns the input of its classification layer: (batch, features).

    Raises:
        TypeError: if the network is of an unknown family.
    """
    copied = copy.deepcopy(model)
    get_head(copied)
    if isinstance(getattr(copied, "fc", None), nn.Linear):
        copied.fc = nn.Identity()
    else:
        classifier = copied.get_submodule("classifier")
        assert isinstance(classifier, nn.Sequential)
        classifier[-1] = nn.Identity()
    return copied.eval()


def predict_batched(network: nn.Module, inputs: Tensor, batch_size: int = 32) -> Tensor:
    """Outputs of a network in evaluation mode, without gradients, batch by batch; images in channels-last format.

    As :func:`captionlab.transfer.features.extract_features`, but for any shape of input and output, and on the
    network's device.

    Args:
        network: any; the modes of its layers are restored.
        inputs: (n, channels, height, width), or (n, features).
        batch_size: inputs that go through the network at a time.

    Returns:
        (n, ...), on the CPU.
    """
    modes = [(layer, layer.training) for layer in network.modules()]
    network.eval()
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    memory_format = torch.channels_last if inputs.ndim == 4 else torch.contiguous_format
    with torch.no_grad():
        batches = (part.to(device).contiguous(memory_format=memory_format) for part in inputs.split(batch_size))
        outputs = [network(batch).cpu() for batch in batches]
    for layer, was_training in modes:
        layer.training = was_training
    return torch.cat(outputs)


class AugmentedViews(Dataset[tuple[Tensor, Tensor]]):
    """Training examples with several precomputed augmented views, one of which is drawn at random each time.

    Args:
        views: (views, n, ...): inputs of the part that is trained.
        labels: (n,), int64.
        indices: which of the n images are in this data set; by default all.
    """

    def __init__(self, views: Tensor, labels: Tensor, indices: Sequence[int] | None = None) -> None:
        self.views, self.labels = views, labels
        self.indices = list(range(len(labels))) if indices is None else list(indices)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, k: int) -> tuple[Tensor, Tensor]:
        view = int(torch.randint(len(self.views), ()))  # torch's generator: the training loop seeds and saves it
        return self.views[view, self.indices[k]], self.labels[self.indices[k]]
