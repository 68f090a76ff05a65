"""Features of images at any layers of a network, computed on all cores and cached on disk.

    config = ExtractionConfig(("features.18",), classifier.preprocessing)
    features = extract(classifier.model, files, config, cache=folder)["features.18"]      # (files, 1280), float32

Why it is fast on a CPU:

- The layers of a small network are small, and threads that share one mostly wait for each other. Here every core takes
  its own batch through all of it, from decoding its files to pooling its maps, and no core waits; one batch is decoded
  while another is in the network.
- Batches are small, two images by default: their maps stay in the core's cache, where those of 16 do not fit.
- Batch normalization is folded into the convolution before it, and the activation is fused with it (TorchScript's
  `optimize_for_inference`). Images are in channels-last memory format, as they come from the decoder.
"""

from __future__ import annotations

import copy
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from captionlab.common.progress import Progress, progress_bar
from captionlab.common.provenance import available_cores
from captionlab.vision.feature_cache import Features, feature_key, read_features, write_features
from captionlab.vision.pooling import POOLINGS, pooled_layers
from captionlab.vision.preprocessing import IMAGENET, Preprocessing
from captionlab.vision.sources import ImageSource, open_image

HFLIPS = ("no", "only", "average")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
AHEAD = 8  # batches per worker that may wait for the consumer: keeps all workers busy, and memory small
COMPILED_FROM = 300  # images; compiling takes seconds, which fewer images do not win back


@dataclass(frozen=True)
class ExtractionConfig:
    """How features are computed from an image.

    Attributes:
        layers: names of layers, as in ``model.named_modules()``.
        preprocessing: what the network expects of an image.
        pooling: what becomes of maps: "average" or "max" over all positions, "pyramid_2x2" (means over the four
            quarters), "flatten" (all values), or "grid" (a feature vector per position). Outputs that are not maps are
            flattened, but for "grid" a transformer's patch tokens are arranged as the patches are.
        hflip: "no": the image as it is; "only": its mirror image, left to right; "average": the mean of both.
        num_prefix_tokens: for "grid": how many of a transformer's first tokens stand for no patch.
        draft: let the JPEG decoder halve images more than four times too large; faster, with nearly the same result.
        dtype: arithmetic of the network, "float32" or "bfloat16" (faster on processors made for it); features are
            float32 in any case.

    Raises:
        ValueError: if a value is not one of these.
    """

    layers: tuple[str, ...]
    preprocessing: Preprocessing = IMAGENET
    pooling: str = "average"
    hflip: str = "no"
    num_prefix_tokens: int = 0
    draft: bool = True
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if not isinstance(self.layers, tuple) or not self.layers:
            raise ValueError(f"layers is {self.layers!r}: give a tuple of one or more layer names")
        choices = (("pooling", (*POOLINGS, "grid")), ("hflip", HFLIPS), ("dtype", tuple(DTYPES)))
        for name, known in choices:
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}: give one of {', '.join(known)}")
        if self.pooling == "grid" and self.hflip == "average":
            raise ValueError(
                "hflip is 'average' and pooling is 'grid': the cells of an image and its mirror image do not "
                "correspond; give hflip 'no' or 'only'"
            )


def extract(
    model: nn.Module,
    files: Sequence[Path | str],
    config: ExtractionConfig,
    cache: Path | str | None = None,
    *,
    batch_size: int = 2,
    workers: int | None = None,
    progress: bool = True,
) -> Features:
    """Features of image files, from the cache if they are in it.

    The model is not changed: its weights, its modes and its memory format stay (a copy does the work).

    Args:
        model: a network that torch.fx can trace, such as torchvision's; takes (batch, 3, height, width).
        files: image files, in any format that PIL reads.
        config: what to compute.
        cache: folder for features; None: no cache.
        batch_size: images that go through the network at a time in each worker; affects memory and speed only.
        workers: threads, each with one core; by default all cores of this process.
        progress: show how far it has come.

    Returns:
        An array for each layer, (files, features) or, for the pooling "grid", (files, height, width, channels);
        float32; row i belongs to file i.

    Raises:
        FileNotFoundError: if a file does not exist.
        ValueError: if a file is not a readable image, there are no files, or the model has no such layer.
    """
    paths = [Path(file) for file in files]
    if cache is None:
        return _compute(model, paths, config, batch_size, workers, progress)
    path = Path(cache) / f"{feature_key(model, asdict(config), paths)}.safetensors"
    features = read_features(path, config.layers, len(paths))
    if features is None:
        features = _compute(model, paths, config, batch_size, workers, progress)
        write_features(path, features, {"network": type(model).__name__, "images": len(paths), **asdict(config)})
    return features


def _compute(
    model: nn.Module,
    files: Sequence[Path],
    config: ExtractionConfig,
    batch_size: int,
    workers: int | None,
    progress: bool,
) -> Features:
    if not files:
        raise ValueError("there are no files to extract features from: give at least one")
    extractor = FeatureExtractor(model, config, compiled=len(files) >= COMPILED_FROM)
    return extractor(files, batch_size=batch_size, workers=workers, progress=progress)


