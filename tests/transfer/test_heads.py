"""The new head: at its place in every family, trainable, and nothing else changed."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from captionlab.transfer.heads import get_head, pretrained_network, replace_head
from captionlab.vision.classifiers import load_classifier


def tiny_mobilenet() -> nn.Module:
    return models.mobilenet_v2(width_mult=0.1, num_classes=7)


@pytest.mark.parametrize(
    ("build", "name", "inputs"),
    [
        (models.resnet18, "fc", 512),
        (models.vgg11, "classifier.6", 4096),
        (models.vgg11_bn, "classifier.6", 4096),
        (models.mobilenet_v2, "classifier.1", 1280),
    ],
)
def test_the_families_of_torchvision(build, name: str, inputs: int):
    with torch.device("meta"):
        model = build()
    before = {key: tuple(value.shape) for key, value in model.state_dict().items() if not key.startswith(name)}
    assert replace_head(model, 2) is model
    head = model.get_submodule(name)
    assert (head.in_features, head.out_features) == (inputs, 2)
    assert head is get_head(model)
    assert head.weight.device.type == "meta"
    after = {key: tuple(value.shape) for key, value in model.state_dict().items() if not key.startswith(name)}
    assert after == before


def test_logits_for_the_new_classes_and_old_weights_kept():
    model = tiny_mobilenet().eval()
    kept = copy.deepcopy(model.features.state_dict())
    replace_head(model, 3)
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 3)
    assert all(torch.equal(value, kept[name]) for name, value in model.features.state_dict().items())
    assert not model.features.training


def test_the_head_of_a_frozen_model_is_trainable():
    model = tiny_mobilenet().requires_grad_(False)
    replace_head(model, 2)
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert trained == ["classifier.1.weight", "classifier.1.bias"]


def test_dtype_of_the_old_head():
    assert replace_head(tiny_mobilenet().double(), 2).classifier[-1].weight.dtype == torch.float64


def without_linear_end() -> nn.Module:
    model = nn.Module()
    model.classifier = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    return model


@pytest.mark.parametrize("build", [lambda: nn.Linear(3, 2), lambda: nn.Sequential(nn.Linear(3, 2)), without_linear_end])
@pytest.mark.parametrize("function", [lambda model: replace_head(model, 2), get_head])
def test_other_networks_are_named(build, function):
    model = build()
    with pytest.raises(TypeError, match=type(model).__name__):
        function(model)


def test_a_network_of_torchvision_without_weights():
    network, preprocess = pretrained_network(models.squeezenet1_1, None)
    assert not network.training
    assert preprocess is None


def test_the_requested_weights_and_their_preprocessing(monkeypatch):
    entry, requested = models.SqueezeNet1_1_Weights.IMAGENET1K_V1, []
    monkeypatch.setattr(
        type(entry), "get_state_dict", lambda self, **_: requested.append(self) or models.squeezenet1_1().state_dict()
    )
    network, preprocess = pretrained_network(models.squeezenet1_1, entry)
    assert requested == [entry]
    assert not network.training
    assert preprocess(torch.zeros(3, 300, 400)).shape == (3, 224, 224)


def test_load_classifier_gives_the_same_network_and_normalization(monkeypatch, tmp_path: Path):
    """The library takes weights from files; from torchvision's server they would be the same."""
    entry, state = models.SqueezeNet1_1_Weights.IMAGENET1K_V1, models.squeezenet1_1().state_dict()
    save_file(state, tmp_path / "squeezenet1_1.safetensors")
    classifier = load_classifier("squeezenet1_1", tmp_path / "squeezenet1_1.safetensors")
    monkeypatch.setattr(type(entry), "get_state_dict", lambda self, **_: state)
    network, preprocess = pretrained_network(models.squeezenet1_1, entry)
    gray = Image.new("RGB", (300, 400), "gray")  # the two crop differently
    assert torch.allclose(classifier.preprocessing(gray), preprocess(gray), atol=1e-5)
    inputs = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.equal(classifier.model(inputs), network(inputs))
