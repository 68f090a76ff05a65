"""Figures of Lab 2: what is drawn is what was given."""

import io

import numpy as np
import pytest
from PIL import Image

from captionlab.plots import transfer as plots

CLASSES = ("coast", "forest", "kitchen")
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (7, 8, 8), dtype=np.uint8)


def texts(figure):
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(lambda one: hasattr(one, "get_text")) if text.get_text()]


def shown(figure):
    return [axes.images[0].get_array() for axes in figure.axes if axes.images]


# --- images ---


def test_the_first_images_of_each_class_stand_below_its_name():
    figure = plots.sample_grid(IMAGES, [2, 0, 0, 2, 0, 2, 2], CLASSES, each=2)
    drawn = shown(figure)  # row by row: coast 1, kitchen 1, coast 2, kitchen 2; there is no forest
    assert [int(np.flatnonzero((image == IMAGES).all(axis=(1, 2)))[0]) for image in drawn] == [1, 0, 2, 3]
    assert [text for text in texts(figure) if text in CLASSES] == ["coast", "kitchen"]


def test_classes_continue_in_the_next_row():
    figure = plots.sample_grid(IMAGES, [0, 1, 2, 0, 1, 2, 0], CLASSES, each=1, columns=2)
    assert len(shown(figure)) == 3
    assert len(figure.axes) == 4


def test_mistakes_are_named_and_counted():
    figure = plots.mistakes(IMAGES, [0, 1, 2, 0, 1, 2, 0], [0, 1, 1, 0, 1, 0, 0], CLASSES)
    assert [image.tolist() for image in shown(figure)] == [IMAGES[2].tolist(), IMAGES[5].tolist()]
    written = texts(figure)
    assert written.count("kitchen") == 2
    assert {"predicted: forest", "predicted: coast", "2 of 2 mistakes among 7 images"} <= set(written)


def test_of_many_mistakes_some_are_shown():
    images = np.zeros((40, 4, 4))
    figure = plots.mistakes(images, [0] * 40, [1] * 40, CLASSES, count=6, columns=3)
    assert len(shown(figure)) == 6


def test_images_need_labels():
    with pytest.raises(ValueError, match="7 images and 2 labels"):
        plots.sample_grid(IMAGES, [0, 1], CLASSES)
    with pytest.raises(ValueError, match="7 images, 7 labels, 1 predictions"):
        plots.mistakes(IMAGES, [0] * 7, [0], CLASSES)
    with pytest.raises(ValueError, match="nothing to show"):
        plots.mistakes(IMAGES, [0] * 7, [0] * 7, CLASSES)


# --- one classifier ---


def test_the_confusion_matrix_shows_shares_and_counts():
    matrix = np.array([[6, 2, 0], [0, 3, 0], [0, 0, 0]])
    figure = plots.confusion(matrix, CLASSES, "SVM")
    assert shown(figure)[0].tolist() == [[0.75, 0.25, 0], [0, 1, 0], [0, 0, 0]]
    axes = figure.axes[0]
    assert {(text.get_text(), text.get_position()) for text in axes.texts} == {
        *(("6", (0, 0)), ("2", (1, 0)), ("3", (1, 1)))
    }
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert [label.get_text() for label in axes.get_yticklabels()] == list(CLASSES)
    assert "SVM: 81.8% of 11 images right" in texts(figure)


def test_the_confusion_matrix_needs_a_row_for_each_class():
    with pytest.raises(ValueError, match=r"shape \(2, 2\) for 3 classes"):
        plots.confusion(np.eye(2), CLASSES)


def test_class_bars_are_sorted_by_the_first_and_leave_gaps():
    figure = plots.class_bars({"a": np.array([0.5, np.nan, 0.25]), "b": np.array([1.0, 0.5, 0.0])}, CLASSES)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["forest", "kitchen", "coast"]
    first, second = axes.containers
    assert [bar.get_width() for bar in first][1:] == [0.25, 0.5]
    assert np.isnan(first[0].get_width())
    assert [bar.get_width() for bar in second] == [0.5, 0.0, 1.0]
    assert {"a (mean 37.5%)", "b (mean 50.0%)"} <= set(texts(figure))
    with pytest.raises(ValueError, match="for 3 classes"):
        plots.class_bars({"a": np.zeros(2)}, CLASSES)