class FeatureExtractor:
    """A copy of a network that ends at the layers asked for, ready to be run on images.

    Attributes:
        config: what it computes.
        network: images (batch, 3, height, width) to a tuple of tensors, one per layer.

    Example::

        extractor = FeatureExtractor(model, config)
        extractor(["a.jpg", "b.jpg"])["layer4"]      # (2, 512)
    """

    def __init__(self, model: nn.Module, config: ExtractionConfig, *, compiled: bool = True) -> None:
        """Copy the model and cut it.

        Args:
            model: a network that torch.fx can trace, such as torchvision's; it is not changed.
            config: what to compute.
            compiled: compile the network if possible; worthwhile for a few hundred images.

        Raises:
            ValueError: if the model has no such layer.
        """
        self.config = config
        size = (config.preprocessing.height, config.preprocessing.width)
        self.network = pooled_layers(model, config.layers, config.pooling, size, config.num_prefix_tokens)
        if compiled and config.dtype == "float32":
            self.network = _compile(self.network, size)

    def with_hflip(self, hflip: str) -> FeatureExtractor:
        """The same network for images or their mirror images, see `ExtractionConfig`; nothing is copied."""
        other = copy.copy(self)
        other.config = replace(self.config, hflip=hflip)
        return other

    def __call__(
        self,
        images: Sequence[ImageSource],
        *,
        batch_size: int = 2,
        workers: int | None = None,
        progress: bool = False,
    ) -> Features:
        """Features of images (arguments and errors: see :func:`extract`)."""
        rows = list(self.stream(images, batch_size=batch_size, workers=workers, progress=progress))
        return {layer: np.concatenate([row[layer] for row in rows]) for layer in self.config.layers}

    def stream(
        self,
        images: Sequence[ImageSource],
        *,
        batch_size: int = 2,
        workers: int | None = None,
        progress: bool = False,
    ) -> Iterator[Features]:
        """Features batch by batch, in the images' order, for features that together do not fit into memory."""
        parts = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
        threads, workers = torch.get_num_threads(), workers or available_cores()
        executor = ThreadPoolExecutor(workers)
        waiting: deque[Future[Features]] = deque()
        try:
            with progress_bar("computing features", len(images), unit="images", progress=progress) as bar:
                for part in parts:
                    waiting.append(executor.submit(self._one_batch, part))
                    if len(waiting) > AHEAD * workers:
                        yield _advance(bar, waiting.popleft().result())
                while waiting:
                    yield _advance(bar, waiting.popleft().result())
        finally:
            executor.shutdown(cancel_futures=True)  # after an error or Ctrl-C, do not compute another hundred batches
            torch.set_num_threads(threads)

    def _one_batch(self, images: Sequence[ImageSource]) -> Features:
        """The work of one thread: from files to features, on one core."""
        config = self.config
        torch.set_num_threads(1)  # of this thread; the others have their own batches and need the other cores
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=config.dtype == "bfloat16"):
            batch = read_batch(images, config)  # (batch, 3, height, width)
            if config.hflip == "only":
                batch = batch.flip(3)
            rows = self.network(batch)
            if config.hflip == "average":
                rows = [(row + other) / 2 for row, other in zip(rows, self.network(batch.flip(3)), strict=True)]
        return {layer: row.numpy() for layer, row in zip(config.layers, rows, strict=True)}


def read_batch(images: Sequence[ImageSource], config: ExtractionConfig) -> Tensor:
    """Images as a network expects them, upright and preprocessed.

    Returns:
        (images, 3, height, width), float32, channels last in memory; gray images have three equal channels.

    Raises:
        FileNotFoundError: if a file does not exist.
        ValueError: if it is not a readable image.
    """
    preprocessing = config.preprocessing
    # Never below twice the size wanted: the filter of `resize` then hides that the decoder left out detail.
    draft_size = (2 * preprocessing.width, 2 * preprocessing.height) if config.draft else None
    return preprocessing.batch(open_image(image, draft_size) for image in images)


def _advance(bar: Progress, row: Features) -> Features:
    bar.advance(len(next(iter(row.values()))))
    return row


def _compile(network: nn.Module, image_size: tuple[int, int]) -> nn.Module:
    """The network compiled for inference; unchanged if TorchScript cannot, or the results would differ."""
    seeded = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, *image_size, generator=seeded).to(memory_format=torch.channels_last)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # tracing warns of every Python number it fixes, such as the image's size
            compiled = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(network, images)))
            pairs = zip(compiled(images), network(images), strict=True)
            return compiled if all(torch.allclose(a, b, rtol=1e-3, atol=1e-3) for a, b in pairs) else network
    except RuntimeError:  # an operation that TorchScript does not know
        return network
