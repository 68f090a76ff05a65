"""Find the bug: attention weights upsampled to the size of the image. Probe and misconceptions."""

from __future__ import annotations

import numpy as np
import torch

from captionlab.exercises.drawing import draw, draw_tensor
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.exercises.observing import dtype_of
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise(
    "captionlab.captioning.attention_maps:upsample_attention",
    points=1,
    minutes=15,
    difficulty=2,
    importance=3,
    rtol=1e-3,
    atol=1e-5,
    starter="tiles",
)
def probe_upsample_attention(upsample_attention, rng):
    def weights(side):
        return torch.softmax(draw_tensor(rng, side * side, scale=2.0), dim=0)

    def upsample(alpha, size):
        return np.asarray(upsample_attention(alpha, size))

    alpha = torch.tensor([0.0, 1.0, 0.0, 0.0])
    label = "weights 0, 1, 0, 0 to 4 pixels: "
    result = np.asarray(upsample_attention(alpha=alpha, size=4))
    yield label + "the upper edge", result[0]
    yield label + "the map", result, 2
    yield label + "the dtype", dtype_of(result), 0.5
    yield "a grid of 2 by 2 to 7 pixels", upsample(weights(2), 7), 2
    side, factor = draw(rng, 3, 5), draw(rng, 3, 4)
    yield f"a grid of {side} by {side} to {side * factor} pixels", upsample(weights(side), side * factor), 2
    alpha = torch.zeros(49)
    alpha[draw(rng, 8, 40)] = 1
    yield "49 positions, one of them has all the weight, to 21 pixels", upsample(alpha, 21)
    yield "a grid of 4 by 4 to 4 pixels", upsample(weights(4), 4)
    yield "15 positions", outcome_of(upsample_attention, weights(4)[:15], 4), 0.5


# In the reference.
GRID = "torch.as_tensor(alpha, dtype=torch.float32).reshape(1, 1, side, side)  # (1, 1, height, width)"
UPSAMPLED = 'F.interpolate(grid, size=(size, size), mode="bilinear", align_corners=False)[0, 0]  # (size, size)'

lab.misconceptions(
    "upsample_attention",
    tiles=(
        "This does the same as the code you were given. See what np.resize does with [[1, 2], [3, 4]] and a "
        "larger shape: it repeats the numbers in order and does not interpolate.",
        {
            GRID: "np.asarray(alpha, dtype=np.float32).reshape(side, side)",
            UPSAMPLED: "torch.from_numpy(np.resize(grid, (size, size)))",
        },
        "import numpy as np",
    ),
    nearest_position=(
        "Your map consists of squares of one value: that is nearest-neighbor interpolation. Use bilinear "
        "interpolation.",
        {'mode="bilinear", align_corners=False': 'mode="nearest"'},
    ),
    aligns_the_corners=(
        "Your corner positions lie on the corner pixels (align_corners=True). Each weight belongs at the "
        "center of its cell.",
        {"align_corners=False": "align_corners=True"},
    ),
    swaps_rows_and_columns=(
        "Rows and columns are swapped: the positions go row by row of the grid.",
        {"[0, 0]": "[0, 0].T"},
    ),
    scales_to_one=(
        "You rescale the map to a maximum of 1. A word with attention spread over the whole image then looks as bright "
        "as one with attention on a single place; leave the weights as they are.",
        {f"return {UPSAMPLED}": f"upsampled = {UPSAMPLED}\n    return upsampled / upsampled.max()"},
    ),
    sums_to_one=(
        "Your map sums to 1 over the pixels. Leave the weights as they are: the middle of each cell has the weight of "
        "its position.",
        {f"return {UPSAMPLED}": f"upsampled = {UPSAMPLED}\n    return upsampled / upsampled.sum()"},
    ),
    smoother_interpolation=(
        "Your interpolation is smoother than bilinear (bicubic, or a blur), and can overshoot: weights cannot "
        "be negative. Use bilinear interpolation.",
        {'mode="bilinear"': 'mode="bicubic"'},
    ),
    whole_factors_only=(
        "You enlarge by a whole factor, so the map has the wrong size if `size` is not a multiple of the "
        "grid's side. Pass the size itself.",
        {"size=(size, size)": "scale_factor=size // side"},
    ),
    keeps_the_batch_axis=(
        "Your map still has the axes of batch and channels that F.interpolate needs. Return (size, size).",
        {"[0, 0]": ""},
    ),
    turned_upside_down=(
        "Your map is upside down. The first weights belong to the top row of the grid.",
        {"[0, 0]": "[0, 0].flip(0)"},
    ),
    accepts_any_number=(
        "A number of positions that is not a square must be refused with a ValueError. Without a check of your own, "
        "reshape fails with another error.",
        {"if side * side": ""},
    ),
    drops_positions=(
        "A number of positions that is not a square must be refused with a ValueError; you leave positions out.",
        {"if side * side": "", "torch.as_tensor(alpha,": "torch.as_tensor(alpha[: side * side],"},
    ),
)
lab.other_spellings(
    "upsample_attention",
    nearest_position=[
        {f"return {UPSAMPLED}": "cells = torch.arange(size) * side // size\n    return grid[0, 0][cells][:, cells]"},
        {
            f"return {UPSAMPLED}": "times = size // side\n"
            "    return grid[0, 0].repeat_interleave(times, 0).repeat_interleave(times, 1)"
        },
    ],
    scales_to_one=[
        {
            f"return {UPSAMPLED}": f"upsampled = {UPSAMPLED}\n"
            "    return (upsampled - upsampled.min()) / (upsampled.max() - upsampled.min())"
        },
        {GRID: f"{GRID.partition('  #')[0]}\n    grid = grid / grid.max()"},
    ],
    sums_to_one=[
        {f"return {UPSAMPLED}": f"return {UPSAMPLED.partition('  #')[0]} * side**2 / size**2"},
    ],
    aligns_the_corners=[{"align_corners=False": "align_corners=True", "if side * side": ""}],
    swaps_rows_and_columns=[{GRID: f"{GRID.partition('  #')[0]}.transpose(2, 3)"}],
)
