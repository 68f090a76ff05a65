"""Pooling, written out: probe and misconceptions."""

from __future__ import annotations

from captionlab.exercises.drawing import draw, draw_tensor
from captionlab.exercises.lab1_vgg16.common import lab
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise("captionlab.convnets.pooling:pool2d", paper=True, points=2, minutes=20, difficulty=3, importance=3)
def probe_pool2d(pool2d, rng):
    for kernel, stride, mode, left_over, mean in (
        (2, 2, "max", 0, 0.0),
        (2, 2, "average", 0, 0.0),
        (3, 2, "max", 1, 0.0),
        (3, 2, "average", 1, 2.0),
        (draw(rng, 2, 3), 1, "max", 0, -9.0),  # only negative values
        (2, 3, "average", draw(rng, 1, 2), 0.0),
    ):
        rows, columns = (kernel + stride * draw(rng, 1, 2), kernel + stride * 3)
        maps = draw_tensor(rng, draw(rng, 2, 3), rows + left_over, columns + left_over, mean=mean)
        label = f"{mode} pooling of maps of shape {tuple(maps.shape)}, kernel {kernel}, stride {stride}"
        if mode == "max":
            yield label, pool2d(maps, kernel, stride)
        else:
            yield label, pool2d(maps, kernel=kernel, stride=stride, mode=mode)
    yield 'mode "median"', outcome_of(pool2d, draw_tensor(rng, 2, 4, 4), 2, 2, "median")


lab.misconceptions(
    "pool2d",
    stride_is_kernel_size=(
        "Your window always moves by its own size and ignores the stride. Overlapping windows are allowed.",
        {"unfold(1, kernel, stride).unfold(2, kernel, stride)": "unfold(1, kernel, kernel).unfold(2, kernel, kernel)"},
    ),
    visits_every_pixel=(
        "Your window visits every pixel and ignores the stride.",
        {"unfold(1, kernel, stride).unfold(2, kernel, stride)": "unfold(1, kernel, 1).unfold(2, kernel, 1)"},
    ),
)


@lab.misconception(
    "pool2d",
    hint="All your maps come out equal: you pool over the maps too. Check the dimensions of your max or mean: each "
    "channel must be pooled separately.",
)
def pools_across_maps(maps, kernel, stride, mode="max"):
    if mode not in ("max", "average"):
        raise ValueError(f"unknown mode {mode}")
    windows = maps.unfold(1, kernel, stride).unfold(2, kernel, stride)
    pooled = windows.amax((0, 3, 4)) if mode == "max" else windows.mean((0, 3, 4))
    return pooled.expand(len(maps), -1, -1)


lab.misconceptions(
    "pool2d",
    starts_from_zero=(
        "Your maximum starts from zero, which is wrong if all values are negative. Start from the values themselves.",
        {"windows.amax(dim=(3, 4))": "windows.amax(dim=(3, 4)).clamp(min=0)"},
    ),
    divides_by_one_side=(
        "Your average is a sum divided by too small a number: how many pixels are there in a window?",
        {"windows.mean(dim=(3, 4))": "windows.sum(dim=(3, 4)) / kernel"},
    ),
    always_max=(
        "You always take the largest value: mode decides between the maximum and the mean.",
        {' if mode == "max" else windows.mean(dim=(3, 4))': ""},
    ),
    accepts_any_mode=(
        'The numbers are right, but the error is missing: any mode other than "max" and "average" must raise a '
        "ValueError, so that a typo is not silently treated as an average.",
        {"if mode not in": ""},
    ),
)
