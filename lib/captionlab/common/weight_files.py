"""Files of weights as people have them: recognized by their content, unwrapped, and read without running code.

A file that cannot be read is refused with what it is instead: a web page, an archive, a whole pickled model, a file of
another library, or one that was cut off.
"""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from captionlab.common.logs import logger
from captionlab.common.signatures import is_web_page, kind_of_bytes

AGAIN = "download or save it again"
SAVE_ALONE = "in the program that made it, save the weights alone: torch.save(model.state_dict(), PATH)"
UNPACK = "unpack it and give the file of weights in it"
CONVERT = "only PyTorch's weights are read, .pth or .safetensors: convert them first"
# What a file is, and what to do, by its kind (see captionlab.common.signatures).
FOREIGN = {
    "git lfs": "a pointer of Git LFS, not the file it stands for; run git lfs pull",
    "gzip": f"compressed (gzip); {UNPACK}",
    "bzip2": f"compressed (bzip2); {UNPACK}",
    "xz": f"compressed (xz); {UNPACK}",
    "zstd": f"compressed (zstd); {UNPACK}",
    "7z": f"compressed (a 7z archive); {UNPACK}",
    "rar": f"compressed (a RAR archive); {UNPACK}",
    "tar": f"a tar archive; {UNPACK}",
    "matlab": f"a MATLAB file; {CONVERT}",
    "hdf5": f"an HDF5 file, as Keras and TensorFlow save weights; {CONVERT}",
    "numpy": f"an array of NumPy; {CONVERT}",
    "tflite": f"a TensorFlow Lite model; {CONVERT}",
    "gguf": f"a GGUF model; {CONVERT}",
    "png": "an image; give a file of weights",
    "jpeg": "an image; give a file of weights",
}
HEAD = 512  # bytes from which a file is recognized
MAX_HEADER = 100_000_000  # bytes of safetensors' header, which its first eight bytes state
# Names under which training programs keep a state dict in a checkpoint, the most common ones first.
KEYS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params", "module")
# Parts of names that nn.DataParallel, DistributedDataParallel, AveragedModel, torch.compile and FSDP insert.
WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}


def load_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of weights by name, on the CPU; runs no code from the file.

    Args:
        path: written by `torch.save` or by safetensors, whatever its name ends with; a state dict, or the checkpoint
            of a training program with a state dict in it.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read, with what it is instead and what to do.
    """
    if path.is_dir():
        inside = sorted(each.name for each in path.glob("*") if each.suffix in (".pth", ".pt", ".bin", ".safetensors"))
        advice = (
            f"give one of the files in it: {', '.join(inside[:4])}" if inside else "give a .pth or .safetensors file"
        )
        raise FileNotFoundError(f"no weight file {path.name} in {path.parent}, it is a folder: {advice}")
    if not path.is_file():
        raise FileNotFoundError(
            f"no weight file {path.name} in {path.parent}: give an existing .pth or .safetensors file"
        )
    if foreign := foreign_content(path):
        raise ValueError(f"{path.name} cannot be read as weights: it is {foreign}")
    try:
        loaded = load_file(path) if is_safetensors(path) else _load_pickled(path)
    except Exception as error:  # a damaged pickle may raise anything
        raise ValueError(f"{path.name} cannot be read as weights: {explain_error(error)}") from error
    return _unwrapped(loaded, path.name)


def _load_pickled(path: Path) -> Any:
    with path.open("rb") as file, warnings.catch_warnings():  # given the path, torch goes by the ending of the name
        warnings.simplefilter("ignore")
        return torch.load(file, map_location="cpu", weights_only=True)


# --- what a file is ---------------------------------------------------------------------------------------------------


def is_safetensors(path: Path) -> bool:
    """Whether a file is of safetensors' format, whole or cut off."""
    with path.open("rb") as file:
        head = file.read(9)
    return head[8:] == b"{" and int.from_bytes(head[:8], "little") < MAX_HEADER


