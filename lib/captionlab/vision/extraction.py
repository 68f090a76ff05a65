"""Features of image files at any layers of a network, as fast as the processor allows, kept on disk.

    recipe = Recipe(layers=("features.18",), size=224)
    features = extract(model, files, recipe, cache=folder)["features.18"]      # (files, 1280), float32

What makes it fast on a processor:

- The layers of a small network are small, and threads that share one mostly wait for each other. Here every core takes
  its own batch through all of it, from decoding its files to pooling its maps, and no core waits; decoding runs beside
  the network of another batch by itself.
- Batches are small, two images by default: their maps stay in the core's cache, where those of 16 do not fit.
- Batch normalization is folded into the convolution before it, and the activation done along with it (TorchScript's
  `optimize_for_inference`). Images lie in memory channels last, as they come from the decoder.
"""

from __future__ import annotations

import copy
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, fx, nn
from torch.fx.experimental.optimization import fuse
from torchvision.models.feature_extraction import create_feature_extractor
from tqdm import tqdm

from captionlab.common.provenance import cores
from captionlab.vision.feature_cache import Features, feature_key, read_features, write_features
from captionlab.vision.images import IMAGENET_MEAN, IMAGENET_STD

MIRRORED = ("no", "only", "average")
ORIENTATION = 0x0112  # Exif's tag
AHEAD = 8  # batches a worker may be ahead of whoever takes the results: keeps all busy, and memory small
COMPILED_FROM = 300  # images; compiling takes seconds, which fewer do not win back
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class PictureSource(Protocol):
    """A picture that is no file of its own, such as one in a table."""

    def read(self) -> Image.Image: ...


Picture = Path | str | PictureSource


def _average(maps: Tensor) -> Tensor:
    """Mean of each map (n, c, h, w) -> (n, c); vectors stay."""
    return maps.float().mean(dim=(2, 3)) if maps.ndim == 4 else _flat(maps)


def _maximum(maps: Tensor) -> Tensor:
    """Largest value of each map (n, c, h, w) -> (n, c); vectors stay."""
    return maps.float().amax(dim=(2, 3)) if maps.ndim == 4 else _flat(maps)


def _quarters(maps: Tensor) -> Tensor:
    """Mean of each quarter of each map (n, c, h, w) -> (n, 4c), a spatial pyramid's second level; vectors stay."""
    return nn.functional.adaptive_avg_pool2d(maps.float(), 2).flatten(1) if maps.ndim == 4 else _flat(maps)


def _positions(maps: Tensor) -> Tensor:
    """Each map (n, c, h, w) as a row (n, h * w * c), position after position: what attention looks at; vectors stay."""
    return maps.float().permute(0, 2, 3, 1).flatten(1).clone() if maps.ndim == 4 else _flat(maps)


def _flat(maps: Tensor) -> Tensor:
    """All values of an image in one row; a copy, which later layers that work in place cannot change."""
    return maps.flatten(1).float().clone()


POOLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "average": _average,
    "max": _maximum,
    "quarters": _quarters,
    "positions": _positions,
    "flatten": _flat,
}


