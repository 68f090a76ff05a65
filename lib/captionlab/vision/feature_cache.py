"""Features kept on disk, so that no image goes through the same network twice.

A file `<key>.safetensors` for each set of images and each way of making features. The key is a hash of everything the
features depend on: the network's structure and weights, the recipe, and the image files. Change any of them and
another file is written; nothing is ever out of date.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import nn

FORMAT = 1  # to be raised when the same recipe begins to give other numbers
Features = dict[str, np.ndarray]


def feature_key(model: nn.Module, recipe: dict, files: Sequence[Path]) -> str:
    """A name for the features of these files: 32 hexadecimal digits.

    It changes with the model's structure (its ``repr``), with any weight or buffer, with the recipe (JSON values), and
    with any file's place, size or time of change, or their order. The files are not read.

    Raises:
        FileNotFoundError: if a file is not there.
    """
    digest = hashlib.sha256(json.dumps([FORMAT, recipe, fingerprint(model)], sort_keys=True).encode())
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
    """The features in a file of this cache, or None where there is no such file or it cannot be trusted.

    A file that is cut off, changed, or of other features is reported by a warning; it is for the caller to make the
    features anew and write them over it.

    Args:
        layers: the names of the arrays that must be there.
        count: rows each of them must have.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="np") as file:
            sums = json.loads((file.metadata() or {})["checksums"])
            features = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        problem = _problem(features, sums, layers, count)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        problem = f"cannot be read ({error})"
    if problem:
        warnings.warn(f"the kept features {path.name} {problem}: they are computed anew", stacklevel=2)
        return None
    return {layer: features[layer] for layer in layers}


def _problem(features: Features, sums: dict, layers: Sequence[str], count: int) -> str | None:
    if sorted(features) != sorted(layers):
        return f"hold {', '.join(sorted(features))}, expected {', '.join(sorted(layers))}"
    for name, array in features.items():
        if len(array) != count:
            return f"hold {len(array)} rows of {name}, expected {count}"
        if _checksum(array) != sums.get(name):
            return f"were changed after they were written ({name} has another checksum)"
    return None


def write_features(path: Path, features: Features, about: dict) -> bool:
    """Keep features, as a whole or not at all; the folder is made if it is missing.

    Where it cannot be written (a read-only folder, a full disk), that is a warning and not an error: the features
    themselves are there.

    Args:
        about: JSON values for the file's header, for whoever looks into it.

    Returns:
        Whether the file was written.
    """
    header = {"about": json.dumps(about), "checksums": json.dumps({k: _checksum(v) for k, v in features.items()})}
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".unfinished-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        save_file({k: np.ascontiguousarray(v) for k, v in features.items()}, temporary, metadata=header)
        os.chmod(temporary, 0o644)  # mkstemp's files are closed to others; a cache folder may be shared
        os.replace(temporary, path)
        return True
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        warnings.warn(f"the features could not be kept in {path.parent} ({reason}): name another folder", stacklevel=2)
        return False
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)


def _checksum(array: np.ndarray) -> int:
    """CRC-32 of the values: finds accidents, faster than the disk reads."""
    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data)
