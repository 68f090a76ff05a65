"""Parameters of a model, layer by layer."""

from __future__ import annotations

from torch import nn


def parameters_by_layer(model: nn.Module) -> list[tuple[str, int]]:
    """Number of parameters of each layer of a model.

    A layer is listed if it owns parameters itself. A module that only holds other modules is not listed: parameters
    count for the innermost module that owns them, not for the modules around it. Weights, biases and any other
    ``nn.Parameter`` count, frozen or not. Buffers (such as the running mean of a batch normalization) do not count,
    since they are not learned. A parameter shared by two layers counts once, for the first of them.

    Args:
        model: any model; it is not modified.

    Returns:
        ``(name, parameters)`` of each such layer, with the names and order of ``model.named_modules()``, in which the
        model itself has the name ``""``.

    Example:
        >>> parameters_by_layer(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 2))))
        [('0', 15), ('2.0', 8)]

    Source: ``torch.nn.Module``, https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html.
    """
    counted: set[int] = set()  # ids: parameters compare by value
    layers: list[tuple[str, int]] = []
    for name, module in model.named_modules():
        own = [parameter for parameter in module.parameters(recurse=False) if id(parameter) not in counted]
        counted.update(id(parameter) for parameter in own)
        if own:
            layers.append((name, sum(parameter.numel() for parameter in own)))
    return layers
