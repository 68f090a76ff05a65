"""From a network to the pooled outputs of some of its layers: one row per image, or a grid of feature vectors."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, fx, nn
from torch.fx.experimental.optimization import fuse
from torchvision.models import SwinTransformer
from torchvision.models.feature_extraction import create_feature_extractor


def average(maps: Tensor) -> Tensor:
    """Mean of each map: (n, channels, height, width) to (n, channels); other outputs are flattened."""
    return maps.float().mean(dim=(2, 3)) if maps.ndim == 4 else flatten(maps)


def maximum(maps: Tensor) -> Tensor:
    """Largest value of each map: (n, channels, height, width) to (n, channels); other outputs are flattened."""
    return maps.float().amax(dim=(2, 3)) if maps.ndim == 4 else flatten(maps)


def pyramid_2x2(maps: Tensor) -> Tensor:
    """Means of the four quarters of each map, the second level of a spatial pyramid; other outputs are flattened.

    (n, channels, height, width) to (n, 4 * channels). Source: Lazebnik et al. 2006, "Beyond bags of features".
    """
    return nn.functional.adaptive_avg_pool2d(maps.float(), 2).flatten(1) if maps.ndim == 4 else flatten(maps)


def flatten(maps: Tensor) -> Tensor:
    """All values of an image in one row; a copy, which later in-place layers cannot change."""
    return maps.flatten(1).float().clone()


POOLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "average": average,
    "max": maximum,
    "pyramid_2x2": pyramid_2x2,
    "flatten": flatten,
}


def to_grid(output: Tensor, image_size: tuple[int, int], num_prefix_tokens: int = 0) -> Tensor:
    """The output of a layer as a grid of feature vectors; a copy, which later in-place layers cannot change.

    Args:
        output: maps (n, channels, height, width), or a transformer's tokens (n, tokens, channels).
        image_size: (height, width) of the images, pixels: tokens are laid out in their aspect ratio.
        num_prefix_tokens: number of first tokens that stand for no patch, such as the class token; they are dropped.

    Returns:
        (n, height, width, channels), float32.

    Raises:
        ValueError: if the output is neither, or the tokens do not cover the image in square patches.
    """
    if output.ndim == 4:
        return output.float().permute(0, 2, 3, 1).clone(memory_format=torch.contiguous_format)  # (n, h, w, channels)
    if output.ndim != 3:
        raise ValueError(
            f"found an output of shape {tuple(output.shape)}, which is no grid: expected (n, channels, height, width) "
            "or (n, tokens, channels); take an earlier layer, before pooling and flattening"
        )
    count, (height, width) = output.shape[1] - num_prefix_tokens, image_size
    patch = math.sqrt(height * width / max(count, 1))
    rows, columns = round(height / patch), round(width / patch)
    if rows * columns != count or rows * width != columns * height:
        raise ValueError(
            f"found {output.shape[1]} tokens, {num_prefix_tokens} of them for no patch: {count} patches are no grid of "
            f"square patches over an image of {height}x{width} pixels; state num_prefix_tokens (1 for a class token)"
        )
    patches = output[:, num_prefix_tokens:].float().clone()  # (n, rows * columns, channels)
    return patches.unflatten(1, (rows, columns))


def pooled_layers(
    model: nn.Module,
    layers: Sequence[str],
    pooling: str,
    image_size: tuple[int, int],
    num_prefix_tokens: int = 0,
) -> nn.Module:
    """A copy of a model that ends at some of its layers and returns their pooled outputs; the model is not changed.

    Batch normalization is folded into the convolutions before it.

    Args:
        model: a network that torch.fx can trace, such as torchvision's.
        layers: names, as in ``model.named_modules()``.
        pooling: one of `POOLINGS`, or "grid" (see :func:`to_grid`).
        image_size, num_prefix_tokens: for :func:`to_grid`.

    Returns:
        A module in evaluation mode: images (n, 3, height, width) to a tuple of float32 tensors, one per layer:
        (n, features), or (n, height, width, channels) for "grid".

    Raises:
        ValueError: if the model has no such layer, or the layer has its channels last.
    """
    _require_channels_first(model, layers)
    try:
        extractor = create_feature_extractor(
            copy.deepcopy(model).eval(), list(layers), suppress_diff_warning=True
        ).eval()
    except ValueError as error:
        names = [name for name, _ in model.named_modules() if name]
        missing = [repr(layer) for layer in layers if layer not in names] or [repr(layers[0])]
        raise ValueError(f"no layer {' or no layer '.join(missing)}; the model has {', '.join(names)}") from error
    graph = extractor.graph
    result = next(node for node in graph.nodes if node.op == "output")
    pooled = {}
    for layer, node in result.args[0].items():
        # Directly after the layer: the next one may work in place (ReLU after batch normalization).
        with graph.inserting_after(node):
            if pooling == "grid":
                pooled[layer] = graph.call_function(to_grid, (node, image_size, num_prefix_tokens))
            else:
                pooled[layer] = graph.call_function(POOLINGS[pooling], (node,))
    result.args = (tuple(pooled[layer] for layer in layers),)
    module = fuse(fx.GraphModule(extractor, graph).eval(), no_trace=True)
    return module.eval().to(memory_format=torch.channels_last)


def _require_channels_first(model: nn.Module, layers: Sequence[str]) -> None:
    last = [layer for layer in layers if layer.partition(".")[0] in ("features", "norm")]
    if isinstance(model, SwinTransformer) and last:
        raise ValueError(
            f"the layer {last[0]!r} of a Swin transformer has its channels last, (n, height, width, channels): take "
            "'permute', its maps with the channels first"
        )