# --- choices ---


def test_every_network_has_its_layers_and_the_best_is_marked():
    rows = {"VGG": [("pool1", 0.2, 0.01), ("pool2", 0.8, 0.02), ("relu7", 0.7, 0.02)], "ResNet": [("fc", 0.5, 0.1)]}
    figure = plots.accuracy_by_layer(rows, "Layers", chance=0.1)
    vgg, resnet = figure.axes
    assert vgg.lines[0].get_ydata().tolist() == [0.2, 0.8, 0.7]
    assert [label.get_text() for label in vgg.get_xticklabels()] == ["pool1", "pool2", "relu7"]
    assert [axes.get_title() for axes in (vgg, resnet)] == ["VGG", "ResNet"]
    assert [text.get_text() for text in vgg.texts] == ["80.0%"]
    assert any("dotted: guessing" in text for text in texts(figure))
    with pytest.raises(ValueError, match="found no network"):
        plots.accuracy_by_layer({})


def test_a_curve_has_its_band_its_choice_and_its_times():
    figure = plots.accuracy_curve(
        [0.1, 1, 10],
        {"held out": [0.5, 0.7, 0.6], "training": [0.6, 0.9, 1.0]},
        "C",
        spreads={"held out": [0.1, 0.1, 0.1]},
        chosen=1,
        seconds=[1, 2, 4],
    )
    above, below = figure.axes
    assert above.lines[0].get_ydata().tolist() == [0.5, 0.7, 0.6]
    assert above.lines[2].get_xdata() == [1, 1]
    band = above.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((0.4, 0.8))
    assert below.lines[0].get_ydata().tolist() == [1, 2, 4]
    assert below.get_xscale() == "log"
    assert [label.get_text() for label in below.get_xticklabels()] == ["0.1", "1", "10"]
    assert {"C; dashed: chosen", "time (s)", "held out", "training"} <= set(texts(figure))


def test_a_curve_needs_an_accuracy_for_each_value():
    with pytest.raises(ValueError, match="for 2 values"):
        plots.accuracy_curve([1, 2], {"a": [0.1]}, "C")
    assert len(plots.accuracy_curve([1, 2], {"a": [0.1, 0.2]}, "epochs", log=False).axes) == 1


def test_a_comparison_has_accuracy_and_time_side_by_side():
    figure = plots.comparison([("SVM", 0.9, 0.02, 1.5), ("forest", 0.7, 0.05, 12.0)], "Ways")
    left, right = figure.axes
    assert [bar.get_width() for bar in left.patches] == [0.9, 0.7]
    assert [bar.get_width() for bar in right.patches] == [1.5, 12.0]
    assert left.yaxis_inverted()
    assert {"90.0%", "12", "SVM", "time (s)", "Ways"} <= set(texts(figure))
    with pytest.raises(ValueError, match="found no rows"):
        plots.comparison([])


def test_costs_have_a_panel_each_and_a_missing_one_is_a_dash():
    costs = {"features": [512, 400], "parameters": [12_345, None]}
    figure = plots.cost_comparison(["deep", "visual words"], [0.9, 0.7], [0.02, 0.0], costs)
    left, features, parameters = figure.axes
    assert [bar.get_width() for bar in left.patches] == [0.9, 0.7]
    assert [bar.get_width() for bar in features.patches] == [512, 400]
    assert [bar.get_width() for bar in parameters.patches] == [12_345, 0]
    assert {"12,345", "–", "512", "parameters"} <= set(texts(figure))


def test_accuracy_by_epoch_begins_before_training():
    axes = plots.accuracy_by_epoch({"frozen": [0.1, 0.5], "all": [0.1, 0.3]}).axes[0]
    assert [line.get_xdata().tolist() for line in axes.lines] == [[0, 1], [0, 1]]
    assert len({line.get_color() for line in axes.lines}) == len({line.get_marker() for line in axes.lines}) == 2


# --- all of them ---


def test_a_picture_shows_itself_in_a_notebook_and_is_the_same_every_time():
    def draw():
        return plots.comparison([("SVM", 0.9, 0.02, 1.5)])._repr_png_()

    assert draw() == draw()
    with Image.open(io.BytesIO(draw())) as image:
        assert image.size[0] == 1000
