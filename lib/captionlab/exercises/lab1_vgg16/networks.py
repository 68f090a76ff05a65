"""Receptive fields and parameters of whole networks: probes and misconceptions."""

from __future__ import annotations

from captionlab.exercises.drawing import draw, draw_different
from captionlab.exercises.lab1_vgg16.common import add_pairs, lab


@lab.exercise(
    "captionlab.convnets.arithmetic:receptive_field", paper=True, points=3, minutes=20, difficulty=3, importance=4
)
def probe_receptive_field(receptive_field, rng):
    small, large = sorted(draw_different(rng, 2, 5, 2))
    block = [(3, 1)] * draw(rng, 1, 2)
    stacks = [
        ([(7, 1)], 0.5),
        ([(2 * small + 1, 1), (2 * large + 1, 1)], 1),  # no strides
        ([(draw(rng, 2, 5), 1) for _ in range(draw(rng, 3, 6))], 1),
        ([(draw(rng, 3, 7), 1), (2, 2)], 1),  # the stride of the last layer does not matter
        ([(2, 2), (draw(rng, 3, 7), 1)], 1),
        ([(3, 2), (3, 2)], 1),
        ([(draw(rng, 3, 5), 3), (draw(rng, 2, 4), 1), (draw(rng, 3, 5), 1)], 3),
        ([(draw(rng, 5, 11), draw(rng, 3, 4)), (3, 2), (5, 1)], 3),  # like the first layers of AlexNet
        ([*block, (2, 2), *block, (2, 2), *block], 3),  # like VGG
        ([(draw(rng, 2, 6), draw(rng, 2, 3)) for _ in range(draw(rng, 4, 6))], 3),
        ([(1, 2), (draw(rng, 3, 5), 2), (1, 1), (draw(rng, 3, 5), 1)], 3),
    ]
    for layers, weight in stacks:
        yield f"(kernel, stride) of the layers: {layers}", receptive_field(list(layers)), weight


lab.misconceptions(
    "receptive_field",
    kernels_summed=(
        "You add up the kernels. Neighboring windows overlap: how many new pixels does the second layer add to the "
        "window of the first?",
        {"field, step = 1, 1": "field, step = 0, 1", "(kernel - 1) * step": "kernel"},
    ),
    starts_from_zero_pixels=(
        "You start from 0 pixels: without any layer, the receptive field is one pixel of the image.",
        {"field, step = 1, 1": "field, step = 0, 1"},
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
        "value works from the last layer back to the image, one that starts from the image works forward.",
        {"field += (kernel - 1) * step": "field = (field - 1) * stride + kernel"},
    ),
    strides_not_accumulated=(
        "You use only one layer's stride at a time. The strides of all previous layers multiply to give the step in "
        "image pixels.",
        {"step *= stride": "step = stride"},
    ),
    strides_added=(
        "You add up the strides. Two layers of stride 3 make steps of 9 pixels in the image, not of 6.",
        {"step *= stride": "step += stride - 1"},
    ),
    all_strides_for_every_layer=(
        "You multiply by the strides of all layers at once. A layer's step in image pixels is given by the layers "
        "before it, not by those that follow.",
        {
            "field, step = 1, 1": "field, step = 1, math.prod(stride for _, stride in layers)",
            "step *= stride": "",
        },
    ),
)
lab.other_spellings(
    "receptive_field",
    kernels_summed=[
        {"field, step = 1, 1": "field, step = 0, 1", "(kernel - 1) * step": "kernel * step"},
        {"(kernel - 1) * step": "kernel * step"},
    ],
    strides_not_accumulated=[{"step *= stride": "", "(kernel - 1) * step": "(kernel - 1) * stride"}],
    strides_added=[{"step *= stride": "step += stride"}],
    strides_ignored=[{"step *= stride": "", "field += (kernel - 1) * step": "field = max(field, kernel)"}],
)
add_pairs(
    "receptive_field",
    (
        "strides_ignored stride_one_layer_too_early wrong_direction strides_not_accumulated strides_added",
        "starts_from_zero_pixels",
    ),
)


@lab.exercise(
    "captionlab.convnets.arithmetic:vgg_parameters", paper=True, points=3, minutes=20, difficulty=3, importance=5
)
def probe_vgg_parameters(vgg_parameters, rng):
    convolutional, fully_connected = vgg_parameters([[4], [5, 6]], dense=[10, 2], image_size=8)
    yield "blocks [[4], [5, 6]], dense [10, 2], image size 8: convolutional", convolutional
    yield "blocks [[4], [5, 6]], dense [10, 2], image size 8: fully connected", fully_connected
    for count, channels, left_over in ((1, 1, 0), (2, 3, 3), (3, 2, 7), (3, 3, 2), (2, 2, 0), (draw(rng, 4, 5), 4, 5)):
        maps = sorted(draw_different(rng, 5, 40, count))
        blocks = [[size] * draw(rng, 1, 3) for size in maps]
        blocks[-1] = [*blocks[-1], maps[-1] + draw(rng, 1, 9)]
        dense = [draw(rng, 10, 99) for _ in range(draw(rng, 2, 3))]
        image_size = 2**count * draw(rng, 2, 6) + left_over
        label = f"blocks {blocks}, dense {dense}, image size {image_size}, {channels} channels"
        convolutional, fully_connected = vgg_parameters(blocks, dense, image_size=image_size, channels=channels)
        yield f"{label}: convolutional", convolutional
        yield f"{label}: fully connected", fully_connected
    vgg16 = [[64, 64], [128, 128], [256] * 3, [512] * 3, [512] * 3]
    convolutional, fully_connected = vgg_parameters([list(block) for block in vgg16], [4096, 4096, 1000])
    yield "VGG16: convolutional", convolutional
    yield "VGG16: fully connected", fully_connected


