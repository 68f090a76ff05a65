"""Splitting networks of every family: together the parts are the network."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models

from captionlab.transfer.backbones import AugmentedViews, list_stages, predict_batched, remove_head, split_backbone
from captionlab.transfer.features import extract_features
from captionlab.vision.embedded import tiny_resnet, tiny_vgg


def small_mobilenet() -> nn.Module:
    torch.manual_seed(0)
    return models.mobilenet_v2(width_mult=0.1, num_classes=3).eval()


@pytest.mark.parametrize("build", [lambda: tiny_resnet(False), lambda: tiny_vgg(False), small_mobilenet])
@pytest.mark.parametrize("num_stages", [0, 2, 5])
def test_the_parts_are_the_network(build, num_stages: int):
    model = build()
    images = torch.rand(2, 3, 64, 64)
    backbone, rest = split_backbone(model, num_stages)
    with torch.no_grad():
        assert torch.allclose(rest(backbone(images)), model(images), atol=1e-6)
    own = {id(parameter) for part in (backbone, rest) for parameter in part.parameters()}
    assert own == {id(parameter) for parameter in model.parameters()}


@pytest.mark.parametrize(("build", "count"), [(models.resnet18, 5), (models.vgg11, 21), (models.mobilenet_v2, 19)])
def test_stages_of_torchvisions_networks(build, count: int):
    with torch.device("meta"):
        model = build()
    assert len(list_stages(model)[0]) == count
    split_backbone(model, count)
    with pytest.raises(ValueError, match=f"expected 0 to {count}"):
        split_backbone(model, count + 1)


def test_other_networks():
    with pytest.raises(TypeError, match="Linear"):
        split_backbone(nn.Linear(2, 2), 0)
    with pytest.raises(TypeError, match="GoogLeNet"):
        split_backbone(models.googlenet(init_weights=False, aux_logits=False), 0)


@pytest.mark.parametrize(("build", "width"), [(tiny_resnet, 128), (tiny_vgg, 256), (small_mobilenet, 1280)])
def test_without_head(build, width: int):
    model = build()
    classes = model(torch.zeros(1, 3, 64, 64)).shape[1]
    features = remove_head(model.train())
    assert features(torch.rand(2, 3, 64, 64)).shape == (2, width)
    assert not features.training
    assert model.training
    assert model.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, classes)


def test_predict_batched():
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Dropout(), nn.Linear(48, 2))
    network[2].eval()
    images = torch.rand(7, 3, 4, 4)
    found = predict_batched(network, images, batch_size=3)
    assert not found.requires_grad
    assert [layer.training for layer in network.modules()] == [True, True, True, False, True]
    assert network[0].num_batches_tracked == 0
    assert torch.allclose(found, network.eval()(images), atol=1e-6)
    assert predict_batched(nn.Linear(3, 2), torch.rand(5, 3)).shape == (5, 2)


@pytest.mark.parametrize("build", [tiny_resnet, tiny_vgg])
def test_predict_batched_gives_what_the_reference_does(build):
    images = torch.rand(5, 3, 64, 64)
    expected = extract_features(build(), images, batch_size=2)
    torch.testing.assert_close(predict_batched(build(), images, batch_size=2), expected, rtol=1e-4, atol=1e-5)


def test_augmented_views():
    views = torch.arange(24.0).reshape(4, 3, 2)  # 4 views of 3 images
    examples = AugmentedViews(views, torch.tensor([5, 6, 7]), indices=[2, 0])
    assert len(examples) == 2
    torch.manual_seed(0)
    drawn = [examples[0] for _ in range(60)]
    assert {label.item() for _, label in drawn} == {7}
    assert {tuple(view.tolist()) for view, _ in drawn} == {tuple(view.tolist()) for view in views[:, 2]}
    assert len(AugmentedViews(views, torch.tensor([5, 6, 7]))) == 3
