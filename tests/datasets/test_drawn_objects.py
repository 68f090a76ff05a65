"""Drawn objects: seeded, distinct by class, with boxes where the objects are."""

import numpy as np
import pytest

from captionlab.datasets.drawn_objects import BACKGROUND, CLASSES, make_batch, render, render_scene


def test_images_depend_on_the_seed():
    for label in CLASSES:
        first = render(label, np.random.default_rng(7))
        assert np.array_equal(first, render(label, np.random.default_rng(7)))
        assert not np.array_equal(first, render(label, np.random.default_rng(8)))


def test_classes_have_distinct_names_and_differ_on_the_same_draw():
    assert len(set(CLASSES)) == len(CLASSES) >= 20
    images = [render(label, np.random.default_rng(3)) for label in range(len(CLASSES))]
    assert len({image.tobytes() for image in images}) == len(CLASSES)


@pytest.mark.parametrize("size", [32, 64, 96])
def test_shape_and_dtype(size):
    image = render("house", np.random.default_rng(0), size)
    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8


def test_name_and_index_mean_the_same():
    by_name = render("star", np.random.default_rng(1))
    assert np.array_equal(by_name, render(CLASSES.index("star"), np.random.default_rng(1)))


def test_batch():
    images, labels = make_batch(np.random.default_rng(0), 200)
    few, first = make_batch(np.random.default_rng(0), 20)
    again, same = make_batch(np.random.default_rng(0), 20)
    assert images.shape == (200, 64, 64, 3)
    assert images.dtype == np.uint8
    assert labels.shape == (200,)
    assert labels.dtype == np.int64
    assert np.array_equal(few, again)
    assert np.array_equal(first, same)
    assert set(labels) == set(range(len(CLASSES)))
    means = images.mean(axis=(1, 2))  # noise has color even in gray images, but not on average
    gray = (np.ptp(means, axis=1) < 1).mean()
    assert 0.05 < gray < 0.3  # some images are gray, most are not


def test_object_has_contrast():
    """The image varies more inside an object's box than outside."""
    image, boxes = render_scene(np.random.default_rng(0), ["checkerboard"])
    x0, y0, x1, y1 = boxes[0]
    assert image[y0:y1, x0:x1].std() > 1.2 * np.delete(image, np.s_[y0:y1], axis=0).std()


@pytest.mark.parametrize("seed", range(20))
def test_scene_boxes_lie_inside_and_apart(seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice(BACKGROUND, 4, replace=False)
    image, boxes = render_scene(rng, labels.tolist())
    assert image.shape == (160, 240, 3)
    assert image.dtype == np.uint8
    assert boxes.shape == (4, 4)
    assert boxes.dtype == np.int64
    x0, y0, x1, y1 = boxes.T
    assert (x0 >= 0).all()
    assert (y0 >= 0).all()
    assert (x1 <= 240).all()
    assert (y1 <= 160).all()
    assert (x1 - x0 > 15).all()
    assert (y1 - y0 > 15).all()
    for i in range(4):
        for j in range(i):
            assert x1[i] <= x0[j] or x1[j] <= x0[i] or y1[i] <= y0[j] or y1[j] <= y0[i]


def test_scene_is_seeded_and_may_be_empty():
    one, _ = render_scene(np.random.default_rng(5), ["tree", "fish"])
    two, _ = render_scene(np.random.default_rng(5), ["tree", "fish"])
    assert np.array_equal(one, two)
    assert render_scene(np.random.default_rng(5), [])[1].shape == (0, 4)


def test_errors_say_what_to_do():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"no class 'dog'.*disc"):
        render("dog", rng)
    with pytest.raises(ValueError, match="no class 99"):
        render(99, rng)
    with pytest.raises(ValueError, match="at least 16"):
        render("disc", rng, size=8)
    with pytest.raises(ValueError, match="fewer objects"):
        render_scene(rng, ["disc"] * 30)
    with pytest.raises(ValueError, match="not an object"):
        render_scene(rng, ["background"])
