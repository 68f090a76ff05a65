import io

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib.patches import Rectangle
from PIL import Image

from captionlab.plots import convnets as plots

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def rectangles(axes):
    return [(p.get_x(), p.get_y(), p.get_width(), p.get_height()) for p in axes.patches if type(p) is Rectangle]


def texts(figure):
    figure.draw_without_rendering()
    return " ".join(text.get_text() for text in figure.findobj(lambda o: hasattr(o, "get_text")))


# --- upsampling a heat map ---


def test_cells_tile_the_image_as_bilinear_interpolation_does():
    heat = np.random.default_rng(1).random((5, 7))
    ours = plots.upsample(heat, (40, 60))
    theirs = F.interpolate(torch.from_numpy(heat)[None, None], size=(40, 60), mode="bilinear", align_corners=False)
    assert np.allclose(ours, theirs[0, 0].numpy())


def test_it_does_not_tile_as_np_resize_does():
    heat = np.array([[0.0, 1.0]])
    assert not np.allclose(plots.upsample(heat, (4, 8)), np.resize(heat, (4, 8)))
    assert (np.diff(plots.upsample(heat, (4, 8)), axis=1) >= 0).all()


@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, 3), (6, 11)])
def test_a_peak_lies_over_the_center_of_its_window(row, column):
    heat = np.zeros((7, 12))  # 160 x 240 pixels, windows of 64, 16 apart
    heat[row, column] = 1
    upsampled = plots.upsample(heat, (160, 240), window=64, stride=16)
    assert upsampled.shape == (160, 240)
    center = (16 * row + 32, 16 * column + 32)  # between pixels center - 1 and center
    assert upsampled[center] > 0.9
    if (row, column) == (2, 3):  # in the corners the nearest value continues to the image's border
        assert np.isclose(upsampled[center[0] - 1, center[1] - 1], upsampled[center])
        assert np.isclose(upsampled[center[0] + 8, center[1]] / upsampled[center], (1 - 8.5 / 16) / (1 - 0.5 / 16))
        assert upsampled[center[0] + 16, center[1]] == 0


def test_a_constant_stays_and_a_single_cell_covers_all():
    assert np.allclose(plots.upsample(np.full((3, 4), 0.3), (50, 70), window=10, stride=20), 0.3)
    assert np.allclose(plots.upsample(np.array([[0.7]]), (64, 64), window=64, stride=16), 0.7)


def test_what_cannot_be_upsampled():
    with pytest.raises(ValueError, match=r"expected \(rows, columns\)"):
        plots.upsample(np.zeros((1, 3, 3)), (9, 9))
    with pytest.raises(ValueError, match="together"):
        plots.upsample(np.zeros((3, 3)), (9, 9), window=3)


def test_the_heat_map_covers_the_image_pixel_by_pixel():
    heat = np.zeros((2, 3))
    heat[0, 2] = 0.8
    figure = plots.heat_map(IMAGE, heat, "title", window=20, stride=20, boxes=[(5, 6, 25, 16)])
    covered = figure.axes[1]
    image, overlay = covered.images
    assert list(image.get_extent()) == list(overlay.get_extent()) == [0, 60, 40, 0]
    assert np.allclose(overlay.get_array(), plots.upsample(heat, (40, 60), 20, 20))
    assert overlay.get_clim() == (0, 1)
    assert rectangles(covered) == [(5, 6, 20, 10)]


# --- receptive fields ---


def test_receptive_fields_are_squares_of_the_given_sizes_around_the_center():
    figure = plots.receptive_fields(IMAGE, [3, 5, 50], ["a", "b", "c"], center=(10, 30))
    over, bars = figure.axes
    assert rectangles(over) == [(28.5, 8.5, 3, 3), (27.5, 7.5, 5, 5), (5, -15, 50, 50)]
    assert over.get_xlim() == (0, 60)
    assert over.get_ylim() == (40, 0)
    assert [patch.get_width() for patch in bars.patches] == [3, 5, 50]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["a", "b", "c"]


def test_receptive_fields_are_centered_on_the_image_by_default():
    assert rectangles(plots.receptive_fields(IMAGE, [4], ["a"]).axes[0]) == [(28, 18, 4, 4)]


def test_receptive_fields_need_a_name_each():
    with pytest.raises(ValueError, match="2 sizes and 1 names"):
        plots.receptive_fields(IMAGE, [3, 5], ["a"])


def test_the_effective_receptive_field_is_cropped_and_its_largest_value_is_one():
    gradient = np.zeros((20, 20))
    gradient[5:8, 4:9] = [1, 2, 4, 2, 1]
    above, across = plots.effective_receptive_field(gradient).axes
    assert above.images[0].get_array().shape == (3, 5)
    assert across.lines[0].get_ydata().tolist() == [0.25, 0.5, 1, 0.5, 0.25]
    with pytest.raises(ValueError, match="0 everywhere"):
        plots.effective_receptive_field(np.zeros((4, 4)))


# --- parameters and feature shapes ---


