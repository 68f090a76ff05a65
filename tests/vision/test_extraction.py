import os
import stat
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from captionlab.transfer.features import features_at
from captionlab.vision import extraction
from captionlab.vision.embedded import tiny_resnet, tiny_vgg
from captionlab.vision.extraction import ExtractionConfig, FeatureExtractor, extract, read_batch
from captionlab.vision.images import prepare_image
from captionlab.vision.pooling import POOLINGS, pooled_layers
from captionlab.vision.preprocessing import Preprocessing

SMALL = Preprocessing(64)
RESNET = ExtractionConfig(("layer2", "layer4"), SMALL)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Gray and color, small and large, square and not: seven images."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    kinds = [("a.jpg", "L", 90, 80), ("b.png", "RGB", 64, 64), ("c.jpg", "RGB", 700, 500), ("d.png", "P", 50, 70)]
    kinds += [("e.png", "RGBA", 64, 64), ("f.jpg", "CMYK", 80, 80), ("g.png", "L", 30, 30)]
    for name, mode, width, height in kinds:
        noise = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((width, height))
        noise.convert(mode).save(folder / name)
    return sorted(folder.iterdir())


def run(files, config=RESNET, model=None, **options):
    return extract(model or tiny_resnet(), files, config, progress=False, **options)


def prepared(files, size=64):
    return torch.cat([prepare_image(Image.open(file), size) for file in files])


@pytest.fixture
def work(monkeypatch):
    """How often features were really computed."""
    calls = []
    compute = extraction._compute
    monkeypatch.setattr(extraction, "_compute", lambda *a: calls.append(1) or compute(*a))
    return calls


# --- the numbers ------------------------------------------------------------------------------------------------------


def test_images_are_read_as_prepare_image_does(files):
    found = read_batch(files, ExtractionConfig(("x",), SMALL, draft=False))
    torch.testing.assert_close(found, prepared(files), rtol=1e-5, atol=1e-5)
    assert found.is_contiguous(memory_format=torch.channels_last)
    drafted = read_batch(files, ExtractionConfig(("x",), SMALL))
    assert (drafted - found).abs().mean() < 0.02


@pytest.mark.parametrize("options", [{"batch_size": 1, "workers": 1}, {"batch_size": 3, "workers": 2}, {}])
def test_features_are_those_of_one_image_at_a_time(files, options):
    model = tiny_resnet()
    layers = ("layer2", "layer4", "layer3.0.bn1", "layer3.0.conv1", "fc")
    found = run(files, ExtractionConfig(layers, SMALL, draft=False), **options)
    for layer, rows in found.items():
        expected = torch.cat([features_at(model, layer, image[None]) for image in prepared(files)])
        assert rows.dtype == np.float32
        np.testing.assert_allclose(rows, expected.numpy(), rtol=1e-3, atol=1e-4, err_msg=layer)


@pytest.mark.parametrize("network", [tiny_resnet, tiny_vgg])
def test_compiled_features_are_the_same(files, network):
    layers = ("layer2", "layer3.0.bn1", "layer4") if network is tiny_resnet else ("features.0", "classifier.4")
    config = ExtractionConfig(layers, SMALL)
    fast, plain = (FeatureExtractor(network(), config, compiled=compiled) for compiled in (True, False))
    assert isinstance(fast.network, torch.jit.ScriptModule)
    assert not isinstance(plain.network, torch.jit.ScriptModule)
    expected = plain(files)
    for batch_size in (2, 3):
        found = fast(files, batch_size=batch_size)
        for layer in layers:
            np.testing.assert_allclose(found[layer], expected[layer], rtol=1e-3, atol=1e-4)


def test_few_images_are_not_worth_compiling(files, monkeypatch):
    made = []
    monkeypatch.setattr(extraction, "_compile", lambda network, size: made.append(1) or network)
    run(files)
    assert not made
    monkeypatch.setattr(extraction, "COMPILED_FROM", 7)
    run(files)
    assert made


def test_a_later_layer_in_place_changes_nothing(files):
    found = run(files, ExtractionConfig(("features.0", "classifier.0"), SMALL, draft=False), tiny_vgg())
    for layer, rows in found.items():
        expected = features_at(tiny_vgg(), layer, prepared(files)).numpy()
        assert (expected < 0).any()
        np.testing.assert_allclose(rows, expected, rtol=1e-3, atol=1e-4)


def test_poolings_of_maps():
    network = nn.Sequential(nn.Identity())
    maps = torch.arange(32.0).reshape(1, 2, 4, 4)
    found = {name: pooled_layers(network, ["0"], name, (4, 4))(maps)[0] for name in (*POOLINGS, "grid")}
    assert found["average"].tolist() == [[7.5, 23.5]]
    assert found["max"].tolist() == [[15, 31]]
    assert found["pyramid_2x2"].tolist() == [[2.5, 4.5, 10.5, 12.5, 18.5, 20.5, 26.5, 28.5]]
    assert torch.equal(found["flatten"], maps.flatten(1))
    assert torch.equal(found["grid"], maps.permute(0, 2, 3, 1))


