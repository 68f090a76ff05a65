"""One preprocessing for all networks: equal to Lab 1's reference, to Lab 4's, and to torchvision's transforms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from captionlab.captioning.encoders import encoder_input
from captionlab.vision.images import prepare_image
from captionlab.vision.preprocessing import IMAGENET, Preprocessing
from captionlab.vision.sources import cache_key, open_image

LEVEL = 1 / 255 / 0.2  # one gray level, after division by the smallest standard deviation


def photo(width: int, height: int, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    return image.quantize(16) if mode == "P" else image.convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
@pytest.mark.parametrize("size", [16, 64])
def test_it_is_prepare_image_of_lab_1(mode, size):
    image = photo(50, 30, mode)
    torch.testing.assert_close(Preprocessing(size)(image), prepare_image(image, size)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [16, 64])
def test_it_is_encoder_input_of_lab_4_but_for_rounding_to_gray_levels(size):
    image, mean, std = photo(50, 30), (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    found = Preprocessing(size, mean, std).batch([image])
    assert (found - encoder_input(np.array(image)[None], size, mean, std)).abs().max() <= LEVEL


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_it_is_torchvisions_transforms_without_a_crop(interpolation):
    image = photo(50, 30)
    preprocess = Preprocessing((24, 40), (0.5, 0.4, 0.3), (0.2, 0.3, 0.4), interpolation)
    steps = [v2.Resize((24, 40), v2.InterpolationMode(interpolation)), v2.ToImage(), v2.ToDtype(torch.float32, True)]
    expected = v2.Compose([*steps, v2.Normalize(preprocess.mean, preprocess.std)])(image)
    assert preprocess(image).shape == (3, 24, 40)
    torch.testing.assert_close(preprocess(image), expected, rtol=1e-5, atol=1e-5)


def test_height_and_width():
    preprocess = Preprocessing((24, 40))
    assert (preprocess.height, preprocess.width) == (24, 40)
    assert preprocess.with_size(8) == Preprocessing(8)
    assert IMAGENET.with_size(8).height == IMAGENET.with_size(8).width == 8
    assert preprocess.batch([]).shape == (0, 3, 24, 40)


def test_batches_are_channels_last_in_memory():
    assert Preprocessing(8).batch([photo(9, 9), photo(7, 8, "L")]).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 0}, "size is 0"),
        ({"size": (8, -1)}, r"size is \(8, -1\)"),
        ({"size": (8, 8, 8)}, "or .height, width"),
        ({"interpolation": "lanczos"}, "one of nearest, bilinear, bicubic"),
        ({"std": (0.2, 0.2, 0.0)}, "std above 0"),
        ({"mean": (0.5,)}, "three numbers"),
    ],
)
def test_impossible_values_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Preprocessing(**values)


# --- sources ----------------------------------------------------------------------------------------------------------


def test_a_photo_that_lies_on_its_side_is_turned(tmp_path):
    upright, exif = photo(6, 4), Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "side.png", exif=exif)
    assert np.array_equal(open_image(tmp_path / "side.png"), np.asarray(upright))


def test_an_image_that_is_not_a_file():
    class Row:
        def read(self) -> Image.Image:
            return photo(6, 4)

        def cache_key(self) -> str:
            return "row 7"

    assert open_image(Row()).size == (6, 4)
    assert cache_key(Row()) == "row 7"


def test_files_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(ValueError, match=r"text\.jpg is not a readable image"):
        open_image(tmp_path / "text.jpg")
    with pytest.raises(FileNotFoundError):
        open_image(tmp_path / "missing.jpg")


def test_the_key_of_a_file_changes_with_it(tmp_path):
    path = tmp_path / "a.png"
    photo(6, 4).save(path)
    before = cache_key(path)
    photo(7, 4).save(path)
    assert cache_key(path) != before
