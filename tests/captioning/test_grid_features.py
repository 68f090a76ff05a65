"""Grid features: the right cells, from any family of networks, cached, and resumed after an interruption."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import nn

from captionlab.captioning import grid_features
from captionlab.captioning.encoders import Encoder, load_encoder
from captionlab.captioning.grid_features import GridFeatureExtractor, extract_grid_features
from captionlab.common.progress import LogProgress
from captionlab.vision.classifiers import Classifier
from captionlab.vision.networks import get_network
from captionlab.vision.preprocessing import Preprocessing

BOTH = ("original", "hflip")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for number in range(6):
        pixels = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((80, 60)).save(folder / f"{number}.png")
    return sorted(folder.iterdir())


def extract(files, encoder, cache, **options):
    return extract_grid_features([file.name for file in files], files, encoder, cache, progress=False, **options)


# --- the grids --------------------------------------------------------------------------------------------------------


def test_several_layers_are_concatenated_on_the_grid_of_the_last(files):
    extractor = GridFeatureExtractor(load_encoder("tiny_resnet", 160))
    (grid,) = extractor(files[:2])
    assert grid.shape == (2, *extractor.shapes[0]) == (2, 10, 10, 16 + 128)
    for layer, part in (("maxpool", grid[..., :16]), ("layer4", grid[..., 16:])):
        (alone,) = GridFeatureExtractor(load_encoder("tiny_resnet", 160, [layer]))(files[:2])
        pooled = F.adaptive_avg_pool2d(alone.permute(0, 3, 1, 2), (10, 10)).permute(0, 2, 3, 1)
        torch.testing.assert_close(part, pooled, rtol=1e-4, atol=1e-4)


def test_a_second_size_gives_a_second_grid(files):
    both = GridFeatureExtractor(load_encoder("tiny_resnet", 64, second_input_size=96))(files)
    assert [tuple(grid.shape[1:3]) for grid in both] == [(4, 4), (6, 6)]
    for size, grid in zip((64, 96), both, strict=True):
        (alone,) = GridFeatureExtractor(load_encoder("tiny_resnet", size))(files)
        assert torch.equal(grid, alone)


def test_sizes_need_not_be_multiples_of_the_stride(files):
    grids = GridFeatureExtractor(load_encoder("tiny_resnet", 160, second_input_size=20))(files[:1])
    assert [tuple(grid.shape[1:3]) for grid in grids] == [(10, 10), (2, 2)]


class Mean(nn.Module):
    """Maps in which each cell is the mean color of its part of the image: three rows, five columns."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.AdaptiveAvgPool2d((3, 5))

    def forward(self, images):
        return self.maps(images)


def test_grids_need_not_be_square(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((60, 60), Image.Resampling.NEAREST).save(tmp_path / "cells.png")
    classifier = Classifier(Mean(), ("x",), Preprocessing(60, (0, 0, 0), (1, 1, 1)), "mean", "none")
    found = extract([tmp_path / "cells.png"], Encoder(classifier, ("maps",), 60), tmp_path / "cache")
    assert found.metadata["shapes"] == [[3, 5, 3]]
    (grid,) = found.batch([0])
    np.testing.assert_allclose(grid[0], pixels / 255, atol=2e-3)


def test_the_network_sees_its_own_normalization_and_interpolation(files):
    preprocessing = Preprocessing(60, (0.5, 0.25, 0.0), (0.5, 0.25, 2.0), "bicubic")
    encoder = Encoder(Classifier(Mean(), ("x",), preprocessing, "mean", "none"), ("maps",), 60)
    (grid,) = GridFeatureExtractor(encoder)(files[:1])
    expected = F.adaptive_avg_pool2d(preprocessing(Image.open(files[0])), (3, 5))
    torch.testing.assert_close(grid[0], expected.permute(1, 2, 0), rtol=1e-4, atol=1e-4)


def encoder_of(name, size):
    torch.manual_seed(0)
    network = get_network(name)
    weights = network.weights[0]
    classifier = Classifier(network.build().eval(), weights.categories, weights.preprocessing, name, "random")
    return Encoder(classifier, network.grid_layers, size, num_prefix_tokens=network.num_prefix_tokens)


@pytest.mark.parametrize(("name", "size"), [("mobilenet_v3_small", 64), ("vit_b_32", 224)])
def test_networks_with_maps_and_with_tokens_give_grids(files, name, size):
    """Which cell is which is tested for each family in tests/vision/test_networks.py."""
    extractor = GridFeatureExtractor(encoder_of(name, size))
    (grid,) = extractor(files[:1])
    assert grid.shape == (1, *extractor.shapes[0])
    assert grid.shape[1] == grid.shape[2] == size // 32
    assert grid.isfinite().all()
    assert grid.std() > 0


def test_a_size_that_the_network_cannot_process_is_refused():
    for encoder in (load_encoder("tiny_vgg", 2), encoder_of("vit_b_32", 64)):
        with pytest.raises(ValueError, match=r"cannot process images of .* give a larger input size, or the network's"):
            GridFeatureExtractor(encoder)


def test_a_photo_that_lies_on_its_side_is_turned(tmp_path):
    upright = Image.fromarray(np.arange(64 * 48 * 3, dtype=np.uint8).reshape(64, 48, 3))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    upright.save(tmp_path / "upright.png")
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "side.png", exif=exif)
    (grid,) = GridFeatureExtractor(load_encoder("tiny_resnet", 64))([tmp_path / "upright.png", tmp_path / "side.png"])
    torch.testing.assert_close(grid[0], grid[1])


