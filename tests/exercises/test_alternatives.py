"""Other right ways to write Lab 1's answers earn full points, as do references in the notebook's own names."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from alternatives import (
    check_all_points,
    check_alternatives,
    check_careless,
    check_misconceptions,
    check_reference,
    first_cell,
)
from PIL import Image
from torch import nn
from torchvision.transforms import v2

from captionlab.exercises import load_lab

LAB = load_lab("lab1")
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
GIVEN = first_cell(LAB.name)
every_exercise = pytest.mark.parametrize("exercise", LAB.exercises.values(), ids=list(LAB.exercises))
ALTERNATIVES = []


def alternative(function):
    """A right answer to the exercise that its name begins with; the rest, after two underscores, says how."""
    ALTERNATIVES.append(function)
    return function


@every_exercise
def test_every_exercise_has_an_alternative(exercise):
    check_alternatives(exercise, ALTERNATIVES)


def test_alternatives_are_answers_to_exercises():
    assert {function.__name__.partition("__")[0] for function in ALTERNATIVES} <= set(LAB.exercises)


@every_exercise
def test_references_and_misconceptions_run_in_the_notebook(exercise):
    check_reference(exercise, GIVEN)
    check_misconceptions(exercise, GIVEN)


@every_exercise
def test_a_careless_answer_cannot_spoil_the_probe(exercise):
    check_careless(exercise)


# --- arithmetic


@alternative
def conv_output_size__positions_counted(size, kernel, stride=1, padding=0):
    starts = range(0, size + 2 * padding - kernel + 1, stride)
    if not starts:
        raise ValueError("does not fit")
    return len(starts)


@alternative
def conv_output_size__a_float(size, kernel, stride=1, padding=0):
    if kernel > size + 2 * padding:
        raise ValueError
    return math.floor((size + 2 * padding - kernel) / stride + 1) * 1.0


@alternative
def conv_output_size__numpy(size, kernel, stride=1, padding=0):
    if kernel > size + 2 * padding:
        raise ValueError
    return np.floor_divide(size + 2 * padding - kernel, stride) + 1


@alternative
def conv_output_shape__a_real_convolution(shape, filters, kernel, stride=1, padding=0):
    return nn.Conv2d(shape[0], filters, kernel, stride, padding)(torch.zeros(1, *shape)).shape[1:]


@alternative
def conv_output_shape__a_list(shape, filters, kernel, stride=1, padding=0):
    return [filters] + [int((side + 2 * padding - kernel) / stride) + 1 for side in shape[1:]]


@alternative
def same_padding__searched(kernel, dilation=1):
    for padding in range(dilation * kernel):
        if 2 * padding == dilation * (kernel - 1):
            return padding
    raise ValueError("none")


@alternative
def same_padding__halves(kernel, dilation=1):
    padding = dilation * (kernel - 1) / 2
    if not padding.is_integer():
        raise ValueError("not whole")
    return padding


@alternative
def pool_output_shape__a_real_pooling(shape, kernel, stride=None, padding=0):
    maps = torch.zeros(1, *shape)
    return list(F.max_pool2d(F.pad(maps, [padding] * 4), kernel, stride).shape)[1:]


@alternative
def conv_parameters__a_real_layer(channels, filters, kernel, bias=True):
    return sum(parameter.numel() for parameter in nn.Conv2d(channels, filters, kernel, bias=bias).parameters())


@alternative
def linear_parameters__multiplied_by_hand(input_shape, output_shape, bias=True):
    inputs = outputs = 1
    for side in input_shape:
        inputs *= side
    for side in output_shape:
        outputs *= side
    return inputs * outputs + outputs * bias


@alternative
def receptive_field__from_the_last_layer_back(layers):
    field = 1
    for kernel, stride in reversed(layers):
        field = (field - 1) * stride + kernel
    return field


@alternative
def receptive_field__in_closed_form(layers):
    strides = np.array([stride for _, stride in layers])
    return 1 + sum((kernel - 1) * np.prod(strides[:at]) for at, (kernel, _) in enumerate(layers))


@alternative
def vgg_parameters__real_layers(blocks, dense, image_size=224, channels=3):
    convolutions, side = [], image_size
    for block in blocks:
        for filters in block:
            convolutions.append(nn.Conv2d(channels, filters, 3, device="meta"))
            channels = filters
        side = side // 2
    ends = [channels * side**2, *dense]
    layers = [nn.Linear(before, after, device="meta") for before, after in zip(ends, dense, strict=False)]
    return [sum(p.numel() for layer in part for p in layer.parameters()) for part in (convolutions, layers)]


@alternative
def vgg_parameters__all_poolings_at_once(blocks, dense, image_size=224, channels=3):
    maps = [channels, *(filters for block in blocks for filters in block)]
    convolutional = sum(9 * maps[i] * maps[i + 1] + maps[i + 1] for i in range(len(maps) - 1))
    units = [maps[-1] * (image_size // 2 ** len(blocks)) ** 2, *dense]
    return convolutional, sum(units[i] * units[i + 1] + units[i + 1] for i in range(len(units) - 1))


# --- layers of a model


@alternative
def pool2d__torchs_own(maps, kernel, stride, mode="max"):
    if mode == "max":
        return F.max_pool2d(maps[None], kernel, stride)[0]
    if mode == "average":
        return F.avg_pool2d(maps[None], kernel, stride)[0]
    raise ValueError(mode)


@alternative
def pool2d__loops_in_numpy(maps, kernel, stride, mode="max"):
    if mode not in {"max", "average"}:
        raise ValueError("max or average")
    maps = maps.numpy()
    channels, height, width = maps.shape
    pooled = np.zeros((channels, (height - kernel) // stride + 1, (width - kernel) // stride + 1))
    for channel in range(channels):
        for row in range(pooled.shape[1]):
            for column in range(pooled.shape[2]):
                top, left = row * stride, column * stride
                window = maps[channel, top : top + kernel, left : left + kernel]
                pooled[channel, row, column] = window.max() if mode == "max" else window.mean()
    return pooled


@alternative
def pool2d__with_f_unfold(maps, kernel, stride, mode="max"):
    reduce = {"max": lambda windows: windows.max(dim=1)[0], "average": lambda windows: windows.mean(dim=1)}
    if mode not in reduce:
        raise ValueError(f"mode {mode}")
    columns = (maps.shape[2] - kernel) // stride + 1
    windows = F.unfold(maps[:, None], kernel, stride=stride)  # (channels, kernel * kernel, positions)
    return reduce[mode](windows).reshape(len(maps), -1, columns)


@alternative
def parameters_by_layer__grouped_by_name(model):
    owners = {}
    for name, parameter in model.named_parameters():
        owner = name.rpartition(".")[0]
        owners[owner] = owners.get(owner, 0) + math.prod(parameter.shape)
    return list(owners.items())


@alternative
def parameters_by_layer__lists_and_floats(model):
    seen, result = [], []
    for name, module in model.named_modules():
        total = 0.0
        for parameter in module._parameters.values():
            if parameter is not None and not any(parameter is other for other in seen):
                seen.append(parameter)
                total += np.prod(parameter.shape)
        if total:
            result.append([name, total])
    return result


# --- pictures and predictions


@alternative
def prepare_image__torchvision_on_pictures(image, size=224):
    steps = [v2.RGB(), v2.Resize((size, size)), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    return v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image).unsqueeze(0)


@alternative
def prepare_image__torchvision_on_tensors(image, size=224):
    pixels = v2.functional.pil_to_tensor(image.convert("RGB"))
    steps = [v2.Resize((size, size), antialias=True), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    return v2.Compose(steps)(pixels)[None]


@alternative
def prepare_image__resized_as_floats(image, size=224):
    pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None] / 255
    pixels = F.interpolate(pixels, (size, size), mode="bilinear", antialias=True, align_corners=False)
    return (pixels - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


@alternative
def prepare_image__numpy_throughout(image, size=224):
    pixels = np.array(image.convert("RGB").resize((size, size), resample=Image.BILINEAR)) / 255.0
    normal = (pixels - MEAN) / STD
    return np.transpose(normal, (2, 0, 1))[np.newaxis].astype("float32")


@alternative
def softmax__torchs_own(logits):
    return F.softmax(logits, dim=-1)


@alternative
def softmax__numpy_row_by_row(logits):
    rows = logits.numpy().astype(np.float64)

    def one(row):
        powers = np.exp(row - np.max(row))
        return powers / powers.sum()

    return np.apply_along_axis(one, -1, rows)


@alternative
def top_predictions__sorted_pairs(logits, categories, k=5):
    probabilities = torch.exp(logits) / torch.exp(logits).sum()
    pairs = sorted(zip(categories, probabilities, strict=True), key=lambda pair: -pair[1])
    return [(name, probability.item()) for name, probability in pairs[:k]]


@alternative
def top_predictions__numpy(logits, categories, k=5):
    probabilities = F.softmax(logits, 0).numpy()
    return [[np.array(categories)[at], probabilities[at]] for at in np.argsort(probabilities)[::-1][:k]]


# --- larger inputs


@alternative
def linear_to_conv__parameters_replaced(dense, channels, height, width):
    convolution = nn.Conv2d(channels, dense.out_features, kernel_size=(height, width), bias=dense.bias is not None)
    convolution.weight = nn.Parameter(dense.weight.detach().clone().reshape(-1, channels, height, width))
    if dense.bias is not None:
        convolution.bias = nn.Parameter(dense.bias.detach().clone())
    return convolution


@alternative
def linear_to_conv__data_assigned(dense, channels, height, width):
    convolution = nn.Conv2d(channels, dense.out_features, (height, width), bias=dense.bias is not None)
    convolution.weight.data = dense.weight.data.reshape(dense.out_features, channels, height, width)
    if convolution.bias is not None:
        convolution.bias.data = dense.bias.data
    return convolution


@alternative
def linear_to_conv__loaded_in_a_loop(dense, channels, height, width):
    state = dense.state_dict()
    weight = torch.empty(dense.out_features, channels, height, width)
    for channel in range(channels):
        for row in range(height):
            for column in range(width):
                weight[:, channel, row, column] = state["weight"][:, (channel * height + row) * width + column]
    convolution = nn.Conv2d(channels, dense.out_features, (height, width), bias="bias" in state)
    convolution.load_state_dict({**state, "weight": weight})
    return convolution


@alternative
def fully_convolutional__a_copy_taken_apart(vgg, convert):
    vgg = copy.deepcopy(vgg).eval()
    first, second, third = [layer for layer in vgg.classifier if isinstance(layer, nn.Linear)]
    maps = vgg.features[-3].out_channels
    side = round((first.in_features / maps) ** 0.5)
    return nn.Sequential(
        *vgg.features,
        *(convert(first, maps, side, side), nn.ReLU()),
        *(convert(second, channels=first.out_features, height=1, width=1), nn.ReLU()),
        convert(dense=third, channels=second.out_features, height=1, width=1),
    )


@alternative
def fully_convolutional__in_two_parts(vgg, convert):
    weights = [parameter for parameter in vgg.features.parameters() if parameter.ndim == 4]
    channels = weights[-1].shape[0]
    head = nn.Sequential()
    for layer in vgg.classifier.children():
        if type(layer) is nn.Linear:
            side = math.isqrt(layer.in_features // channels)
            head.append(convert(layer, channels, side, side))
            channels = layer.out_features
        elif isinstance(layer, nn.Dropout):
            head.append(nn.Dropout(layer.p))
        else:
            head.append(layer)
    network = nn.Sequential(copy.deepcopy(vgg.features), head)
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.eval()
    return network


@alternative
def class_heat_map__of_the_only_image(logits, category):
    return F.softmax(logits.squeeze(0), dim=0)[category]


@alternative
def class_heat_map__position_by_position(logits, category):
    _, _, height, width = logits.shape
    heat = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            heat[row, column] = torch.softmax(logits[0, :, row, column], dim=0)[category]
    return heat


@pytest.mark.parametrize("function", ALTERNATIVES, ids=[function.__name__ for function in ALTERNATIVES])
def test_an_alternative_earns_all_points(function):
    check_all_points(LAB, function)
