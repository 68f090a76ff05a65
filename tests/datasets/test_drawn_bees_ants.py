"""Drawn ants and bees: seeded, balanced; colors do not tell the classes, features of the embedded network do."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.svm import LinearSVC

from captionlab.datasets import drawn_bees_ants
from captionlab.datasets.folders import list_images
from captionlab.vision.embedded import PREPROCESSING, tiny_vgg


@pytest.fixture(scope="module")
def split():
    return drawn_bees_ants.make_split(0)


def test_shapes_types_and_balance(split):
    train, labels, test, test_labels = split
    assert drawn_bees_ants.CLASSES == ("ants", "bees")
    assert train.shape == test.shape == (120, 64, 64, 3)
    assert train.dtype == test.dtype == np.uint8
    assert labels.dtype == test_labels.dtype == np.int64
    assert np.array_equal(labels, np.repeat([0, 1], 60))
    assert np.array_equal(test_labels, labels)


def test_an_odd_number_has_one_ant_more():
    _, labels, _, test_labels = drawn_bees_ants.make_split(0, train=5, test=2, size=32)
    assert labels.tolist() == [0, 0, 0, 1, 1]
    assert test_labels.tolist() == [0, 1]


def test_images_are_distinct(split):
    assert len({image.tobytes() for image in (*split[0], *split[2])}) == 240


def test_images_depend_on_the_seed_and_not_on_their_number(split):
    again, other = (drawn_bees_ants.make_split(seed, train=6, test=4) for seed in (0, 1))
    assert np.array_equal(again[0].reshape(2, 3, 64, 64, 3), split[0].reshape(2, 60, 64, 64, 3)[:, :3])
    assert np.array_equal(again[2].reshape(2, 2, 64, 64, 3), split[2].reshape(2, 60, 64, 64, 3)[:, :2])
    assert not np.array_equal(other[0][0], again[0][0])


@pytest.mark.parametrize("label", ["wasps", 2, -1])
def test_unknown_class(label):
    with pytest.raises(ValueError, match="no class"):
        drawn_bees_ants.render(label, np.random.default_rng(0))


@pytest.mark.parametrize("wrong", [{"train": 1}, {"test": 0}, {"size": 8}])
def test_invalid_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match="at least 1 image per class and at least 16 pixels"):
        drawn_bees_ants.make_split(0, **wrong)


def test_folders_contain_the_same_images_in_the_same_order(split, tmp_path):
    assert drawn_bees_ants.write_folders(split, tmp_path) == tmp_path
    for part, images, labels in (("train", *split[:2]), ("val", *split[2:])):
        found = list_images(tmp_path / part)
        assert found.classes == list(drawn_bees_ants.CLASSES)
        assert found.labels == labels.tolist()
        assert not found.left_out
        for path, image in zip(found.paths, images, strict=True):
            with Image.open(path) as file:
                assert np.array_equal(np.asarray(file), image)


def test_colors_tell_almost_nothing(split):
    """Mean, standard deviation and extremes of each channel cannot separate the classes without shapes."""

    def colors(images):
        flat = images.reshape(len(images), -1, 3) / 255
        return np.concatenate([flat.mean(1), flat.std(1), *np.quantile(flat, [0.02, 0.98], axis=1)], axis=1)

    train, labels, test, test_labels = split
    assert LogisticRegression().fit(colors(train), labels).score(colors(test), test_labels) < 0.7


def test_pretrained_features_beat_pixels(split):
    train, labels, test, test_labels = split

    def score(of_train, of_test):
        svm = make_pipeline(Normalizer(), LinearSVC(random_state=0))
        return svm.fit(of_train, labels).score(of_test, test_labels)

    network = tiny_vgg()

    @torch.inference_mode()
    def features(images):
        x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (PREPROCESSING.mean, PREPROCESSING.std))
        return network.features((x - mean) / std).flatten(1).numpy()

    pixels = score(train.reshape(len(train), -1) / 255, test.reshape(len(test), -1) / 255)
    transferred = score(features(train), features(test))
    assert pixels < 0.65  # chance is 0.5
    assert transferred > 0.85
