"""The grids of a whole corpus: computed once, kept on disk in half precision, and read by pages (memory-mapped).

A folder for each corpus and encoder, named after a hash of all they depend on: ``grids.npy`` (images, variants,
positions, channels), float16, and ``grids.json`` with what it is. A run that was cut off goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from filelock import FileLock
from torch import Tensor
from tqdm import tqdm

from captionlab.captioning.encoders import Encoder
from captionlab.common.files import write_atomically
from captionlab.datasets.disk import require_space
from captionlab.vision.extraction import Picture, Recipe, prepare, stream
from captionlab.vision.feature_cache import fingerprint

FORMAT = 1  # to be raised when the same recipe begins to give other numbers
VARIANTS = {"plain": "no", "mirrored": "only"}
CHUNK = 256  # images between two notes of how far it has come


@dataclass(frozen=True)
class Grids:
    """Grids of images on disk.

    Attributes:
        array: (images, variants, positions, channels), float16, memory-mapped.
        names: of the images, in order.
        variants: "plain", "mirrored".
        about: what they were made of: network, layer, size, the weights' fingerprint.
    """

    array: np.ndarray
    names: tuple[str, ...]
    variants: tuple[str, ...]
    about: dict

    @property
    def channels(self) -> int:
        """Features at each position."""
        return self.array.shape[3]

    def batch(self, numbers: Sequence[int], variants: Sequence[int] | int = 0) -> Tensor:
        """Grids of some images, (numbers, positions, channels), float32.

        Args:
            numbers: of the images.
            variants: of each, or of all: 0 as it is, 1 mirrored.
        """
        return torch.from_numpy(self.array[np.asarray(numbers), variants].astype(np.float32))


def compute_grids(
    names: Sequence[str],
    pictures: Sequence[Picture],
    encoder: Encoder,
    cache: Path,
    *,
    variants: Sequence[str] = ("plain",),
    progress: bool = True,
) -> Grids:
    """The grids of pictures, from the cache if they are there.

    Args:
        names: what each picture is called; a part of the key, with a file's size and time of change.
        pictures: files, or objects with ``read()``.
        cache: folder below which they are kept.
        variants: "plain", "mirrored" or both.
        progress: show a bar.

    Raises:
        ValueError: if a picture cannot be read, or there is none.
        DataError: if the disk has no room for them; nothing is begun.
    """
    if not pictures:
        raise ValueError("there are no pictures to compute grids of: give at least one")
    about = {
        "format": FORMAT,
        "network": encoder.classifier.name,
        "weights": encoder.classifier.weights_source,
        "fingerprint": fingerprint(encoder.classifier.model),
        "layers": list(encoder.layers),
        "size": encoder.size,
        **({"second_size": encoder.second_size} if encoder.second_size else {}),
        "variants": list(variants),
    }
    folder = cache / f"grids-{_key(about, names, pictures)}"
    folder.mkdir(parents=True, exist_ok=True)
    # A second process that wants the same grids waits until the first has them.
    with FileLock(folder / "lock"):
        array = _finished(folder)
        if array is None:
            _fill(folder, pictures, encoder, variants, progress)
            write_atomically(folder / "grids.json", json.dumps({**about, "names": list(names)}).encode())
            (folder / "done.json").unlink(missing_ok=True)
            array = np.load(folder / "grids.npy", mmap_mode="r")
    return Grids(array, tuple(names), tuple(variants), about)


def _finished(folder: Path) -> np.memmap | None:
    """The grids, if they are all there; None, and said, if their file is damaged."""
    if not (folder / "grids.json").is_file():
        return None
    try:
        return np.load(folder / "grids.npy", mmap_mode="r")
    except (OSError, ValueError) as error:
        warnings.warn(f"{folder / 'grids.npy'} is damaged ({error}): the grids are computed again", stacklevel=3)
        (folder / "grids.json").unlink()
        return None


def _key(about: dict, names: Sequence[str], pictures: Sequence[Picture]) -> str:
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, picture in zip(names, pictures, strict=True):
        digest.update(name.encode())
        digest.update(cache_key(picture).encode())
    return digest.hexdigest()[:32]


def cache_key(picture: Picture) -> str:
    """What changes with a picture's content: a file's size and time, or what the picture says of itself."""
    if isinstance(picture, (str, Path)):
        found = os.stat(picture)
        return f"{found.st_size} {found.st_mtime_ns}\n"
    return picture.cache_key()


def grid_recipe(encoder: Encoder, variant: str = "plain", size: int | None = None) -> Recipe:
    """How `captionlab.vision.extraction` makes the grid of one picture, of the encoder's first size or another."""
    return Recipe(encoder.layers, size or encoder.size, "positions", VARIANTS[variant])