def foreign_content(path: Path) -> str | None:
    """What a file is instead of weights, and what to do; None if it may be a file of weights.

    Args:
        path: an existing file.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return f"empty; {AGAIN}"
    kind = kind_of_bytes(head)
    if kind in FOREIGN:
        return FOREIGN[kind]
    if is_web_page(head) or head.lstrip().startswith(b"<?xml"):
        return "a web page, perhaps an error message, saved instead of the weights; download the file itself"
    if kind == "zip":
        return _foreign_zip(path)
    if path.suffix == ".onnx" or re.match(rb"\x08[\x01-\x20]\x12.[\x20-\x7e]{3}", head, re.DOTALL):
        return f"an ONNX model; {CONVERT}"
    if not (head.startswith(b"\x80") or is_safetensors(path)):
        what = "text" if all(byte >= 9 for byte in head) and b"\xff" not in head else "of an unknown format"
        return f"{what} (it begins with {head[:24]!r}), expected what torch.save or safetensors writes; {AGAIN}"
    return None


def _foreign_zip(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return f"damaged or cut off after {path.stat().st_size} bytes; {AGAIN}"
    if any(name.endswith("constants.pkl") for name in names):
        return f"a TorchScript program; {SAVE_ALONE}"
    if any(name.endswith("data.pkl") for name in names):
        return None  # torch.save writes zip files
    if any(name.endswith(".h5") for name in names):
        return f"a Keras model; {CONVERT}"
    if names and all(name.endswith(".npy") for name in names):
        return f"an archive of NumPy arrays; {CONVERT}"
    return f"compressed, a zip archive of {', '.join(names[:3]) or 'nothing'}; {UNPACK}"


def explain_error(error: Exception) -> str:
    """Why safetensors or `torch.load` could not read a file, and what to do.

    Args:
        error: what was raised.
    """
    text = str(error).strip()
    if forbidden := re.search(r"GLOBAL ([\w.]+)", text):
        return (
            f"it holds a Python object, {forbidden[1]}, as torch.save(model) writes a whole model; reading it would "
            f"run code from the file: {SAVE_ALONE}"
        )
    if re.search("EOF|central directory|not fully covered|header|incomplete|corrupt|Ran out of input", text):
        return f"it is damaged or cut off; {AGAIN}"
    if isinstance(error, pickle.UnpicklingError):
        return f"it holds Python objects other than tensors; {SAVE_ALONE}"
    first = text.splitlines()[0][:120] if text else type(error).__name__
    return f"it is damaged or not a state dict ({first}); {AGAIN}"


# --- where the state dict is ------------------------------------------------------------------------------------------


def _is_state_dict(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(each, Tensor) for each in value.values())


def _unwrapped(loaded: Any, file_name: str) -> dict[str, Tensor]:
    """The state dict that was loaded, or the one in the checkpoint that was loaded."""
    inside, value = "", loaded
    while not _is_state_dict(value):
        found = [key for key, each in value.items() if _is_state_dict(each)] if isinstance(value, Mapping) else []
        deeper = [key for key in KEYS if isinstance(value, Mapping) and isinstance(value.get(key), Mapping)]
        known = [key for key in KEYS if key in found] or found or deeper
        if not known or (len(known) > 1 and known[0] not in KEYS):
            raise ValueError(f"{file_name} holds {_content(value, found)}, expected named tensors: {SAVE_ALONE}")
        inside += f"[{known[0]!r}]"
        value = value[known[0]]
    if inside:
        logger.info("%s is a training checkpoint: its weights %s are read", file_name, inside)
    return dict(value)


def _content(value: Any, state_dicts: list[str]) -> str:
    if not isinstance(value, Mapping):
        return f"a {type(value).__name__}"
    if state_dicts:
        return f"several state dicts, {', '.join(map(str, state_dicts))}"
    return f"a dict with {', '.join(map(str, list(value)[:4]))}" if value else "an empty dict"


# --- what the tensors are called --------------------------------------------------------------------------------------


def fit_names(tensors: Mapping[str, Tensor], expected: Iterable[str], file_name: str = "") -> dict[str, Tensor]:
    """The tensors under the names that a model expects, if only prefixes and wrappers differ.

    ``module.`` of nn.DataParallel, ``_orig_mod.`` of torch.compile and the like are removed wherever they are; any
    other prefix, such as ``model.``, is removed if the rest of the names is then complete. What a model expects and
    only counts batches (``num_batches_tracked``, which old files lack) is added.

    Args:
        tensors: a state dict.
        expected: the names of the model's own.
        file_name: where the tensors are from; if it is given, what was removed is logged.

    Returns:
        The tensors; with their own names if the model's cannot be found among them.
    """
    wanted = set(expected)
    counters = {name for name in wanted if name.endswith("num_batches_tracked")}
    needed = wanted - counters
    if not needed or needed <= tensors.keys():
        return _with_counters(tensors, counters)
    unwrapped = {".".join(part for part in name.split(".") if part not in WRAPPERS): name for name in tensors}
    probe = max(needed, key=len)
    for names in ({name: name for name in tensors}, unwrapped):
        prefixes = (name[: -len(probe)] for name in names if name == probe or name.endswith(f".{probe}"))
        for prefix in sorted(prefixes, key=len):
            if all(prefix + name in names for name in needed):
                found = {name: tensors[names[prefix + name]] for name in wanted if prefix + name in names}
                if file_name:
                    left_out = len(tensors) - len(found)
                    others = f"; {left_out} other tensors are left out" if left_out else ""
                    logger.info("%s: %s is read as %s, and so on%s", file_name, names[prefix + probe], probe, others)
                return _with_counters(found, counters)
    return dict(tensors)


def _with_counters(tensors: Mapping[str, Tensor], counters: set[str]) -> dict[str, Tensor]:
    return {**{name: torch.tensor(0) for name in counters if name not in tensors}, **tensors}


def check_finite(tensors: Mapping[str, Tensor], file_name: str) -> None:
    """Check that no tensor contains NaN or infinity.

    Args:
        tensors: by name.
        file_name: where the tensors are from, for the message.

    Raises:
        ValueError: with the first tensor that does.
    """
    wrong = [
        name
        for name, tensor in tensors.items()
        # A sum is quick, and finite unless a number is not or the sum is too large.
        if tensor.is_floating_point() and not tensor.float().sum().isfinite() and not tensor.isfinite().all()
    ]
    if wrong:
        tensor = tensors[wrong[0]]
        count = int((~tensor.isfinite()).sum())
        raise ValueError(
            f"{file_name} contains NaN or infinity in {len(wrong)} of {len(tensors)} tensors, first {wrong[0]}: "
            f"{count} of {tensor.numel()} numbers; its training diverged or it is damaged: give an earlier checkpoint"
        )
