"""Find the bug: a validation set that is none. Probe, the code it starts from, other misconceptions."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from captionlab.exercises.lab3_bees_ants.common import draw, draw_different, lab


class _Transform:
    """Stands in for a transform: tells which it is, the picture's mode and its red, which says which file it was."""

    def __init__(self, kind: str):
        self.kind = kind
        self.calls = 0

    def __call__(self, picture):
        self.calls += 1
        pixels = np.asarray(picture)
        return [self.kind, picture.mode, int(pixels[0, 0, 0] if pixels.ndim == 3 else pixels[0, 0])]


def _write(folder: Path, reds: list[int], modes: list[str]) -> list[Path]:
    paths = []
    for at, (red, mode) in enumerate(zip(reds, modes, strict=True)):
        # Gray where the mode is: converting it to RGB and back keeps the level.
        color = (red, 100, 50) if mode in ("RGB", "P") else (red, red, red)
        image = Image.new("RGB", (4, 3), color)
        paths.append(folder / f"image_{at}.png")
        (image.quantize(4) if mode == "P" else image.convert(mode)).save(paths[-1])
    return paths


def _file(example, reds):
    """The number of the file an example is of, or -1."""
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
        yield (
            f"{len(train)} training and {held_out} validation images: lengths",
            [len(training_set), len(validation_set)],
        )
        examples = [training_set[k] for k in range(len(train))]
        label = "training set: files, labels and which transform"
        yield label, [[_file(each, reds) for each in examples], [each[1] for each in examples], examples[1][0][0]]
        yield "training set: modes the transform received", [each[0][1] for each in examples]
        examples = [validation_set[k] for k in range(held_out)]
        yield "validation set: files", [_file(each, reds) for each in examples]
        yield "validation set: labels", [[each[1] for each in examples], labels[validation[0]]]
        yield "validation set: transforms, and modes they received", [each[0][:2] for each in examples]
        before = [transform.calls for transform in transforms]
        for data in (training_set, validation_set):
            for _ in range(3):
                data[1]
        calls = [transform.calls - earlier for transform, earlier in zip(transforms, before, strict=True)]
        yield "one example of each set asked for three more times: calls of the two transforms", calls


@lab.misconception(
    "make_datasets",
    hint="This is the code you were given. Which files does validation_set read, and through which transform? The "
    "argument `validation` is used for its length only.",
)
def validation_from_the_training_set(paths, labels, train, validation, transforms):
    class Images(torch.utils.data.Dataset):
        def __init__(self, indices, transform):
            self.indices, self.transform = list(indices), transform

        def __len__(self):
            return len(self.indices)

        def __getitem__(self, k):
            index = self.indices[k]
            with Image.open(paths[index]) as image:
                return self.transform(image.convert("RGB")), labels[index]

    # The training set gets the augmentation; validation is measured on a part of the data.
    training_set = Images(train, transforms[0])
    validation_set = torch.utils.data.Subset(training_set, range(len(validation)))
    return training_set, validation_set


@lab.misconception(
    "make_datasets",
    hint="The files are right now, but validation images still go through the training transform: they are augmented.",
)
def validation_augmented(paths, labels, train, validation, transforms):
    class Images(torch.utils.data.Dataset):
        def __init__(self, indices):
            self.indices = list(indices)

        def __len__(self):
            return len(self.indices)

        def __getitem__(self, k):
            with Image.open(paths[self.indices[k]]) as image:
                return transforms[0](image.convert("RGB")), labels[self.indices[k]]

    return Images(train), Images(validation)


@lab.misconception(
    "make_datasets",
    hint="The transform is right now, but the validation set still has training images: it must read the files of "
    "`validation`.",
)
def validation_has_training_images(paths, labels, train, validation, transforms):
    class Images(torch.utils.data.Dataset):
        def __init__(self, indices, transform):
            self.indices, self.transform = list(indices), transform

        def __len__(self):
            return len(self.indices)

        def __getitem__(self, k):
            with Image.open(paths[self.indices[k]]) as image:
                return self.transform(image.convert("RGB")), labels[self.indices[k]]

    return Images(train, transforms[0]), Images(train[: len(validation)], transforms[1])


@lab.misconception(
    "make_datasets",
    hint="The files are picked by their index, the labels by their position: example k shows file indices[k], and its "
    "label is labels[indices[k]].",
)
def labels_by_position(paths, labels, train, validation, transforms):
    class Images(torch.utils.data.Dataset):
        def __init__(self, indices, transform):
            self.indices, self.transform = list(indices), transform

        def __len__(self):
            return len(self.indices)

        def __getitem__(self, k):
            with Image.open(paths[self.indices[k]]) as image:
                return self.transform(image.convert("RGB")), labels[k]

    return Images(train, transforms[0]), Images(validation, transforms[1])


@lab.misconception(
    "make_datasets",
    hint="The validation set is right, but training uses all files, those of the validation set among them.",
)
def trains_on_everything(paths, labels, train, validation, transforms):
    class Images(torch.utils.data.Dataset):
        def __init__(self, indices, transform):
            self.indices, self.transform = list(indices), transform

        def __len__(self):
            return len(self.indices)

        def __getitem__(self, k):
            with Image.open(paths[self.indices[k]]) as image:
                return self.transform(image.convert("RGB")), labels[self.indices[k]]

    return Images(range(len(paths)), transforms[0]), Images(validation, transforms[1])


@lab.misconception(
    "make_datasets",
    hint="Evaluation's transform serves for both sets now; training lost its augmentation in the repair.",
)
def training_not_augmented(paths, labels, train, validation, transforms):
    class Images(torch.utils.data.Dataset):
        def __init__(self, indices):
            self.indices = list(indices)

        def __len__(self):
            return len(self.indices)

        def __getitem__(self, k):
            with Image.open(paths[self.indices[k]]) as image:
                return transforms[1](image.convert("RGB")), labels[self.indices[k]]

    return Images(train), Images(validation)


@lab.misconception(
    "make_datasets",
    hint="You transform every picture once and keep the result: training sees the same crops in every epoch. Transform "
    "when an example is asked for.",
)
def transforms_once(paths, labels, train, validation, transforms):
    def examples(indices, transform):
        return [(transform(Image.open(paths[index]).convert("RGB")), labels[index]) for index in indices]

    return examples(train, transforms[0]), examples(validation, transforms[1])


@lab.misconception(
    "make_datasets",
    hint="Gray pictures and pictures with a palette reach the transform as they are; the network needs three colors. "
    "Convert to RGB.",
)
def keeps_the_mode(paths, labels, train, validation, transforms):
    class Images(torch.utils.data.Dataset):
        def __init__(self, indices, transform):
            self.indices, self.transform = list(indices), transform

        def __len__(self):
            return len(self.indices)

        def __getitem__(self, k):
            with Image.open(paths[self.indices[k]]) as image:
                return self.transform(image), labels[self.indices[k]]

    return Images(train, transforms[0]), Images(validation, transforms[1])
