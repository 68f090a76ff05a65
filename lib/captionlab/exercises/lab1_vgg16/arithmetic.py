"""Output sizes of convolutions and poolings: probes and misconceptions."""

from __future__ import annotations

import math

from captionlab.exercises.drawing import draw, draw_different
from captionlab.exercises.lab1_vgg16.common import lab
from captionlab.grading.probe_helpers import outcome_of


def fit(positions: int, kernel: int, stride: int, padding: int, left_over: int = 0) -> int:
    """The input size for which the kernel has ``positions`` positions and ``left_over`` pixels remain."""
    return (positions - 1) * stride + kernel + left_over - 2 * padding


@lab.exercise(
    "captionlab.convnets.arithmetic:conv_output_size", paper=True, points=2, minutes=10, difficulty=1, importance=5
)
def probe_conv_output_size(conv_output_size, rng):
    kernel = draw(rng, 2, 7)
    positions = draw_different(rng, 6, 20, 6)
    size = fit(positions.pop(), kernel, 1, 0)
    yield f"size {size}, kernel {kernel}", conv_output_size(size, kernel)
    padding = draw(rng, 1, 3)
    size = draw(rng, 25, 60)
    label = f"size {size}, kernel {2 * padding + 1}, padding {padding}"
    yield label, conv_output_size(size, kernel=2 * padding + 1, padding=padding)
    cases = []  # stride above 1 in all of them: without and with padding, with and without pixels left over
    for padded, stride, left_over in (
        (0, 2, 1),
        (0, 3, 0),
        (1, 2, 0),
        (1, 2, 1),
        (1, draw(rng, 3, 5), draw(rng, 1, 2)),
    ):
        kernel = draw(rng, 3, 7)
        padding = draw(rng, 1, kernel // 2) * padded
        cases.append((fit(positions.pop(), kernel, stride, padding, left_over), kernel, stride, padding))
    for case in cases:
        label = "size {}, kernel {}, stride {}, padding {}".format(*case)
        yield label, conv_output_size(*case)
    size = draw(rng, 3, 6)
    kernel, padding = size + 2, draw(rng, 2, 3)
    label = f"size {size}, kernel {kernel}, padding {padding}: larger than the input, but not than the padded input"
    yield label, outcome_of(conv_output_size, size, kernel, 1, padding)
    kernel = size + 2 * padding + draw(rng, 1, 3)
    label = f"size {size}, kernel {kernel}, stride 2, padding {padding}: larger than the padded input"
    yield label, outcome_of(conv_output_size, size=size, kernel=kernel, stride=2, padding=padding)


lab.misconceptions(
    "conv_output_size",
    rounds_up=(
        "You count a last position where the kernel sticks out of the padded input. That position is not used: check "
        "which way your division rounds.",
        {"room // stride + 1": "-(-room // stride) + 1"},
    ),
    padding_counted_once=(
        "Padding is added at both ends of the axis; your padded input is too short.",
        {"2 * padding": "padding"},
    ),
    one_forgotten=(
        "You count the kernel's steps, not its positions. Try a kernel as large as the input: it has no room to move, "
        "but still gives one output.",
        {" // stride + 1": " // stride"},
    ),
    stride_ignored=(
        "Your result does not depend on the stride. With a stride of 2 the kernel skips positions.",
        {"room // stride": "room"},
    ),
    never_raises=(
        "The sizes are right, but the error is missing: raise a ValueError if the kernel is larger than the padded "
        "input, instead of returning a size below 1.",
        {"if room < 0": ""},
    ),
    fit_checked_without_padding=(
        "You refuse kernels that are larger than the input but do fit once it is padded. Compare with the padded size.",
        {"room < 0": "kernel > size"},
    ),
)


@lab.exercise(
    "captionlab.convnets.arithmetic:conv_output_shape", paper=True, points=1, minutes=5, difficulty=1, importance=4
)
def probe_conv_output_shape(conv_output_shape, rng):
    for kernel, stride, padding, left_over in (
        (3, 1, 1, 0),
        (5, 1, 0, 0),
        (draw(rng, 2, 4), 2, 0, 1),
        (3, 2, 1, 1),
        (7, draw(rng, 3, 4), draw(rng, 1, 3), 2),
    ):
        channels, filters = draw_different(rng, 2, 9, 2)
        height = fit(draw(rng, 6, 20), kernel, stride, padding, left_over)
        width = height + stride * draw(rng, 1, 5)
        if rng.random() < 0.5:
            height, width = width, height
        label = f"shape {(channels, height, width)}, {filters} filters, kernel {kernel}"
        if stride == 1 and padding == 0:
            yield label, conv_output_shape((channels, height, width), filters, kernel)
        label += f", stride {stride}, padding {padding}"
        yield label, conv_output_shape((channels, height, width), filters, kernel, stride=stride, padding=padding)


lab.misconceptions(
    "conv_output_shape",
    keeps_channels=(
        "Every filter makes one output map, no matter how many maps it looks at.",
        {"_, height, width = shape": "channels, height, width = shape", "return filters": "return channels"},
    ),
    multiplies_channels=(
        "You make one map per pair of filter and input map. A filter spans all input maps at once and sums over them.",
        {
            "_, height, width = shape": "channels, height, width = shape",
            "return filters": "return channels * filters",
        },
    ),
    assumes_square=(
        "Your output is square although the input is not: compute the height and the width separately.",
        {"return filters, out_height, out_width": "return filters, out_height, out_height"},
    ),
    channels_last=(
        "The numbers are right, but their order is not: channels come first, as in the input's shape.",
        {"return filters, out_height, out_width": "return out_height, out_width, filters"},
    ),
    rounds_shape_up=(
        "You count a last position where the kernel sticks out of the padded input. That position is not used: check "
        "which way your division rounds.",
        {
            "(height + 2 * padding - kernel) // stride": "-((kernel - height - 2 * padding) // stride)",
            "(width + 2 * padding - kernel) // stride": "-((kernel - width - 2 * padding) // stride)",
        },
    ),
)


@lab.exercise(
    "captionlab.convnets.arithmetic:same_padding", paper=True, points=1, minutes=10, difficulty=2, importance=3
)
def probe_same_padding(same_padding, rng):
    small, large = sorted(draw_different(rng, 7, 9, 2))
    yield f"kernel {2 * small + 1}", same_padding(2 * small + 1)
    yield f"kernel {2 * large + 1}, dilation 1", same_padding(2 * large + 1, 1)
    for kernel, dilation in ((3, 2 * draw(rng, 1, 2)), (2 * draw(rng, 5, 7) + 1, 3)):
        yield f"kernel {kernel}, dilation {dilation}", same_padding(kernel, dilation=dilation)
    for kernel, dilation in ((2, 2), (2 * draw(rng, 2, 3), 4)):  # even, and yet it can be done
        label = f"kernel {kernel}, dilation {dilation}"
        yield label, outcome_of(same_padding, kernel=kernel, dilation=dilation)
    even, other = 2 * draw(rng, 1, 4), 2 * draw(rng, 1, 4)
    label = f"kernel {even}; then kernel {other}, dilation 3"
    yield label, [outcome_of(same_padding, even), outcome_of(same_padding, other, 3)]


lab.misconceptions(
    "same_padding",
    both_ends_together=(
        "This is the total padding of both ends; the function should return the padding of one end.",
        {"both_ends // 2": "both_ends"},
    ),
)


@lab.misconception(
    "same_padding", hint="Your result does not depend on the dilation. A dilated kernel reaches further: how far?"
)
def dilation_ignored(kernel, dilation=1):
    if kernel % 2 == 0:
        raise ValueError("no padding keeps the size")
    return kernel // 2


lab.misconceptions(
    "same_padding",
    one_gap_too_many=(
        "A kernel has fewer gaps between its taps than it has taps. Draw a kernel of 3 with a dilation of 2 and count "
        "the pixels from its first tap to its last.",
        {"dilation * (kernel - 1)": "dilation * kernel - 1"},
    ),
    accepts_everything=(
        "With a kernel of 2 and a padding of 1 at both ends, the output is one pixel longer than the input. Raise a "
        "ValueError if the total padding is odd.",
        {"if both_ends % 2": ""},
    ),
    refuses_even_kernels=(
        "You refuse every even kernel. With some dilations, an even kernel can be padded equally at both ends: check "
        "whether the total padding is even, not the kernel.",
        {"if both_ends % 2": "if kernel % 2 == 0"},
    ),
)


@lab.exercise(
    "captionlab.convnets.arithmetic:pool_output_shape", paper=True, points=1, minutes=5, difficulty=1, importance=4
)
def probe_pool_output_shape(pool_output_shape, rng):
    for kernel, stride, padding, left_over in (
        (2, None, 0, 0),
        (draw(rng, 3, 4), None, 0, draw(rng, 1, 2)),
        (3, 2, 0, 1),
        (2, 3, 0, draw(rng, 0, 2)),
        (3, 2, 1, 0),
        (draw(rng, 4, 5), None, draw(rng, 1, 2), 1),
    ):
        height = fit(draw(rng, 6, 20), kernel, stride or kernel, padding, left_over)
        width = height + (stride or kernel) * draw(rng, 1, 5)
        shape = (draw(rng, 6, 64), *((width, height) if rng.random() < 0.5 else (height, width)))
        label = f"shape {shape}, kernel {kernel}, stride {stride}, padding {padding}"
        if stride is None and padding == 0:
            yield label, pool_output_shape(shape, kernel)
        elif stride is None:
            yield label, pool_output_shape(shape, kernel=kernel, padding=padding)
        else:
            yield label, pool_output_shape(shape, kernel, stride, padding)


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
)


@lab.misconception(
    "pool_output_shape",
    hint="You count a last window that sticks out of the padded map. That window is not used: check which way your "
    "division rounds.",
)
def rounds_pool_up(shape, kernel, stride=None, padding=0):
    step = stride or kernel
    return shape[0], *(math.ceil((size + 2 * padding - kernel) / step) + 1 for size in shape[1:])
