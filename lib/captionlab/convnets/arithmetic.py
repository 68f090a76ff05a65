"""Arithmetic of convolutional networks: output sizes, numbers of parameters, receptive fields.

Sizes are in pixels, shapes are ``(channels, height, width)``, kernels and strides are square (one number).

Sources: Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285; Simonyan
and Zisserman 2015, "Very deep convolutional networks for large-scale image recognition", arXiv:1409.1556.
"""

from __future__ import annotations

import math

# Configuration D of Simonyan and Zisserman 2015, table 1: output maps of each convolution, block by block; then the
# sizes of the fully connected layers.
VGG16_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
VGG16_DENSE = (4096, 4096, 1000)


def conv_output_size(size: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """Size of a convolution's output along one axis.

    The kernel slides over the padded input in steps of ``stride``; a position where part of it would stick out is
    not used.

    Args:
        size: pixels of the input along the axis, at least 1.
        kernel: pixels of the kernel along the axis, at least 1.
        stride: pixels from one position of the kernel to the next, at least 1.
        padding: zeros added at each of the two ends, at least 0.

    Returns:
        Number of positions of the kernel, which is the number of output pixels along the axis.

    Raises:
        ValueError: if the kernel is larger than the padded input.

    Example:
        >>> conv_output_size(5, kernel=3)
        3
        >>> conv_output_size(224, kernel=7, stride=2, padding=3)
        112

    Source: Dumoulin and Visin 2016, arXiv:1603.07285, section 2.4.
    """
    room = size + 2 * padding - kernel
    if room < 0:
        raise ValueError(f"a kernel of {kernel} pixels does not fit into {size} with a padding of {padding}")
    return room // stride + 1


def conv_output_shape(
    shape: tuple[int, int, int], filters: int, kernel: int, stride: int = 1, padding: int = 0
) -> tuple[int, int, int]:
    """Shape of the output of a bank of convolution filters.

    Args:
        shape: ``(channels, height, width)`` of the input; height and width may differ.
        filters: number of filters in the bank; each spans all channels of the input.
        kernel: height and width of every filter, in pixels; at most the size of the padded input.
        stride: step of the filters in both directions, in pixels.
        padding: zeros added on each of the four sides, in pixels.

    Returns:
        ``(channels, height, width)`` of the output, three integers.

    Example:
        >>> conv_output_shape((3, 32, 20), filters=8, kernel=5)
        (8, 28, 16)

    Source: Dumoulin and Visin 2016, arXiv:1603.07285, sections 1.1 and 2.4.
    """
    _, height, width = shape
    out_height = (height + 2 * padding - kernel) // stride + 1
    out_width = (width + 2 * padding - kernel) // stride + 1
    return filters, out_height, out_width


def same_padding(kernel: int, dilation: int = 1) -> int:
    """Padding with which a convolution of stride 1 keeps the size of its input.

    Args:
        kernel: pixels of the kernel along one axis, at least 1; odd or even.
        dilation: distance in pixels between neighboring taps of the kernel, at least 1. With 1 the taps are
            adjacent; with 2 the kernel skips one pixel between neighboring taps.

    Returns:
        Zeros to add at each of the two ends of the axis.

    Raises:
        ValueError: if no equal padding at both ends keeps the size.

    Example:
        >>> same_padding(5)
        2
        >>> same_padding(2)
        Traceback (most recent call last):
        ValueError: no equal padding at both ends keeps the size for a kernel of 2 with a dilation of 1

    Source: Dumoulin and Visin 2016, arXiv:1603.07285, sections 2.2.1 and 5.1.
    """
    both_ends = dilation * (kernel - 1)
    if both_ends % 2:
        raise ValueError(
            f"no equal padding at both ends keeps the size for a kernel of {kernel} with a dilation of {dilation}"
        )
    return both_ends // 2


def pool_output_shape(
    shape: tuple[int, int, int], kernel: int, stride: int | None = None, padding: int = 0
) -> tuple[int, int, int]:
    """Shape of the output of max or average pooling; the two give the same shape.

    Every map is pooled on its own. A window that would stick out of the padded map is not used.

    Args:
        shape: ``(channels, height, width)`` of the input; height and width may differ.
        kernel: height and width of the window, in pixels; at most the size of the padded map.
        stride: step of the window in both directions, in pixels. None means that the windows touch and do not
            overlap.
        padding: pixels added on each of the four sides.

    Returns:
        ``(channels, height, width)`` of the output, three integers.

    Example:
        >>> pool_output_shape((64, 112, 80), kernel=2)
        (64, 56, 40)

    Source: Dumoulin and Visin 2016, arXiv:1603.07285, section 3.
    """
    channels, height, width = shape
    stride = kernel if stride is None else stride
    out_height = (height + 2 * padding - kernel) // stride + 1
    out_width = (width + 2 * padding - kernel) // stride + 1
    return channels, out_height, out_width


def conv_parameters(channels: int, filters: int, kernel: int, bias: bool = True) -> int:
    """Number of parameters of a bank of convolution filters.

    A filter looks at a window of ``kernel`` by ``kernel`` pixels in all maps of its input at once, with a separate
    weight for each value it sees there. One filter makes one output map and uses the same weights at every position.

    Args:
        channels: maps of the input.
        filters: filters in the bank.
        kernel: height and width of every filter, in pixels.
        bias: whether every filter also has a bias, a number it adds to each of its outputs.

    Returns:
        Number of weights, plus the number of biases if there are any. With ``filters=1, bias=False`` these are the
        weights of one filter.

    Example:
        >>> conv_parameters(3, filters=1, kernel=5, bias=False)
        75

    Source: Simonyan and Zisserman 2015, arXiv:1409.1556, section 2.3 (which counts without biases).
    """
    return filters * (channels * kernel * kernel + (1 if bias else 0))


def linear_parameters(input_shape: tuple[int, ...], output_shape: tuple[int, ...], bias: bool = True) -> int:
    """Number of parameters of a fully connected layer from one volume of values to another.

    In a fully connected layer every output value depends on every input value, each pair with its own weight.

    Args:
        input_shape: shape of the input, such as ``(channels, height, width)``, or ``(features,)`` for a vector.
        output_shape: shape of the output, in the same form.
        bias: whether every output value also has a bias.

    Returns:
        Number of weights, plus the number of biases if there are any.

    Example:
        >>> linear_parameters((3,), (2,))
        8

    Source: Goodfellow, Bengio and Courville 2016, "Deep Learning", section 9.2.
    """
    inputs, outputs = math.prod(input_shape), math.prod(output_shape)
    return outputs * (inputs + (1 if bias else 0))


def receptive_field(layers: list[tuple[int, int]]) -> int:
    """Receptive field of a stack of convolution and pooling layers.

    The receptive field of a value of the last layer is the smallest square of the image that contains all pixels the
    value can depend on, far from the borders. Padding does not change its size.

    Args:
        layers: ``(kernel, stride)`` of each layer, in pixels of that layer's own input. The layer applied to the image
            comes first.

    Returns:
        Width of the square, in pixels of the image.

    Example:
        >>> receptive_field([(7, 1)])
        7
        >>> receptive_field([(3, 2), (3, 2)])
        7

    Source: Araujo, Norris and Sim 2019, "Computing receptive fields of convolutional neural networks", Distill,
    doi:10.23915/distill.00021, "Computing receptive field size".
    """
    field, step = 1, 1  # field of one value of the current layer, and distance between its values, in image pixels
    for kernel, stride in layers:
        field += (kernel - 1) * step
        step *= stride
    return field


def vgg_parameters(
    blocks: list[list[int]], dense: list[int], image_size: int = 224, channels: int = 3
) -> tuple[int, int]:
    """Number of parameters in the convolutions and in the fully connected layers of a VGG network.

    A VGG network is a chain. Each block has one or more convolutions of 3 by 3 pixels, stride 1 and padding 1, then a
    max pooling of 2 by 2 pixels and stride 2 (a row or column left over at the border is dropped). Fully connected
    layers follow; the first takes all values of the last maps. Every layer except the poolings has weights and
    biases.

    Args:
        blocks: for each block, the number of output maps of each of its convolutions.
        dense: number of outputs of each fully connected layer.
        image_size: height and width of the square images, in pixels.
        channels: channels of the image, 3 for color.

    Returns:
        ``(convolutional, fully_connected)``: the total number of parameters of each kind of layer.

    Example:
        >>> vgg_parameters([[4], [5, 6]], dense=[10, 2], image_size=8)
        (573, 272)

    Source: Simonyan and Zisserman 2015, arXiv:1409.1556, section 2.1 and tables 1 and 2.
    """
    convolutional, maps, side = 0, channels, image_size
    for block in blocks:
        for filters in block:
            convolutional += filters * (3 * 3 * maps + 1)
            maps = filters
        side //= 2
    fully_connected, inputs = 0, maps * side * side
    for outputs in dense:
        fully_connected += outputs * (inputs + 1)
        inputs = outputs
    return convolutional, fully_connected
