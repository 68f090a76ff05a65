"""Checkpoints of a training run: one safetensors file, tensors and JSON together, replaced in one piece or not at all.

Everything that decides how training goes on is in it: weights and buffers, the optimizer's and the scheduler's
states, and those of the random generators. Nothing is pickled, so loading a checkpoint runs no code from it.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from captionlab.common.files import write_atomically

_KEY = "captionlab"  # safetensors' header holds strings only: one, with JSON in it


def save_checkpoint(path: Path, tensors: dict[str, Tensor], about: dict) -> None:
    """Write a checkpoint so that at any moment the file is the old one or the new one, whole.

    Args:
        path: the file; its folder is made if it is missing.
        tensors: tensors by name, of any device and memory layout.
        about: JSON values.

    Raises:
        OSError: if it cannot be written, as on a full disk; an older file of that name is left as it was.
    """
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(ready, metadata={_KEY: json.dumps(about)}))


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict]:
    """Read what :func:`save_checkpoint` wrote: the tensors by name, on the CPU, and the JSON values.

    Raises:
        FileNotFoundError: if the file is not there.
        ValueError: if it is damaged or something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint {path.name} in {path.parent}: train first")
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})[_KEY])
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118 - not a dict
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path.name} is damaged or no checkpoint of this course ({error}): expected a safetensors file written by "
            "fine_tune; delete it to train anew"
        ) from error


def load_weights(model: nn.Module, tensors: dict[str, Tensor], file: str) -> None:
    """Copy tensors into a model that has exactly these, by name and shape.

    Raises:
        ValueError: if it has others; the model is left as it was.
    """
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            raise ValueError(
                f"{file} is of another network: for {name} it has {found.get(name, 'nothing')}, "
                f"{type(model).__name__} expects {expected.get(name, 'nothing')}; give the network it was saved from, "
                "or another folder"
            )
    model.load_state_dict(tensors)


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under ``prefix.name``."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def unprefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those of the tensors whose names begin with ``prefix.``, without it."""
    return {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}.")}


def optimizer_state(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict]:
    """An optimizer's state as tensors by name (``"3.momentum_buffer"``) and JSON values."""
    state = optimizer.state_dict()
    entries = {f"{number}.{key}": value for number, kept in state["state"].items() for key, value in kept.items()}
    tensors = {name: value for name, value in entries.items() if isinstance(value, Tensor)}
    return tensors, {
        "groups": state["param_groups"],
        "values": {name: value for name, value in entries.items() if name not in tensors},
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], about: dict) -> None:
    """Put an optimizer in the state that :func:`optimizer_state` told.

    Raises:
        ValueError: if it has other groups of parameters.
    """
    state: dict[int, dict] = {}
    for name, value in (tensors | about["values"]).items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": about["groups"]})
