"""Where a result comes from: what every experiment writes next to its numbers."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

PACKAGES = ("captionlab", "torch", "torchvision", "numpy")


def collect_provenance(command: str, seed: int | None, device: str = "cpu") -> dict[str, Any]:
    """What is needed to repeat an experiment and to interpret its timings, as JSON values.

    No host name, user name, date or absolute path is included: results are published, and repeating a run gives the
    same bytes.

    Args:
        command: the command line that gives the result; only the last part of absolute paths is kept.
        seed: the seed of all random numbers, None if there are none.
        device: "cpu", or the accelerator's name, see :func:`device_name`.

    Returns:
        ``command``, ``seed``, ``versions`` (of Python and the packages; None if not installed) and ``machine``
        (``cpu`` model, ``cores`` this process may use, ``device``).
    """
    return {
        "command": strip_folders(command),
        "seed": seed,
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "machine": {"cpu": cpu_model(), "cores": available_cores(), "device": device},
    }


def strip_folders(command: str) -> str:
    """Reduce absolute paths in a command line, also after ``--option=``, to their last part; relative paths stay."""
    try:
        words = shlex.split(command)
    except ValueError:  # a quote that is never closed
        words = command.split()
    return shlex.join(map(_strip_folders, words))


def _strip_folders(word: str) -> str:
    before, equals, path = word.rpartition("=")
    if PureWindowsPath(path).drive:
        path = PureWindowsPath(path).name
    elif path.startswith(("/", "~")):
        path = PurePosixPath(path).name
    return before + equals + (path or "/")


def available_cores() -> int:
    """Number of processor cores this process may use; in a container fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's model name, or its architecture if the system does not report a model."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next((name for name in names if name), platform.processor() or platform.machine() or "unknown")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def format_json(record: Mapping[str, Any]) -> str:
    """A record as JSON: numbers with six significant digits, innermost lists and objects on one line."""
    innermost = re.compile(r"[\[{][^\[\]{}]*[\]}]")
    text = json.dumps(_rounded(record), indent=1)
    return innermost.sub(lambda found: " ".join(found.group().split()), text) + "\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list | tuple) else value


def device_name() -> str:
    """The device that computes: "cpu", or the GPU's name."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
