"""Gray images: probe and misconceptions."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, draw_different, draw_tensor
from captionlab.exercises.lab2_scenes.common import lab
from captionlab.exercises.observing import dtype_of
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise("captionlab.transfer.features:gray_to_rgb", points=1, minutes=8, difficulty=1, importance=3)
def probe_gray_to_rgb(gray_to_rgb, rng):
    first = draw(rng, 1, 9)
    image = torch.tensor([[[[first, first + 1]]]])
    yield f"one gray image of 1 by 2 with the values {first}, {first + 1}", gray_to_rgb(image)
    height, width = draw_different(rng, 2, 5, 2)
    label = f"2 gray images of {height} by {width}"
    yield label, gray_to_rgb(draw_tensor(rng, 2, 1, height, width)), 3
    yield "3 square gray images", gray_to_rgb(images=draw_tensor(rng, 3, 1, 3, 3)), 2
    yield "one small color image", gray_to_rgb(draw_tensor(rng, 1, 3, 1, 2)), 2
    height, width = draw_different(rng, 2, 5, 2)
    label = f"{draw(rng, 2, 4)} color images of {height} by {width}"
    yield label, gray_to_rgb(draw_tensor(rng, int(label[0]), 3, height, width)), 2
    values = torch.from_numpy(rng.integers(100, 256, (2, 1, 2, 2))).byte()
    yield "2 gray images of type uint8: dtype", dtype_of(gray_to_rgb(values))
    yield "2 color images of type float64: dtype", dtype_of(gray_to_rgb(draw_tensor(rng, 2, 3, 2, 2).double()))
    for shape in ((2, 2, 3, 4), (2, 3, 4), (2, 1, 3, 4, 2)):
        yield f"images of shape {shape}", outcome_of(gray_to_rgb, draw_tensor(rng, *shape))


# The edits of most of these begin as students do: with a question about the number of channels.
lab.misconceptions(
    "gray_to_rgb",
    fills_with_zeros=(
        "Green and blue are zero, so your images are dark red. A gray pixel has the same value in all channels.",
        {"images.expand(-1, 3, -1, -1)": "nn.functional.pad(images, (0, 0, 0, 0, 0, 3 - images.shape[1]))"},
    ),
    repeats_the_images=(
        "You get three times as many images instead of three times as many channels: you repeat along the wrong axis.",
        {"images.expand(-1, 3, -1, -1)": "images if images.shape[1] == 3 else images.repeat(3, 1, 1, 1)"},
    ),
    repeats_images_and_reshapes=(
        "You mix different images: you repeat the whole batch and then cut it into images of three channels. The "
        "copies of an image do not follow each other in memory; repeat along the channel axis instead.",
        {
            "images.expand(-1, 3, -1, -1)": "images if images.shape[1] == 3 else images.repeat(3, 1, 1, 1).reshape("
            "len(images), 3, *images.shape[2:])"
        },
    ),
    repeats_the_width=(
        "The copies are next to or below each other in one large image. They belong along the second axis, as "
        "channels.",
        {"images.expand(-1, 3, -1, -1)": "images if images.shape[1] == 3 else images.repeat(1, 1, 1, 3)"},
    ),
    repeats_color_too=(
        "Images with three channels come out with nine. Check the second axis first: they should pass through "
        "unchanged.",
        {"images.expand(-1, 3, -1, -1)": "images.repeat(1, 3, 1, 1)"},
    ),
    spreads_the_brightness=(
        "Your gray images are only a third as bright. Each of the three channels has the full value; they do not "
        "share it.",
        {"images.expand(-1, 3, -1, -1)": "images if images.shape[1] == 3 else images.expand(-1, 3, -1, -1) / 3"},
    ),
    makes_color_gray=(
        "Color images lose their color. Only images with a single channel need to be converted.",
        {"images.expand": "images.double().mean(dim=1, keepdim=True).to(images.dtype).expand"},
    ),
    copies_the_first_channel=(
        "Your color images have three equal channels: you copy the first one over the others. Only images with a "
        "single channel need to be converted.",
        {"images.expand": "images[:, :1].expand"},
    ),
    turns_values_into_floats=(
        "The dtype is not kept. Repeating needs no conversion: a new tensor has the dtype of images only if "
        "you ask for it.",
        {"images.expand(-1, 3, -1, -1)": "images.float().expand(-1, 3, -1, -1)"},
    ),
    scales_to_one=(
        "You divide the values by 255. Scaling and normalizing come later: here, values and dtype stay as they are.",
        {"images.expand(-1, 3, -1, -1)": "images.expand(-1, 3, -1, -1) / 255"},
    ),
    passes_other_channels=(
        "The error for a wrong number of channels is missing: raise a ValueError unless there are one or three.",
        {
            " or images.shape[1] not in (1, 3)": "",
            "images.expand(-1, 3, -1, -1)": "images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images",
        },
    ),
    passes_other_axes=(
        "The error for a wrong number of axes is missing: raise a ValueError unless there are four.",
        {"images.ndim != 4 or ": "", "images.expand(-1, 3, -1, -1)": "images.repeat(1, 3 // images.shape[1], 1, 1)"},
    ),
    says_nothing_of_other_shapes=(
        "The error for wrong shapes is missing: raise a ValueError unless there are four axes, and one or three "
        "channels.",
        {
            "if images.ndim": "",
            "images.expand(-1, 3, -1, -1)": "torch.cat([images] * 3, dim=1) if images.shape[1] == 1 else images",
        },
    ),
)
lab.other_spellings(
    "gray_to_rgb",
    repeats_the_images=[
        {"images.expand(-1, 3, -1, -1)": "images if images.shape[1] == 3 else images.repeat_interleave(3, dim=0)"},
        {"images.expand(-1, 3, -1, -1)": "images.repeat(3, 1, 1, 1) if images.shape[1] == 1 else images"},
    ],
    repeats_the_width=[
        {"images.expand(-1, 3, -1, -1)": "images if images.shape[1] == 3 else images.repeat(1, 1, 3, 1)"},
    ],
    fills_with_zeros=[
        {
            "return images.expand(-1, 3, -1, -1)": "colored = images.new_zeros(len(images), 3, *images.shape[2:])\n"
            "    colored[:, :1] = images[:, :1]\n    return images if images.shape[1] == 3 else colored"
        },
    ],
    repeats_color_too=[{"images.expand(-1, 3, -1, -1)": "images.repeat_interleave(3, dim=1)"}],
    makes_color_gray=[
        {
            "images.expand": "(images if images.shape[1] == 1 else (images * images.new_tensor("
            "[0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)).sum(1, keepdim=True)).expand"
        }
    ],
    says_nothing_of_other_shapes=[
        {
            "if images.ndim": "",
            "images.expand(-1, 3, -1, -1)": "images.repeat(1, 3, 1, 1) if images.shape[1] == 1 else images.clone()",
        }
    ],
    turns_values_into_floats=[
        {
            "images.expand(-1, 3, -1, -1)": "images if images.shape[1] == 3 else torch.ones(1, 3, 1, 1) * images",
        }
    ],
)
