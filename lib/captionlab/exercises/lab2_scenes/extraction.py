"""From a network and images to a matrix of features: probes and misconceptions."""

from __future__ import annotations

import torch
from torch import nn

from captionlab.exercises.lab2_scenes.common import (
    draw,
    draw_different,
    draw_tensor,
    draw_weights,
    lab,
    modes,
    needs_gradient,
    torch_seed,
)


class _Log(list):
    """A list that copies of a network share, so that a copy's calls are seen as well."""

    def __deepcopy__(self, memo):
        return self


class _WatchedNetwork(nn.Module):
    """A small network with batch normalization and dropout that notes the batches it is given."""

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
    yield "sizes of the batches that the model was given", list(model.sizes)
    label = "whether the features hang on gradients, and whether each batch was recorded for them"
    yield label, [needs_gradient(features), list(model.recorded)]
    with torch_seed(0):
        features = extract_features(model, draw_tensor(rng, 2, 3, 5, 5), 2)
    yield "features of 2 more images, then which parts of the model are in training mode", [features, modes(model)]

    model = _WatchedNetwork(rng, draw(rng, 4, 6), draw(rng, 3, 5)).train()
    batch_size, batches = draw_different(rng, 2, 4, 2)
    with torch_seed(0):
        features = extract_features(model, draw_tensor(rng, batch_size * batches, 3, 5, 7), batch_size=batch_size)
    yield f"{batch_size * batches} images in batches of {batch_size}, a model in training mode: features", features
    model.sizes.clear()
    with torch_seed(0):
        features = extract_features(model=model, images=draw_tensor(rng, 63, 3, 3, 3))
    yield "63 images, the default batches: features, then sizes of the batches", [features, list(model.sizes)]
    label = "features of 3 images, then which parts are in training mode, and the statistics of batch normalization"
    with torch_seed(0):
        features = extract_features(model, draw_tensor(rng, 3, 3, 5, 5), 3)
    yield label, [features, modes(model), model.bn.running_mean, model.bn.running_var]
    model.bn.eval()
    with torch_seed(0):
        features = extract_features(model, draw_tensor(rng, 3, 3, 5, 5), 3)
    label = "the same where batch normalization is in evaluation mode, under a model in training mode"
    yield label, [features, modes(model)]


@lab.misconception(
    "extract_features",
    hint="The features change with the model's mode: in training mode dropout and batch normalization behave "
    "differently. Switch to evaluation mode first.",
)
def stays_in_training_mode(model, images, batch_size=32):
    with torch.no_grad():
        return torch.cat([model(batch) for batch in images.split(batch_size)]).float()


@lab.misconception(
    "extract_features",
    hint="The features are right, but a model in training mode comes back in evaluation mode. Note its mode before, "
    "and give it back after.",
)
def leaves_it_in_evaluation_mode(model, images, batch_size=32):
    model.eval()
    with torch.no_grad():
        return torch.cat([model(batch) for batch in images.split(batch_size)]).float()


@lab.misconception(
    "extract_features",
    hint="You switch to training mode at the end, whatever the mode was. A model that came in evaluation mode has to "
    "stay in it.",
)
def always_ends_in_training_mode(model, images, batch_size=32):
    model.eval()
    with torch.no_grad():
        features = torch.cat([model(batch) for batch in images.split(batch_size)]).float()
    model.train()
    return features


@lab.misconception(
    "extract_features",
    hint="You give the whole model the mode of its outermost part. A part that was held in evaluation mode under a "
    "model in training mode comes back in training mode: note the mode of every part.",
)
def restores_the_outermost_mode(model, images, batch_size=32):
    was_training = model.training
    model.eval()
    with torch.no_grad():
        features = torch.cat([model(batch) for batch in images.split(batch_size)]).float()
    model.train(was_training)
    return features


@lab.misconception(
    "extract_features",
    hint="Your features still hang on the network's gradients, which keeps all intermediate maps in memory. Nothing is "
    "trained here: switch their recording off.",
)
def keeps_gradients(model, images, batch_size=32):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    features = torch.cat([model(batch) for batch in images.split(batch_size)]).float()
    for module, mode in modes.items():
        module.training = mode
    return features


@lab.misconception(
    "extract_features",
    hint="You cut the gradients off when the work is done: the network still records every step for them while it "
    "runs, for nothing. Switch that off around the forward pass.",
)
def detaches_afterwards(model, images, batch_size=32):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    features = torch.cat([model(batch).detach() for batch in images.split(batch_size)]).float()
    for module, mode in modes.items():
        module.training = mode
    return features