lab.misconceptions(
    "vgg_parameters",
    convolutional_biases_forgotten=(
        "The biases of the convolutions are missing: every filter has one.",
        {"(3 * 3 * maps + 1)": "3 * 3 * maps"},
    ),
    fully_connected_biases_forgotten=(
        "The biases of the fully connected layers are missing: every output has one.",
        {"(inputs + 1)": "inputs"},
    ),
    kernel_is_a_row=(
        "Your filters have 3 weights per input map, but they are squares of 3 by 3 pixels.",
        {"3 * 3 * maps": "3 * maps"},
    ),
    previous_block_seen=(
        "All convolutions of your blocks see the maps of the previous block. Only the first does: each of the others "
        "sees the maps that the convolution before it makes.",
        {"maps = filters": "made = filters", "side //= 2": "maps = made; side //= 2"},
    ),
    color_assumed=(
        "Your first convolution always sees 3 maps. How many it sees is given by channels.",
        {"0, channels, image_size": "0, 3, image_size"},
    ),
    pixels_forgotten=(
        "Your first fully connected layer has one input per map. It sees every pixel of the last maps.",
        {"maps * side * side": "maps"},
    ),
    pixels_of_one_side=(
        "The last maps have two sides: your first fully connected layer sees only a row of their pixels.",
        {"maps * side * side": "maps * side"},
    ),
    last_pooling_forgotten=(
        "Your last maps are twice as large as they should be: a pooling follows every block, including the last one.",
        {"maps * side * side": "maps * (2 * side + image_size // 2 ** (len(blocks) - 1) % 2) ** 2"},
    ),
    pools_after_every_convolution=(
        "Your last maps are too small: a pooling follows every block, not every convolution.",
        {"side //= 2": "pass", "maps = filters": "maps = filters\n            side //= 2"},
    ),
    always_seven_by_seven=(
        "You assume that the last maps have 7 by 7 pixels. That holds for images of 224 pixels and five poolings: "
        "compute their size from the arguments.",
        {"maps * side * side": "maps * 7 * 7"},
    ),
    image_size_ignored=(
        "Your result does not depend on image_size: larger images give larger last maps, which the first fully "
        "connected layer sees.",
        {"0, channels, image_size": "0, channels, 224"},
    ),
    poolings_round_up=(
        "Your last maps are too large if the image's size cannot be halved evenly: a row or column left over at the "
        "border is dropped by each pooling.",
        {"side //= 2": "side = -(-side // 2)"},
    ),
    fractions_of_pixels=(
        "Your last maps have fractions of pixels if the image's size cannot be halved evenly: a row or column left "
        "over at the border is dropped by each pooling.",
        {"side //= 2": "side /= 2"},
    ),
    every_dense_layer_sees_the_maps=(
        "All your fully connected layers see the last maps. Only the first does; each of the others sees the outputs "
        "of the one before it.",
        {"inputs = outputs": ""},
    ),
    totals_exchanged=(
        "Your two totals are in the wrong order: the convolutions come first.",
        {"return convolutional, fully_connected": "return fully_connected, convolutional"},
    ),
)
lab.other_spellings(
    "vgg_parameters",
    poolings_round_up=[
        {"side //= 2": "pass", "maps * side * side": "maps * round(image_size / 2 ** len(blocks)) ** 2"},
        {"side //= 2": "side = round(side / 2)"},
    ],
)
add_pairs(
    "vgg_parameters",
    (
        "pixels_forgotten pixels_of_one_side last_pooling_forgotten pools_after_every_convolution "
        "always_seven_by_seven image_size_ignored poolings_round_up every_dense_layer_sees_the_maps",
        "fully_connected_biases_forgotten",
    ),
    ("previous_block_seen", "convolutional_biases_forgotten"),
    ("convolutional_biases_forgotten kernel_is_a_row previous_block_seen", "color_assumed"),
    ("pixels_of_one_side last_pooling_forgotten pools_after_every_convolution", "image_size_ignored"),
    (
        "fully_connected_biases_forgotten convolutional_biases_forgotten previous_block_seen pixels_forgotten",
        "totals_exchanged",
    ),
    ("pixels_of_one_side last_pooling_forgotten", "poolings_round_up"),
    ("pixels_forgotten pixels_of_one_side last_pooling_forgotten", "every_dense_layer_sees_the_maps"),
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
