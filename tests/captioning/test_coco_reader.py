"""COCO's captions of either year, with or without the list of images, wherever the images are."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from captionlab.captioning.datasets import load_dataset
from captionlab.datasets.errors import DataError

COLORS = {number: (number, 10, 10) for number in range(1, 7)}


def write_json(folder, part: str, numbers, file_name: str | None, place="annotations", encoding="utf-8", **extra):
    annotations = [{"image_id": n, "id": 9, "caption": f"Thing {n}, caption {k}."} for n in numbers for k in range(2)]
    content = {"annotations": annotations, **extra}
    if file_name is not None:
        content["images"] = [{"id": n, "file_name": file_name.format(part=part, n=n)} for n in numbers]
    path = folder / place / f"captions_{part}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json.dumps(content).encode(encoding))
    return path


def save_image(path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), COLORS[number]).save(path, format="PNG")


def numbers_of(folder) -> dict[str, list[int]]:
    """The number in each image's color, checked against its captions."""
    splits = {}
    for split, images in load_dataset(folder).splits.items():
        splits[split] = []
        for image in images:
            number = Image.open(image.image).getpixel((0, 0))[0]
            assert image.captions == tuple(f"Thing {number}, caption {k}." for k in range(2))
            splits[split].append(number)
    return splits


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("year", ["2014", "2017"])
@pytest.mark.parametrize("images", ["{part}/{name}", "images/{part}/{name}", "images/{name}", "{name}"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_layouts_of_both_years(tmp_path, listed, year, images, encoding):
    name = "COCO_{part}_{n:012d}.jpg" if year == "2014" else "{n:012d}.jpg"
    for part, numbers in ((f"train{year}", (1, 2)), (f"val{year}", (3, 4, 5, 6))):
        write_json(tmp_path, part, numbers, name if listed else None, encoding=encoding)
        for n in numbers:
            save_image(tmp_path / images.format(part=part, name=name.format(part=part, n=n)), n)
    splits = numbers_of(tmp_path)
    assert splits["train"] == [1, 2]
    assert sorted(splits["dev"] + splits["test"]) == [3, 4, 5, 6]
    assert len(splits["dev"]) == 2
    assert load_dataset(tmp_path).splits["train"][0].name == name.format(part=f"train{year}", n=1)


def test_captions_of_2017_and_images_of_2014(tmp_path):
    write_json(tmp_path, "train2017", (1, 2, 3), "{n:012d}.jpg", place=".")
    for n, part in ((1, "train2014"), (2, "val2014"), (3, "val2014")):
        save_image(tmp_path / part / f"COCO_{part}_{n:012d}.jpg", n)
    assert numbers_of(tmp_path) == {"train": [1, 2, 3]}


def test_a_dataset_of_ones_own_in_cocos_form_with_test_captions(tmp_path):
    for part, numbers in (("train", (1, 2)), ("val", (3, 4)), ("test", (5, 6))):
        write_json(tmp_path, part, numbers, "{part}/photo.{n}.png" if part == "train" else "photo.{n}.png")
        for n in numbers:
            save_image(tmp_path / "images" / part / f"photo.{n}.png", n)
    assert numbers_of(tmp_path) == {"train": [1, 2], "dev": [3, 4], "test": [5, 6]}


def test_images_of_the_same_name_are_taken_from_the_folder_of_their_part(tmp_path):
    for part, n in (("train2017", 1), ("val2017", 2)):
        write_json(tmp_path, part, (n,), "photo.png")
        save_image(tmp_path / part / "photo.png", n)
    with pytest.raises(DataError, match=r"photo.png is in the train split of coco and in its dev split"):
        load_dataset(tmp_path)  # names are unique in a dataset
    (tmp_path / "annotations" / "captions_val2017.json").unlink()
    assert numbers_of(tmp_path) == {"train": [1]}
    (tmp_path / "train2017").rename(tmp_path / "one")
    with pytest.raises(DataError, match=r"have the same name, .* into a folder train2017"):
        load_dataset(tmp_path)


def test_missing_captions_are_counted(tmp_path):
    path = write_json(tmp_path, "train2017", (1, 2), "{n:012d}.jpg")
    content = json.loads(path.read_text())
    content["annotations"] += [{"image_id": 1, "caption": None}, {"image_id": 1, "caption": " "}]
    path.write_text(json.dumps(content))
    for n in (1, 2):
        save_image(tmp_path / "train2017" / f"{n:012d}.jpg", n)
    message = r"2 of 6 captions of coco .* the first is None in annotation 5 of captions_train2017.json"
    with pytest.warns(UserWarning, match=message):
        assert numbers_of(tmp_path) == {"train": [1, 2]}


def test_hidden_files_are_not_read(tmp_path):
    write_json(tmp_path, "train2017", (1,), "{n:012d}.jpg")
    save_image(tmp_path / "train2017" / "000000000001.jpg", 1)
    for hidden in ("annotations/._captions_train2017.json", "__MACOSX/train2017/000000000001.jpg"):
        (tmp_path / hidden).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / hidden).write_bytes(b"\0\5\x16\7")
    assert numbers_of(tmp_path) == {"train": [1]}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("captions_train2014.json", None, r"captions_train2014.json and .*captions_train2017.json both have train"),
        ("captions_all.json", "{}", "captions_all.json is not one of COCO's files of captions"),
        ("captions_val2017.json", "[]", "captions_val2017.json is not COCO's captions"),
        ("captions_val2017.json", '{"annotations": [{"image_id": 1}]}', "captions_val2017.json is not COCO's captions"),
        ("captions_val2017.json", '{"annotations": [{"image_id": 1, "caption": 5}]}', "found 5, expected a caption"),
        ("captions_val2017.json", '{"annotations": [', "captions_val2017.json is not COCO's captions"),
        ("captions_val2017.json", "\0\0", "captions_val2017.json is not text"),
    ],
)
def test_other_files_are_named(tmp_path, name, text, message):
    path = write_json(tmp_path, "train2017", (1,), "{n:012d}.jpg")
    (tmp_path / "annotations" / name).write_text(path.read_text() if text is None else text)
    with pytest.raises(DataError, match=message):
        load_dataset(tmp_path)


def test_an_archive_that_is_not_unpacked_is_named(tmp_path):
    (tmp_path / "annotations_trainval2017.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"unpack annotations_trainval2017.zip in it"):
        load_dataset(tmp_path)
    with pytest.raises(DataError, match="is a file: unpack it"):
        load_dataset(tmp_path / "annotations_trainval2017.zip")
