"""Drawn scenes: seeded, balanced, hard to classify by pixels and easy by features of the embedded network."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.svm import LinearSVC

from captionlab.datasets import drawn_scenes, scene15
from captionlab.datasets.folders import list_images
from captionlab.vision.embedded import PREPROCESSING, tiny_vgg


@pytest.fixture(scope="module")
def split():
    return drawn_scenes.make_split(0, per_class_train=10, per_class_test=6)


def test_classes_are_those_of_15_scene():
    assert list(drawn_scenes.CLASSES) == sorted(scene15.class_name(name) for name in scene15.PUBLIC_FOLDERS)


def test_shapes_types_and_balance(split):
    train, labels, test, test_labels = split
    assert train.shape == (150, 64, 64)
    assert test.shape == (90, 64, 64)
    assert train.dtype == test.dtype == np.uint8
    assert labels.dtype == test_labels.dtype == np.int64
    assert np.array_equal(labels, np.repeat(np.arange(15), 10))
    assert np.array_equal(test_labels, np.repeat(np.arange(15), 6))


def test_images_are_distinct(split):
    assert len({image.tobytes() for image in (*split[0], *split[2])}) == 240


def test_images_depend_on_the_seed_and_not_on_their_number(split):
    again = drawn_scenes.make_split(0, per_class_train=2, per_class_test=1)
    other = drawn_scenes.make_split(1, per_class_train=1, per_class_test=1)
    assert np.array_equal(again[0].reshape(15, 2, 64, 64), split[0].reshape(15, 10, 64, 64)[:, :2])
    assert np.array_equal(again[2].reshape(15, 1, 64, 64), split[2].reshape(15, 6, 64, 64)[:, :1])
    assert not np.array_equal(other[0][0], again[0][0])


@pytest.mark.parametrize("name", drawn_scenes.CLASSES)
def test_every_class_is_drawn(name):
    by_name = drawn_scenes.render(name, np.random.default_rng(4), 48)
    by_index = drawn_scenes.render(drawn_scenes.CLASSES.index(name), np.random.default_rng(4), 48)
    assert by_name.shape == (48, 48)
    assert by_name.std() > 10
    assert np.array_equal(by_name, by_index)


@pytest.mark.parametrize("label", ["beach", 15, -1])
def test_unknown_class(label):
    with pytest.raises(ValueError, match="no class"):
        drawn_scenes.render(label, np.random.default_rng(0))


@pytest.mark.parametrize("wrong", [{"per_class_train": 0}, {"per_class_test": -1}, {"size": 8}])
def test_invalid_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match="at least 1 image per class and at least 16 pixels"):
        drawn_scenes.make_split(0, **wrong)


def test_folders_contain_the_same_images_in_the_same_order(split, tmp_path):
    assert drawn_scenes.write_folders(split, tmp_path / "scenes") == tmp_path / "scenes"
    for part, images, labels in (("train", *split[:2]), ("test", *split[2:])):
        found = list_images(tmp_path / "scenes" / part)
        assert found.classes == list(drawn_scenes.CLASSES)
        assert found.labels == labels.tolist()
        assert not found.left_out
        for path, image in zip(found.paths, images, strict=True):
            with Image.open(path) as file:
                assert file.mode == "L"
                assert np.array_equal(np.asarray(file), image)


def test_pretrained_features_beat_pixels(split):
    train, labels, test, test_labels = split

    def score(of_train, of_test, C=1.0):
        svm = make_pipeline(Normalizer(), LinearSVC(C=C, random_state=0))
        return svm.fit(of_train, labels).score(of_test, test_labels)

    network = tiny_vgg()

    @torch.inference_mode()
    def features(images):
        x = torch.from_numpy(images)[:, None].expand(-1, 3, -1, -1).float() / 255
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (PREPROCESSING.mean, PREPROCESSING.std))
        return network.features((x - mean) / std).flatten(1).numpy()

    # On pixels, a larger C takes ten times as long and does not help.
    pixels = score(train.reshape(len(train), -1) / 255, test.reshape(len(test), -1) / 255, C=0.1)
    transferred = score(features(train), features(test))
    assert pixels < 0.3  # chance is 0.067
    assert transferred > 0.75
