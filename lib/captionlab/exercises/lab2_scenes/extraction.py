"""From a network and images to a matrix of features: probe and misconceptions."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, torch_seed
from captionlab.exercises.lab2_scenes.common import (
    SharedLog,
    draw_weights,
    gradient_history,
    lab,
    modes,
)
from captionlab.exercises.observing import dtype_of


class _WatchedNetwork(nn.Module):
    """A small network with batch normalization and dropout that records the batches it is given."""

    def __init__(self, rng, maps: int, outputs: int):
        super().__init__()
        self.conv = nn.Conv2d(3, maps, 3, stride=2)
        self.bn = nn.BatchNorm2d(maps)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(maps, outputs)
        self.sizes, self.recorded = SharedLog(), SharedLog()
        draw_weights(rng, self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(images))
        self.recorded.append("gradients recorded" if torch.is_grad_enabled() else "no gradients")
        return self.dense(self.dropout(self.relu(self.bn(self.conv(images)))).mean((2, 3)))

    def after(self, what: Any) -> Any:
        """What can be said of the network after it was run."""
        return what if self.sizes else "the network was not run"


@lab.exercise(
    "captionlab.transfer.features:extract_features",
    points=4,
    minutes=25,
    difficulty=3,
    importance=5,
    rtol=1e-3,
    atol=1e-5,
)
def probe_extract_features(extract_features, rng):
    yield from _small_cases(extract_features, rng)
    model = _WatchedNetwork(rng, draw(rng, 4, 6), draw(rng, 3, 5))
    batch_size = draw(rng, 3, 5)
    count = batch_size * (4 if batch_size == 3 else 3) - 1
    with torch_seed(0):
        features = extract_features(model, draw_tensor(rng, count, 3, 4, 3), batch_size)
    case = f"{count} images in batches of {batch_size}"
    yield f"{case}, the model in evaluation mode: features", features, 2
    yield f"{case}: sizes of the batches the model was given", list(model.sizes), 3
    yield f"{case}: whether gradients were recorded during each batch", list(model.recorded), 4
    yield f"{case}: the features' gradients", model.after(gradient_history(features)), 2
    yield f"{case}: the features' dtype", dtype_of(features)
    yield "a model in evaluation mode: modes of its modules afterwards", model.after(modes(model)), 4

    model = _WatchedNetwork(rng, draw(rng, 4, 6), draw(rng, 3, 5)).train()
    batch_size, batches = draw_different(rng, 2, 4, 2)
    with torch_seed(0):
        features = extract_features(model, draw_tensor(rng, batch_size * batches, 3, 3, 4), batch_size=batch_size)
    case = "a model in training mode"
    yield f"{case}, {batch_size * batches} images in batches of {batch_size}: features", features, 4
    yield f"{case}: modes of its modules afterwards", model.after(modes(model)), 4
    yield f"{case}: running means of its batch normalization afterwards", model.after(model.bn.running_mean)
    model.train().bn.eval()
    with torch_seed(0):
        features = extract_features(model, draw_tensor(rng, 3, 3, 3, 4), 3)
    case = "a model in training mode except its batch normalization"
    yield f"{case}: features of 3 images", features, 2
    yield f"{case}: modes of its modules afterwards", model.after(modes(model)), 4
    model = _WatchedNetwork(rng, 4, 2)
    extract_features(model=model, images=draw_tensor(rng, 67, 3, 3, 3))
    yield "67 images, the default batch size: sizes of the batches", list(model.sizes), 2
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5)).eval()
    yield "one image of 1 by 2, the default batch size: features", extract_features(model, torch.ones(1, 1, 1, 2))


def _small_cases(extract_features, rng):
    """Cases that can be followed on paper."""
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5))
    first = draw(rng, 1, 5)
    images = first + torch.arange(8.0).reshape(4, 1, 1, 2)
    with torch_seed(0):
        features = extract_features(model, images.clone(), batch_size=2)
    yield "flattening and dropout, 4 images of 1 by 2 in batches of 2: features", features
    with torch_seed(0):
        features = extract_features(model, images[:3].clone(), batch_size=2)
    yield "flattening and dropout, 3 images of 1 by 2 in batches of 2: features", features


lab.misconceptions(
    "extract_features",
    stays_in_training_mode=(
        "Your features depend on the model's mode: in training mode, dropout and batch normalization behave "
        "differently. Switch to evaluation mode first.",
        {"model.eval()": ""},
    ),
    leaves_it_in_evaluation_mode=(
        "A model in training mode comes back in evaluation mode. Save its mode first and restore it afterwards.",
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
        "All images go through the network at once, but thousands of them do not fit in memory: take batch_size at a "
        "time.",
        {"images.split(batch_size)": "[images]"},
    ),
    takes_one_at_a_time=(
        "You ignore batch_size and run the images through the network one by one. One call per batch is much faster.",
        {"images.split(batch_size)": "images.split(1)"},
    ),
    reruns_the_last_batch=(
        "You have more rows than images: your last batch repeats earlier images. It may be smaller than the others.",
        {
            "images.split(batch_size)": "[*images.split(batch_size)[:-1], images[-batch_size:]]",
        },
    ),
    keeps_a_list_of_batches=(
        "You return one tensor per batch. Concatenate the batches into one matrix with torch.cat.",
        {"return torch.cat(rows)": "return rows"},
    ),
    keeps_only_the_last_batch=(
        "You return the features of the last batch only. Collect those of all batches and concatenate them.",
        {"return torch.cat(rows)": "return rows[-1]"},
    ),
    stacks_the_batches=(
        "torch.stack makes a new axis and needs batches of one size. To concatenate batches along an existing "
        "axis, use torch.cat.",
        {"return torch.cat(rows)": "return torch.stack(rows)"},
    ),
    joins_along_columns=(
        "You concatenate the batches along the columns. Concatenate the rows: one row per image.",
        {"return torch.cat(rows)": "return torch.cat(rows, dim=1)"},
    ),
    takes_batch_size_batches=(
        "You treat batch_size as the number of batches. It is the number of images in each: split takes it, "
        "chunk takes the number of parts.",
        {"images.split(batch_size)": "images.chunk(batch_size)"},
    ),
    normalizes_the_features=(
        "You divide the features by their length. Normalizing comes later; return the network's output.",
        {"return torch.cat(rows)": "return nn.functional.normalize(torch.cat(rows))"},
    ),
    ignores_the_default=(
        "Your batches have the wrong size: batch_size is 32 unless it is given.",
        {"batch_size: int = 32": "batch_size: int = 64"},
    ),
)
lab.other_spellings(
    "extract_features",
    leaves_it_in_evaluation_mode=[
        {"for module, training in modes": "", "torch.cat(rows)": "torch.cat([row.detach() for row in rows])"},
        {"module.training = training": "module.eval()"},
    ],
    keeps_gradients=[{"with torch.no_grad():": "if True:"}],
    drops_the_last_batch=[
        {"images.split(batch_size)": "images[: max(1, len(images) // batch_size) * batch_size].split(batch_size)"},
    ],
)
