"""Grid features of a whole dataset: computed once, cached on disk in half precision, and memory-mapped.

There is one folder for each dataset and encoder, named after a hash of everything the features depend on. It holds
``grid_0.npy`` (images, variants, height, width, channels), float16, for the first input size of the encoder,
``grid_1.npy`` for the second if there is one, and ``grids.json``, which describes them. An interrupted computation
resumes where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from filelock import FileLock
from torch import Tensor

from captionlab.captioning.encoders import Encoder
from captionlab.common.files import write_atomically
from captionlab.common.progress import progress_bar
from captionlab.datasets.disk import require_space
from captionlab.vision.extraction import ExtractionConfig, FeatureExtractor
from captionlab.vision.feature_cache import fingerprint
from captionlab.vision.sources import ImageSource, cache_key

FORMAT = 2  # to be raised when the same configuration gives other numbers, or the files change
HFLIPS = {"original": "no", "hflip": "only"}
CHUNK = 256  # images between two notes on disk of how far the computation has come


@dataclass(frozen=True)
class GridFeatures:
    """Grid features of images, on disk.

    Attributes:
        arrays: one for each input size of the encoder: (images, variants, height, width, channels), float16,
            memory-mapped.
        names: of the images, in order.
        variants: "original", "hflip".
        metadata: what they were computed with: network, layers, sizes, shapes, the fingerprint of the weights.
    """

    arrays: tuple[np.ndarray, ...]
    names: tuple[str, ...]
    variants: tuple[str, ...]
    metadata: dict[str, Any]

    @property
    def channels(self) -> int:
        """Number of features of each cell."""
        return self.arrays[0].shape[4]

    def batch(
        self, indices: Sequence[int] | np.ndarray, variants: Sequence[int] | np.ndarray | int = 0
    ) -> tuple[Tensor, ...]:
        """The grids of some images.

        Args:
            indices: of the images.
            variants: of each image, or of all: 0 is the first of `variants`.

        Returns:
            For each input size of the encoder (indices, height, width, channels), float32.
        """
        rows = (array[np.asarray(indices), variants] for array in self.arrays)
        return tuple(torch.from_numpy(row.astype(np.float32)) for row in rows)


def extract_grid_features(
    names: Sequence[str],
    images: Sequence[ImageSource],
    encoder: Encoder,
    cache: Path,
    *,
    variants: Sequence[str] = ("original",),
    progress: bool = True,
) -> GridFeatures:
    """The grid features of images, from the cache if they are in it.

    Args:
        names: what each image is called; part of the cache key, together with a file's size and modification time.
        images: files, or objects with ``read()``.
        encoder: the network, its layers and input sizes.
        cache: the folder of all cached grid features.
        variants: "original", "hflip" or both.
        progress: show how far it has come.

    Raises:
        ValueError: if an image cannot be read, or there are none.
        DataError: if there is not enough disk space; nothing has then been computed.
    """
    if not images:
        raise ValueError("there are no images to compute grid features of: give at least one")
    metadata: dict[str, Any] = {
        "format": FORMAT,
        "network": encoder.classifier.name,
        "weights": encoder.classifier.weights_source,
        "fingerprint": fingerprint(encoder.classifier.model),
        "layers": list(encoder.layers),
        "input_sizes": list(encoder.input_sizes),
        "mean": list(encoder.classifier.preprocessing.mean),
        "std": list(encoder.classifier.preprocessing.std),
        "interpolation": encoder.classifier.preprocessing.interpolation,
        "variants": list(variants),
    }
    folder = cache / f"grids-{_key(metadata, names, images)}"
    folder.mkdir(parents=True, exist_ok=True)
    # A second process that needs the same features waits until the first has computed them.
    with FileLock(folder / "lock"):
        found = _load(folder)
        if found is None:
            shapes = _fill(folder, images, encoder, variants, progress)
            content = {**metadata, "shapes": shapes, "names": list(names)}
            write_atomically(folder / "grids.json", json.dumps(content).encode())
            (folder / "done.json").unlink(missing_ok=True)
            found = _load(folder)
            assert found is not None
    arrays, shapes = found
    return GridFeatures(arrays, tuple(names), tuple(variants), {**metadata, "shapes": shapes})


def _key(metadata: dict[str, Any], names: Sequence[str], images: Sequence[ImageSource]) -> str:
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, image in zip(names, images, strict=True):
        digest.update(name.encode())
        digest.update(cache_key(image).encode())
    return digest.hexdigest()[:32]


def _load(folder: Path) -> tuple[tuple[np.ndarray, ...], list[list[int]]] | None:
    """The arrays and the shapes of their grids; None if they are not complete, with a warning if they are damaged."""
    if not (folder / "grids.json").is_file():
        return None
    try:
        shapes = json.loads((folder / "grids.json").read_text())["shapes"]
        arrays = tuple(np.load(_path(folder, index), mmap_mode="r") for index in range(len(shapes)))
        if [list(array.shape[2:]) for array in arrays] != shapes:
            raise ValueError(f"expected grids of shape {shapes}")
        return arrays, shapes
    except (OSError, ValueError, KeyError) as error:
        warnings.warn(f"the grid features in {folder} are damaged ({error}): they are computed again", stacklevel=3)
        (folder / "grids.json").unlink()
        return None


def _path(folder: Path, index: int) -> Path:
    return folder / f"grid_{index}.npy"


def _fill(
    folder: Path, images: Sequence[ImageSource], encoder: Encoder, variants: Sequence[str], progress: bool
) -> list[list[int]]:
    """Compute the arrays, resuming after the images that ``done.json`` counts; returns the shapes of the grids."""
    extractor = GridFeatureExtractor(encoder, compiled=len(images) >= CHUNK)
    arrays, done = _open(folder, [(len(images), len(variants), *shape) for shape in extractor.shapes])
    passes = len(variants) * len(arrays)
    with progress_bar("computing grid features", len(images), completed=done, unit="images", progress=progress) as bar:
        for start in range(done, len(images), CHUNK):
            part = images[start : start + CHUNK]
            for number, variant in enumerate(variants):
                for index, array in enumerate(arrays):
                    at = start
                    for rows in extractor.stream(part, variant, index):
                        array[at : at + len(rows), number] = rows
                        at += len(rows)
                        bar.advance(len(rows) / passes)
            for array in arrays:
                array.flush()
            write_atomically(folder / "done.json", json.dumps({"done": start + len(part)}).encode())
    return [list(shape) for shape in extractor.shapes]


def _open(folder: Path, shapes: Sequence[tuple[int, ...]]) -> tuple[list[np.memmap], int]:
    """The arrays on disk for writing, and how many images are done."""
    paths = [_path(folder, index) for index in range(len(shapes))]
    try:
        done = json.loads((folder / "done.json").read_text())["done"]
        arrays = [np.lib.format.open_memmap(path, mode="r+") for path in paths]
        if [array.shape for array in arrays] == list(shapes) and {array.dtype for array in arrays} == {
            np.dtype(np.float16)
        }:
            return arrays, done
    except (OSError, ValueError, KeyError):
        pass  # nothing there yet, or not readable: from the beginning
    require_space(folder, sum(2 * int(np.prod(shape)) for shape in shapes), "for the grid features of all images")
    arrays = []
    for path, shape in zip(paths, shapes, strict=True):
        arrays.append(np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape))
        if hasattr(os, "posix_fallocate"):  # reserves the space now: a disk that fills up later would kill the process
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return arrays, 0


class GridFeatureExtractor:
    """From images to grids of features, for a whole dataset and for a single photo alike.

    Attributes:
        shapes: (height, width, channels) of the grid, for each input size of the encoder.

    Example::

        extractor = GridFeatureExtractor(load_encoder("tiny_resnet"))
        (grid,) = extractor(["photo.jpg"])
        grid.shape                                   # (1, 4, 4, 144)
    """

    def __init__(self, encoder: Encoder, compiled: bool = False) -> None:
        """Prepare the network for each input size.

        Args:
            encoder: the network, its layers and input sizes.
            compiled: compile it, which is worthwhile for a few hundred images.

        Raises:
            ValueError: if the network cannot take images of a size, or a layer gives no grid.
        """
        self._layers = encoder.layers
        self._extractors = [
            FeatureExtractor(encoder.classifier.model, _config(encoder, size), compiled=compiled)
            for size in encoder.input_sizes
        ]
        pairs = zip(self._extractors, encoder.input_sizes, strict=True)
        self.shapes = [_grid_shape(extractor, size, encoder.classifier.name) for extractor, size in pairs]

    def __call__(self, images: Sequence[ImageSource]) -> tuple[Tensor, ...]:
        """The grids of a few images: (images, height, width, channels), float32, for each input size."""
        grids = (np.concatenate(list(self.stream(images, index=index))) for index in range(len(self.shapes)))
        return tuple(map(torch.from_numpy, grids))

    def stream(self, images: Sequence[ImageSource], variant: str = "original", index: int = 0) -> Iterator[np.ndarray]:
        """The grids batch by batch, (batch, height, width, channels), float32, in the images' order.

        Args:
            images: files, or objects with ``read()``.
            variant: "original" or "hflip", their mirror images.
            index: of the input size.
        """
        for found in self._extractors[index].with_hflip(HFLIPS[variant]).stream(images):
            yield _concatenate([torch.from_numpy(found[layer]) for layer in self._layers]).numpy()


def _config(encoder: Encoder, size: int) -> ExtractionConfig:
    preprocessing = encoder.classifier.preprocessing.with_size(size)
    return ExtractionConfig(encoder.layers, preprocessing, "grid", num_prefix_tokens=encoder.num_prefix_tokens)


def _grid_shape(extractor: FeatureExtractor, size: int, network: str) -> tuple[int, ...]:
    try:
        with torch.inference_mode():
            grids = extractor.network(torch.zeros(1, 3, size, size))
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"{network} cannot process images of {size} pixels ({error}): give a larger input size, or the network's "
            "own"
        ) from error
    return tuple(_concatenate(grids).shape[1:])


def _concatenate(grids: Sequence[Tensor]) -> Tensor:
    """The grids of several layers as one: averaged over the cells of the last one, channels concatenated."""
    height, width = grids[-1].shape[1:3]
    parts = []
    for grid in grids:
        if grid.shape[1:3] != (height, width):
            maps = grid.permute(0, 3, 1, 2)  # (n, channels, h, w)
            grid = F.adaptive_avg_pool2d(maps, (height, width)).permute(0, 2, 3, 1)
        parts.append(grid)
    return torch.cat(parts, dim=3)  # (n, height, width, channels of all layers)
