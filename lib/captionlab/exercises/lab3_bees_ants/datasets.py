"""Find the bug: a validation set that is not one. Probe, the code it starts from, other misconceptions."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from captionlab.exercises.drawing import draw, draw_different
from captionlab.exercises.lab3_bees_ants.common import lab


class _Transform:
    """Stands in for a transform: returns which one it is, the image's mode, and its red, which identifies the file."""

    def __init__(self, kind: str):
        self.kind = kind
        self.calls = 0

    def __call__(self, image):
        self.calls += 1
        pixels = np.asarray(image)
        return [self.kind, image.mode, int(pixels[0, 0, 0] if pixels.ndim == 3 else pixels[0, 0])]


def _write(folder: Path, reds: list[int], modes: list[str]) -> list[Path]:
    paths = []
    for at, (red, mode) in enumerate(zip(reds, modes, strict=True)):
        # Gray if the mode is gray: converting it to RGB and back keeps the level.
        color = (red, 100, 50) if mode in ("RGB", "P") else (red, red, red)
        image = Image.new("RGB", (4, 3), color)
        paths.append(folder / f"image_{at}.png")
        (image.quantize(4) if mode == "P" else image.convert(mode)).save(paths[-1])
    return paths


def _file(example, reds):
    """The index of the file that an example comes from, or -1."""
    red = example[0][2]
    return reds.index(red) if red in reds else -1


@lab.exercise(
    "captionlab.transfer.augmentation:make_datasets",
    points=2,
    minutes=20,
    difficulty=2,
    importance=5,
    starter="validation_from_the_training_set",
)
def probe_make_datasets(make_datasets, rng):
    count = draw(rng, 10, 12)
    reds = draw_different(rng, 1, 250, count)
    labels = [int(label) for label in rng.integers(0, 7, count)]
    order = draw_different(rng, 0, count - 1, count)
    held_out = draw(rng, 3, 4)
    train, validation = order[held_out:-1], order[:held_out]  # one image is in neither
    modes = ["RGB"] * count
    modes[validation[0]], modes[validation[1]], modes[train[0]] = "L", "P", "L"
    with tempfile.TemporaryDirectory() as folder:
        paths = _write(Path(folder), reds, modes)
        transforms = _Transform("training transform"), _Transform("evaluation transform")
        training_set, validation_set = make_datasets(paths, labels, train, validation, transforms)
        label = f"{len(train)} training and {held_out} validation images: lengths"
        yield label, [len(training_set), len(validation_set)]
        opened = [
            f"{name}: {each.calls} calls" for name, each in (("training", transforms[0]), ("evaluation", transforms[1]))
        ]
        yield "calls of the transforms before any example is requested", opened, 5
        examples = [validation_set[k] for k in range(held_out)]
        yield f"validation set, whose indices are {validation}: files", [_file(each, reds) for each in examples], 8
        label = f"validation set, its files' labels being {[labels[at] for at in validation]}: labels"
        yield label, [each[1] for each in examples], 4
        yield "validation set: which transform", [each[0][0] for each in examples], 8
        yield "validation set: modes of the images that the transform received", [each[0][1] for each in examples]
        examples = [training_set[k] for k in range(len(train))]
        yield f"training set, whose indices are {train}: files", [_file(each, reds) for each in examples], 6
        yield "training set: labels", [each[1] for each in examples], 4
        yield "training set: which transform", [each[0][0] for each in examples], 6
        yield "training set: modes of the images that the transform received", [each[0][1] for each in examples], 2
        before = [transform.calls for transform in transforms]
        for dataset in (training_set, validation_set):
            for _ in range(3):
                dataset[1]
        calls = [transform.calls - earlier for transform, earlier in zip(transforms, before, strict=True)]
        yield "one example of each set requested three more times: calls of the two transforms", calls, 5
        loader = torch.utils.data.DataLoader(validation_set, batch_size=2, collate_fn=list)
        yield (
            "validation set in batches of 2, from a DataLoader: files",
            [[_file(each, reds) for each in batch] for batch in loader],
        )


lab.misconceptions(
    "make_datasets",
    validation_from_the_training_set=(
        "This does the same as the code you were given. Which files does validation_set read, and through "
        "which transform? Only the length of `validation_indices` is used.",
        {
            "training_transform, evaluation_transform = transforms": "# The training set is augmented; validation "
            "uses part of the data.\n    training_set = Images(train_indices, transforms[0])",
            "return Images(train_indices, training_transform), Images(validation_indices, evaluation_transform)": (
                "validation_set = torch.utils.data.Subset(training_set, range(len(validation_indices)))\n"
                "    return training_set, validation_set"
            ),
        },
    ),
    validation_augmented=(
        "Validation images still go through the training transform: they are augmented.",
        {"Images(validation_indices, evaluation_transform)": "Images(validation_indices, training_transform)"},
    ),
    validation_has_training_images=(
        "The validation set still holds training images: it must read the files of `validation_indices`.",
        {"Images(validation_indices": "Images(train_indices[: len(validation_indices)]"},
    ),
    labels_by_position=(
        "You select labels by their position, not by the index of their file: example k is the file "
        "indices[k], and its label is labels[indices[k]].",
        {"labels[index]": "labels[k]"},
    ),
    trains_on_everything=(
        "Training uses all files, including those of the validation set.",
        {"Images(train_indices": "Images(range(len(paths))"},
    ),
    training_not_augmented=(
        "Training images go through the evaluation transform: they must still be augmented.",
        {"Images(train_indices, training_transform)": "Images(train_indices, evaluation_transform)"},
    ),
    keeps_the_mode=(
        "Grayscale images and images with a palette reach the transform as they are; the network needs three channels. "
        "Convert to RGB.",
        {'image.convert("RGB")': "image"},
    ),
    swaps_the_transforms=(
        "The transforms are swapped: validation is augmented and training is not. `transforms` is (training, "
        "evaluation).",
        {"training_transform, evaluation_transform =": "evaluation_transform, training_transform ="},
    ),
    swaps_the_sets=(
        "The training set comes first, then the validation set; yours are swapped.",
        {
            "Images(train_indices, training_transform), Images(validation_indices, evaluation_transform)": "Images("
            "validation_indices, evaluation_transform), Images(train_indices, training_transform)"
        },
    ),
    validation_on_everything=(
        "Your validation set holds all files, the training images among them: only those of `validation_indices` "
        "belong to it.",
        {"Images(validation_indices": "Images(range(len(paths))"},
    ),
    files_by_position=(
        "Example k reads the file paths[k], whatever the indices are. It is the file paths[indices[k]], with the label "
        "of that file.",
        {"index = self.indices[k]": "index = k"},
    ),
)


@lab.misconception(
    "make_datasets",
    hint="You transform every image once and keep the result: training sees the same crops in every epoch. Transform "
    "when an example is requested.",
)
def transforms_once(paths, labels, train_indices, validation_indices, transforms):
    def examples(indices, transform):
        return [(transform(Image.open(paths[index]).convert("RGB")), labels[index]) for index in indices]

    return examples(train_indices, transforms[0]), examples(validation_indices, transforms[1])


lab.other_spellings(
    "make_datasets",
    validation_has_training_images=[
        {"Images(validation_indices": "Images(range(len(validation_indices))"},
        {"Images(validation_indices": "Images(train_indices"},
    ],
)
