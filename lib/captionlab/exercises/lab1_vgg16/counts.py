"""Numbers of parameters of single layers: probes and misconceptions."""

from __future__ import annotations

from captionlab.exercises.drawing import draw, draw_different
from captionlab.exercises.lab1_vgg16.common import add_pairs, lab


@lab.exercise(
    "captionlab.convnets.arithmetic:conv_parameters", paper=True, points=1, minutes=5, difficulty=1, importance=5
)
def probe_conv_parameters(conv_parameters, rng):
    yield "3 channels, one filter, kernel 5, no bias", conv_parameters(3, filters=1, kernel=5, bias=False)
    channels, kernel = draw(rng, 2, 9), draw(rng, 3, 7)
    label = f"{channels} channels, one filter, kernel {kernel}, no bias"
    yield label, conv_parameters(channels, 1, kernel, bias=False)
    for bias, most in ((True, 9), (False, 9), (None, 64), (True, 64)):  # None: argument left out
        channels, filters = draw_different(rng, 3, most, 2)
        kernel = draw(rng, 3, 7)
        label = f"{channels} channels, {filters} filters, kernel {kernel}"
        if bias is None:
            yield label, conv_parameters(channels, filters, kernel), 2
        else:
            label += ", bias" if bias else ", no bias"
            yield label, conv_parameters(channels=channels, filters=filters, kernel=kernel, bias=bias), 2
    channels, filters = draw_different(rng, 4, 64, 2)
    yield f"{channels} channels, {filters} filters, kernel 1", conv_parameters(channels, filters, 1)


lab.misconceptions(
    "conv_parameters",
    channels_forgotten=(
        "Your result does not depend on the number of input maps. A filter has a weight for every value in its "
        "window, in all maps.",
        {"channels * kernel * kernel": "kernel * kernel"},
    ),
    filters_forgotten=(
        "You count a single filter. The bank has several filters, each with its own weights.",
        {"return filters * ": "return "},
    ),
    bias_forgotten=(
        "The biases are missing when bias is True.",
        {"(1 if bias else 0)": "0"},
    ),
    bias_always=(
        "You count biases even if bias is False.",
        {"(1 if bias else 0)": "1"},
    ),
    bias_for_each_weight=(
        "You give every weight its own bias. A filter adds its bias once, after summing over its window.",
        {"(channels * kernel * kernel + (1 if bias else 0))": "channels * kernel * kernel * (2 if bias else 1)"},
    ),
    bias_for_each_channel=(
        "You count one bias per pair of filter and input map. A filter sums over all input maps first, then adds one "
        "bias.",
        {"(channels * kernel * kernel + (1 if bias else 0))": "channels * (kernel * kernel + (1 if bias else 0))"},
    ),
    bias_for_each_input_map=(
        "You count as many biases as input maps. Each filter has one bias, so there are as many as output maps.",
        {
            "filters * (channels * kernel * kernel + (1 if bias else 0))": (
                "filters * channels * kernel * kernel + (channels if bias else 0)"
            )
        },
    ),
    one_bias_for_all=(
        "You count one bias for the whole bank. Every filter has its own bias.",
        {"(channels * kernel * kernel + (1 if bias else 0))": "channels * kernel * kernel + (1 if bias else 0)"},
    ),
    kernel_not_squared=(
        "The kernel has two sides: it is a square of pixels, not a row. How many pixels does it have?",
        {"kernel * kernel": "kernel"},
    ),
)
lab.other_spellings(
    "conv_parameters",
    kernel_not_squared=[{"kernel * kernel": "2 * kernel"}],
    channels_forgotten=[{"channels * kernel * kernel + (1 if bias else 0)": "kernel * kernel + 1"}],
)
add_pairs(
    "conv_parameters",
    ("channels_forgotten", "filters_forgotten bias_forgotten"),
    ("filters_forgotten kernel_not_squared", "bias_forgotten bias_always"),
    ("filters_forgotten", "bias_for_each_channel kernel_not_squared"),
)


@lab.exercise(
    "captionlab.convnets.arithmetic:linear_parameters", paper=True, points=1, minutes=5, difficulty=1, importance=4
)
def probe_linear_parameters(linear_parameters, rng):
    def volume():
        return draw(rng, 3, 9), *draw_different(rng, 4, 14, 2)

    yield "from shape (3,) to shape (2,)", linear_parameters((3,), (2,))
    long, short, other = (draw(rng, 50, 99),), (draw(rng, 10, 24),), (draw(rng, 25, 40),)
    for before, after in ((short, other), (volume(), short), (volume(), volume())):
        yield f"from shape {before} to shape {after}", linear_parameters(before, after), 2
    for before, after, bias in (
        (long, short, True),
        (short, volume(), False),
        (volume(), volume(), False),
        (short, volume(), True),
        (volume(), volume(), True),
    ):
        label = f"from shape {before} to shape {after}, " + ("bias" if bias else "no bias")
        yield label, linear_parameters(input_shape=before, output_shape=after, bias=bias), 2


lab.misconceptions(
    "linear_parameters",
    maps_only=(
        "You count one weight per map. Every single value of the input volume has its own weights: flatten it first.",
        {"math.prod(input_shape), math.prod(output_shape)": "input_shape[0], output_shape[0]"},
    ),
    output_maps_only=(
        "You count one output per map. Every single value of the output volume depends on the input, with its own "
        "weights.",
        {"math.prod(output_shape)": "output_shape[0]"},
    ),
    linear_bias_forgotten=(
        "The biases are missing when bias is True.",
        {"(1 if bias else 0)": "0"},
    ),
    linear_bias_always=(
        "You count biases even if bias is False.",
        {"(1 if bias else 0)": "1"},
    ),
    bias_for_each_input=(
        "You count one bias per input value. A unit adds its bias to its sum, so there are as many biases as units.",
        {"outputs * (inputs + (1 if bias else 0))": "inputs * (outputs + (1 if bias else 0))"},
    ),
    bias_for_each_output_map=(
        "You count one bias per output map. In a fully connected layer every output value has its own bias.",
        {"outputs * (inputs + (1 if bias else 0))": "outputs * inputs + (output_shape[0] if bias else 0)"},
    ),
    single_bias=(
        "You count one bias for the whole layer. Every output value has its own bias.",
        {"outputs * (inputs + (1 if bias else 0))": "outputs * inputs + (1 if bias else 0)"},
    ),
    bias_for_each_pair=(
        "You give every weight its own bias. An output value adds its bias once, after summing over its inputs.",
        {"(inputs + (1 if bias else 0))": "inputs * (2 if bias else 1)"},
    ),
    sides_summed=(
        "The number of values in a volume is not the sum of its sides. How many values does an image of 3 by 10 by 10 "
        "have?",
        {"math.prod(input_shape), math.prod(output_shape)": "sum(input_shape), sum(output_shape)"},
    ),
)
add_pairs(
    "linear_parameters",
    ("maps_only output_maps_only sides_summed", "linear_bias_forgotten bias_for_each_input single_bias"),
    ("sides_summed", "bias_for_each_output_map"),
)