# --- the cache --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", [0, 96])
def test_the_cache_resumes_after_an_interruption(files, tmp_path, monkeypatch, second):
    encoder = load_encoder("tiny_resnet", 64, ["layer4"], second)
    whole = extract(files, encoder, tmp_path / "a", variants=BOTH)
    assert [array.shape for array in whole.arrays] == [(6, 2, 4, 4, 128), (6, 2, 6, 6, 128)][: 2 if second else 1]
    for number, file in enumerate(files):
        ImageOps.mirror(Image.open(file)).save(tmp_path / f"{number}.png")
    mirrored = GridFeatureExtractor(encoder)([tmp_path / f"{number}.png" for number in range(6)])
    for found, expected in zip(whole.batch(range(6), 1), mirrored, strict=True):
        torch.testing.assert_close(found, expected, atol=5e-3, rtol=1e-3)

    monkeypatch.setattr(grid_features, "CHUNK", 2)
    real, calls, interrupt_at = GridFeatureExtractor.stream, [], 8 if second else 4

    def interrupted(self, part, variant="original", index=0):
        calls.append(part)
        if len(calls) == interrupt_at:
            raise KeyboardInterrupt
        return real(self, part, variant, index)

    monkeypatch.setattr(GridFeatureExtractor, "stream", interrupted)
    with pytest.raises(KeyboardInterrupt):
        extract(files, encoder, tmp_path / "b", variants=BOTH)
    (state,) = (tmp_path / "b").rglob("done.json")
    assert json.loads(state.read_text()) == {"done": 2}
    calls, interrupt_at = [], None
    again = extract(files, encoder, tmp_path / "b", variants=BOTH)
    assert [file.name for file in calls[0]] == ["2.png", "3.png"]  # not from the beginning
    for found, expected in zip(again.arrays, whole.arrays, strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-3)
    assert not list((tmp_path / "b").rglob("done.json"))
    monkeypatch.setattr(GridFeatureExtractor, "__init__", None)  # now they are cached: no network is needed
    cached = extract(files, encoder, tmp_path / "b", variants=BOTH)
    assert (cached.channels, cached.metadata) == (128, again.metadata)


@pytest.mark.parametrize(
    "change",
    [
        lambda encoder: Encoder(encoder.classifier, ("layer3",), 64),
        lambda encoder: Encoder(encoder.classifier, encoder.layers, 96),
        lambda encoder: Encoder(encoder.classifier, encoder.layers, 64, 96),
        lambda encoder: load_encoder("tiny_vgg", 64, ["features"]),
    ],
)
def test_another_encoder_is_other_features(files, tmp_path, change):
    encoder = load_encoder("tiny_resnet", 64, ["layer4"])
    extract(files[:1], encoder, tmp_path)
    extract(files[:1], encoder, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    extract(files[:1], change(encoder), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def truncate(folder):
    path = folder / "grid_0.npy"
    path.write_bytes(path.read_bytes()[:-100])


def reshape(folder):
    np.save(folder / "grid_0.npy", np.zeros((3, 1, 16, 128), np.float16))


def remove(folder):
    (folder / "grid_0.npy").unlink()


@pytest.mark.parametrize("damage", [truncate, reshape, remove])
def test_damaged_features_are_computed_again(files, tmp_path, damage):
    encoder = load_encoder("tiny_resnet", 64, ["layer4"])
    whole = np.array(extract(files[:3], encoder, tmp_path).arrays[0])
    damage(next(tmp_path.iterdir()))
    with pytest.warns(UserWarning, match="are damaged"):
        again = extract(files[:3], encoder, tmp_path)
    np.testing.assert_allclose(again.arrays[0], whole, atol=2e-3)


def test_no_images_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no images"):
        extract([], load_encoder("tiny_resnet"), tmp_path)


def test_progress_is_logged_where_the_output_is_no_terminal(files, tmp_path, monkeypatch, caplog):
    """With a clock that moves on by half a minute with each batch of images."""
    now = iter(range(0, 100_000, 30))
    monkeypatch.setattr(
        "captionlab.common.progress.make_progress", lambda enabled, **options: LogProgress(clock=lambda: next(now))
    )
    with caplog.at_level(logging.INFO, logger="captionlab"):
        extract_grid_features([file.name for file in files], files, load_encoder("tiny_resnet", 64), tmp_path)
    lines = [record.message for record in caplog.records if "computing grid features" in record.message]
    assert len(lines) == 5  # the start, three batches, the end
    assert "2 of 6 images (33%)" in lines[1]
