"""Augmented images for training, plain ones for evaluation, never confused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from captionlab.experiments.bees_ants.data import transform_all
from captionlab.transfer.augmentation import make_datasets, make_transforms

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def draw_image(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


@pytest.mark.parametrize("size", [(320, 200), (33, 90), (64, 64)])
def test_shape_and_type(size: tuple[int, int]):
    for transform in make_transforms(56):
        image = transform(draw_image(*size))
        assert image.shape == (3, 56, 56)
        assert image.dtype == torch.float32


def test_evaluation_is_the_center_of_the_resized_image():
    found = make_transforms(56)[1](draw_image(128, 64))
    square = np.asarray(draw_image(128, 64).crop((32, 0, 96, 64)))[4:60, 4:60]  # 64 is 56 * 8 // 7: nothing to resize
    expected = (torch.from_numpy(square / 255).permute(2, 0, 1).float() - MEAN[:, None, None]) / STD[:, None, None]
    assert torch.allclose(torch.as_tensor(found), expected, atol=1e-5)


def test_training_differs_each_time_and_evaluation_does_not():
    training, evaluation = make_transforms(32)
    image = draw_image(80, 60)
    assert torch.equal(evaluation(image), evaluation(image))
    assert len({training(image).sum().item() for _ in range(5)}) == 5


def test_training_flips_half_of_the_images_and_keeps_enough():
    training = make_transforms(32)[0]
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 100).astype(np.uint8)[None, :, None], (100, 1, 3)))
    torch.manual_seed(0)
    views = [training(ramp)[0] for _ in range(200)]
    rising = np.mean([(view[:, -1].mean() > view[:, 0].mean()).item() for view in views])
    assert 0.35 < rising < 0.65
    spans = [abs((view[:, -1] - view[:, 0]).mean().item()) * 0.229 for view in views]
    assert min(spans) > 0.45  # 35% of the area, at an aspect ratio of 3 to 4: at least half of the width
    assert max(spans) > 0.9


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for number, path in enumerate(paths):
        draw_image(40, 30, seed=number).convert("L" if number == 0 else "P" if number == 1 else "RGB").save(path)
    return paths


def test_each_set_has_its_images_its_labels_and_its_transform(files: list[Path]):
    labels = [0, 1, 0, 1, 0, 1]
    transforms = (
        lambda image: ("training", image.mode, image.size),
        lambda image: ("evaluation", image.mode, image.size),
    )
    training, held_out = make_datasets(files, labels, [0, 1, 5], [4, 3], transforms)
    assert (len(training), len(held_out)) == (3, 2)
    assert [training[k] for k in range(3)] == [(("training", "RGB", (40, 30)), label) for label in (0, 1, 1)]
    assert [held_out[k][1] for k in range(2)] == [0, 1]
    assert held_out[0][0][0] == "evaluation"


def test_files_are_those_of_the_indices(files: list[Path]):
    plain = make_transforms(28)[1]
    _, held_out = make_datasets(files, [0] * 6, [0, 1], [5, 2], make_transforms(28))
    assert torch.equal(held_out[0][0], plain(draw_image(40, 30, seed=5)))
    assert torch.equal(held_out[1][0], plain(draw_image(40, 30, seed=2)))


def test_training_examples_are_augmented_each_time_and_a_loader_takes_them(files: list[Path]):
    training, held_out = make_datasets(files, [0, 1] * 3, [2, 3, 4, 5], [0, 1], make_transforms(28))
    assert not torch.equal(training[0][0], training[0][0])
    assert torch.equal(held_out[0][0], held_out[0][0])
    images, labels = next(iter(DataLoader(training, batch_size=4)))
    assert images.shape == (4, 3, 28, 28)
    assert labels.tolist() == [0, 1, 0, 1]


def test_images_decoded_once_give_the_same_inputs_as_files(files: list[Path]):
    """Experiments keep the decoded images in memory; a data set opens the files each time."""
    indices, transforms = [5, 2, 0, 1], make_transforms(28)
    training, held_out = make_datasets(files, [0] * 6, indices, indices, transforms)
    decoded = [Image.open(files[index]).convert("RGB") for index in indices]
    for dataset, transform in zip((training, held_out), transforms, strict=True):
        torch.manual_seed(0)
        expected = torch.stack([dataset[k][0] for k in range(4)])
        torch.manual_seed(0)
        assert torch.equal(transform_all(decoded, transform), expected)
