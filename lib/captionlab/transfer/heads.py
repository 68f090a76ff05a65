"""A pretrained network, its last layer, which knows the old classes, and that layer's replacement for new ones."""

from __future__ import annotations

from torch import nn


def pretrained_network(build, weights):
    """A network with the pretrained weights that are asked for, and the preparation of images that belongs to them.

    torchvision has several sets of weights for most of its networks. They differ in accuracy, and may differ in how
    images are to be resized and normalized.

    Args:
        build: one of torchvision's functions that make a network, such as ``torchvision.models.resnet18``. It takes
            the keyword ``weights``, an entry of the network's enumeration or None.
        weights: such an entry, for instance ``torchvision.models.ResNet18_Weights.IMAGENET1K_V1``; None for a network
            with fresh random weights.

    Returns:
        ``(network, prepare)``: the network, in evaluation mode, and what turns an image into its input: the result of
        the entry's ``transforms()``; None where ``weights`` is None.

    Example::

        network, prepare = pretrained_network(torchvision.models.resnet18, torchvision.models.ResNet18_Weights.DEFAULT)
        network(prepare(image).unsqueeze(0)).argmax()  # the class, of ImageNet's 1,000

    Source: https://docs.pytorch.org/vision/stable/models.html, "Initializing pre-trained models".
    """
    network = build(weights=weights).eval()
    return network, None if weights is None else weights.transforms()


def replace_head(model, classes):
    """Replace the classification layer of a pretrained network by a fresh one for other classes, in place.

    Three families of torchvision's models are known by their attributes, not by their class, so that any network
    built alike will do:

    - ResNet: the classification layer is ``model.fc``;
    - VGG and MobileNet: it is the last layer of the sequence ``model.classifier``; the layers of the sequence before
      it are kept, as they are.

    The new layer takes as many inputs as the old one took, whatever their number is. Its weights are drawn as
    ``nn.Linear`` draws them, it is trainable even where the rest of the model is frozen, and it is on the device and
    of the dtype of the old one. Nothing else in the model changes: neither weights, nor what is frozen, nor the
    training or evaluation mode of any layer that stays.

    Args:
        model: the network; its classification layer is an ``nn.Linear``.
        classes: number of new classes, at least 1.

    Returns:
        The same model object, which now gives scores ``(batch, classes)``.

    Raises:
        TypeError: if the model has neither an ``fc`` that is an ``nn.Linear`` nor a ``classifier`` that is an
            ``nn.Sequential`` ending in one.

    Example::

        resnet = torchvision.models.resnet18()
        replace_head(resnet, classes=2) is resnet  # True
        resnet.fc  # Linear(in_features=512, out_features=2, bias=True)
        vgg = torchvision.models.vgg16()
        replace_head(vgg, classes=2)
        vgg.classifier[-1]  # Linear(in_features=4096, out_features=2, bias=True)
        vgg.classifier[0]  # Linear(in_features=25088, out_features=4096, bias=True), as before

    Source: Yosinski et al. 2014, "How transferable are features in deep neural networks?", arXiv:1411.1792; the
    models of https://docs.pytorch.org/vision/stable/models.html.
    """
    classifier = getattr(model, "classifier", None)
    if isinstance(getattr(model, "fc", None), nn.Linear):
        old = model.fc
        model.fc = nn.Linear(old.in_features, classes, device=old.weight.device, dtype=old.weight.dtype)
    elif isinstance(classifier, nn.Sequential) and len(classifier) and isinstance(classifier[-1], nn.Linear):
        old = classifier[-1]
        classifier[-1] = nn.Linear(old.in_features, classes, device=old.weight.device, dtype=old.weight.dtype)
    else:
        raise TypeError(
            f"{type(model).__name__} has no linear layer as `fc` or at the end of `classifier`: "
            "expected a network built like torchvision's ResNet, VGG or MobileNet"
        )
    return model


def head_of(model: nn.Module) -> nn.Linear:
    """The classification layer of a network built like torchvision's ResNet, VGG or MobileNet.

    Raises:
        TypeError: if it has none where these families have it.
    """
    last = getattr(model, "fc", None)
    classifier = getattr(model, "classifier", None)
    if last is None and isinstance(classifier, nn.Sequential) and len(classifier):
        last = classifier[-1]
    if not isinstance(last, nn.Linear):
        raise TypeError(
            f"{type(model).__name__} has no linear layer as `fc` or at the end of `classifier`: "
            "expected a network built like torchvision's ResNet, VGG or MobileNet"
        )
    return last
