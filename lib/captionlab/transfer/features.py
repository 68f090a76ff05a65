"""Features from a pretrained network: truncate it, run it in evaluation mode, read any layer, normalize the rows."""

from __future__ import annotations

import torch
import torchvision
from torch import nn


class VGG16relu7(nn.Module):
    """VGG16 cut after the ReLU before its classification layer ("relu7"): images in, feature vectors out.

    ``vgg`` has torchvision's layout: ``vgg.features`` (convolutions), ``vgg.avgpool`` (adaptive pooling) and
    ``vgg.classifier``, an ``nn.Sequential`` of Linear, ReLU, Dropout, Linear, ReLU, Dropout, Linear. The features are
    the output of the second ReLU of ``vgg.classifier``, so none is negative. The maps of ``vgg.features`` are
    flattened directly, without ``vgg.avgpool``, which changes nothing at 224 x 224 pixels.

    ``__init__`` takes ``vgg``. A new ``VGG16relu7`` is in evaluation mode, regardless of the mode of ``vgg``, and
    shares nothing with it: work on copies (``copy.deepcopy``). ``vgg`` itself is not modified: neither its layers, nor
    its weights, nor the mode (training or evaluation) of any layer.

    ``forward`` takes images and returns their features:

        images: ``(batch, 3, height, width)``, float32, normalized as the network expects (224 x 224 for VGG16).
        Returns ``(batch, hidden)``, float32; hidden is 4,096 for VGG16. Gradients are not needed, but allowed.

    Example:
        >>> from torchvision.models import vgg16
        >>> relu7 = VGG16relu7(vgg16())
        >>> relu7(torch.zeros(2, 3, 224, 224)).shape
        torch.Size([2, 4096])
        >>> relu7.training
        False

    Source: Simonyan and Zisserman 2015, arXiv:1409.1556, section 2; Donahue et al. 2014 (DeCAF), arXiv:1310.1531.
    """

    def __init__(self, vgg: torchvision.models.VGG) -> None:
        import copy

        super().__init__()
        self.features = copy.deepcopy(vgg.features)
        self.classifier = copy.deepcopy(vgg.classifier[:-2])  # without the last Dropout and Linear
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.features(images)  # (batch, channels, rows, columns)
        return self.classifier(maps.flatten(start_dim=1))  # (batch, hidden)


def gray_to_rgb(images: torch.Tensor) -> torch.Tensor:
    """Give gray images the three channels a network trained on color images expects.

    The one channel of a gray image is used as red, green and blue. Images that already have three channels keep their
    values.

    Args:
        images: ``(batch, 1, height, width)`` or ``(batch, 3, height, width)``, any dtype; not modified.

    Returns:
        ``(batch, 3, height, width)``, same dtype.

    Raises:
        ValueError: if ``images`` does not have four axes, or has neither one nor three channels.

    Example:
        >>> gray_to_rgb(torch.tensor([[[[7, 8]]]]))
        tensor([[[[7, 8]],
        <BLANKLINE>
                 [[7, 8]],
        <BLANKLINE>
                 [[7, 8]]]])
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"images has shape {tuple(images.shape)}, but must be (batch, 1 or 3, height, width)")
    return images.expand(-1, 3, -1, -1)


def extract_features(model: nn.Module, images: torch.Tensor, batch_size: int = 32) -> torch.Tensor:
    """Run a network on many images and collect its outputs, one row per image.

    The network runs in evaluation mode and without recording gradients, on ``batch_size`` images at a time (the last
    batch may be smaller), so that the memory needed does not grow with the number of images. An image's features do
    not depend on the batch it was in. Afterwards every module (``model.modules()``) is back in its previous mode,
    training or evaluation; a network may have modules in each.

    Args:
        model: takes ``(batch, 3, height, width)`` and returns ``(batch, d)``.
        images: ``(n, 3, height, width)``, prepared as the model expects, n at least 1.
        batch_size: maximum number of images per forward pass, at least 1.

    Returns:
        ``(n, d)``, float32, without gradient history (``requires_grad`` is False); row i belongs to image i.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5))
        >>> extract_features(model, torch.arange(6.0).reshape(3, 1, 1, 2), batch_size=2)
        tensor([[0., 1.],
                [2., 3.],
                [4., 5.]])
        >>> model.training
        True
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        rows = [model(batch).float() for batch in images.split(batch_size)]
    for module, training in modes:
        module.training = training  # one by one: a backbone may be in evaluation mode below a head in training mode
    return torch.cat(rows)


def features_at(model: nn.Module, layer: str, images: torch.Tensor) -> torch.Tensor:
    """The output of any layer of a network, as one feature vector per image.

    The network runs once on ``images``, in evaluation mode and without recording gradients, and a forward hook reads
    the layer's output at that moment: a later layer that works in place (``nn.ReLU(inplace=True)``) must not change
    what is returned. Maps are averaged over their positions. Afterwards the network is as before: no hook is left on
    it, and every module is back in its previous mode, training or evaluation.

    Args:
        model: takes ``images``.
        layer: the layer's name in ``model.named_modules()``, such as ``"features.28"`` or ``"layer4.0.conv1"``. Its
            output has shape ``(n, channels, rows, columns)`` or ``(n, d)``.
        images: ``(n, 3, height, width)``, prepared as the model expects.

    Returns:
        ``(n, channels)``, the mean of each map over rows and columns, or ``(n, d)``, the output itself; float32,
        without gradient history (``requires_grad`` is False).

    Raises:
        ValueError: if the model has no layer of that name.

    Example:
        >>> model = nn.Sequential(nn.AvgPool2d(2), nn.ReLU(inplace=True), nn.Flatten(), nn.Dropout(0.5))
        >>> images = torch.tensor([[[[-8.0, -8.0, 2.0, 2.0], [-8.0, -8.0, 2.0, 2.0]]]])
        >>> features_at(model, "0", images)
        tensor([[-3.]])
        >>> features_at(model, "3", images)
        tensor([[0., 2.]])

    Source: Yosinski et al. 2014, arXiv:1411.1792 (what layers at different depths have learned).
    """
    layers = dict(model.named_modules())
    if layer not in layers:
        raise ValueError(f"the model has no layer {layer!r}; its layers: {', '.join(name for name in layers if name)}")
    found: list[torch.Tensor] = []

    def keep(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        found.append(output.float().mean(dim=(2, 3)) if output.ndim == 4 else output.float().clone())

    modes = [(module, module.training) for module in model.modules()]
    hook = layers[layer].register_forward_hook(keep)
    try:
        model.eval()
        with torch.no_grad():
            model(images)
    finally:
        hook.remove()
        for module, training in modes:
            module.training = training
    return found[0]


def l2_normalize(features: torch.Tensor) -> torch.Tensor:
    """Divide each row by its L2 norm (the square root of the sum of its squares), so that all images weigh the same.

    Args:
        features: ``(n, d)``, floating point, one row per image; not modified.

    Returns:
        ``(n, d)``, same dtype; every row has length 1, except that a row of zeros stays a row of zeros.

    Example:
        >>> l2_normalize(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    lengths = torch.linalg.vector_norm(features, dim=1, keepdim=True)  # (n, 1)
    return features / torch.where(lengths > 0, lengths, 1)
