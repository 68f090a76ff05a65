"""Files of weights as people have them: what can be read is read, what cannot is named."""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import logging
import lzma
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save, save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from captionlab.common.weight_files import check_finite, fit_names, load_state_dict


class Small(nn.Module):
    """A network whose parts have names like those of real ones."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
        self.classifier = nn.Linear(2, 3)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Small()


def pth(content) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def same(found, model) -> bool:
    expected = model.state_dict()
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


# --- what can be read -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".pth.tar", ".bin", ""])
def test_the_content_decides_and_not_the_name(model, tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    save_file(model.state_dict(), path)
    assert same(load_state_dict(path), model)
    torch.save(model.state_dict(), path)
    assert same(load_state_dict(path), model)
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=False)  # as before PyTorch 1.6
    assert same(load_state_dict(path), model)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": state},
        lambda state: {"model": state, "args": {"lr": 0.1}},
        lambda state: {
            "epoch": 3,
            "model_state_dict": state,
            "optimizer_state_dict": {"state": {}, "param_groups": []},
        },
        lambda state: {
            "epoch": 3,
            "state_dict": state,
            "hyper_parameters": {"lr": 1},
            "pytorch-lightning_version": "2",
        },
        lambda state: {"model": {"state_dict": state}},
        lambda state: {"model_ema": state, "state_dict": state, "best_acc1": torch.tensor(0.5)},
        lambda state: {"generator": state, "epoch": 7},
    ],
)
def test_the_weights_in_a_training_checkpoint_are_read_and_it_is_said(model, tmp_path, caplog, wrap):
    caplog.set_level(logging.INFO, "captionlab")
    (tmp_path / "last.ckpt").write_bytes(pth(wrap(model.state_dict())))
    assert same(load_state_dict(tmp_path / "last.ckpt"), model)
    assert "last.ckpt is a training checkpoint: its weights [" in caplog.text


# --- what cannot ------------------------------------------------------------------------------------------------------


def archive(kind: str) -> bytes:
    file = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(file, "w") as opened:
            opened.writestr("folder/weights.pth", b"x")
    else:
        with tarfile.open(fileobj=file, mode=kind) as opened:
            opened.addfile(tarfile.TarInfo("weights.pth"))
    return file.getvalue()


def keras() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr("config.json", "{}")
        opened.writestr("model.weights.h5", b"x")
    return file.getvalue()


def script(model) -> bytes:
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(nn.Linear(1, 1)), file)
    return file.getvalue()


def numpy_archive() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.zeros(3))
    return file.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
WHOLE_MODEL = r"holds a Python object, .*Small, as torch\.save\(model\) writes .*torch\.save\(model\.state_dict\(\)"
FOREIGN = {
    "empty": (lambda model: b"", "it is empty; download or save it again"),
    "page": (lambda model: b"<!DOCTYPE html><html>Not found", "a web page.*instead of the weights"),
    "error": (lambda model: b'\n <?xml version="1.0"?><Error>AccessDenied', "a web page"),
    "text": (lambda model: b"weights\n", r"it is text \(it begins with b'weights"),
    "lfs": (lambda model: LFS, r"a pointer of Git LFS.*git lfs pull"),
    "gzip": (lambda model: gzip.compress(pth(model.state_dict())), r"compressed \(gzip\); unpack it"),
    "bzip2": (lambda model: bz2.compress(pth(model.state_dict())), r"compressed \(bzip2\); unpack it"),
    "xz": (lambda model: lzma.compress(pth(model.state_dict())), r"compressed \(xz\); unpack it"),
    "zip": (lambda model: archive("zip"), r"compressed, a zip archive of folder/weights\.pth; unpack it"),
    "tar": (lambda model: archive("w"), "a tar archive; unpack it"),
    "tgz": (lambda model: archive("w:gz"), r"compressed \(gzip\); unpack it"),
    "hdf5": (lambda model: b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file, as Keras .*convert"),
    "keras": (lambda model: keras(), "a Keras model; .*convert"),
    "matlab": (lambda model: b"MATLAB 5.0 MAT-file" + bytes(120), "a MATLAB file; .*convert"),
    "onnx": (lambda model: b"\x08\x08\x12\x07pytorch\x1a\x052.1.0", "an ONNX model; .*convert"),
    "numpy": (lambda model: b"\x93NUMPY" + bytes(99), "an array of NumPy"),
    "npz": (lambda model: numpy_archive(), "an archive of NumPy arrays"),
    "script": (script, "a TorchScript program; .*save the weights alone"),
    "model": (pth, WHOLE_MODEL),
    "namespace": (lambda model: pth({"state_dict": model.state_dict(), "args": argparse.Namespace()}), "Namespace"),
    "pickle": (lambda model: pickle.dumps([1], protocol=4), "cannot be read as weights"),
    "list": (lambda model: pth([torch.zeros(1)]), "holds a list, expected named tensors"),
    "nothing": (lambda model: pth({}), "holds an empty dict, expected named tensors"),
    "numbers": (lambda model: pth({"epoch": 3, "loss": 0.5}), "holds a dict with epoch, loss, expected named tensors"),
    "two": (
        lambda model: pth({"generator": model.state_dict(), "critic": model.state_dict()}),
        "holds several state dicts, generator, critic",
    ),
}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_what_a_file_is_instead_of_weights_is_named(model, tmp_path, kind, suffix):
    make, message = FOREIGN[kind]
    (tmp_path / f"weights{suffix}").write_bytes(make(model))
    with pytest.raises(ValueError, match=rf"^weights{suffix} (cannot be read as weights: )?.*{message}"):
        load_state_dict(tmp_path / f"weights{suffix}")


@given(share=st.floats(0.0, 0.999), kind=st.sampled_from(["safetensors", "zip", "legacy"]))
@settings(max_examples=30, derandomize=True, deadline=None)
def test_a_file_that_was_cut_off_is_refused_wherever_it_ends(tmp_path_factory, share, kind):
    path = tmp_path_factory.mktemp("cut") / "weights"
    state = Small().state_dict()
    if kind == "safetensors":
        path.write_bytes(save(state))
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"cannot be read as weights: it .*download or save it again"):
        load_state_dict(path)


def test_a_missing_file_and_a_folder(model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no weight file none\.pth in .*give an existing"):
        load_state_dict(tmp_path / "none.pth")
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(FileNotFoundError, match=r"no weight file .* it is a folder: .* in it: model\.safetensors"):
        load_state_dict(tmp_path)


# --- names ------------------------------------------------------------------------------------------------------------


def renamed(model, rename) -> dict:
    return {rename(name): tensor for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: f"module.{name}",  # nn.DataParallel
        lambda name: f"_orig_mod.{name}",  # torch.compile
        lambda name: f"module._orig_mod.{name}",
        lambda name: f"model.{name}",  # Lightning
        lambda name: f"model._orig_mod.module.{name}",
        lambda name: f"student.backbone.{name}",
        lambda name: name.replace("features.", "features.module."),  # only a part was wrapped
    ],
)
def test_prefixes_are_removed_and_it_is_said(model, caplog, rename):
    caplog.set_level(logging.INFO, "captionlab")
    assert same(fit_names(renamed(model, rename), model.state_dict(), "w.pth"), model)
    original = rename("features.1.running_mean")
    assert f"w.pth: {original} is read as features.1.running_mean" in caplog.text


def test_the_wrappers_of_torch_are_recognized(model):
    for wrapped in (nn.DataParallel(model), AveragedModel(model), AveragedModel(nn.DataParallel(model))):
        assert same(fit_names(wrapped.state_dict(), model.state_dict(), "w.pth"), model)


def test_other_tensors_beside_a_prefixed_network_are_left_out_and_counted(model, caplog):
    caplog.set_level(logging.INFO, "captionlab")
    tensors = renamed(model, lambda name: f"model.{name}") | {"criterion.weight": torch.ones(3)}
    assert same(fit_names(tensors, model.state_dict(), "w.pth"), model)
    assert "1 other tensors are left out" in caplog.text


def test_names_that_fit_or_cannot_be_made_to_fit_are_left_alone(model, caplog):
    caplog.set_level(logging.INFO, "captionlab")
    assert same(fit_names(model.state_dict(), model.state_dict(), "w.pth"), model)
    lacking = {f"module.{name}": tensor for name, tensor in model.state_dict().items() if name != "classifier.bias"}
    assert fit_names(lacking, model.state_dict(), "w.pth").keys() == lacking.keys()
    own = nn.ModuleDict({"module": nn.Linear(2, 2)})  # whose own names have the word
    assert same(fit_names(own.state_dict(), own.state_dict(), "w.pth"), own)
    assert same(fit_names(nn.DataParallel(own).state_dict(), own.state_dict(), "w.pth"), own)
    assert caplog.text.count("is read as") == 1


def test_counters_of_batches_may_be_missing_as_in_old_files(model):
    old = {name: tensor for name, tensor in model.state_dict().items() if "num_batches" not in name}
    assert same(fit_names(old, model.state_dict(), "w.pth"), model)


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_numbers_that_are_not_finite_are_named_with_their_tensor(wrong, dtype):
    tensors = {"a": torch.ones(2, dtype=dtype), "b": torch.tensor([0, wrong, 2], dtype=dtype), "n": torch.tensor(3)}
    with pytest.raises(ValueError, match=r"w\.pth contains NaN or infinity in 1 of 3 tensors, first b: 1 of 3 numbers"):
        check_finite(tensors, "w.pth")


def test_large_numbers_are_finite():
    check_finite({"a": torch.full((9,), 60000.0).half(), "b": torch.full((9,), 3e38)}, "w.pth")
