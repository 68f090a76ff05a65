"""Output sizes of convolutions: probes and misconceptions."""

from __future__ import annotations

from captionlab.exercises.drawing import draw, draw_different
from captionlab.exercises.lab1_vgg16.common import add_pairs, fit, lab, of_both_sides, split_shape
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise(
    "captionlab.convnets.arithmetic:conv_output_size", paper=True, points=2, minutes=10, difficulty=1, importance=5
)
def probe_conv_output_size(conv_output_size, rng):
    yield "size 5, kernel 3", conv_output_size(5, kernel=3)
    kernel = draw(rng, 4, 7)
    positions = draw_different(rng, 6, 20, 8)
    size = fit(positions.pop(), kernel, 1, 0)
    yield f"size {size}, kernel {kernel}", conv_output_size(size, kernel)
    padding = draw(rng, 1, 3)
    size = draw(rng, 25, 60)
    label = f"size {size}, kernel {2 * padding + 1}, padding {padding}"
    yield label, conv_output_size(size, kernel=2 * padding + 1, padding=padding)
    for padded, stride, left_over in (  # stride above 1 in all of them: without and with padding and pixels left over
        (0, 2, 1),
        (0, 3, 0),
        (1, 2, 0),
        (1, 2, 1),
        (1, 3, 2),
        (1, draw(rng, 4, 5), 1),
    ):
        kernel = draw(rng, 3, 7)
        padding = draw(rng, 1, kernel // 2) * padded
        case = fit(positions.pop(), kernel, stride, padding, left_over), kernel, stride, padding
        yield "size {}, kernel {}, stride {}, padding {}".format(*case), conv_output_size(*case), 3 if padding else 2
    yield "size 224, kernel 7, stride 2, padding 3", conv_output_size(224, kernel=7, stride=2, padding=3)
    yield from _edges(conv_output_size, rng)


def _edges(conv_output_size, rng):
    """Kernels that just fit, and kernels that do not."""
    size = draw(rng, 3, 6)
    label = f"size {size}, kernel {size}, stride 2: just as large as the input"
    yield label, outcome_of(conv_output_size, size, size, 2)
    kernel, padding = size + 2, draw(rng, 2, 3)
    label = f"size {size}, kernel {kernel}, padding {padding}: larger than the input, but not than the padded input"
    yield label, outcome_of(conv_output_size, size, kernel, 1, padding)
    label = f"size {size}, kernel {size + 1}, stride 2: larger than the input"
    yield label, outcome_of(conv_output_size, size=size, kernel=size + 1, stride=2)
    kernel = size + 2 * padding + draw(rng, 2, 3)
    label = f"size {size}, kernel {kernel}, padding {padding}: larger than the padded input"
    yield label, outcome_of(conv_output_size, size, kernel=kernel, padding=padding)


lab.misconceptions(
    "conv_output_size",
    rounds_up=(
        "You count a last position where the kernel sticks out of the padded input. That position is not used: check "
        "which way your division rounds.",
        {"room // stride + 1": "-(-room // stride) + 1"},
    ),
    rounds_to_nearest=(
        "You round to the nearest whole number, which sometimes counts a position where the kernel sticks out. Such a "
        "position is never used.",
        {"room // stride": "round(room / stride)"},
    ),
    not_rounded=(
        "Your size is not a whole number when pixels are left over at the end. A position where the kernel sticks out "
        "is not used: which way does that round?",
        {"room // stride": "room / stride"},
    ),
    padding_counted_once=(
        "Padding is added at both ends of the axis; your padded input is too short.",
        {"2 * padding": "padding"},
    ),
    padding_ignored=(
        "Your result does not depend on the padding. The kernel slides over the padded input, which is longer.",
        {" + 2 * padding": ""},
    ),
    one_forgotten=(
        "You count the kernel's steps, not its positions. Try a kernel as large as the input: it cannot move, "
        "but still gives one output.",
        {" // stride + 1": " // stride"},
    ),
    one_inside_the_division=(
        "You add the 1 before you divide by the stride. The kernel's first position counts in full, whatever the "
        "stride: add it to the number of steps.",
        {"room // stride + 1": "(room + 1) // stride"},
    ),
    stride_ignored=(
        "Your result does not depend on the stride. With a stride of 2 the kernel skips positions.",
        {"room // stride": "room"},
    ),
    divides_a_part=(
        "You divide only part of the expression by the stride: // binds more tightly than + and -. Where do "
        "the parentheses belong?",
        {"room // stride + 1": "size - kernel + 2 * padding // stride + 1"},
    ),
    divides_before_subtracting=(
        "You divide by the stride first and subtract the kernel afterwards. Subtract the kernel first: only "
        "the distance it can move is divided into steps.",
        {"room // stride + 1": "(size + 2 * padding) // stride - kernel + 1"},
    ),
    never_raises=(
        "The error is missing: raise a ValueError if the kernel is larger than the padded input, instead of returning "
        "a size.",
        {"if room < 0": ""},
    ),
    fit_checked_without_padding=(
        "You refuse kernels that are larger than the input but do fit once it is padded. Compare with the padded size.",
        {"room < 0": "kernel > size"},
    ),
    refuses_a_kernel_that_fits_exactly=(
        "You refuse a kernel that is exactly as large as the padded input. It fits, in one position.",
        {"room < 0": "room <= 0"},
    ),
)
lab.other_spellings(
    "conv_output_size",
    divides_a_part=[{"room // stride + 1": "size + 2 * padding - kernel // stride + 1"}],
    padding_ignored=[{"return room": "return (size - kernel)"}],
    padding_counted_once=[{"return room": "return (size + padding - kernel)"}],
)
add_pairs(
    "conv_output_size",
    ("rounds_up not_rounded one_forgotten one_inside_the_division stride_ignored", "padding_counted_once"),
    ("rounds_up not_rounded one_forgotten one_inside_the_division stride_ignored", "padding_ignored"),
)


@lab.exercise(
    "captionlab.convnets.arithmetic:conv_output_shape", paper=True, points=1, minutes=5, difficulty=1, importance=4
)
def probe_conv_output_shape(conv_output_shape, rng):
    label = "shape (3, 32, 20), 8 filters, kernel 5"
    yield from split_shape(label, conv_output_shape((3, 32, 20), filters=8, kernel=5))
    for kernel, stride, padding, left_over in (
        (3, 1, 1, 0),
        (5, 1, 0, 0),
        (draw(rng, 2, 4), 2, 0, 1),
        (3, 2, 1, 1),
        (5, 2, 2, 0),
        (7, draw(rng, 3, 4), draw(rng, 1, 3), 2),
    ):
        channels, filters = draw_different(rng, 2, 9, 2)
        height = fit(draw(rng, 6, 20), kernel, stride, padding, left_over)
        width = height + stride * draw(rng, 1, 5)
        if rng.random() < 0.5:
            height, width = width, height
        label = f"shape {(channels, height, width)}, {filters} filters, kernel {kernel}"
        if stride == 1 and padding == 0:
            yield from split_shape(label, conv_output_shape((channels, height, width), filters, kernel))
            continue
        label += f", stride {stride}, padding {padding}"
        shape = conv_output_shape((channels, height, width), filters, kernel, stride=stride, padding=padding)
        yield from split_shape(label, shape, 4 if padding else 2)


lab.misconceptions(
    "conv_output_shape",
    keeps_channels=(
        "You keep the number of input maps. Every filter makes one output map, no matter how many maps it looks at.",
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
    swaps_height_and_width=(
        "Your height and width are swapped. A shape is (channels, height, width), of the input and of the output.",
        {"return filters, out_height, out_width": "return filters, out_width, out_height"},
    ),
    channels_last=(
        "The channels come last in your result; they should come first, as in the input's shape.",
        {"return filters, out_height, out_width": "return out_height, out_width, filters"},
    ),
    leaves_channels_out=(
        "The number of channels is missing from your result: return three numbers, (channels, height, width).",
        {"return filters, out_height, out_width": "return out_height, out_width"},
    ),
    rounds_shape_up=(
        "You count a last position where the kernel sticks out of the padded input. That position is not used: check "
        "which way your division rounds.",
        of_both_sides("-((kernel - {side} - 2 * padding) // stride) + 1"),
    ),
    shape_not_rounded=(
        "Your sizes are not whole numbers when pixels are left over at the border. A position where the kernel sticks "
        "out is not used: which way does that round?",
        of_both_sides("({side} + 2 * padding - kernel) / stride + 1"),
    ),
    padding_added_once=(
        "Padding is added on all four sides, so twice along each axis; your padded input is too small.",
        of_both_sides("({side} + padding - kernel) // stride + 1"),
    ),
    ignores_padding=(
        "Your result does not depend on the padding. The filters slide over the padded input, which is larger.",
        of_both_sides("({side} - kernel) // stride + 1"),
    ),
    ignores_stride=(
        "Your result does not depend on the stride. With a stride of 2 the filters skip positions.",
        of_both_sides("{side} + 2 * padding - kernel + 1"),
    ),
    counts_steps=(
        "You count the filters' steps along each axis, not their positions: the first position is missing.",
        of_both_sides("({side} + 2 * padding - kernel) // stride"),
    ),
    adds_one_before_dividing=(
        "You add the 1 before you divide by the stride. The first position counts in full, whatever the stride: add "
        "it to the number of steps.",
        of_both_sides("({side} + 2 * padding - kernel + 1) // stride"),
    ),
    misses_parentheses=(
        "You divide only part of the expression by the stride: // binds more tightly than + and -. Where do "
        "the parentheses belong?",
        of_both_sides("{side} - kernel + 2 * padding // stride + 1"),
    ),
)
lab.other_spellings(
    "conv_output_shape",
    assumes_square=[{"return filters, out_height, out_width": "return filters, out_width, out_width"}],
    misses_parentheses=[of_both_sides("{side} + 2 * padding - kernel // stride + 1")],
)
add_pairs(
    "conv_output_shape",
    (
        "assumes_square swaps_height_and_width channels_last leaves_channels_out",
        "rounds_shape_up shape_not_rounded padding_added_once ignores_padding ignores_stride counts_steps",
    ),
)


@lab.exercise(
    "captionlab.convnets.arithmetic:same_padding", paper=True, points=1, minutes=10, difficulty=2, importance=3
)
def probe_same_padding(same_padding, rng):
    yield "kernel 5", outcome_of(same_padding, 5)
    small, large = sorted(draw_different(rng, 4, 9, 2))
    yield f"kernel {2 * small + 1}", outcome_of(same_padding, 2 * small + 1)
    yield f"kernel {2 * large + 1}, dilation 1", outcome_of(same_padding, 2 * large + 1, 1)
    for kernel, dilation in ((3, 2 * draw(rng, 1, 2)), (2 * draw(rng, 5, 7) + 1, 3), (5, 2 * draw(rng, 3, 4))):
        yield f"kernel {kernel}, dilation {dilation}", outcome_of(same_padding, kernel, dilation=dilation), 2
    for kernel, dilation in ((2, 2), (2 * draw(rng, 2, 3), 4)):  # even, and yet it can be done
        label = f"kernel {kernel}, dilation {dilation}: even, but it can be done"
        yield label, outcome_of(same_padding, kernel=kernel, dilation=dilation)
    yield "kernel 2", outcome_of(same_padding, 2)
    even = 2 * draw(rng, 2, 4)
    yield f"kernel {even}, dilation 3", outcome_of(same_padding, even, 3)


lab.misconceptions(
    "same_padding",
    both_ends_together=(
        "You return the total padding of both ends; the function should return the padding of one end.",
        {"both_ends // 2": "both_ends"},
    ),
    dilation_ignored=(
        "Your result does not depend on the dilation. A dilated kernel reaches further: how far?",
        {"dilation * (kernel - 1)": "kernel - 1"},
    ),
    one_gap_too_many=(
        "Your dilated kernel is too long: a kernel has fewer gaps between its taps than it has taps. Draw a "
        "kernel of 3 with a dilation of 2 and count the pixels from its first tap to its last.",
        {"dilation * (kernel - 1)": "dilation * kernel - 1"},
    ),
    gap_as_wide_as_the_dilation=(
        "Your dilated kernel is too long. The dilation is the distance between neighboring taps, so with a dilation "
        "of 1 they are adjacent and nothing lies between them.",
        {"dilation * (kernel - 1)": "(dilation + 1) * (kernel - 1)"},
    ),
    accepts_everything=(
        "An error is missing. With a kernel of 2 and a padding of 1 at both ends, the output is one pixel longer than "
        "the input. Raise a ValueError if the total padding is odd.",
        {"if both_ends % 2": ""},
    ),
    refuses_even_kernels=(
        "You refuse every even kernel. With some dilations, an even kernel can be padded equally at both ends: check "
        "whether the total padding is even, not the kernel.",
        {"if both_ends % 2": "if kernel % 2 == 0"},
    ),
    halves_the_kernel_first=(
        "You halve the kernel before you multiply by the dilation. For an even kernel that rounds too early; the total "
        "padding of both ends is what has to be halved.",
        {"both_ends // 2": "dilation * (kernel // 2)", "if both_ends % 2": ""},
    ),
)
lab.other_spellings(
    "same_padding",
    dilation_ignored=[
        {"both_ends % 2": "kernel % 2 == 0", "both_ends // 2": "kernel // 2"},
        {"if both_ends % 2": "", "both_ends // 2": "kernel // 2"},
        {"if both_ends % 2": "", "both_ends // 2": "(kernel - 1) // 2"},
    ],
    one_gap_too_many=[
        {"dilation * (kernel - 1)": "dilation * kernel - 1", "if both_ends % 2": ""},
        {"dilation * (kernel - 1)": "dilation * kernel", "if both_ends % 2": ""},
        {"dilation * (kernel - 1)": "dilation * kernel - 1", "both_ends % 2": "kernel % 2 == 0"},
    ],
    halves_the_kernel_first=[
        {"both_ends // 2": "dilation * ((kernel - 1) // 2)", "if both_ends % 2": ""},
        {"both_ends // 2": "dilation * (kernel // 2)"},
    ],
    both_ends_together=[{"both_ends // 2": "both_ends", "if both_ends % 2": "if kernel % 2 == 0"}],
    gap_as_wide_as_the_dilation=[{"dilation * (kernel - 1)": "(dilation + 1) * (kernel - 1)", "if both_ends % 2": ""}],
)
