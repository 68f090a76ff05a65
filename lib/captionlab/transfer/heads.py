"""A pretrained network, and a new classification layer (head) in place of the one for its old classes."""

from __future__ import annotations

from collections.abc import Callable

import torchvision
from torch import nn


def pretrained_network(
    builder: Callable[..., nn.Module], weights: torchvision.models.WeightsEnum | None
) -> tuple[nn.Module, Callable | None]:
    """Build a network with the requested pretrained weights and the preprocessing that belongs to them.

    torchvision has several sets of weights for most of its networks. They differ in accuracy, and they may differ in
    how images must be resized and normalized.

    Args:
        builder: one of torchvision's model builders, such as ``torchvision.models.resnet18``. It takes the keyword
            argument ``weights``, an entry of the network's weights enumeration or None.
        weights: such an entry, for instance ``torchvision.models.ResNet18_Weights.IMAGENET1K_V1``; None for a network
            with random weights.

    Returns:
        ``(network, preprocess)``: the network in evaluation mode, and the callable that turns an image into its input,
        which the entry's ``transforms()`` returns; None if ``weights`` is None.

    Example:
        >>> network, preprocess = pretrained_network(torchvision.models.squeezenet1_1, None)
        >>> network.training, preprocess
        (False, None)

        With ``torchvision.models.ResNet18_Weights.DEFAULT`` instead of None, ``preprocess(image)`` is the input that
        the network expects, and ``network(preprocess(image).unsqueeze(0))`` are its 1,000 logits.

    Source: https://docs.pytorch.org/vision/stable/models.html, "Initializing pre-trained models".
    """
    network = builder(weights=weights).eval()
    return network, None if weights is None else weights.transforms()


def replace_head(model: nn.Module, num_classes: int) -> nn.Module:
    """Replace the classification layer of a pretrained network with a new one for other classes, in place.

    Three families of torchvision's networks are recognized by their attributes, not by their class, so that any
    network with the same structure works:

    - ResNet: the classification layer is ``model.fc``;
    - VGG and MobileNet: it is the last layer of ``model.classifier``; the layers of the classifier before it are kept
      as they are.

    The new layer has as many inputs as the old one. It is initialized as ``nn.Linear`` initializes itself, it is
    trainable even if the rest of the model is frozen, and it has the device and dtype of the old layer. Nothing else
    in the model changes: no weights, no ``requires_grad``, no training or evaluation mode of another layer.

    Args:
        model: the network; its classification layer is an ``nn.Linear``.
        num_classes: number of new classes, at least 1.

    Returns:
        The same model object, whose outputs are now logits ``(batch, num_classes)``.

    Raises:
        TypeError: if the model has neither an ``fc`` that is an ``nn.Linear`` nor a ``classifier`` that is an
            ``nn.Sequential`` ending in one.

    Example:
        >>> import torch
        >>> with torch.device("meta"):  # shapes only: nothing is initialized
        ...     resnet, vgg = torchvision.models.resnet18(), torchvision.models.vgg16()
        >>> replace_head(resnet, num_classes=2) is resnet
        True
        >>> resnet.fc
        Linear(in_features=512, out_features=2, bias=True)
        >>> replace_head(vgg, num_classes=2).classifier[-1]
        Linear(in_features=4096, out_features=2, bias=True)
        >>> vgg.classifier[0]  # as before
        Linear(in_features=25088, out_features=4096, bias=True)

    Source: Yosinski et al. 2014, "How transferable are features in deep neural networks?", arXiv:1411.1792; the
    networks of https://docs.pytorch.org/vision/stable/models.html.
    """
    fc, classifier = getattr(model, "fc", None), getattr(model, "classifier", [])
    last = classifier[-1] if isinstance(classifier, nn.Sequential) and len(classifier) else None
    old = fc if isinstance(fc, nn.Linear) else last
    if not isinstance(old, nn.Linear):
        raise TypeError(
            f"{type(model).__name__} has no linear layer as `fc` or at the end of `classifier`: "
            "expected a network built like torchvision's ResNet, VGG or MobileNet"
        )
    new = nn.Linear(old.in_features, num_classes, device=old.weight.device, dtype=old.weight.dtype)
    if old is fc:
        model.fc = new
    else:
        classifier[-1] = new
    return model


def get_head(model: nn.Module) -> nn.Linear:
    """The classification layer of a network built like torchvision's ResNet, VGG or MobileNet.

    Raises:
        TypeError: if there is no linear layer where these families have it.
    """
    head = getattr(model, "fc", None)
    classifier = getattr(model, "classifier", None)
    if head is None and isinstance(classifier, nn.Sequential) and len(classifier):
        head = classifier[-1]
    if not isinstance(head, nn.Linear):
        raise TypeError(
            f"{type(model).__name__} has no linear layer as `fc` or at the end of `classifier`: "
            "expected a network built like torchvision's ResNet, VGG or MobileNet"
        )
    return head
