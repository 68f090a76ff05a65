"""Pooling: its output sizes, and the pooling itself; probes and misconceptions."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, draw_tensor
from captionlab.exercises.lab1_vgg16.common import add_pairs, fit, lab, of_both_sides
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise(
    "captionlab.convnets.arithmetic:pool_output_shape", paper=True, points=1, minutes=5, difficulty=1, importance=4
)
def probe_pool_output_shape(pool_output_shape, rng):
    for kernel, stride, padding, left_over in (
        (2, None, 0, 0),
        (draw(rng, 3, 4), None, 0, draw(rng, 1, 2)),
        (3, 2, 0, 1),
        (2, 3, 0, draw(rng, 0, 2)),
        (3, 1, 1, 0),
        (3, 2, 1, 1),
        (draw(rng, 4, 5), None, draw(rng, 1, 2), 1),
    ):
        height = fit(draw(rng, 6, 20), kernel, stride or kernel, padding, left_over)
        width = height + (stride or kernel) * draw(rng, 1, 5)
        shape = (draw(rng, 6, 64), *((width, height) if rng.random() < 0.5 else (height, width)))
        label = f"shape {shape}, kernel {kernel}, stride {stride}, padding {padding}"
        if stride is None and padding == 0:
            yield label, pool_output_shape(shape, kernel), 2
        elif stride is None:
            yield label, pool_output_shape(shape, kernel=kernel, padding=padding), 4
        else:
            yield label, pool_output_shape(shape, kernel, stride, padding), 4 if padding else 2
    kernel, stride = draw(rng, 3, 4), 2
    height, width = (kernel + kernel * stride * one for one in sorted((draw(rng, 1, 2), draw(rng, 3, 5))))
    shape = draw(rng, 6, 64), height, width
    label = f"shape {shape}, kernel {kernel}, stride {stride}"
    yield label, pool_output_shape(shape, kernel, stride=stride), 2
    yield "shape (64, 112, 80), kernel 2", pool_output_shape((64, 112, 80), kernel=2)


lab.misconceptions(
    "pool_output_shape",
    moves_by_one=(
        "Without a stride, your window moves by one pixel. Pooling differs from convolution here: read what None "
        "means.",
        {"stride = kernel if stride": "stride = 1 if stride"},
    ),
    stride_is_kernel=(
        "You ignore the stride when one is given. Use the kernel size only if the stride is None.",
        {"stride = kernel if stride is None else stride": "stride = kernel"},
    ),
    pools_maps_too=(
        "You pool over the maps as well. Every map is pooled on its own, so the number of maps stays the same.",
        {"return channels": "return (channels - kernel) // stride + 1"},
    ),
    rounds_pool_up=(
        "You count a last window that sticks out of the padded map. That window is not used: check which way your "
        "division rounds.",
        of_both_sides("-((kernel - {side} - 2 * padding) // stride) + 1"),
    ),
    pool_not_rounded=(
        "Your sizes are not whole numbers when pixels are left over at the border. A window that sticks out is not "
        "used: which way does that round?",
        of_both_sides("({side} + 2 * padding - kernel) / stride + 1"),
    ),
    pool_padding_ignored=(
        "Your result does not depend on the padding. The window moves over the padded map, which is larger.",
        of_both_sides("({side} - kernel) // stride + 1"),
    ),
    pool_padding_once=(
        "Padding is added on all four sides, so twice along each axis; your padded map is too small.",
        of_both_sides("({side} + padding - kernel) // stride + 1"),
    ),
    divides_the_size_by_the_stride=(
        "You divide the size of the map by the stride, whatever the kernel. That works only if the stride "
        "equals the kernel size: how far the window can move depends on its size.",
        of_both_sides("({side} + 2 * padding) // stride"),
    ),
    counts_pool_steps=(
        "You count the window's steps along each axis, not its positions: the first position is missing.",
        of_both_sides("({side} + 2 * padding - kernel) // stride"),
    ),
    swaps_pooled_sides=(
        "Your height and width are swapped. A shape is (channels, height, width), of the input and of the output.",
        {"return channels, out_height, out_width": "return channels, out_width, out_height"},
    ),
    pools_to_a_square=(
        "Your output is square although the input is not: compute the height and the width separately.",
        {"return channels, out_height, out_width": "return channels, out_height, out_height"},
    ),
)
lab.other_spellings(
    "pool_output_shape",
    pools_to_a_square=[{"return channels, out_height, out_width": "return channels, out_width, out_width"}],
    divides_the_size_by_the_stride=[of_both_sides("{side} // stride")],
    stride_is_kernel=[of_both_sides("{side} // kernel")],
)
add_pairs(
    "pool_output_shape",
    (
        "moves_by_one stride_is_kernel",
        "swaps_pooled_sides pools_to_a_square pools_maps_too pool_padding_ignored counts_pool_steps rounds_pool_up",
    ),
    (
        "rounds_pool_up pool_not_rounded counts_pool_steps pool_padding_ignored pool_padding_once",
        "pools_maps_too swaps_pooled_sides pools_to_a_square",
    ),
)


@lab.exercise("captionlab.convnets.pooling:pool2d", paper=True, points=2, minutes=20, difficulty=3, importance=3)
def probe_pool2d(pool2d, rng):
    maps = torch.tensor([[[1.0, 2.0, 0.0], [3.0, 4.0, 8.0]]])
    yield "one map, [[1, 2, 0], [3, 4, 8]], kernel 2, stride 1", pool2d(maps.clone(), kernel=2, stride=1)
    label = "average pooling of one map, [[1, 2, 0], [3, 4, 8]], kernel 2, stride 1"
    yield label, pool2d(maps, kernel=2, stride=1, mode="average")
    for kernel, stride, mode, left_over, mean in (
        (2, 2, "max", 0, 2.0),
        (2, 2, "average", 0, 0.0),
        (3, 2, "max", 1, 2.0),
        (3, 2, "average", 1, 2.0),
        (draw(rng, 2, 3), 1, "max", 0, -9.0),  # only negative values
        (2, 3, "average", draw(rng, 1, 2), 0.0),
    ):
        rows, columns = (kernel + stride * draw(rng, 1, 2), kernel + stride * 3)
        maps = draw_tensor(rng, draw(rng, 2, 3), rows + left_over, columns + left_over, mean=mean)
        shape = ", only negative values" if mean < 0 else ""
        label = f"{mode} pooling of maps of shape {tuple(maps.shape)}, kernel {kernel}, stride {stride}{shape}"
        if mode == "max":
            yield label, pool2d(maps, kernel, stride), 4 if mean < 0 else 2
        else:
            yield label, pool2d(maps, kernel=kernel, stride=stride, mode=mode), 2
    for mode in ("median", "avg"):
        yield f'mode "{mode}"', outcome_of(pool2d, draw_tensor(rng, 2, 4, 4), 2, 2, mode), 0.5


lab.misconceptions(
    "pool2d",
    stride_is_kernel_size=(
        "Your window always moves by its own size and ignores the stride. Windows may overlap.",
        {"unfold(1, kernel, stride).unfold(2, kernel, stride)": "unfold(1, kernel, kernel).unfold(2, kernel, kernel)"},
    ),
    visits_every_pixel=(
        "Your window visits every pixel and ignores the stride.",
        {"unfold(1, kernel, stride).unfold(2, kernel, stride)": "unfold(1, kernel, 1).unfold(2, kernel, 1)"},
    ),
    uses_windows_that_stick_out=(
        "You also use windows that stick out of the map at the right or at the bottom. Only whole windows "
        "count, so your result has an extra row or column.",
        {
            'return windows.amax(dim=(3, 4)) if mode == "max" else windows.mean(dim=(3, 4))': (
                'pool = F.max_pool2d if mode == "max" else F.avg_pool2d\n'
                "    return pool(maps[None], kernel, stride, ceil_mode=True)[0]"
            )
        },
        "import torch.nn.functional as F",
    ),
    assumes_square_maps=(
        "Your result is square although the maps are not: maps may be wider than they are tall. Compute the "
        "number of rows and the number of columns separately.",
        {"windows = maps.unfold(1": "side = min(maps.shape[1:])\n    windows = maps[:, :side, :side].unfold(1"},
    ),
    transposes_the_maps=(
        "Your rows and columns are exchanged: the first index counts windows down, the second across.",
        {"return windows.amax": "windows = windows.transpose(1, 2)\n    return windows.amax"},
    ),
    starts_from_zero=(
        "Your maximum starts from zero, which is wrong if all values are negative. Start from the values themselves.",
        {"windows.amax(dim=(3, 4))": "windows.amax(dim=(3, 4)).clamp(min=0)"},
    ),
    sums_instead_of_averaging=(
        "Your average is a sum: divide by the number of pixels in a window.",
        {"windows.mean(": "windows.sum("},
    ),
    divides_by_one_side=(
        "Your average is a sum divided by too small a number: how many pixels are there in a window?",
        {"windows.mean(dim=(3, 4))": "windows.sum(dim=(3, 4)) / kernel"},
    ),
    always_max=(
        "You always take the largest value: mode decides between the maximum and the mean.",
        {' if mode == "max" else windows.mean(dim=(3, 4))': ""},
    ),
    always_average=(
        "You always take the mean: mode decides between the maximum and the mean.",
        {'windows.amax(dim=(3, 4)) if mode == "max" else ': ""},
    ),
    accepts_any_mode=(
        'An error is missing: any mode other than "max" and "average" must raise a ValueError, so that a typo is not '
        "silently treated as an average.",
        {"if mode not in": ""},
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


@lab.misconception(
    "pool2d",
    hint="The last window of each row or column is missing: a window that ends exactly at the border fits. Where does "
    "your range end?",
)
def last_window_forgotten(maps, kernel, stride, mode="max"):
    if mode not in ("max", "average"):
        raise ValueError(f"unknown mode {mode}")
    tops, lefts = (range(0, side - kernel, stride) for side in maps.shape[1:])
    pooled = torch.zeros(len(maps), len(tops), len(lefts))
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            window = maps[:, top : top + kernel, left : left + kernel]
            pooled[:, row, column] = window.amax((1, 2)) if mode == "max" else window.mean((1, 2))
    return pooled


add_pairs(
    "pool2d",
    (
        "stride_is_kernel_size visits_every_pixel assumes_square_maps",
        "transposes_the_maps sums_instead_of_averaging divides_by_one_side always_max always_average",
    ),
    ("stride_is_kernel_size visits_every_pixel", "assumes_square_maps"),
    ("transposes_the_maps", "sums_instead_of_averaging divides_by_one_side always_max"),
    ("starts_from_zero", "always_max"),
)
