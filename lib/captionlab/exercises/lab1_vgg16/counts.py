"""Numbers of parameters, and receptive fields: probes and misconceptions."""

from __future__ import annotations

from captionlab.exercises.drawing import draw, draw_different
from captionlab.exercises.lab1_vgg16.common import lab


@lab.exercise(
    "captionlab.convnets.arithmetic:conv_parameters", paper=True, points=1, minutes=5, difficulty=1, importance=5
)
def probe_conv_parameters(conv_parameters, rng):
    channels, kernel = draw(rng, 2, 9), draw(rng, 2, 7)
    label = f"{channels} channels, one filter, kernel {kernel}, no bias"
    yield label, conv_parameters(channels, 1, kernel, bias=False)
    for bias in (True, False, None, True):  # None: argument left out
        channels, filters = draw_different(rng, 4, 64, 2)
        kernel = draw(rng, 2, 7)
        label = f"{channels} channels, {filters} filters, kernel {kernel}"
        if bias is None:
            yield label, conv_parameters(channels, filters, kernel)
        else:
            label += ", bias" if bias else ", no bias"
            yield label, conv_parameters(channels=channels, filters=filters, kernel=kernel, bias=bias)
    channels, filters = draw_different(rng, 4, 64, 2)
    yield f"{channels} channels, {filters} filters, kernel 1", conv_parameters(channels, filters, 1)


