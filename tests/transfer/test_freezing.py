"""Freezing: no gradients and no drift; parameter groups without overlap; the blocks of a VGG."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torchvision import models

from captionlab.transfer.backbones import split_backbone
from captionlab.transfer.freezing import freeze, parameter_groups, set_train_mode, unfreeze_last_blocks
from captionlab.transfer.heads import get_head, replace_head
from captionlab.transfer.training import train_step


def small(classes: int = 2) -> nn.Module:
    torch.manual_seed(0)
    return replace_head(models.mobilenet_v2(width_mult=0.1), classes)


def steps(model: nn.Module, optimizer: torch.optim.Optimizer, count: int = 2) -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(count):
        images = 5 + 3 * torch.randn(4, 3, 32, 32, generator=generator)
        train_step(model, images, torch.tensor([0, 1, 0, 1]), optimizer)


def changed(model: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}


def test_a_frozen_network_with_a_new_head_moves_in_its_head_only():
    model = small()
    freeze(model)
    replace_head(model, 2)
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(parameter_groups(model, get_head(model), 0.1, 0.1), lr=0.1, weight_decay=0.1)
    model.train()  # as a training loop does
    set_train_mode(model, get_head(model))
    steps(model, optimizer)
    assert changed(model, before) == {"classifier.1.weight", "classifier.1.bias"}


def test_without_set_train_mode_the_statistics_of_a_frozen_network_drift():
    model = small()
    freeze(model)
    replace_head(model, 2)
    before = copy.deepcopy(model.state_dict())
    model.train()
    steps(model, torch.optim.SGD(get_head(model).parameters(), lr=0.1))
    assert "features.0.1.running_mean" in changed(model, before)


def test_fine_tuning_with_fixed_statistics():
    model = small()
    before = copy.deepcopy(model.state_dict())
    set_train_mode(model, get_head(model))
    steps(model, torch.optim.SGD(parameter_groups(model, get_head(model), 0.1, 0.1), lr=0.1))
    moved = changed(model, before)
    assert "features.0.0.weight" in moved
    assert not {name for name in moved if "running" in name or "tracked" in name}


def test_freeze_reaches_every_depth():
    part = nn.Sequential(nn.Sequential(nn.Dropout(), nn.Sequential(nn.BatchNorm1d(3)))).train()
    assert freeze(part) is None
    assert not any(layer.training for layer in part.modules())
    assert not any(parameter.requires_grad for parameter in part.parameters())


@pytest.mark.parametrize("was_training", [True, False])
def test_set_train_mode_from_either_mode(was_training: bool):
    head = nn.Sequential(nn.Dropout(), nn.Linear(3, 2))
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Sequential(head)).train(was_training)
    set_train_mode(model, head)
    assert [layer.training for layer in model.modules()] == [False, False, False, True, True, True]


def test_groups_are_disjoint_complete_and_in_order():
    model = small()
    groups = parameter_groups(model, get_head(model), 0.5, 0.25)
    assert [group["lr"] for group in groups] == [0.5, 0.25]
    assert all(set(group) == {"params", "lr"} for group in groups)
    found = [id(parameter) for group in groups for parameter in group["params"]]
    assert len(found) == len(set(found))
    assert set(found) == {id(parameter) for parameter in model.parameters()}
    assert groups[0]["params"] == list(get_head(model).parameters())


def test_groups_leave_out_what_is_frozen_and_count_shared_parameters_once():
    head = nn.Linear(4, 4)
    shared = nn.Linear(4, 4)
    shared.weight = head.weight
    model = nn.Sequential(nn.Linear(4, 4).requires_grad_(False), shared, head)
    groups = parameter_groups(model, head, 1.0, 0.1)
    assert [len(group["params"]) for group in groups] == [2, 1]  # weight and bias of the head; the bias of the other
    freeze(shared)
    head.requires_grad_(True)
    assert [group["lr"] for group in parameter_groups(model, head, 1.0, 0.1)] == [1.0]


@pytest.mark.parametrize("build", [models.vgg11, models.vgg16, models.vgg13_bn])
@pytest.mark.parametrize("num_blocks", [0, 1, 2, 5])
def test_last_blocks_of_a_vgg(build, num_blocks: int):
    with torch.device("meta"):
        vgg = build()
    vgg.features.requires_grad_(False)
    unfreeze_last_blocks(vgg, 3)  # whatever was trainable before
    unfreeze_last_blocks(vgg, num_blocks)
    frozen_poolings = 0
    for layer in vgg.features:
        assert all(parameter.requires_grad == (frozen_poolings >= 5 - num_blocks) for parameter in layer.parameters())
        frozen_poolings += isinstance(layer, nn.MaxPool2d)
    assert all(parameter.requires_grad for parameter in vgg.classifier.parameters())


@pytest.mark.parametrize(("num_blocks", "num_frozen"), [(0, 31), (1, 24), (2, 17), (5, 0)])
def test_the_last_blocks_are_those_behind_a_frozen_backbone(num_blocks: int, num_frozen: int):
    """Experiments train what is behind the frozen layers of VGG16; trained in place it is the same parameters."""
    with torch.device("meta"):
        vgg = models.vgg16()
    unfreeze_last_blocks(vgg, num_blocks)
    trained = {id(parameter) for parameter in vgg.parameters() if parameter.requires_grad}
    assert trained == {id(parameter) for parameter in split_backbone(vgg, num_frozen)[1].parameters()}


@pytest.mark.parametrize("num_blocks", [-1, 6])
def test_blocks_that_do_not_exist(num_blocks: int):
    with torch.device("meta"):
        vgg = models.vgg11()
    with pytest.raises(ValueError, match="expected 0 to 5"):
        unfreeze_last_blocks(vgg, num_blocks)