@dataclass(frozen=True)
class Recipe:
    """How features are made of an image file.

    Attributes:
        layers: names of layers, as in ``model.named_modules()``.
        size: the whole picture is resized to this many pixels, both ways (bilinear).
        pooling: what becomes of maps: "average" or "max" over all positions, "quarters" (averages over the four
            quarters), "positions" (every value, position by position) or "flatten" (every value, map by map). Outputs
            that are no maps are flattened.
        mirrored: "no": the picture as it is; "only": its mirror image, left to right; "average": the mean of both.
        mean, std: of each color, for values from 0 to 1.
        draft: let the JPEG decoder halve pictures more than four times too large; faster, and hardly another result.
        dtype: arithmetic of the network, "float32" or "bfloat16" (faster on processors made for it); features are
            float32 always.

    Raises:
        ValueError: if a value is not one of these.
    """

    layers: tuple[str, ...]
    size: int = 224
    pooling: str = "average"
    mirrored: str = "no"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    draft: bool = True
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if isinstance(self.layers, str) or not self.layers:
            raise ValueError(f"layers is {self.layers!r}: give a tuple of one or more layer names")
        if self.size < 1:
            raise ValueError(f"size is {self.size}: give the side of the images in pixels, at least 1")
        for name, known in (("pooling", POOLINGS), ("mirrored", MIRRORED), ("dtype", DTYPES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}: give one of {', '.join(known)}")


def extract(
    model: nn.Module,
    files: Sequence[Path | str],
    recipe: Recipe,
    cache: Path | str | None = None,
    *,
    batch_size: int = 2,
    workers: int | None = None,
    progress: bool = True,
) -> Features:
    """Features of image files, from the cache if they are there.

    The model is not changed: its weights, its modes and its memory layout stay (a copy does the work).

    Args:
        model: a network that torch.fx can trace, as torchvision's are; takes (batch, 3, size, size).
        files: the image files, in any format PIL reads.
        recipe: what to compute.
        cache: folder for features; None keeps nothing.
        batch_size: images that go through the network at a time in each worker; changes memory and speed only.
        workers: threads, each with one core; all cores of this process by default.
        progress: show a bar, if standard error is a terminal.

    Returns:
        For each layer an array (files, d), float32; row i belongs to file i.

    Raises:
        FileNotFoundError: if a file is not there.
        ValueError: if a file is no readable image, there is none at all, or the model has no such layer.
    """
    files = [Path(file) for file in files]
    if cache is None:
        return _compute(model, files, recipe, batch_size, workers, progress)
    path = Path(cache) / f"{feature_key(model, asdict(recipe), files)}.safetensors"
    features = read_features(path, recipe.layers, len(files))
    if features is None:
        features = _compute(model, files, recipe, batch_size, workers, progress)
        write_features(path, features, {"network": type(model).__name__, "images": len(files), **asdict(recipe)})
    return features


def _compute(
    model: nn.Module, files: list[Path], recipe: Recipe, batch_size: int, workers: int | None, progress: bool
) -> Features:
    if not files:
        raise ValueError("there are no files to extract features from: give at least one")
    network = prepare(model, recipe, compiled=len(files) >= COMPILED_FROM)
    return run(network, files, recipe, batch_size=batch_size, workers=workers, progress=progress)


def prepare(model: nn.Module, recipe: Recipe, compiled: bool = True) -> nn.Module:
    """The network that `run` needs: a copy of the model, cut, in evaluation mode, and compiled if that is possible.

    Raises:
        ValueError: if the model has no such layer.
    """
    network = _ordered(cut(model, recipe), recipe)
    return _compiled(network, recipe) if compiled and recipe.dtype == "float32" else network


def run(
    network: nn.Module,
    files: Sequence[Picture],
    recipe: Recipe,
    *,
    batch_size: int = 2,
    workers: int | None = None,
    progress: bool = True,
) -> Features:
    """Features of files by a network that was made by `prepare` for the same recipe (see :func:`extract`)."""
    rows = list(stream(network, files, recipe, batch_size=batch_size, workers=workers, progress=progress))
    return {layer: np.concatenate([row[layer] for row in rows]) for layer in recipe.layers}


def stream(
    network: nn.Module,
    files: Sequence[Picture],
    recipe: Recipe,
    *,
    batch_size: int = 2,
    workers: int | None = None,
    progress: bool = True,
) -> Iterator[Features]:
    """As `run`, batch by batch in the files' order, for features that together do not fit into memory."""
    parts = [files[start : start + batch_size] for start in range(0, len(files), batch_size)]
    threads, workers = torch.get_num_threads(), workers or cores()
    executor, waiting = ThreadPoolExecutor(workers), deque()
    try:
        with tqdm(total=len(files), unit="image", desc="features", disable=None if progress else True) as bar:
            for part in parts:
                waiting.append(executor.submit(_one_batch, network, part, recipe))
                if len(waiting) > AHEAD * workers:
                    yield _collect(waiting.popleft(), bar)
            while waiting:
                yield _collect(waiting.popleft(), bar)
    finally:
        executor.shutdown(cancel_futures=True)  # after an error or Ctrl-C, not another hundred batches
        torch.set_num_threads(threads)


def _ordered(network: nn.Module, recipe: Recipe) -> nn.Module:
    """The network with a tuple for its outputs, in the recipe's order."""

    class Ordered(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: Tensor) -> tuple[Tensor, ...]:
            found = self.network(images)
            return tuple(found[layer] for layer in recipe.layers)

    return Ordered().eval()


def _compiled(network: nn.Module, recipe: Recipe) -> nn.Module:
    """The network compiled for inference, or as it is where TorchScript cannot or the results would differ."""
    seeded = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, recipe.size, recipe.size, generator=seeded).to(memory_format=torch.channels_last)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # tracing warns of every Python number it fixes, such as the image's size
            compiled = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(network, images)))
            pairs = zip(compiled(images), network(images), strict=True)
            return compiled if all(torch.allclose(a, b, rtol=1e-3, atol=1e-3) for a, b in pairs) else network
    except RuntimeError:  # an operation TorchScript does not know
        return network


