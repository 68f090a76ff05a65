"""Parquet tables of captions as public data sets have them: every form is read alike, and what is lost is said."""

from __future__ import annotations

import io
import json

import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from captionlab.captioning.datasets import load_dataset
from captionlab.datasets.errors import DataError

CAPTIONS = ["A dog.", "A small dog.", "A brown dog."]


def png(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (5, 4), (number, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def write(folder, rows, name="train-00000-of-00001.parquet", **options):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path, **options)
    return folder


def captions_of(folder):
    return [list(image.captions) for image in load_dataset(folder).splits["train"]]


@pytest.mark.parametrize("column", ["alt_text", "caption", "captions", "sentences"])
@pytest.mark.parametrize(
    "value", [CAPTIONS, json.dumps(CAPTIONS), str(CAPTIONS), [{"raw": text} for text in CAPTIONS]], ids=repr
)
@pytest.mark.parametrize("image", [{"bytes": png(1), "path": "a.png"}, png(1)], ids=["mapping", "bytes"])
def test_every_form_of_captions_and_images(tmp_path, column, value, image):
    dataset = load_dataset(write(tmp_path, [{"image": image, column: value, "split": "train"}]))
    assert [list(each.captions) for each in dataset.splits["train"]] == [CAPTIONS]
    assert dataset.splits["train"][0].image.read().size == (5, 4)


def test_numbered_columns_of_captions(tmp_path):
    row = {"image": png(1), **{f"caption_{number}": text for number, text in enumerate(CAPTIONS)}}
    assert captions_of(write(tmp_path, [row])) == [CAPTIONS]


def test_missing_captions_cost_only_themselves(tmp_path):
    rows = [{"image": png(n), "alt_text": [*CAPTIONS, None] if n == 1 else CAPTIONS} for n in range(25)]
    with pytest.warns(
        UserWarning, match=r"1 of 76 captions of flickr30k .* first is None in row 1 of group 0 of train"
    ):
        assert captions_of(write(tmp_path, rows)) == [CAPTIONS] * 25
    rows[2]["alt_text"] = None
    with pytest.warns(UserWarning, match=r"1 of 25 images of flickr30k are left out, first: .* has no caption"):
        assert captions_of(write(tmp_path, rows)) == [CAPTIONS] * 24


def test_a_row_for_each_caption_and_rows_of_other_images(tmp_path):
    rows = [{"image": png(n), "filename": f"{n}.jpg", "caption": text} for text in CAPTIONS for n in (1, 2)]
    assert captions_of(write(tmp_path, rows, row_group_size=2)) == [CAPTIONS, CAPTIONS]
    rows = [{"image": png(n), "filename": "image.jpg", "caption": "A dog."} for n in (1, 2)]
    with pytest.raises(DataError, match=r"row 0 .* row 1 .* the same filename 'image.jpg' and different images"):
        load_dataset(write(tmp_path, rows))


@pytest.mark.parametrize(
    ("name", "split", "expected"),
    [
        ("train-00000-of-00009.parquet", None, "train"),
        ("data/validation-00000-of-00001.parquet", None, "dev"),
        ("flickr30k_test.parquet", None, "test"),
        ("TEST-00000-of-00009.parquet", "val", "dev"),
        ("0000.parquet", " Train ", "train"),
        ("0000.parquet", "restval", "train"),
        ("0000.parquet", "valid", "dev"),
    ],
)
def test_splits_by_column_or_file(tmp_path, name, split, expected):
    dataset = load_dataset(write(tmp_path, [{"image": png(1), "alt_text": CAPTIONS, "split": split}], name))
    assert list(dataset.splits) == [expected]


def test_without_splits_the_images_are_split(tmp_path):
    rows = [{"image": png(n), "alt_text": CAPTIONS} for n in range(20)]
    splits = load_dataset(write(tmp_path, rows, "table.parquet")).splits
    assert {split: len(images) for split, images in splits.items()} == {"train": 16, "dev": 2, "test": 2}
    assert len({image.name for images in splits.values() for image in images}) == 20


def test_images_in_unknown_splits_are_said(tmp_path):
    rows = [{"image": png(n), "alt_text": CAPTIONS, "split": "train" if n else "extra"} for n in range(30)]
    with pytest.warns(UserWarning, match=r"1 of 30 images .* is in the split 'extra', which is none of train, dev"):
        assert len(captions_of(write(tmp_path, rows))) == 29


def test_hidden_tables_are_not_read(tmp_path):
    write(tmp_path, [{"image": png(1), "alt_text": CAPTIONS}])
    (tmp_path / "._train-00000-of-00001.parquet").write_bytes(b"\0\5\x16\7")
    assert captions_of(tmp_path) == [CAPTIONS]
    (tmp_path / "train-00000-of-00001.parquet").unlink()
    with pytest.raises(DataError, match="is not a captioned dataset"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"image": png(1), "label": 3}, "no column alt_text: expected image and alt_text .*, found image, label"),
        ({"image": png(1), "caption": 3}, r"\(row 0 of group 0 .*: found 3, expected a caption"),
    ],
)
def test_other_tables_are_named(tmp_path, row, message):
    with pytest.raises(DataError, match=rf"train-00000-of-00001.parquet .*{message}"):
        load_dataset(write(tmp_path, [row]))
