"""The registry: what is derived from torchvision, that every family's grid is the right one, and that one entry adds a
network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import models

from captionlab.vision import networks
from captionlab.vision.classifiers import load_classifier
from captionlab.vision.embedded import tiny_resnet
from captionlab.vision.extraction import ExtractionConfig, FeatureExtractor
from captionlab.vision.images import IMAGENET_MEAN, IMAGENET_STD
from captionlab.vision.networks import EMBEDDED_NETWORKS, Entry, PretrainedWeights, get_network, list_networks
from captionlab.vision.pooling import pooled_layers, to_grid
from captionlab.vision.preprocessing import Preprocessing


def test_every_classifier_of_torchvision_is_listed_and_has_a_grid():
    assert {"tiny_vgg", "tiny_resnet", *models.list_models(module=models)} == set(list_networks())
    assert "fcn_resnet50" not in list_networks()
    for name in list_networks():
        network = get_network(name)
        assert network.grid_layers, name
        assert network.weights, name
        assert network.is_embedded == (name in ("tiny_vgg", "tiny_resnet"))
    assert set(EMBEDDED_NETWORKS) == {"tiny_vgg", "tiny_resnet"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vgg16", Preprocessing(224)),
        ("inception_v3", Preprocessing(299)),
        ("efficientnet_b3", Preprocessing(300, interpolation="bicubic")),
        ("efficientnet_v2_l", Preprocessing(480, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bicubic")),
        ("tiny_vgg", Preprocessing(64, IMAGENET_MEAN, IMAGENET_STD)),
    ],
)
def test_preprocessing_is_that_of_the_default_weights(name, expected):
    assert get_network(name).weights[0].preprocessing == expected


def test_the_default_weights_come_first_and_others_are_known_by_their_file():
    network = get_network("resnet50")
    assert [each.file_name for each in network.weights] == ["resnet50-11ad3fa6.pth", "resnet50-0676ba61.pth"]
    assert network.weights_for("resnet50-0676ba61.pth") is network.weights[1]
    assert network.weights_for("mine.pth") is network.weights[0]
    assert all(weights.categories for weights in get_network("vgg16").weights)  # one of torchvision's has no classifier


def test_a_name_overrides_its_family():
    mobilenet, other = get_network("mobilenet_v2"), get_network("mobilenet_v3_small")
    assert mobilenet.grid_layers == other.grid_layers == ("features",)
    assert mobilenet.feature_layers
    assert not other.feature_layers
    assert (mobilenet.mirror_file, other.mirror_file) == ("mobilenet_v2-imagenet-int8.pth", None)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="no network 'resnet_50': did you mean resnet50"):
        get_network("resnet_50")


# --- grids ------------------------------------------------------------------------------------------------------------


def vgg_head(model: nn.Module, maps: Tensor) -> Tensor:
    return model.classifier(model.avgpool(maps).flatten(1))


def pooled(head: str):
    return lambda model, maps: getattr(model, head)(maps.mean((2, 3)))


FAMILIES = {
    "vgg11": ((64, 96), 32, vgg_head),
    "resnet18": ((64, 96), 32, pooled("fc")),
    "mobilenet_v3_small": ((64, 96), 32, pooled("classifier")),
    "efficientnet_b0": ((64, 96), 32, pooled("classifier")),
    "convnext_tiny": ((64, 96), 32, lambda model, maps: model.classifier(maps.mean((2, 3), keepdim=True))),
    "swin_t": ((64, 96), 32, pooled("head")),
    "inception_v3": ((107, 171), None, pooled("fc")),
    "tiny_resnet": ((64, 96), 16, pooled("fc")),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_from_the_grid_the_head_of_the_network_predicts_what_the_network_does(name):
    """On an image that is not square; height and width of the grid cannot be confused, nor channels and positions."""
    size, stride, head = FAMILIES[name]
    torch.manual_seed(0)
    network = get_network(name)
    model = network.build().eval()
    images = torch.rand(2, 3, *size)
    with torch.inference_mode():
        (grid,) = pooled_layers(model, network.grid_layers[-1:], "grid", size, network.num_prefix_tokens)(images)
        expected = model(images)
        found = head(model, grid.permute(0, 3, 1, 2))
    assert grid.ndim == 4
    assert tuple(grid.shape[1:3]) == ((size[0] // stride, size[1] // stride) if stride else (2, 4))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_the_grid_of_a_vit_is_its_patch_tokens_without_the_class_token():
    torch.manual_seed(0)
    network = get_network("vit_b_32")
    model = network.build().eval()
    tokens = []
    model.encoder.register_forward_hook(lambda module, inputs, output: tokens.append(output))
    image = torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        model(image)
        (grid,) = pooled_layers(model, network.grid_layers, "grid", (224, 224), network.num_prefix_tokens)(image)
    assert grid.shape == (1, 7, 7, 768)
    for row, column in ((0, 0), (2, 5), (6, 6)):
        torch.testing.assert_close(grid[0, row, column], tokens[0][0, 1 + 7 * row + column], rtol=1e-4, atol=1e-4)


def test_tokens_are_laid_out_in_the_aspect_ratio_of_the_image():
    tokens = torch.arange(13.0).reshape(1, 13, 1)
    grid = to_grid(tokens, (48, 64), num_prefix_tokens=1)
    assert grid[0, :, :, 0].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
    assert to_grid(tokens[:, 1:], (64, 48))[0, :, :, 0].tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]]


@pytest.mark.parametrize(
    ("output", "size", "message"),
    [
        (torch.zeros(1, 50, 4), (224, 224), "50 patches are no grid"),
        (torch.zeros(1, 16, 4), (64, 96), "16 patches are no grid"),
        (torch.zeros(1, 4), (8, 8), r"shape \(1, 4\), which is no grid"),
    ],
)
def test_what_is_no_grid_is_refused(output, size, message):
    with pytest.raises(ValueError, match=message):
        to_grid(output, size)


def test_layers_with_channels_last_are_refused():
    with torch.device("meta"):
        model = models.swin_t()
    with pytest.raises(ValueError, match=r"'features\.1' .* channels last.*take 'permute'"):
        pooled_layers(model, ["features.1"], "average", (64, 64))


SMALL_REGNETS = ("regnet_x_400mf", "regnet_y_400mf")  # RegNets cannot be built without memory for their weights


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in list_networks() if not n.startswith("regnet_") or n in SMALL_REGNETS])
def test_every_network_has_the_layers_that_are_stated(name):
    """Built without memory for its weights; one of each family is really run above."""
    network = get_network(name)
    device = "cpu" if name in SMALL_REGNETS else "meta"
    with torch.device(device):
        model = network.build().eval()
    names = dict(model.named_modules())
    assert set(network.grid_layers) | set(network.feature_layers) <= set(names)
    size = network.weights[0].preprocessing.height
    grids = pooled_layers(model, network.grid_layers, "grid", (size, size), network.num_prefix_tokens)(
        torch.zeros(1, 3, size, size, device=device)
    )
    assert all(grid.shape[1] == grid.shape[2] >= 4 for grid in grids)


# --- one more network -------------------------------------------------------------------------------------------------


def test_one_entry_adds_a_network(monkeypatch, tmp_path):
    """With a normalization, an interpolation and an input size of its own."""
    preprocessing = Preprocessing(32, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "bicubic")
    path = tmp_path / "mine.safetensors"
    save_file(tiny_resnet().state_dict(), path)
    weights = PretrainedWeights("mine.safetensors", preprocessing, ("a", "b"))
    entry = Entry(build=lambda: tiny_resnet(pretrained=False), weights=(weights,), grid_layers=("layer3",))
    monkeypatch.setitem(networks.ENTRIES, "mine", entry)
    classifier = load_classifier(weights=path)
    assert (classifier.name, classifier.preprocessing, classifier.categories) == ("mine", preprocessing, ("a", "b"))
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 40, 3), np.uint8)).save(tmp_path / "image.png")
    config = ExtractionConfig(get_network("mine").grid_layers, classifier.preprocessing, "grid")
    grid = FeatureExtractor(classifier.model, config)([tmp_path / "image.png"])["layer3"]
    assert grid.shape == (1, 4, 4, 64)
    image = preprocessing(Image.open(tmp_path / "image.png"))
    with torch.inference_mode():
        model = classifier.model
        maps = model.maxpool(model.relu(model.bn1(model.conv1(image[None]))))
        expected = model.layer3(model.layer2(model.layer1(maps)))
    np.testing.assert_allclose(grid[0], expected[0].permute(1, 2, 0), rtol=1e-3, atol=1e-4)
