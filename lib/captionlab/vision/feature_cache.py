"""Features cached on disk, so that no image goes through the same network twice.

There is one file `<key>.safetensors` for each set of images and each configuration. The key is a hash of everything
that the features depend on: the network's structure and weights, the configuration, and the image files. Change any of
them and another file is written; nothing is ever out of date.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import nn

from captionlab.common.files import write_atomically

FORMAT = 2  # to be raised when the same configuration gives other numbers than before
Features = dict[str, np.ndarray]


def feature_key(model: nn.Module, config: dict[str, Any], files: Sequence[Path]) -> str:
    """A name for the features of these files: 32 hexadecimal digits.

    It changes with the model's structure (its ``repr``), with any weight or buffer, with the configuration (JSON
    values), and with any file's path, size or modification time, or their order. The files are not read.

    Raises:
        FileNotFoundError: if a file does not exist.
    """
    digest = hashlib.sha256(json.dumps([FORMAT, config, fingerprint(model)], sort_keys=True).encode())
    for file in files:
        found = os.stat(file)
        digest.update(f"{os.path.abspath(file)}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]


def fingerprint(model: nn.Module) -> str:
    """A hash of a network's structure and weights, 64 hexadecimal digits."""
    digest = hashlib.sha256(repr(model).encode())
    for name, tensor in model.state_dict().items():
        array = tensor.detach().cpu().contiguous().flatten().view(dtype=torch.uint8).numpy()
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(array)
    return digest.hexdigest()


def read_features(path: Path, layers: Sequence[str], count: int) -> Features | None:
    """Read a file of the cache.

    A file that is truncated, changed, or holds other features causes a warning; the caller should then compute the
    features again and overwrite it.

    Args:
        path: the file.
        layers: names of the arrays that it must hold.
        count: number of rows that each of them must have.

    Returns:
        The features, or None if there is no such file or it cannot be trusted.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="np") as file:
            checksums = json.loads((file.metadata() or {})["checksums"])
            features = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        problem: str | None = _problem(features, checksums, layers, count)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        problem = f"cannot be read ({error})"
    if problem:
        warnings.warn(f"the cached features {path.name} {problem}: they are computed again", stacklevel=2)
        return None
    return {layer: features[layer] for layer in layers}


def _problem(features: Features, checksums: dict[str, int], layers: Sequence[str], count: int) -> str | None:
    if sorted(features) != sorted(layers):
        return f"hold {', '.join(sorted(features))}, expected {', '.join(sorted(layers))}"
    for name, array in features.items():
        if len(array) != count:
            return f"hold {len(array)} rows of {name}, expected {count}"
        if _checksum(array) != checksums.get(name):
            return f"were changed after they were written ({name} has another checksum)"
    return None


def write_features(path: Path, features: Features, metadata: dict[str, Any]) -> bool:
    """Write a file of the cache atomically; its folder is created if it is missing.

    If it cannot be written (a read-only folder, a full disk), that is a warning and not an error: the features
    themselves are not lost.

    Args:
        path: the file.
        features: arrays by name.
        metadata: JSON values for the file's header, for people who look into it.

    Returns:
        Whether the file was written.
    """
    checksums = {name: _checksum(array) for name, array in features.items()}
    header = {"config": json.dumps(metadata), "checksums": json.dumps(checksums)}
    contiguous = {name: np.ascontiguousarray(array) for name, array in features.items()}
    try:
        write_atomically(path, save(contiguous, metadata=header))
        return True
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        warnings.warn(
            f"the features could not be cached in {path.parent} ({reason}): name another folder", stacklevel=2
        )
        return False


def _checksum(array: np.ndarray) -> int:
    """CRC-32 of the values: finds accidents, faster than the disk reads."""
    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data)
