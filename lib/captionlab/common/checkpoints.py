"""Checkpoints of a training run: tensors and JSON in one safetensors file, which is replaced atomically.

A checkpoint holds everything that training needs to resume exactly: weights and buffers, the states of the optimizer
and the scheduler, and those of the random number generators. Nothing is pickled, so loading a file runs no code from
it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from captionlab.common.files import write_atomically
from captionlab.common.weight_files import check_finite, explain_error, fit_names, foreign_content

MAX_HEAD_TENSORS = 6  # weight and bias of a classification layer, and of two auxiliary ones
_KEY = "captionlab"  # safetensors' metadata are strings: one of them, with JSON in it, so their order cannot vary


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, Any]) -> None:
    """Write a checkpoint; at any moment the file is either the old or the new one, complete.

    Args:
        path: the file; its folder is created if it is missing.
        tensors: tensors by name, on any device and in any memory layout.
        metadata: JSON values.

    Raises:
        OSError: if it cannot be written, for instance on a full disk; an older file of that name stays as it was.
    """
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(ready, metadata={_KEY: json.dumps(metadata)}))


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a file written by :func:`save_checkpoint`.

    Returns:
        The tensors by name, on the CPU, and the metadata.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged or not a checkpoint.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint {path.name} in {path.parent}: train first")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {})[_KEY])
            if not isinstance(metadata, dict):
                raise KeyError(_KEY)
            return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118 - not a dict
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        foreign = foreign_content(path)
        if foreign:
            reason = f"it is {foreign}"
        elif isinstance(error, SafetensorError):
            reason = explain_error(error)
        else:
            reason = "it holds tensors without the settings of a run"
        raise ValueError(
            f"{path.name} is damaged or not a checkpoint of this course (in {path.parent}): {reason}. Expected a "
            "safetensors file written by captionlab; put back a copy of it, or delete it and train again"
        ) from error


@contextmanager
def damaged_metadata(path: Path) -> Iterator[None]:
    """Name the file if what is read from its metadata inside the block is missing, or of another kind.

    Raises:
        ValueError: instead of KeyError, TypeError, AttributeError and IndexError; a ValueError that does not name the
            file gets its name.
    """
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        if isinstance(error, ValueError) and path.name in str(error):
            raise
        reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ValueError(
            f"{path.name} is damaged or was edited (in {path.parent}): its metadata are not those of a checkpoint "
            f"({reason}); put back a copy of it, or delete it and train again"
        ) from error


def describe_mismatch(model: nn.Module, tensors: Mapping[str, Tensor]) -> str | None:
    """How a state dict differs from the one a model expects, in names and shapes; None if it fits.

    If only the number of classes differs, it says so.
    """
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    names = expected | found
    differing = [name for name in names if found.get(name) != expected.get(name)]
    if not differing:
        return None
    first = differing[0]
    classes = {(found.get(name, ())[:1], expected.get(name, ())[:1]) for name in differing}
    rest = all(found.get(name, ())[1:] == expected.get(name, ())[1:] for name in differing)
    (one, other), *more = classes
    heads = rest and not more and one and other and len(differing) <= MAX_HEAD_TENSORS
    note = f" (weights for {one[0]} classes, and a network for {other[0]}: its last layer differs)" if heads else ""
    return (
        f"{len(differing)} of {len(names)} tensors differ; first {first}: "
        f"found {found.get(first, 'nothing')}, expected {expected.get(first, 'nothing')}{note}"
    )


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], file_name: str) -> None:
    """Copy tensors into a model that has exactly these, by name and shape.

    Args:
        model: is changed in place.
        tensors: a state dict; prefixes of wrapped models are removed (see :func:`~.weight_files.fit_names`).
        file_name: where the tensors are from, for the message.

    Raises:
        ValueError: if the model has other tensors, or one contains NaN or infinity; it is then left as it was.
    """
    tensors = fit_names(tensors, model.state_dict(), file_name)
    if mismatch := describe_mismatch(model, tensors):
        raise ValueError(
            f"{file_name} was saved from another network than this {type(model).__name__}: {mismatch}; give the "
            "network it was saved from, or another folder"
        )
    check_finite(tensors, file_name)
    model.load_state_dict(tensors)


def add_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, each named ``prefix.name``."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def select_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix.``, named without it."""
    return {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}.")}


def split_optimizer_state(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimizer's state as tensors by name (``"3.momentum_buffer"``) and as JSON values."""
    state = optimizer.state_dict()
    entries = {f"{number}.{key}": value for number, kept in state["state"].items() for key, value in kept.items()}
    tensors = {name: value for name, value in entries.items() if isinstance(value, Tensor)}
    return tensors, {
        "groups": state["param_groups"],
        "values": {name: value for name, value in entries.items() if name not in tensors},
    }


def load_optimizer_state(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], metadata: dict[str, Any]
) -> None:
    """Restore what :func:`split_optimizer_state` returned.

    Raises:
        ValueError: if the optimizer has other groups of parameters.
    """
    state: dict[int, dict[str, Any]] = {}
    for name, value in {**tensors, **metadata["values"]}.items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": metadata["groups"]})
