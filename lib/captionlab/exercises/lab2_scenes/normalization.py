"""Rows of length 1: probe and misconceptions."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, draw_tensor
from captionlab.exercises.lab2_scenes.common import lab
from captionlab.exercises.observing import dtype_of


@lab.exercise("captionlab.transfer.features:l2_normalize", points=2, minutes=10, difficulty=2, importance=4)
def probe_l2_normalize(l2_normalize, rng):
    factor = draw(rng, 1, 4)
    rows = torch.tensor([[3.0, -4.0], [8.0, 6.0]]) * factor
    yield f"the rows {rows.tolist()}", l2_normalize(rows)
    yield "4 rows of 4 values, none negative", l2_normalize(features=draw_tensor(rng, 4, 4).abs()), 2
    columns = draw(rng, 5, 7)
    yield f"3 rows of {columns} values, of size 30", l2_normalize(draw_tensor(rng, 3, columns, scale=30.0)), 3
    yield "one row of 4 values, of size 0.05", l2_normalize(draw_tensor(rng, 1, 4, scale=0.05)), 2
    lengths = torch.tensor([[100.0], [0.1], [1.0], [7.0], [0.01]])
    features = l2_normalize(draw_tensor(rng, 5, 3, mean=0.5) * lengths)
    yield "5 rows of very different lengths", features, 2
    rows = torch.tensor([[3.0, 4.0], [0.0, 0.0]]) * factor
    yield f"the rows {rows.tolist()}: a row of zeros stays", l2_normalize(rows), 2
    features = draw_tensor(rng, 3, 5)
    features[draw(rng, 0, 2)] = 0
    yield "3 rows of 5 values, one of them all zeros", l2_normalize(features), 2
    yield "features of type float64: dtype", dtype_of(l2_normalize(draw_tensor(rng, 2, 3).double()))


lab.misconceptions(
    "l2_normalize",
    normalizes_columns=(
        "Your columns have length 1, not your rows. Each row is an image; its contrast should not matter when images "
        "are compared.",
        {"dim=1, keepdim=True)  # (n, 1)": "dim=0, keepdim=True)"},
    ),
    one_length_for_all=(
        "You divide all rows by the same number, the norm of the whole matrix. Every row needs its own.",
        {"vector_norm(features, dim=1, keepdim=True)": "vector_norm(features)"},
    ),
    uses_l1=(
        "Your rows sum to 1 in absolute value. That is the L1 norm; the Euclidean length is the square root of the "
        "sum of squares.",
        {"torch.linalg.vector_norm(features, dim=1, keepdim=True)": "features.abs().sum(dim=1, keepdim=True)"},
    ),
    forgets_the_root=(
        "You divide by the squared length: the square root is missing.",
        {"torch.linalg.vector_norm(features, dim=1, keepdim=True)": "(features**2).sum(dim=1, keepdim=True)"},
    ),
    divides_by_the_largest=(
        "Your largest value is 1 in every row. That is the maximum norm; you need the Euclidean norm.",
        {"dim=1": 'ord=float("inf"), dim=1'},
    ),
    zeros_become_nan=(
        "A row of zeros turns into NaN: 0 / 0. It has no direction to keep, so leave it as it is.",
        {"torch.where(lengths > 0, lengths, 1)": "lengths"},
    ),
)


@lab.misconception(
    "l2_normalize",
    hint="You standardize to mean 0 and standard deviation 1. Here the values are only divided by the length of their "
    "row; nothing is subtracted.",
)
def standardizes(features):
    return (features - features.mean(1, keepdim=True)) / (features.std(1, keepdim=True) + 1e-6)


lab.misconceptions(
    "l2_normalize",
    works_in_place=(
        "You overwrite the features you were given. `/=` changes the caller's matrix; `/` makes a new one.",
        {
            "return features /": "features /=",
            "torch.where(lengths > 0, lengths, 1)": "torch.where(lengths > 0, lengths, 1)\n    return features",
        },
    ),
    forgets_keepdim=(
        "You divide each column by the length of a row, or the shapes do not fit: the lengths have shape "
        "(n,), which broadcasts along the columns. Keep the second axis, for (n, 1).",
        {"dim=1, keepdim=True)": "dim=1)"},
    ),
    divides_by_the_sum=(
        "You divide each row by the sum of its values. The L2 norm is the square root of the sum of squares.",
        {
            "torch.linalg.vector_norm(features, dim=1, keepdim=True)": "features.sum(dim=1, keepdim=True)",
            "torch.where(lengths > 0, lengths, 1)": "torch.where(lengths != 0, lengths, 1)",
        },
    ),
    takes_the_mean_square=(
        "You divide by the root of the mean square. The length of a row is the root of the sum of its squares.",
        {
            "torch.linalg.vector_norm(features, dim=1, keepdim=True)": "features.square()"
            ".mean(dim=1, keepdim=True).sqrt()"
        },
    ),
    centers_the_rows=(
        "You subtract the mean of each row before you divide. Nothing is subtracted here: only the length changes.",
        {"lengths = ": "features = features - features.mean(dim=1, keepdim=True)\n    lengths = "},
    ),
    adds_too_much=(
        "Your rows are a little too short, the shorter the row the more: what you add to the length to avoid 0 / 0 is "
        "not small enough. Replace lengths of 0, or add far less.",
        {"torch.where(lengths > 0, lengths, 1)": "(lengths + 1e-3)"},
    ),
    leaves_short_rows=(
        "Rows shorter than 1 do not get length 1: you divide by at least 1. Only a length of exactly 0 needs care.",
        {"torch.where(lengths > 0, lengths, 1)": "lengths.clamp(min=1)"},
    ),
    drops_rows_of_zeros=(
        "You leave rows of zeros out, so the rows no longer match the labels. A row of zeros stays a row of zeros.",
        {
            "return features /": "features, lengths = (one[lengths[:, 0] > 0] for one in (features, lengths))\n"
            "    return features /"
        },
    ),
    turns_it_into_float32=(
        "The dtype is not kept: float64 features stay float64.",
        {
            "return features /": "return features.float() /",
            "torch.where(lengths > 0, lengths, 1)": "torch.where(lengths > 0, lengths, 1).float()",
        },
    ),
)
lab.other_spellings(
    "l2_normalize",
    adds_too_much=[
        {"torch.where(lengths > 0, lengths, 1)": instead}
        for instead in (
            *("(lengths + 1.0)", "(lengths + 1e-1)", "(lengths + 1e-2)", "(lengths + 1e-4)"),
            *("(lengths**2 + 1e-2).sqrt()", "(lengths**2 + 1e-4).sqrt()", "(lengths**2 + 1e-6).sqrt()"),
        )
    ],
    forgets_keepdim=[
        {"dim=1, keepdim=True)": "dim=1)", "torch.where(lengths > 0, lengths, 1)": instead}
        for instead in ("lengths", "(lengths + 1e-12)")
    ],
    normalizes_columns=[
        {"dim=1, keepdim=True)  # (n, 1)": "dim=0)", "torch.where(lengths > 0, lengths, 1)": instead}
        for instead in ("lengths", "(lengths + 1e-12)")
    ],
    one_length_for_all=[{"vector_norm(features, dim=1, keepdim=True)": "vector_norm(features) + 1e-12"}],
    forgets_the_root=[
        {
            "torch.linalg.vector_norm(features, dim=1, keepdim=True)": "(features**2).sum(dim=1, keepdim=True)",
            "torch.where(lengths > 0, lengths, 1)": instead,
        }
        for instead in ("lengths", "(lengths + 1e-12)")
    ],
    uses_l1=[
        {
            "torch.linalg.vector_norm(features, dim=1, keepdim=True)": "features.abs().sum(dim=1, keepdim=True)",
            "torch.where(lengths > 0, lengths, 1)": "lengths",
        }
    ],
    standardizes=[
        {
            "return features /": "return (features - features.mean(1, keepdim=True)) /",
            "torch.where(lengths > 0, lengths, 1)": "features.std(1, keepdim=True)",
        },
        {
            "return features /": "return (features - features.mean(0)) /",
            "torch.where(lengths > 0, lengths, 1)": "(features.std(0, correction=0) + 1e-6)",
        },
    ],
)
