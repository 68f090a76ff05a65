"""An image is the same picture wherever the library reads it: upright, and gray levels of 16 bits scaled."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from captionlab.captioning.captioned_images import InMemoryImage
from captionlab.captioning.readers import ParquetImage
from captionlab.experiments.bees_ants.data import load_bees_ants
from captionlab.experiments.captions.noise import resized
from captionlab.experiments.classify import read_samples
from captionlab.transfer.augmentation import make_datasets
from captionlab.transfer.visual_words import patches
from captionlab.vision.extraction import ExtractionConfig, read_batch
from captionlab.vision.images import prepare_image
from captionlab.vision.preprocessing import Preprocessing
from captionlab.vision.sources import open_image

COLORS = np.array([[250, 10, 20], [0, 160, 40], [20, 30, 250], [240, 240, 240], [9, 9, 9], [200, 120, 60]], np.uint8)
RAMP = np.add.outer(np.arange(0, 128, 2), np.arange(0, 128, 2)).astype(np.uint8)


def save(path: Path, image: Image.Image, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def from_parquet(file: Path) -> Image.Image:
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({"image": [{"bytes": file.read_bytes()}]})
    parquet.write_table(table, file.with_suffix(".parquet"))
    return open_image(ParquetImage(file.with_suffix(".parquet"), 0, 0))


def from_folder(file: Path) -> Image.Image:
    for split in ("train", "val"):
        save(file.parent / file.stem / split / "bees" / file.name, Image.open(file), exif=Image.open(file).getexif())
    return load_bees_ants(file.parent / file.stem).test[0]


# Every way from a file to pixels, each to an array.
WAYS = {
    "open_image": open_image,
    "open_image, by name": lambda file: open_image(str(file)),
    "in memory": lambda file: open_image(InMemoryImage(file.read_bytes())),
    "parquet": from_parquet,
    "read_batch": lambda file: read_batch([file], ExtractionConfig(("x",), Preprocessing(64))),
    "classify": lambda file: read_samples([file], 1).good[0].image,
    "bees and ants": from_folder,
    "make_datasets": lambda file: make_datasets([file], [0], [0], [0], (lambda image: image,) * 2)[0][0][0],
    "visual words": patches,
    "noise": lambda file: resized(file, 64),
}


def values(found: object) -> np.ndarray:
    if isinstance(found, Image.Image):
        found = found.convert("RGB")
    return np.asarray(found, dtype=np.float32)


@pytest.mark.parametrize("way", WAYS)
def test_a_photograph_stored_on_its_side_is_the_upright_one(tmp_path, way):
    pixels = np.kron(COLORS.reshape(2, 3, 3), np.ones((32, 32, 1), np.uint8))
    exif = Image.Exif()
    exif[274] = 6
    upright = save(tmp_path / "upright.png", Image.fromarray(pixels))
    phone = save(tmp_path / "phone.png", Image.fromarray(np.ascontiguousarray(np.rot90(pixels))), exif=exif)
    assert np.array_equal(values(WAYS[way](phone)), values(WAYS[way](upright)))


@pytest.mark.parametrize("way", sorted(WAYS.keys() - {"make_datasets"}))
@pytest.mark.parametrize("name", ["ramp16.png", "ramp16.tif"])
def test_a_gray_ramp_of_16_bits_is_that_of_8_bits(tmp_path, way, name):
    plain = save(tmp_path / "ramp8.png", Image.fromarray(RAMP))
    deep = save(tmp_path / name, Image.fromarray(RAMP.astype(np.uint16) * 257))
    assert np.abs(values(WAYS[way](deep)) - values(WAYS[way](plain))).max() <= 1e-6


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_preprocessing_scales_what_it_is_given_and_references_refuse_it(tmp_path, kind):
    scale = 1 / 255 if kind is np.float32 else 257.0
    deep, plain = Image.fromarray((RAMP * scale).astype(kind)), prepare_image(Image.fromarray(RAMP), 64)
    with pytest.raises(ValueError, match="more than 8 bits per channel: open the file with open_image"):
        prepare_image(deep, 64)
    file = save(tmp_path / "ramp.tif", deep)
    with pytest.raises(ValueError, match="save it with 8 bits per channel"):
        WAYS["make_datasets"](file)
    assert torch.allclose(Preprocessing(64)(deep)[None], plain, atol=1e-5)


def test_values_of_unknown_meaning_are_refused():
    unclear = Image.fromarray(np.array([[0.0, np.nan]], np.float32))
    with pytest.raises(ValueError, match="not finite"):
        Preprocessing(64)(unclear)


def test_a_message_names_the_file_and_what_it_holds(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"<!DOCTYPE html><html>404</html>")
    with pytest.raises(ValueError, match=r"photo\.jpg is not a readable image: a web page"):
        open_image(tmp_path / "photo.jpg")
    with pytest.raises(FileNotFoundError):
        open_image(tmp_path / "nothing.jpg")


def test_a_draft_of_an_image_in_memory_is_smaller():
    out = io.BytesIO()
    Image.new("RGB", (800, 600)).save(out, "JPEG")
    assert open_image(InMemoryImage(out.getvalue()), (150, 150)).size == (200, 150)