@lab.misconception(
    "extract_features",
    hint="You drop the last images where they do not fill a batch. Every image needs its row: the last batch may be "
    "smaller.",
)
def drops_the_last_batch(model, images, batch_size=32):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        batches = [images[at * batch_size : (at + 1) * batch_size] for at in range(len(images) // batch_size)]
        features = torch.cat([model(batch) for batch in batches]).float()
    for module, mode in modes.items():
        module.training = mode
    return features


@lab.misconception(
    "extract_features",
    hint="The rows are in another order than the images, so that no label fits any more. Shuffling is for training.",
)
def shuffles(model, images, batch_size=32):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        order = torch.randperm(len(images))
        features = torch.cat([model(images[batch]) for batch in order.split(batch_size)]).float()
    for module, mode in modes.items():
        module.training = mode
    return features


@lab.misconception(
    "extract_features",
    hint="All images go through the network at once. That is right in numbers, but thousands of images do not fit in "
    "memory: take batch_size at a time.",
)
def takes_all_at_once(model, images, batch_size=32):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        features = model(images).float()
    for module, mode in modes.items():
        module.training = mode
    return features


@lab.misconception(
    "extract_features",
    hint="The images go through the network one by one, whatever batch_size says. One call for a batch is much faster.",
)
def takes_one_at_a_time(model, images, batch_size=32):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        features = torch.cat([model(image[None]) for image in images]).float()
    for module, mode in modes.items():
        module.training = mode
    return features


@lab.exercise("captionlab.transfer.features:l2_normalize", points=2, minutes=10, difficulty=2, importance=4)
def probe_l2_normalize(l2_normalize, rng):
    for rows, columns, scale in ((4, 5, 1.0), (draw(rng, 2, 3), draw(rng, 6, 8), 30.0), (1, draw(rng, 4, 6), 0.05)):
        label = f"{rows} rows of {columns} values, of size {scale:g}"
        yield label, l2_normalize(draw_tensor(rng, rows, columns, scale=scale))
    square = draw_tensor(rng, 4, 4).abs()  # none negative, as after a ReLU
    yield "4 rows of 4 values, none negative", l2_normalize(features=square)
    features = draw_tensor(rng, 5, 3) * torch.tensor([[100.0], [0.1], [1.0], [7.0], [0.01]])
    features[draw(rng, 1, 3)] = 0
    yield "5 rows of very different length, one of them zeros", l2_normalize(features.clone())
    given = draw_tensor(rng, 2, 4, mean=1)
    yield "2 rows, then what was given, as it is afterwards", [l2_normalize(given), given]


@lab.misconception(
    "l2_normalize",
    hint="Your columns have length 1, not your rows. An image is a row: it is to be compared with others whatever its "
    "contrast.",
)
def normalizes_columns(features):
    return features / features.norm(dim=0, keepdim=True).clamp(min=1e-12)


@lab.misconception(
    "l2_normalize",
    hint="You divide all rows by the same number, the length of the whole matrix. Every row needs its own.",
)
def one_length_for_all(features):
    return features / features.norm()


@lab.misconception(
    "l2_normalize", hint="Your rows sum to 1 in absolute values. That is the L1 norm; length is the root of squares."
)
def uses_l1(features):
    return features / features.abs().sum(1, keepdim=True).clamp(min=1e-12)


@lab.misconception("l2_normalize", hint="You divide by the squared length: the root is missing.")
def forgets_the_root(features):
    return features / (features**2).sum(1, keepdim=True).clamp(min=1e-12)


@lab.misconception(
    "l2_normalize", hint="Your largest value is 1 in every row. That is the maximum norm; wanted is the Euclidean one."
)
def divides_by_the_largest(features):
    return features / features.abs().amax(1, keepdim=True).clamp(min=1e-12)


@lab.misconception(
    "l2_normalize",
    hint="A row of zeros turns into NaN: 0 / 0. It has no direction to keep, so let it stay as it is.",
)
def zeros_become_nan(features):
    return features / features.norm(dim=1, keepdim=True)


@lab.misconception(
    "l2_normalize",
    hint="You standardize: mean 0 and standard deviation 1. Here the values are only divided, by the length of their "
    "row; nothing is subtracted.",
)
def standardizes(features):
    return (features - features.mean(1, keepdim=True)) / (features.std(1, keepdim=True) + 1e-6)


@lab.misconception(
    "l2_normalize",
    hint="You overwrite the features you were given. `/=` changes the caller's matrix; `/` makes a new one.",
)
def works_in_place(features):
    features /= features.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return features
