"""From a network and images to a matrix of features: probes and misconceptions."""

from __future__ import annotations

import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, torch_seed
from captionlab.exercises.lab2_scenes.common import draw_weights, lab, modes, needs_gradient


class _Log(list):
    """A list shared by copies of a network, so that calls of a copy are recorded as well."""

    def __deepcopy__(self, memo):
        return self


class _WatchedNetwork(nn.Module):
    """A small network with batch normalization and dropout that records the batches it is given."""

    def __init__(self, rng, maps: int, outputs: int):
        super().__init__()
        self.conv = nn.Conv2d(3, maps, 3, stride=2)
        self.bn = nn.BatchNorm2d(maps)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(maps, outputs)
        self.sizes, self.recorded = _Log(), _Log()
        draw_weights(rng, self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(images))
        self.recorded.append(torch.is_grad_enabled())
        return self.dense(self.dropout(self.relu(self.bn(self.conv(images)))).mean((2, 3)))


@lab.exercise(
    "captionlab.transfer.features:extract_features",
    points=4,
    minutes=25,
    difficulty=3,
    importance=5,
    rtol=1e-3,
    atol=1e-5,
    check_dtype=True,
)
def probe_extract_features(extract_features, rng):
    model = _WatchedNetwork(rng, draw(rng, 4, 6), draw(rng, 3, 5))
    batch_size = draw(rng, 3, 5)
    count = batch_size * draw(rng, 2, 3) - 1
    with torch_seed(0):
        features = extract_features(model, draw_tensor(rng, count, 3, 6, 7), batch_size)
    yield f"{count} images in batches of {batch_size}, the model in evaluation mode: features", features
    yield "sizes of the batches the model was given", list(model.sizes)
    label = "whether the features require gradients, and whether gradients were recorded for each batch"
    yield label, [needs_gradient(features), list(model.recorded)]
    with torch_seed(0):
        features = extract_features(model, draw_tensor(rng, 2, 3, 5, 5), 2)
    yield "features of 2 more images, then which modules are in training mode", [features, modes(model)]

    model = _WatchedNetwork(rng, draw(rng, 4, 6), draw(rng, 3, 5)).train()
    batch_size, batches = draw_different(rng, 2, 4, 2)
    with torch_seed(0):
        features = extract_features(model, draw_tensor(rng, batch_size * batches, 3, 5, 7), batch_size=batch_size)
    yield f"{batch_size * batches} images in batches of {batch_size}, a model in training mode: features", features
    model.sizes.clear()
    with torch_seed(0):
        features = extract_features(model=model, images=draw_tensor(rng, 63, 3, 3, 3))
    yield "63 images, the default batch size: features, then sizes of the batches", [features, list(model.sizes)]
    label = "features of 3 images, then which modules are in training mode, and the batch normalization statistics"
    with torch_seed(0):
        features = extract_features(model, draw_tensor(rng, 3, 3, 5, 5), 3)
    yield label, [features, modes(model), model.bn.running_mean, model.bn.running_var]
    model.bn.eval()
    with torch_seed(0):
        features = extract_features(model, draw_tensor(rng, 3, 3, 5, 5), 3)
    label = "the same with batch normalization in evaluation mode inside a model in training mode"
    yield label, [features, modes(model)]


lab.misconceptions(
    "extract_features",
    stays_in_training_mode=(
        "Your features depend on the model's mode: in training mode, dropout and batch normalization behave "
        "differently. Switch to evaluation mode first.",
        {"model.eval()": ""},
    ),
    leaves_it_in_evaluation_mode=(
        "The features are right, but a model in training mode comes back in evaluation mode. Save its mode first and "
        "restore it afterwards.",
        {"for module, training in modes": ""},
    ),
    always_ends_in_training_mode=(
        "You always switch to training mode at the end. A model that was in evaluation mode has to stay in it.",
        {"for module, training in modes": "model.train()\n    for module, training in []"},
    ),
    restores_the_outermost_mode=(
        "You give all modules the mode of the outermost one. A module that was in evaluation mode inside a model in "
        "training mode comes back in training mode: save the mode of every module.",
        {"for module, training in modes": "model.train(modes[0][1])\n    for module, training in []"},
    ),
    keeps_gradients=(
        "Your features still require gradients, which keeps all intermediate maps in memory. Nothing is trained here: "
        "turn gradient recording off.",
        {"torch.no_grad()": "torch.enable_grad()"},
    ),
    detaches_afterwards=(
        "You detach the features at the end: the network still records every step while it runs, for no benefit. Turn "
        "recording off around the forward pass.",
        {"torch.no_grad()": "torch.enable_grad()", "model(batch).float()": "model(batch).float().detach()"},
    ),
    drops_the_last_batch=(
        "You drop the last images if they do not fill a batch. Every image needs its row: the last batch may be "
        "smaller.",
        {"images.split(batch_size)": "images[: len(images) // batch_size * batch_size].split(batch_size)"},
    ),
    shuffles=(
        "Your rows are not in the order of the images, so the labels no longer match. Shuffling is for training.",
        {"images.split(batch_size)": "images[torch.randperm(len(images))].split(batch_size)"},
    ),
    takes_all_at_once=(
        "All images go through the network at once. The result is correct, but thousands of images do not fit in "
        "memory: take batch_size at a time.",
        {"images.split(batch_size)": "[images]"},
    ),
    takes_one_at_a_time=(
        "You ignore batch_size and run the images through the network one by one. One call per batch is much faster.",
        {"images.split(batch_size)": "images.split(1)"},
    ),
)


@lab.exercise("captionlab.transfer.features:l2_normalize", points=2, minutes=10, difficulty=2, importance=4)
def probe_l2_normalize(l2_normalize, rng):
    for rows, columns, scale in ((4, 5, 1.0), (draw(rng, 2, 3), draw(rng, 6, 8), 30.0), (1, draw(rng, 4, 6), 0.05)):
        label = f"{rows} rows of {columns} values, of size {scale:g}"
        yield label, l2_normalize(draw_tensor(rng, rows, columns, scale=scale))
    square = draw_tensor(rng, 4, 4).abs()  # none negative, as after a ReLU
    yield "4 rows of 4 values, none negative", l2_normalize(features=square)
    features = draw_tensor(rng, 5, 3) * torch.tensor([[100.0], [0.1], [1.0], [7.0], [0.01]])
    features[draw(rng, 1, 3)] = 0
    yield "5 rows of very different lengths, one of them all zeros", l2_normalize(features.clone())
    given = draw_tensor(rng, 2, 4, mean=1)
    yield "2 rows normalized, then the input afterwards", [l2_normalize(given), given]


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
)
