"""Datasets: each layout is read, splits are by image, and every kind of damage is reported clearly."""

import io
import json
import shutil
import zipfile

import pytest
from PIL import Image

from captionlab.captioning.captioned_images import CaptionedImage, InMemoryImage, drop_invalid
from captionlab.captioning.datasets import embedded_dataset, load_dataset
from captionlab.captioning.splitting import split_by_image
from captionlab.datasets import drawn_captions
from captionlab.datasets.errors import DataError


def save_image(path, color=(10, 20, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), color).save(path)


def flickr8k(folder, splits):
    """A small Flickr8k: {split: image names}."""
    folder.mkdir()
    lines = []
    for split, names in splits.items():
        (folder / f"Flickr_8k.{split}Images.txt").write_text("\n".join(names) + "\n")
        for name in names:
            save_image(folder / "Flicker8k_Dataset" / name)
            lines += [f"{name}#{number}\tA dog number {number} of {name[0]} ." for number in range(5)]
    (folder / "Flickr8k.token.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def folder(tmp_path):
    return flickr8k(tmp_path / "f8k", {"train": ["a.jpg", "b.jpg"], "dev": ["c.jpg"]})


def test_flickr8k(folder):
    dataset = load_dataset(folder)
    assert {split: [image.name for image in images] for split, images in dataset.splits.items()} == {
        "train": ["a.jpg", "b.jpg"],
        "dev": ["c.jpg"],
    }
    assert dataset.splits["dev"][0].tokens()[4] == ["a", "dog", "number", "4", "of", "c"]
    with pytest.raises(DataError, match="has no test split here, only: train, dev"):
        dataset.require("test")


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_the_test_split_may_be_added(folder, tmp_path, packed):
    extra = flickr8k(tmp_path / "held", {"test": ["d.jpg"]})
    if packed:
        archive = tmp_path / "held.zip"
        with zipfile.ZipFile(archive, "w") as file:
            for path in extra.rglob("*.*"):
                file.write(path, path.relative_to(extra))
        shutil.rmtree(extra)
        extra = archive
    dataset = load_dataset(folder, extra)
    assert [len(image.captions) for image in dataset.require("test")] == [5]
    assert len(dataset.require("train")) == 2
    with pytest.raises(DataError, match="neither a folder nor an archive"):
        load_dataset(folder, tmp_path / "nothing.zip")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Flickr8k.token.txt is empty"),
        ("a.jpg#0 no tab here\n", "line 1 of Flickr8k.token.txt is 'a.jpg#0 no tab here'"),
        ("a.jpg\tno number\n", "line 1 of"),
        ("a.jpg#0\t...\n", "has no caption with a word in it"),
    ],
)
def test_damaged_captions(folder, text, message):
    (folder / "Flickr8k.token.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        load_dataset(folder)


def test_missing_images_are_an_error_and_a_few_a_warning(tmp_path):
    names = [f"{number}.jpg" for number in range(40)]
    folder = flickr8k(tmp_path / "f", {"train": names})
    (folder / "Flicker8k_Dataset" / "7.jpg").unlink()
    with pytest.warns(UserWarning, match=r"1 of 40 images of flickr8k are left out, first: 7.jpg is not in the folder"):
        dataset = load_dataset(folder)
    assert len(dataset.splits["train"]) == 39
    shutil.rmtree(folder / "Flicker8k_Dataset")
    with pytest.raises(DataError, match="40 of 40 images"):
        load_dataset(folder)


def test_flickr30k_parquet(tmp_path):
    import pyarrow
    from pyarrow import parquet

    data = io.BytesIO()
    Image.new("RGB", (5, 4), (200, 0, 0)).save(data, "PNG")
    rows = [
        {"image": {"bytes": data.getvalue(), "path": None}, "alt_text": [f"caption {n}"] * 5, "split": split}
        for n, split in enumerate(("train", "train", "val", "test"))
    ]
    rows += [{"image": {"bytes": b"", "path": None}, "alt_text": ["a caption"], "split": "train"}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "train-0000.parquet", row_group_size=3)
    dataset = load_dataset(tmp_path)
    assert {split: len(images) for split, images in dataset.splits.items()} == {"train": 3, "dev": 1, "test": 1}
    assert dataset.splits["dev"][0].image.read().size == (5, 4)
    assert dataset.splits["dev"][0].captions[0] == "caption 2"
    assert len({each.image.cache_key() for each in dataset.splits["train"]}) == 3
    with pytest.raises(ValueError, match="row 1 of group 1 has no image bytes"):
        dataset.splits["train"][2].image.read()
    (tmp_path / "train-0001.parquet").write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(DataError, match=r"train-0001.parquet cannot be read"):
        load_dataset(tmp_path)
    parquet.write_table(pyarrow.table({"text": ["a"]}), tmp_path / "train-0001.parquet")
    with pytest.raises(DataError, match="no column alt_text, image"):
        load_dataset(tmp_path)


def test_coco(tmp_path):
    for part, numbers in (("train2014", (1, 2)), ("val2014", (3, 4, 5, 6))):
        annotations = [{"image_id": n, "caption": f"A thing {n}."} for n in numbers for _ in range(2)]
        path = tmp_path / "annotations" / f"captions_{part}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"annotations": annotations}))
        for number in numbers:
            save_image(tmp_path / part / f"COCO_{part}_{number:012d}.jpg")
    dataset = load_dataset(tmp_path)
    assert [image.name for image in dataset.splits["train"]] == [f"COCO_train2014_{n:012d}.jpg" for n in (1, 2)]
    assert len(dataset.splits["dev"]) == len(dataset.splits["test"]) == 2
    path.write_text("{}")
    with pytest.raises(DataError, match="is not COCO's captions"):
        load_dataset(tmp_path)


def test_what_is_not_a_dataset_is_refused(tmp_path):
    with pytest.raises(DataError, match="not a captioned dataset"):
        load_dataset(tmp_path)
    with pytest.raises(DataError, match=r"there is no dataset 'flikr8k'.*did you mean 'flickr8k'"):
        load_dataset("flikr8k")


def test_captions_of_an_image_stay_together():
    ids = [f"{number}.jpg" for number in range(20) for _ in range(5)]
    parts = split_by_image(ids, (0.2, 0.1), seed=4)
    assert [len(part) for part in parts] == [14, 4, 2]
    assert sorted(one for part in parts for one in part) == sorted(set(ids))
    assert parts == split_by_image(ids[::-1], (0.2, 0.1), seed=4)
    assert parts != split_by_image(ids, (0.2, 0.1), seed=5)


def test_an_image_in_two_splits_is_an_error(tmp_path):
    images = [CaptionedImage("one.jpg", InMemoryImage(b""), ("a dog",))]
    with pytest.raises(DataError, match=r"one.jpg is in the train split of toy and in its dev split"):
        drop_invalid("toy", {"train": images, "dev": images})
    assert len(repr(InMemoryImage(b"x" * 1000))) < 100


def test_scenes_are_drawn_once_and_each_dataset_has_lists_of_its_own(monkeypatch):
    drawings, make_scenes = [], drawn_captions.make_scenes
    monkeypatch.setattr(
        drawn_captions, "make_scenes", lambda seed, count: drawings.append(count) or make_scenes(seed, count)
    )
    first = embedded_dataset(seed=77, counts={"train": 3, "dev": 2})
    first.splits["train"].clear()
    second = embedded_dataset(seed=77, counts={"train": 4, "dev": 1})
    assert drawings == [5]
    assert [image.name for image in second.splits["train"]] == [f"scene-{number:05d}" for number in range(4)]