def test_mirror_images(files):
    plain, only, both = (
        run(files, ExtractionConfig(("layer4",), SMALL, hflip=hflip))["layer4"] for hflip in ("no", "only", "average")
    )
    expected = features_at(tiny_resnet(), "layer4", read_batch(files, RESNET).flip(3)).numpy()
    np.testing.assert_allclose(only, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(both, (plain + only) / 2, rtol=1e-5, atol=1e-6)
    assert not np.allclose(plain, only, atol=1e-2)


def test_bfloat16_is_near_float32(files):
    exact = run(files, ExtractionConfig(("layer4",), SMALL))["layer4"]
    rough = run(files, ExtractionConfig(("layer4",), SMALL, dtype="bfloat16"))["layer4"]
    assert rough.dtype == np.float32
    assert 0 < np.abs(rough - exact).max() < 0.1 * np.abs(exact).max()


def test_the_original_is_left_as_it_was(files):
    model = tiny_resnet().train()
    model.layer1.eval()
    modes = [module.training for module in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    strides = [value.stride() for value in model.state_dict().values()]
    threads = torch.get_num_threads()
    run(files, model=model)
    assert [module.training for module in model.modules()] == modes
    assert [value.stride() for value in model.state_dict().values()] == strides
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert torch.get_num_threads() == threads


# --- the cache --------------------------------------------------------------------------------------------------------


def test_the_second_run_reads(files, tmp_path, work):
    first, second = run(files, cache=tmp_path / "cache"), run(files, cache=tmp_path / "cache")
    assert len(work) == 1
    assert list(first) == list(second) == ["layer2", "layer4"]
    assert all((first[layer] == second[layer]).all() for layer in first)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".safetensors"]


def other_weights(model):
    with torch.no_grad():
        model.layer1[0].conv1.weight[0, 0, 0, 0] += 1e-3


def other_statistics(model):
    model.bn1.running_mean[0] += 1e-3


@pytest.mark.parametrize("change", [other_weights, other_statistics])
def test_other_weights_are_other_features(files, tmp_path, work, change):
    model = tiny_resnet()
    run(files, model=model, cache=tmp_path)
    run(files, model=model.train(), cache=tmp_path)  # the mode makes no difference
    assert len(work) == 1
    change(model)
    run(files, model=model, cache=tmp_path)
    assert len(work) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": ("layer2",)},
        {"preprocessing": Preprocessing(48)},
        {"preprocessing": Preprocessing((64, 48))},
        {"preprocessing": replace(SMALL, mean=(0.5, 0.5, 0.5))},
        {"preprocessing": replace(SMALL, std=(0.5, 0.5, 0.5))},
        {"preprocessing": replace(SMALL, interpolation="bicubic")},
        {"pooling": "max"},
        {"pooling": "grid"},
        {"hflip": "average"},
        {"draft": False},
        {"dtype": "bfloat16"},
    ],
)
def test_another_config_is_other_features(files, tmp_path, work, changes):
    run(files, cache=tmp_path)
    run(files, replace(RESNET, **changes), cache=tmp_path)
    assert len(work) == 2


def test_other_files_are_other_features(files, tmp_path, work):
    copies = [tmp_path / file.name for file in files]
    for file, made in zip(files, copies, strict=True):
        made.write_bytes(file.read_bytes())
    cache = tmp_path / "cache"
    run(copies, cache=cache)
    rows = run(copies[::-1], cache=cache)["layer4"]
    assert len(work) == 2
    np.testing.assert_allclose(rows[::-1], run(copies, cache=cache)["layer4"], rtol=1e-3, atol=1e-5)
    assert len(work) == 2
    os.utime(copies[0], ns=(1, 1))
    run(copies, cache=cache)
    run(copies[1:], cache=cache)
    assert len(work) == 4


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path):
    path.write_bytes(b"")


def changed(path):
    whole = bytearray(path.read_bytes())
    whole[-5] ^= 0xFF
    path.write_bytes(whole)


def swapped(path):
    from safetensors.numpy import save_file

    save_file({"other": np.zeros((7, 2), np.float32)}, path, metadata={"checksums": "{}"})


@pytest.mark.parametrize("damage", [cut_off, emptied, changed, swapped])
def test_a_damaged_file_is_computed_again_with_a_warning(files, tmp_path, work, damage):
    first = run(files, cache=tmp_path)
    damage(next(tmp_path.iterdir()))
    with pytest.warns(UserWarning, match="computed again"):
        again = run(files, cache=tmp_path)
    np.testing.assert_allclose(first["layer4"], again["layer4"], rtol=1e-3, atol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(files, cache=tmp_path)
    assert len(work) == 2


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(files, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(stat.S_IRUSR | stat.S_IXUSR)
    cache = closed / "cache"
    if os.access(closed, os.W_OK):  # root may write everywhere: a file where the folder should be stops root as well
        cache = tmp_path / "file"
        cache.write_text("no folder")
    with pytest.warns(UserWarning, match="could not be cached"):
        found = run(files, cache=cache)
    assert found["layer4"].shape == (7, 128)


def test_nothing_unfinished_is_left(files, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(UserWarning, match="No space left"):
        run(files, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- what can be wrong ------------------------------------------------------------------------------------------------


def test_an_unreadable_image_is_named(files, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(files[0].read_bytes()[:300])
    with pytest.raises(ValueError, match=r"bad\.jpg is not a readable image"):
        run([*files, bad], batch_size=1)
    with pytest.raises(FileNotFoundError):
        run([tmp_path / "none.jpg"], cache=tmp_path)
    with pytest.raises(ValueError, match="no files"):
        run([])


def test_an_unknown_layer_is_named(files):
    with pytest.raises(ValueError, match=r"no layer 'layer9'; the model has conv1, bn1"):
        run(files, ExtractionConfig(("layer4", "layer9"), SMALL))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layers": "layer4"}, "give a tuple"),
        ({"layers": ()}, "give a tuple"),
        ({"pooling": "median"}, "one of average, max"),
        ({"hflip": True}, "one of no, only, average"),
        ({"hflip": "average", "pooling": "grid"}, "do not correspond"),
        ({"dtype": "float16"}, "one of float32, bfloat16"),
    ],
)
def test_configs_are_checked(values, message):
    with pytest.raises(ValueError, match=message):
        ExtractionConfig(**{"layers": ("layer4",), **values})