def test_parameter_bars_have_lengths_colors_and_shares():
    rows = [("features.0", 1_000_000), ("classifier.0", 2_500_000), ("classifier.3", 500_000)]
    figure = plots.parameter_bars(rows, title="Net")
    bars = figure.axes[0].patches
    assert [bar.get_width() for bar in bars] == [1.0, 2.5, 0.5]
    assert bars[0].get_facecolor() != bars[1].get_facecolor() == bars[2].get_facecolor()
    written = texts(figure)
    for expected in ("2,500,000 (62.5%)", "convolutional: 25.0%", "fully connected: 75.0%", "Net: 4,000,000 in total"):
        assert expected in written


def test_boxes_are_taller_where_the_maps_are_larger():
    layers = [("image", "input", (3, 64, 64)), ("conv", "convolution", (12, 64, 64)), ("pool", "pooling", (12, 16, 16))]
    figure = plots.feature_shapes(layers)
    (_, _, thin, tall), (_, _, thick, same), (_, _, _, short) = rectangles(figure.axes[0])
    assert tall == same == 2 * short  # a square root
    assert thick == pytest.approx(2 * thin)
    assert "12×16×16" in texts(figure)


# --- images, maps, filters ---


def test_side_by_side_keeps_one_scale():
    figure = plots.side_by_side([np.zeros((40, 60)), np.zeros((10, 15))], ["large", "small"])
    spans = [(np.ptp(axes.get_xlim()), np.ptp(axes.get_ylim())) for axes in figure.axes]
    assert spans == [(60, 40), (60, 40)]
    assert "small\n10 × 15" in texts(figure)
    free = plots.side_by_side([np.zeros((40, 60)), np.zeros((10, 15))], ["large", "small"], same_scale=False)
    assert np.ptp(free.axes[1].get_xlim()) == 15


@pytest.mark.parametrize(("images", "titles"), [([], []), ([IMAGE], ["a", "b"])])
def test_side_by_side_needs_a_title_for_each(images, titles):
    with pytest.raises(ValueError, match="one title for each"):
        plots.side_by_side(images, titles)


def test_feature_maps_are_all_there_in_order():
    maps = np.arange(5 * 4 * 4, dtype=float).reshape(5, 4, 4)
    figure = plots.feature_maps(IMAGE, maps, columns=3)
    shown = [axes.images[0].get_array() for axes in figure.axes[1:] if axes.images]
    assert len(shown) == 5
    assert all(np.array_equal(one, other) for one, other in zip(shown, maps, strict=True))
    with pytest.raises(ValueError, match="take one image's"):
        plots.feature_maps(IMAGE, maps[None])


def test_filters_share_a_scale_and_zero_is_gray():
    weights = np.zeros((2, 3, 2, 2))
    weights[0, 0, 0, 1] = -2.0
    weights[1, 2, 1, 0] = 1.0
    shown = [axes.images[0].get_array() for axes in plots.filters(weights).axes if axes.images]
    assert shown[0][0, 1].tolist() == [0.0, 0.5, 0.5]
    assert shown[1][1, 0].tolist() == [0.5, 0.5, 0.75]
    with pytest.raises(ValueError, match="only the"):
        plots.filters(np.zeros((2, 16, 3, 3)))


# --- predictions ---


def test_prediction_bars_show_names_and_probabilities():
    figure = plots.prediction_bars(IMAGE, [("bee", 0.75), ("ant", 0.125)], "photo")
    bars = figure.axes[1]
    assert [patch.get_width() for patch in bars.patches] == [0.75, 0.125]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["bee", "ant"]
    assert bars.yaxis_inverted()  # the most probable on top
    assert "75.0%" in texts(figure)


def test_the_grid_marks_what_is_right_and_puts_each_image_beside_its_bars():
    predictions = [[("bee", 0.6), ("ant", 0.2)], [("fly", 0.5), ("bee", 0.3)], [("ant", 0.9), ("bee", 0.1)]]
    figure = plots.prediction_grid([IMAGE] * 3, predictions, ["x", "y", "z"], labels=["bee", "ant", None])
    right = [len({patch.get_facecolor() for patch in figure.axes[at].patches}) for at in (1, 3, 5)]
    assert right == [2, 1, 1]
    assert [figure.axes[at].get_title() for at in (0, 2, 4)] == ["x", "y", "z"]


def test_the_grid_needs_as_many_of_each():
    with pytest.raises(ValueError, match="2 images, 1 predictions"):
        plots.prediction_grid([IMAGE] * 2, [[("a", 1.0)]], ["x", "y"])
    with pytest.raises(ValueError, match="at least one"):
        plots.prediction_grid([], [], [])


# --- all of them ---


@pytest.mark.parametrize("name", ["china", "flower"])
def test_photographs_are_at_hand(name):
    photograph = plots.photograph(name)
    assert (photograph.shape, photograph.dtype) == ((427, 640, 3), np.uint8)


def test_a_picture_shows_itself_in_a_notebook_and_is_the_same_every_time():
    def draw():
        return plots.prediction_bars(Image.fromarray(IMAGE), [("bee", 0.7), ("ant", 0.1)])._repr_png_()

    assert draw() == draw()
    with Image.open(io.BytesIO(draw())) as shown:
        assert shown.size == (750, 260)


def test_pictures_leave_pyplot_alone():
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    plots.side_by_side([IMAGE], ["a"])
    assert pyplot.get_fignums() == before
