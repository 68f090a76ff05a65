"""Find the bug: an attention map as large as the image. Probe, the code it starts from, other misconceptions."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from captionlab.exercises.drawing import draw, draw_tensor
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise(
    "captionlab.captioning.attention_maps:enlarge_attention",
    points=1,
    minutes=15,
    difficulty=2,
    importance=3,
    rtol=1e-3,
    atol=1e-5,
    starter="tiles",
)
def probe_enlarge_attention(enlarge_attention, rng):
    def weights(side):
        return torch.softmax(draw_tensor(rng, side * side, scale=2.0), dim=0)

    side, factor = draw(rng, 3, 5), draw(rng, 3, 4)
    label = f"a grid of {side} by {side} to {side * factor} pixels"
    yield label, np.asarray(enlarge_attention(weights(side), side * factor))
    alpha = torch.zeros(49)
    alpha[draw(rng, 8, 40)] = 1
    yield "49 positions, all the weight on one, to 21 pixels", np.asarray(enlarge_attention(alpha=alpha, size=21))
    yield "a grid of 2 by 2 to 7 pixels", np.asarray(enlarge_attention(weights(2), 7))
    yield (
        "a grid of 4 by 4 to 4 pixels, and 15 positions",
        [
            np.asarray(enlarge_attention(weights(4), 4)),
            str(outcome_of(enlarge_attention, weights(4)[:15], 4))[:17],
        ],
    )


def _grid(alpha):
    side = math.isqrt(len(alpha))
    if side * side != len(alpha):
        raise ValueError("no square number of positions")
    return torch.as_tensor(alpha, dtype=torch.float32).reshape(1, 1, side, side)


@lab.misconception(
    "enlarge_attention",
    hint="This is the code you were given. Look at what np.resize does with [[1, 2], [3, 4]] and a larger shape: it "
    "repeats the numbers one after the other, it does not enlarge a picture.",
)
def tiles(alpha, size):
    side = math.isqrt(len(alpha))
    if side * side != len(alpha):
        raise ValueError(f"found {len(alpha)} positions, expected a square number: 49 for a grid of 7x7")
    grid = np.asarray(alpha, dtype=np.float32).reshape(side, side)
    return torch.from_numpy(np.resize(grid, (size, size)))


@lab.misconception(
    "enlarge_attention",
    hint="The map is made of squares of one value: that is the nearest position. Bilinear interpolation is wanted.",
)
def nearest_position(alpha, size):
    return F.interpolate(_grid(alpha), size=(size, size), mode="nearest")[0, 0]


@lab.misconception(
    "enlarge_attention",
    hint="The corner positions lie on the corner pixels with you (align_corners=True). Each weight belongs in "
    "the middle of its cell.",
)
def aligns_the_corners(alpha, size):
    return F.interpolate(_grid(alpha), size=(size, size), mode="bilinear", align_corners=True)[0, 0]


@lab.misconception(
    "enlarge_attention",
    hint="Rows and columns are exchanged: the positions come row after row of the grid.",
)
def exchanges_rows_and_columns(alpha, size):
    return F.interpolate(_grid(alpha), size=(size, size), mode="bilinear", align_corners=False)[0, 0].T


@lab.misconception(
    "enlarge_attention",
    hint="Your map is scaled to a largest value of 1. Then a word for which the model looks everywhere shows "
    "as brightly as one for which it looks at a single place; leave the weights as they are.",
)
def scales_to_one(alpha, size):
    grid = F.interpolate(_grid(alpha), size=(size, size), mode="bilinear", align_corners=False)[0, 0]
    return grid / grid.max()


@lab.misconception(
    "enlarge_attention",
    hint="Your map sums to 1 over the pixels. The weights are to stay as they are: in the middle of its cell "
    "each position has its own.",
)
def sums_to_one(alpha, size):
    grid = F.interpolate(_grid(alpha), size=(size, size), mode="bilinear", align_corners=False)[0, 0]
    return grid / grid.sum()
