"""What all figures share: the palette, reproducible bytes, and that no module has a palette of its own."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from captionlab.plots import style

ROOT = Path(__file__).parents[2]


def draw():
    figure = style.new_figure(3, 2)
    axes = figure.subplots()
    for at in range(9):
        axes.plot([0, 1], [at, at + 1], **style.series_style(at))
    return figure


def test_a_figure_is_the_same_every_time_and_shows_itself():
    assert style.png_bytes(draw()) == style.png_bytes(draw())
    with Image.open(io.BytesIO(draw()._repr_png_())) as shown:
        assert shown.size == (300, 200)


def test_files_do_not_depend_on_the_version_of_matplotlib():
    with Image.open(io.BytesIO(style.png_bytes(draw()))) as image:
        assert "Software" not in image.info
        assert image.size == (330, 220)


def test_series_differ_in_color_and_in_marker():
    styles = [style.series_style(at) for at in range(len(style.COLORS))]
    assert len({each["color"] for each in styles}) == len({each["marker"] for each in styles}) == len(styles) == 7
    assert style.series_style(7) == style.series_style(0)


def test_the_palette_is_told_apart_with_any_color_vision():
    """Distances of the colors as people with red-green blindness see them (Machado et al. 2009, severity 1)."""
    deuteranopia = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
    protanopia = np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]])
    colors = np.array([[int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)] for color in style.COLORS])
    for seen in (colors, colors @ deuteranopia.T, colors @ protanopia.T):
        distances = np.linalg.norm(seen[:, None] - seen[None], axis=2)[np.triu_indices(len(colors), 1)]
        assert distances.min() > 0.14


def test_colors_and_figures_are_made_in_one_place():
    for folder in ("lib/captionlab/plots", "lib/captionlab/experiments", "data_scripts"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if path.name != "style.py":
                assert not re.search(r"#[0-9a-fA-F]{6}\b", text), path
                assert not re.search(r"\bFigure\(|tab:|pyplot", text), path


def test_images_keep_their_pixel_grid():
    axes = style.new_figure(2, 2).subplots()
    style.show_image(axes, Image.new("RGB", (7, 4)), "title")
    assert axes.images[0].get_extent() == [0, 7, 4, 0] or list(axes.images[0].get_extent()) == [0, 7, 4, 0]
    assert axes.get_title() == "title"
    assert len(axes.get_xticks()) == 0
