"""Checkpoints: what is saved comes back, and a file or model that does not fit is refused."""

from __future__ import annotations

import gzip

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from captionlab.common.checkpoints import (
    add_prefix,
    damaged_metadata,
    describe_mismatch,
    load_checkpoint,
    load_optimizer_state,
    load_weights,
    save_checkpoint,
    select_prefix,
    split_optimizer_state,
)


def test_tensors_and_metadata_come_back(tmp_path):
    tensors = {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor(3, dtype=torch.int64)}
    save_checkpoint(tmp_path / "c.safetensors", tensors, {"epoch": 2, "names": ["x"]})
    found, metadata = load_checkpoint(tmp_path / "c.safetensors")
    assert metadata == {"epoch": 2, "names": ["x"]}
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
    assert found["b"].dtype == torch.int64


def test_missing_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint c\.safetensors"):
        load_checkpoint(tmp_path / "c.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    for name in ("text", "other"):
        with pytest.raises(ValueError, match=rf"{name}\.safetensors is damaged or not a checkpoint"):
            load_checkpoint(tmp_path / f"{name}.safetensors")


def test_weights_of_another_shape_are_refused_and_the_model_is_left_alone():
    model = nn.Linear(2, 3)
    before = model.weight.clone()
    with pytest.raises(
        ValueError,
        match=r"f\.pth was saved from another network .* 1 of 2 .* weight: found \(3, 4\), expected \(3, 2\)",
    ):
        load_weights(model, nn.Linear(4, 3).state_dict(), "f.pth")
    assert torch.equal(model.weight, before)
    assert "bias: found nothing, expected (3,)" in describe_mismatch(model, {"weight": before})
    assert "extra: found (1,), expected nothing" in describe_mismatch(
        model, model.state_dict() | {"extra": before[0, :1]}
    )
    assert describe_mismatch(model, model.state_dict()) is None


def test_prefixes():
    tensors = {"a": torch.zeros(1), "b.c": torch.ones(1)}
    both = add_prefix("model", tensors) | add_prefix("optimizer", tensors)
    assert list(both) == ["model.a", "model.b.c", "optimizer.a", "optimizer.b.c"]
    assert select_prefix("model", both) == tensors
    assert select_prefix("mod", both) == {}


@pytest.mark.parametrize("make", [torch.optim.Adam, lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9)])
def test_a_restored_optimizer_takes_the_same_steps(make):
    def step(model, optimizer):
        optimizer.zero_grad()
        model(torch.arange(4.0).reshape(2, 2)).square().sum().backward()
        optimizer.step()

    torch.manual_seed(0)
    model = nn.Linear(2, 3)
    optimizer = make(model.parameters())
    step(model, optimizer)
    twin = nn.Linear(2, 3)
    twin.load_state_dict(model.state_dict())
    other = make(twin.parameters())
    tensors, metadata = split_optimizer_state(optimizer)
    assert all(isinstance(tensor, torch.Tensor) for tensor in tensors.values())
    load_optimizer_state(other, {name: tensor.clone() for name, tensor in tensors.items()}, metadata)
    step(model, optimizer)
    step(twin, other)
    assert torch.equal(model.weight, twin.weight)


def test_what_a_file_is_instead_of_a_checkpoint_is_said(tmp_path):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, {"a": torch.zeros(9)}, {})
    whole = path.read_bytes()
    for content, message in (
        (b"", "it is empty"),
        (whole[:-3], "it is damaged or cut off"),
        (whole[:40], "it is damaged or cut off"),
        (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS"),
        (b"<html>", "a web page"),
        (gzip.compress(whole), "compressed"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"c\.safetensors is damaged .*{message}"):
            load_checkpoint(path)
    save_file({"a": torch.zeros(1)}, path, metadata={"captionlab": "[1]"})
    with pytest.raises(ValueError, match="holds tensors without the settings of a run"):
        load_checkpoint(path)


def test_prefixes_are_removed_and_numbers_that_are_not_finite_refused():
    model, other = nn.Linear(2, 3), nn.Linear(2, 3)
    load_weights(model, nn.DataParallel(other).state_dict(), "f.pth")
    assert torch.equal(model.weight, other.weight)
    before = model.weight.clone()
    with pytest.raises(ValueError, match=r"f\.pth contains NaN or infinity in 1 of 2 tensors, first bias"):
        load_weights(model, {"weight": torch.zeros(3, 2), "bias": torch.tensor([0, 1, torch.nan])}, "f.pth")
    assert torch.equal(model.weight, before)


def test_another_number_of_classes_is_said():
    class Network(nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.body, self.head = nn.Linear(2, 4), nn.Linear(4, classes)

    assert "(weights for 2 classes, and a network for 5" in describe_mismatch(Network(5), Network(2).state_dict())
    assert "classes" not in describe_mismatch(nn.Linear(2, 3), nn.Linear(4, 3).state_dict())


def test_metadata_of_another_kind_are_a_damaged_file(tmp_path):
    for error in (KeyError("run"), TypeError("x"), AttributeError("y"), IndexError("z")):
        with (
            pytest.raises(ValueError, match=r"c\.safetensors is damaged .*: "),
            damaged_metadata(tmp_path / "c.safetensors"),
        ):
            raise error
