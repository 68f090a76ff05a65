"""The grids of a whole corpus: computed once, kept on disk in half precision, and read by pages (memory-mapped).

A folder for each corpus and encoder, named after a hash of all they depend on: ``grids.npy`` (images, variants,
positions, channels), float16, and ``grids.json`` with what it is. A run that was cut off goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from captionlab.captioning.encoders import Encoder
from captionlab.datasets.disk import require_space
from captionlab.transfer.checkpoints import write_atomically
from captionlab.transfer.extraction import Picture, Recipe, prepare, read_batch, stream
from captionlab.transfer.feature_cache import fingerprint

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
        "layer": encoder.layer,
        "size": encoder.size,
        "variants": list(variants),
    }
    folder = cache / f"grids-{_key(about, names, pictures)}"
    if not (folder / "grids.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _fill(folder, pictures, encoder, variants, progress)
        write_atomically(folder / "grids.json", json.dumps({**about, "names": list(names)}).encode())
        (folder / "done.json").unlink(missing_ok=True)
    return Grids(np.load(folder / "grids.npy", mmap_mode="r"), tuple(names), tuple(variants), about)


def _key(about: dict, names: Sequence[str], pictures: Sequence[Picture]) -> str:
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, picture in zip(names, pictures, strict=True):
        digest.update(name.encode())
        if isinstance(picture, (str, Path)):
            found = os.stat(picture)
            digest.update(f"{found.st_size} {found.st_mtime_ns}\n".encode())
        else:
            digest.update(picture.identity().encode())
    return digest.hexdigest()[:32]


def grid_recipe(encoder: Encoder, variant: str = "plain") -> Recipe:
    """How `captionlab.transfer.extraction` makes the grid of one picture."""
    return Recipe((encoder.layer,), encoder.size, "positions", VARIANTS[variant])


def _fill(folder: Path, pictures: Sequence[Picture], encoder: Encoder, variants: Sequence[str], progress: bool) -> None:
    """Write grids.npy, going on after the images that ``done.json`` says are there."""
    recipe = grid_recipe(encoder)
    network = prepare(encoder.classifier.model, recipe, compiled=len(pictures) >= CHUNK)
    first = next(stream(network, pictures[:1], recipe, progress=False))[encoder.layer]
    channels = _channels(encoder)
    shape = (len(pictures), len(variants), first.shape[1] // channels, channels)
    array, done = _open(folder, shape)
    with tqdm(total=len(pictures), initial=done, unit="image", desc="grids", disable=None if progress else True) as bar:
        for start in range(done, len(pictures), CHUNK):
            part = pictures[start : start + CHUNK]
            for number, variant in enumerate(variants):
                at = start
                for row in _rows(network, part, grid_recipe(encoder, variant), encoder.layer):
                    array[at : at + len(row), number] = row.reshape(len(row), *shape[2:])
                    at += len(row)
                    bar.update(len(row) / len(variants))
            array.flush()
            write_atomically(folder / "done.json", json.dumps({"done": start + len(part)}).encode())


def _rows(network: torch.nn.Module, pictures: Sequence[Picture], recipe: Recipe, layer: str) -> Iterator[np.ndarray]:
    for found in stream(network, pictures, recipe, progress=False):
        yield found[layer]


def _channels(encoder: Encoder) -> int:
    recipe = Recipe((encoder.layer,), encoder.size, "average")
    with torch.inference_mode():
        return prepare(encoder.classifier.model, recipe, compiled=False)(torch.zeros(1, 3, encoder.size, encoder.size))[
            0
        ].shape[1]


def _open(folder: Path, shape: tuple[int, ...]) -> tuple[np.memmap, int]:
    path = folder / "grids.npy"
    try:
        done = json.loads((folder / "done.json").read_text())["done"]
        array = np.lib.format.open_memmap(path, mode="r+")
        if array.shape == shape and array.dtype == np.float16:
            return array, done
    except (OSError, ValueError, KeyError):
        pass  # nothing there yet, or not readable: from the beginning
    require_space(folder, int(np.prod(shape)) * 2, "to keep the grids of all images")
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape), 0


@dataclass(frozen=True)
class Pictures:
    """Pictures prepared when they are asked for, for an encoder that learns: a grid kept on disk would be out of date.

    Attributes:
        pictures: files, or objects with ``read()``.
        encoder: what it expects of images.
        variants: "plain", "mirrored".
    """

    pictures: Sequence[Picture]
    encoder: Encoder
    variants: tuple[str, ...] = ("plain",)

    def batch(self, numbers: Sequence[int], variants: Sequence[int] | int = 0) -> Tensor:
        """Prepared images of some pictures, (numbers, 3, size, size), float32; variants: see :meth:`Grids.batch`."""
        images = read_batch([self.pictures[number] for number in numbers], grid_recipe(self.encoder))
        chosen = np.broadcast_to(np.asarray(variants), len(images))
        mirrored = torch.tensor([self.variants[variant] == "mirrored" for variant in chosen])
        return torch.where(mirrored[:, None, None, None], images.flip(3), images)