def _fill(folder: Path, pictures: Sequence[Picture], encoder: Encoder, variants: Sequence[str], progress: bool) -> None:
    """Write grids.npy, going on after the images that ``done.json`` says are there."""
    network = GridNetwork(encoder, compiled=len(pictures) >= CHUNK)
    first = network.of_pictures(pictures[:1])
    shape = (len(pictures), len(variants), *first.shape[1:])
    array, done = _open(folder, shape)
    with tqdm(total=len(pictures), initial=done, unit="image", desc="grids", disable=None if progress else True) as bar:
        for start in range(done, len(pictures), CHUNK):
            part = pictures[start : start + CHUNK]
            for number, variant in enumerate(variants):
                at = start
                for row in network.stream(part, variant):
                    array[at : at + len(row), number] = row
                    at += len(row)
                    bar.update(len(row) / len(variants))
            array.flush()
            write_atomically(folder / "done.json", json.dumps({"done": start + len(part)}).encode())


class GridNetwork:
    """A pretrained network from pictures to grids; how both a corpus and a single photograph are seen."""

    def __init__(self, encoder: Encoder, compiled: bool = False) -> None:
        self._views = [_View(encoder, size, compiled) for size in encoder.sizes]

    def stream(self, pictures: Sequence[Picture], variant: str = "plain") -> Iterator[np.ndarray]:
        """Grids batch by batch, (n, positions, channels), float32; with two sizes all in one batch."""
        if len(self._views) == 1:
            yield from self._views[0].stream(pictures, variant)
        else:
            yield np.concatenate([np.concatenate([*view.stream(pictures, variant)]) for view in self._views], axis=1)

    def of_pictures(self, pictures: Sequence[Picture]) -> Tensor:
        """Grids of a few pictures, (pictures, positions, channels), float32."""
        return torch.from_numpy(np.concatenate(list(self.stream(pictures))))


class _View:
    """The network at one size of the images."""

    def __init__(self, encoder: Encoder, size: int, compiled: bool) -> None:
        self.encoder, self.size = encoder, size
        self.network = prepare(encoder.classifier.model, grid_recipe(encoder, size=size), compiled=compiled)
        # How many channels each layer has: its maps' averages are that many.
        averages = prepare(encoder.classifier.model, Recipe(encoder.layers, size), compiled=False)
        try:
            with torch.inference_mode():
                self.channels = [row.shape[1] for row in averages(torch.zeros(1, 3, size, size))]
        except RuntimeError as error:
            raise ValueError(
                f"{encoder.classifier.name} cannot look at images of {size} pixels ({error}): give a larger size"
            ) from error

    def stream(self, pictures: Sequence[Picture], variant: str) -> Iterator[np.ndarray]:
        for found in stream(self.network, pictures, grid_recipe(self.encoder, variant, self.size), progress=False):
            yield self._beside([torch.from_numpy(found[layer]) for layer in self.encoder.layers]).numpy()

    def _beside(self, rows: Sequence[Tensor]) -> Tensor:
        """The layers' maps side by side on the last one's grid."""
        last = math.isqrt(rows[-1].shape[1] // self.channels[-1])
        parts = []
        for row, channels in zip(rows, self.channels, strict=True):
            side = math.isqrt(row.shape[1] // channels)
            maps = row.reshape(len(row), side, side, channels)
            if side != last:
                maps = F.adaptive_avg_pool2d(maps.permute(0, 3, 1, 2), last).permute(0, 2, 3, 1)
            parts.append(maps.flatten(1, 2))
        return torch.cat(parts, dim=2)


def _open(folder: Path, shape: tuple[int, ...]) -> tuple[np.memmap, int]:
    path = folder / "grids.npy"
    try:
        done = json.loads((folder / "done.json").read_text())["done"]
        array = np.lib.format.open_memmap(path, mode="r+")
        if array.shape == shape and array.dtype == np.float16:
            return array, done
    except (OSError, ValueError, KeyError):
        pass  # nothing there yet, or not readable: from the beginning
    size = int(np.prod(shape)) * 2
    require_space(folder, size, "to keep the grids of all images")
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
    if hasattr(os, "posix_fallocate"):  # takes the room now: a disk that fills later would end the process
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array, 0
