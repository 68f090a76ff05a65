import numpy as np
import pytest

from captionlab.plots import training as plots

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
HISTORY = [
    {"train_loss": 0.9, "validation_loss": 0.8, "validation_accuracy": 0.5},
    {"train_loss": 0.6, "validation_loss": 0.5, "validation_accuracy": 0.75},
    {"train_loss": 0.3, "validation_loss": 0.6, "validation_accuracy": 0.75},
]


def texts(figure):
    figure.draw_without_rendering()
    return " ".join(text.get_text() for text in figure.findobj(lambda one: hasattr(one, "get_text")))


def lines(axes):
    return [line.get_ydata().tolist() for line in axes.lines]


# --- augmentation ---


def test_a_network_input_becomes_the_picture_it_was():
    pixels = np.random.default_rng(0).random((5, 4, 3))
    image = ((pixels - MEAN) / STD).transpose(2, 0, 1)
    assert np.allclose(plots.pixels_of(image), pixels)
    with pytest.raises(ValueError, match="take one of the batch"):
        plots.pixels_of(image[None])


def test_the_grid_shows_every_image_in_its_row():
    originals = np.random.default_rng(0).random((2, 6, 6, 3))
    inputs = ((originals - MEAN) / STD).transpose(0, 3, 1, 2)
    rows = [[original, image, image[:, :, ::-1]] for original, image in zip(originals, inputs, strict=True)]
    figure = plots.augmentation_grid(rows, ["original", "training", "training"])
    shown = [axes.images[0].get_array() for axes in figure.axes]
    assert len(shown) == 6
    assert np.allclose(shown[0], shown[1])
    assert np.allclose(shown[5], originals[1][:, ::-1])
    assert [axes.get_title(loc="left") for axes in figure.axes[:3]] == ["original", "training", ""]


@pytest.mark.parametrize("rows", [[], [[np.zeros((4, 4, 3))]]])
def test_the_grid_needs_an_image_for_each_title(rows):
    with pytest.raises(ValueError, match="with one image per title"):
        plots.augmentation_grid(rows, ["a", "b"])


# --- curves ---


def test_curves_are_the_histories_and_rings_mark_the_first_best_epoch():
    figure = plots.training_curves({"frozen": HISTORY, "fine-tuned": HISTORY[:1]})
    losses, accuracies = figure.axes
    assert lines(losses)[:2] == [[0.9, 0.6, 0.3], [0.8, 0.5, 0.6]]
    assert lines(accuracies)[0] == [0.5, 0.75, 0.75]
    ring = accuracies.lines[1]
    assert (list(ring.get_xdata()), list(ring.get_ydata())) == ([2], [0.75])
    assert lines(losses)[2] == [0.5]
    assert accuracies.lines[0].get_color() != accuracies.lines[2].get_color()
    assert accuracies.lines[0].get_marker() != accuracies.lines[2].get_marker()
    assert "fine-tuned" in texts(figure)


@pytest.mark.parametrize("runs", [{}, {"empty": []}])
def test_curves_need_epochs(runs):
    with pytest.raises(ValueError, match="at least one"):
        plots.training_curves(runs)


def test_drift_shows_distances_and_accuracies_under_the_same_names():
    drifts, accuracies = {"held": [0, 0, 0], "moving": [0, 0.2, 0.3]}, {"held": [0.9] * 3, "moving": [0.9, 0.8, 0.7]}
    left, right = plots.statistics_drift(drifts, accuracies, [0, 4, 8]).axes
    assert lines(left) == [[0, 0, 0], [0, 0.2, 0.3]]
    assert lines(right)[1] == [0.9, 0.8, 0.7]
    assert list(left.lines[0].get_xdata()) == [0, 4, 8]
    assert (
        [line.get_linestyle() for line in left.lines] == [line.get_linestyle() for line in right.lines] == ["-", "--"]
    )
    with pytest.raises(ValueError, match="as many of each"):
        plots.statistics_drift(drifts, {"held": [0.9]}, [0, 4, 8])


# --- methods ---


def test_bars_are_means_and_dots_are_runs():
    figure = plots.method_bars({"forest": [0.5], "fine-tuned": [0.9, 0.94, 0.98]}, chance=0.5)
    axes = figure.axes[0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([0.5, 0.94])
    assert list(axes.lines[1].get_xdata()) == [0.9, 0.94, 0.98]
    assert len(set(axes.lines[1].get_ydata())) == 3  # equal runs would hide each other
    written = texts(figure)
    assert "0.940 ± 0.040" in written
    assert "0.500 ±" not in written
    assert axes.yaxis_inverted()  # in reading order


@pytest.mark.parametrize("results", [{}, {"none": []}])
def test_bars_need_accuracies(results):
    with pytest.raises(ValueError, match="at least one"):
        plots.method_bars(results)


def test_the_same_data_give_the_same_picture_and_pyplot_is_left_alone():
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    assert plots.training_curves({"a": HISTORY})._repr_png_() == plots.training_curves({"a": HISTORY})._repr_png_()
    assert pyplot.get_fignums() == before
