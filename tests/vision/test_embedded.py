"""The networks that ship with the course: small, as good as recorded, and made by a script that repeats itself."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision import models

from captionlab.datasets.drawn_objects import make_batch
from captionlab.vision import embedded
from captionlab.vision.embedded import CATEGORIES, PREPROCESSING, WEIGHTS_FOLDER, tiny_resnet, tiny_vgg

ROOT = Path(__file__).parents[2]
BUILDERS = {"tiny_vgg": tiny_vgg, "tiny_resnet": tiny_resnet}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("train_embedded", ROOT / "data_scripts" / "train_embedded.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def fresh(script):
    """300 images no training has seen: another seed than the shipped networks'."""
    images, labels = make_batch(np.random.default_rng(20_260), 300)
    return script.prepare(images), torch.from_numpy(labels)


@pytest.mark.parametrize("name", BUILDERS)
def test_file_is_small_and_says_what_it_is(name):
    path = WEIGHTS_FOLDER / f"{name}.safetensors"
    assert path.stat().st_size < 2_000_000
    metadata = embedded.read_metadata(path)
    assert tuple(metadata["categories"]) == CATEGORIES
    assert (metadata["input_size"], tuple(metadata["mean"]), tuple(metadata["std"])) == (
        64,
        PREPROCESSING.mean,
        PREPROCESSING.std,
    )
    recorded = json.loads((ROOT / "results" / "embedded_networks.json").read_text())["networks"][name]
    assert metadata["accuracy"] == recorded["accuracy"]
    assert metadata["command"].startswith("python data_scripts/train_embedded.py")


@pytest.mark.parametrize("name", BUILDERS)
def test_accuracy_on_fresh_images(name, fresh):
    images, labels = fresh
    with torch.inference_mode():
        right = (BUILDERS[name]()(images).argmax(1) == labels).float().mean()
    assert right > 0.94


def test_heat_maps_find_the_objects(script):
    assert script.heat_map_hit_rate(tiny_vgg(), seed=20_260, scenes=15) > 0.9


@pytest.mark.parametrize("name", BUILDERS)
def test_evaluation_mode_and_float32(name):
    for pretrained in (True, False):
        network = BUILDERS[name](pretrained=pretrained)
        assert not any(module.training for module in network.modules())
        assert all(p.dtype == torch.float32 and p.requires_grad for p in network.parameters())
        assert network(torch.zeros(2, 3, 64, 64)).shape == (2, len(CATEGORIES))


def test_adaptive_pooling_is_the_identity_at_native_size(fresh):
    network = tiny_vgg()
    maps = network.features(fresh[0][:2])
    assert maps.shape == (2, 128, 4, 4)
    assert torch.equal(network.avgpool(maps), maps)


def test_vgg_has_torchvisions_shape():
    with torch.device("meta"):
        big = models.vgg16()
    small = tiny_vgg()
    assert [n for n, _ in small.named_children()] == [n for n, _ in big.named_children()]
    assert [type(m) for m in small.classifier] == [type(m) for m in big.classifier]
    assert {type(m) for m in small.features} == {type(m) for m in big.features}


def test_resnet_has_torchvisions_shape():
    with torch.device("meta"):
        big = models.resnet18()
    small = tiny_resnet()
    assert [n for n, _ in small.named_children()] == [n for n, _ in big.named_children()]
    assert {n.replace(".1.", ".0.") for n in small.state_dict()} <= {n.replace(".1.", ".0.") for n in big.state_dict()}


@pytest.mark.parametrize("name", BUILDERS)
def test_other_input_sizes_work(name):
    assert BUILDERS[name]()(torch.zeros(1, 3, 96, 160)).shape == (1, len(CATEGORIES))


def test_missing_file(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "WEIGHTS_FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no weight file.*train_embedded"):
        tiny_vgg()


def test_damaged_file(tmp_path):
    whole = (WEIGHTS_FOLDER / "tiny_resnet.safetensors").read_bytes()
    for content in (b"", b"not a weight file at all", whole[: len(whole) // 2]):
        path = tmp_path / "tiny_resnet.safetensors"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"not a weight file.*train_embedded"):
            embedded.load_weights(tiny_resnet(pretrained=False), path)


def test_files_that_do_not_fit(tmp_path):
    with pytest.raises(ValueError, match=r"does not fit TinyVGG: .* tensors differ; first .*found .*expected"):
        embedded.load_weights(tiny_vgg(pretrained=False), WEIGHTS_FOLDER / "tiny_resnet.safetensors")
    tensors = load_file(WEIGHTS_FOLDER / "tiny_vgg.safetensors")
    path = tmp_path / "other.safetensors"
    save_file(tensors, path)
    with pytest.raises(ValueError, match="not a weight file of this course"):
        embedded.load_weights(tiny_vgg(pretrained=False), path)
    save_file(tensors, path, metadata={"captionlab": json.dumps({"categories": ["cat", "dog"]})})
    with pytest.raises(ValueError, match=r"categories \['cat', 'dog'\]"):
        embedded.load_weights(tiny_vgg(pretrained=False), path)


def test_folding_batch_norm_changes_no_score(script):
    torch.manual_seed(0)
    network = script.with_batch_norm(embedded.TinyVGG())
    for layer in network.features:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1, 0.2)
            nn.init.normal_(layer.running_mean, 0, 0.2)
            nn.init.uniform_(layer.running_var, 0.5, 2)
    x = torch.randn(2, 3, 64, 64)
    before = network.eval()(x)
    after = script.fold_batch_norm(network)(x)
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)
    assert network.state_dict().keys() == tiny_vgg().state_dict().keys()


@pytest.mark.parametrize("name", ["vgg", "resnet"])
def test_training_repeats_itself(script, name):
    data = script.draw(seed=1, stream=script.TRAINING, count=48)
    first, _ = script.make(name, data, epochs=1, seed=1)
    torch.rand(5)  # whatever ran before must not matter
    second, _ = script.make(name, data, epochs=1, seed=1)
    for key, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[key]), key