def _collect(future: Future, bar: tqdm) -> Features:
    row = future.result()
    bar.update(len(next(iter(row.values()))))
    return row


def _one_batch(network: nn.Module, files: Sequence[Picture], recipe: Recipe) -> Features:
    """The work of a thread: from files to features, on one core."""
    torch.set_num_threads(1)  # holds for this thread; the others have their own batch and need the other cores
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=recipe.dtype == "bfloat16"):
        images = read_batch(files, recipe)
        if recipe.mirrored == "only":
            images = images.flip(3)
        rows = network(images)
        if recipe.mirrored == "average":
            rows = [(row + other) / 2 for row, other in zip(rows, network(images.flip(3)), strict=True)]
    return {layer: row.numpy() for layer, row in zip(recipe.layers, rows, strict=True)}


def read_batch(files: Sequence[Picture], recipe: Recipe) -> Tensor:
    """Image files as a network expects them, with the values of :func:`captionlab.vision.images.prepare_image`.

    Returns:
        (files, 3, size, size), float32, channels last in memory; gray images have three equal channels.

    Raises:
        FileNotFoundError, ValueError: if a file is not there or not readable.
    """
    pixels = np.empty((len(files), recipe.size, recipe.size, 3), dtype=np.uint8)
    for at, file in enumerate(files):
        pixels[at] = _read(file, recipe)
    mean, std = torch.tensor(recipe.mean)[:, None, None], torch.tensor(recipe.std)[:, None, None]
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()  # channels last already: no copy rearranges it
    return images.div_(255 * std).sub_(mean / std)


def _read(file: Picture, recipe: Recipe) -> np.ndarray:
    """(size, size, 3) or, gray, (size, size, 1); uint8."""
    try:
        with Image.open(file) if isinstance(file, (str, Path)) else file.read() as image:
            if recipe.draft:
                # Never below twice the size wanted: the filter of `resize` then hides that the decoder left out detail.
                image.draft(None, (2 * recipe.size, 2 * recipe.size))
            if image.getexif().get(ORIENTATION, 1) != 1:  # photographs of telephones lie on their side
                image = ImageOps.exif_transpose(image)
            if image.mode != "L":  # a gray picture is resized once, not three times
                image = image.convert("RGB")
            resized = image.resize((recipe.size, recipe.size), Image.Resampling.BILINEAR)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file} is no readable image ({error}): leave it out, or fetch it anew") from error
    return np.asarray(resized).reshape(recipe.size, recipe.size, -1)


def cut(model: nn.Module, recipe: Recipe) -> nn.Module:
    """A copy of the model that ends at the recipe's layers and gives their pooled outputs; the model stays as it is.

    Returns:
        A module in evaluation mode: images (batch, 3, size, size) give a dict of (batch, d), float32, by layer.

    Raises:
        ValueError: if the model has no such layer.
    """
    try:
        extractor = create_feature_extractor(copy.deepcopy(model).eval(), list(recipe.layers)).eval()
    except ValueError as error:
        found = ", ".join(name for name, _ in model.named_modules() if name)
        raise ValueError(f"no layer {' or no layer '.join(_missing(model, recipe))}; the model has {found}") from error
    graph = extractor.graph
    result = next(node for node in graph.nodes if node.op == "output")
    pooled = {}
    for layer, node in result.args[0].items():
        # Straight behind the layer: the next one may work in place (ReLU after batch normalization).
        with graph.inserting_after(node):
            pooled[layer] = graph.call_function(POOLINGS[recipe.pooling], (node,))
    result.args = (pooled,)
    module = fuse(fx.GraphModule(extractor, graph).eval(), no_trace=True)  # batch norms into convolutions
    return module.eval().to(memory_format=torch.channels_last)


def _missing(model: nn.Module, recipe: Recipe) -> list[str]:
    known = dict(model.named_modules())
    return [repr(layer) for layer in recipe.layers if layer not in known] or [repr(recipe.layers[0])]