lab.misconceptions(
    "conv_parameters",
    channels_forgotten=(
        "Your result does not depend on the number of input maps. A filter has a weight for every value in its "
        "window, in all maps.",
        {"channels * kernel * kernel": "kernel * kernel"},
    ),
    bias_forgotten=(
        "The weights are right, but the biases are missing when bias is True.",
        {"(1 if bias else 0)": "0"},
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
    one_bias_for_all=(
        "You count one bias for the whole bank. Every filter has its own bias.",
        {"(channels * kernel * kernel + (1 if bias else 0))": "channels * kernel * kernel + (1 if bias else 0)"},
    ),
    kernel_not_squared=(
        "The kernel has two sides: it is a square of pixels, not a row.",
        {"kernel * kernel": "kernel"},
    ),
)


@lab.exercise(
    "captionlab.convnets.arithmetic:linear_parameters", paper=True, points=1, minutes=5, difficulty=1, importance=4
)
def probe_linear_parameters(linear_parameters, rng):
    def volume():
        return draw(rng, 3, 9), *draw_different(rng, 4, 14, 2)

    long, short = (draw(rng, 50, 99),), (draw(rng, 10, 40),)
    for before, after in ((volume(), short), (volume(), volume())):
        yield f"from shape {before} to shape {after}", linear_parameters(before, after)
    for before, after, bias in ((long, short, True), (short, volume(), False), (volume(), volume(), False)):
        label = f"from shape {before} to shape {after}, " + ("bias" if bias else "no bias")
        yield label, linear_parameters(input_shape=before, output_shape=after, bias=bias)
    before, after = volume(), volume()
    yield f"from shape {before} to shape {after}, bias", linear_parameters(before, after, True)


lab.misconceptions(
    "linear_parameters",
    maps_only=(
        "You count one weight per map. Every single value of the input volume has its own weights: flatten it first.",
        {"math.prod(input_shape), math.prod(output_shape)": "input_shape[0], output_shape[0]"},
    ),
    linear_bias_forgotten=(
        "The weights are right, but the biases are missing when bias is True.",
        {"(1 if bias else 0)": "0"},
    ),
    bias_for_each_input=(
        "You count one bias per input value. A unit adds its bias to its sum, so there are as many biases as units.",
        {"outputs * (inputs + (1 if bias else 0))": "inputs * (outputs + (1 if bias else 0))"},
    ),
    sides_summed=(
        "The number of values in a volume is not the sum of its sides. How many values does an image of 3 by 10 by 10 "
        "have?",
        {"math.prod(input_shape), math.prod(output_shape)": "sum(input_shape), sum(output_shape)"},
    ),
)


@lab.exercise(
    "captionlab.convnets.arithmetic:receptive_field", paper=True, points=3, minutes=20, difficulty=3, importance=4
)
def probe_receptive_field(receptive_field, rng):
    small, large = sorted(draw_different(rng, 2, 5, 2))
    block = [(3, 1)] * draw(rng, 1, 2)
    stacks = [
        [(2 * small + 1, 1), (2 * large + 1, 1)],  # no strides
        [(draw(rng, 2, 5), 1) for _ in range(draw(rng, 3, 6))],
        [(draw(rng, 3, 7), 1), (2, 2)],  # the stride of the last layer does not matter
        [(2, 2), (draw(rng, 3, 7), 1)],
        [(draw(rng, 5, 11), draw(rng, 3, 4)), (3, 2), (5, 1)],  # like the first layers of AlexNet
        [*block, (2, 2), *block, (2, 2), *block],  # like VGG
        [(draw(rng, 2, 6), draw(rng, 1, 3)) for _ in range(draw(rng, 4, 6))],
        [(1, 2), (draw(rng, 3, 5), 2), (1, 1), (draw(rng, 3, 5), 1)],
    ]
    for layers in stacks:
        yield f"(kernel, stride) of the layers: {layers}", receptive_field(list(layers))


lab.misconceptions(
    "receptive_field",
    kernels_summed=(
        "You add up the kernels. Neighboring windows overlap: how many new pixels does the second layer add to the "
        "window of the first?",
        {"field, step = 1, 1": "field, step = 0, 1", "(kernel - 1) * step": "kernel"},
    ),
    strides_ignored=(
        "Your result does not depend on the strides. After a layer of stride 2, a step of one value is a step of two "
        "pixels in the image.",
        {"step *= stride": ""},
    ),
    stride_one_layer_too_early=(
        "You apply a layer's stride to that layer's own kernel. A kernel covers values of the previous layer; its "
        "stride only affects the layers that follow.",
        {
            "step *= stride": "",
            "in layers:": "in layers:\n        step *= stride",
        },
    ),
    wrong_direction=(
        "You go through the layers in the wrong direction for your rule: a rule that starts from a single output "
        "value must work from the last layer back to the image.",
        {"field += (kernel - 1) * step": "field = (field - 1) * stride + kernel"},
    ),
    strides_not_accumulated=(
        "You use only each layer's own stride. The strides of all previous layers multiply to give the step in image "
        "pixels.",
        {"step *= stride": "step = stride"},
    ),
)


@lab.exercise(
    "captionlab.convnets.arithmetic:vgg_parameters", paper=True, points=3, minutes=20, difficulty=3, importance=5
)
def probe_vgg_parameters(vgg_parameters, rng):
    vgg16 = [[64, 64], [128, 128], [256] * 3, [512] * 3, [512] * 3]
    yield "VGG16", vgg_parameters([list(block) for block in vgg16], [4096, 4096, 1000])
    for count, channels, left_over in ((1, 3, 0), (2, 3, 1), (3, 1, 0), (3, 3, 3), (draw(rng, 4, 5), 4, 5)):
        maps = sorted(draw_different(rng, 5, 40, count))
        blocks = [[size] * draw(rng, 1, 3) for size in maps]
        blocks[-1] = [*blocks[-1], maps[-1] + draw(rng, 1, 9)]
        dense = [draw(rng, 10, 99) for _ in range(draw(rng, 1, 3))]
        image_size = 2**count * draw(rng, 2, 6) + left_over
        label = f"blocks {blocks}, dense {dense}, image size {image_size}, {channels} channels"
        yield label, vgg_parameters(blocks, dense, image_size=image_size, channels=channels)


lab.misconceptions(
    "vgg_parameters",
    biases_forgotten=(
        "You count only weights. Every filter and every fully connected unit has a bias as well.",
        {"(3 * 3 * maps + 1)": "3 * 3 * maps", "(inputs + 1)": "inputs"},
    ),
    pixels_forgotten=(
        "Your first fully connected layer has one input per map. It sees every pixel of the last maps.",
        {"maps * side * side": "maps"},
    ),
    last_pooling_forgotten=(
        "Your last maps are twice as large as they should be: a pooling follows every block, including the last one.",
        {"maps * side * side": "maps * (2 * side + image_size // 2 ** (len(blocks) - 1) % 2) ** 2"},
    ),
    always_seven_by_seven=(
        "You assume that the last maps have 7 by 7 pixels. That holds for images of 224 pixels and five poolings: "
        "compute their size from the arguments.",
        {"maps * side * side": "maps * 7 * 7"},
    ),
)


@lab.misconception(
    "vgg_parameters",
    hint="The first convolution of a block still sees the maps of the previous block, not as many maps as its own "
    "block makes.",
)
def block_sees_its_own_maps(blocks, dense, image_size=224, channels=3):
    convolutional, maps = 0, channels
    for index, block in enumerate(blocks):
        for position, filters in enumerate(block):
            maps = filters if index and position == 0 else maps
            convolutional += (9 * maps + 1) * filters
            maps = filters
    fully_connected, inputs = 0, maps * (image_size // 2 ** len(blocks)) ** 2
    for outputs in dense:
        fully_connected += (inputs + 1) * outputs
        inputs = outputs
    return convolutional, fully_connected
