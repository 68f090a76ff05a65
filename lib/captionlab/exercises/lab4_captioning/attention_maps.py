"""Find the bug: attention weights upsampled to the size of the image. Probe and misconceptions."""

from __future__ import annotations

import numpy as np
import torch

from captionlab.exercises.drawing import draw, draw_tensor
from captionlab.exercises.lab4_captioning.common import lab
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

    side, factor = draw(rng, 3, 5), draw(rng, 3, 4)
    label = f"a grid of {side} by {side} to {side * factor} pixels"
    yield label, np.asarray(upsample_attention(weights(side), side * factor))
    alpha = torch.zeros(49)
    alpha[draw(rng, 8, 40)] = 1
    yield (
        "49 positions, one of them has all the weight, to 21 pixels",
        np.asarray(upsample_attention(alpha=alpha, size=21)),
    )
    yield "a grid of 2 by 2 to 7 pixels", np.asarray(upsample_attention(weights(2), 7))
    yield (
        "a grid of 4 by 4 to 4 pixels; 15 positions",
        [
            np.asarray(upsample_attention(weights(4), 4)),
            str(outcome_of(upsample_attention, weights(4)[:15], 4))[:17],
        ],
    )


# In the reference.
GRID = "torch.as_tensor(alpha, dtype=torch.float32).reshape(1, 1, side, side)  # (1, 1, height, width)"
UPSAMPLED = 'F.interpolate(grid, size=(size, size), mode="bilinear", align_corners=False)[0, 0]  # (size, size)'

lab.misconceptions(
    "upsample_attention",
    tiles=(
        "This is the code you were given. See what np.resize does with [[1, 2], [3, 4]] and a larger shape: it repeats "
        "the numbers in order and does not interpolate.",
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
        "Your corner positions lie on the corner pixels (align_corners=True). Each weight belongs in the middle of its "
        "cell.",
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
)
