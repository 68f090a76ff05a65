"""Where a result comes from: what every experiment writes beside its numbers."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath, PureWindowsPath

PACKAGES = ("captionlab", "torch", "torchvision", "numpy")


def provenance(command: str, seed: int | None, device: str = "cpu") -> dict:
    """What is needed to run an experiment again and to judge its timings; JSON values, the same on every call.

    No host name, user name, date or absolute path: results are published, and the same run gives the same bytes.

    Args:
        command: the command line that gives the result; of absolute paths only the last part is kept.
        seed: the seed of everything drawn at random, None where nothing is.
        device: "cpu", or the accelerator's name.

    Returns:
        ``command``, ``seed``, ``versions`` (package or "python" to version, None where not installed) and
        ``machine`` (``cpu`` model, ``cores`` this process may use, ``device``).
    """
    return {
        "command": without_folders(command),
        "seed": seed,
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "machine": {"cpu": cpu_model(), "cores": cores(), "device": device},
    }


def without_folders(command: str) -> str:
    """A command line with absolute paths, also behind ``--option=``, cut to their last part; relative paths stay."""
    try:
        words = shlex.split(command)
    except ValueError:  # a quote that is never closed
        words = command.split()
    return shlex.join(map(_without_folders, words))


def _without_folders(word: str) -> str:
    before, equals, path = word.rpartition("=")
    if PureWindowsPath(path).drive:
        path = PureWindowsPath(path).name
    elif path.startswith(("/", "~")):
        path = PurePosixPath(path).name
    return before + equals + (path or "/")


def cores() -> int:
    """Processor cores this process may use: in a container fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's model name, or its architecture where the system does not tell the model."""
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


def readable(record: dict) -> str:
    """A result's record as JSON: numbers as short as they are meaningful, innermost lists and objects on one line."""
    innermost = re.compile(r"[\[{][^\[\]{}]*[\]}]")
    text = json.dumps(_rounded(record), indent=1)
    return innermost.sub(lambda found: " ".join(found.group().split()), text) + "\n"


def _rounded(value):
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list | tuple) else value


def device() -> str:
    """What computes here: "cpu", or the GPU's name."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
