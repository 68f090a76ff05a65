"""Folders of images: the listing is ImageFolder's, and unusable files are left out with a reason."""

import shutil

import pytest

from captionlab.datasets.catalog import DATASETS
from captionlab.datasets.errors import DataError, NotFetched
from captionlab.datasets.folders import EXTENSIONS, find_images, list_images, read_split
from captionlab.datasets.store import fetch
from captionlab.datasets.verification import verify


@pytest.fixture
def folder(tmp_path, make_image):
    """Two classes with good images, and one of each kind of unusable file."""
    good = make_image(0, size=64)
    files = {
        "cat/2.jpg": good,
        "cat/10.JPEG": good,
        "cat/deep/1.png": make_image(1, kind="PNG"),
        "ant/x.bmp": make_image(2, kind="BMP"),
        "ant/imageNotFound.gif": make_image(3, kind="GIF"),
        "ant/truncated.jpg": good[: len(good) // 2],
        "ant/truncated.png": make_image(4, kind="PNG")[:-100],
        "ant/empty.jpg": b"",
        "ant/text.jpg": b"this is no image",
        "ant/notes": b"no extension",
        "ant/.DS_Store": b"hidden",
        "ant/._x.bmp": b"hidden",
        "ant/.ipynb_checkpoints/x-checkpoint.jpg": good,
        "cat/Thumbs.db": b"hidden",
        ".ipynb_checkpoints/x.jpg": good,
        "__MACOSX/ant/._x.jpg": b"hidden",
    }
    for name, body in files.items():
        path = tmp_path / "train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    (tmp_path / "train/readme.txt").write_text("beside the classes")
    (tmp_path / "train/desktop.ini").write_text("hidden")
    return tmp_path / "train"


def names(folder, paths):
    return [path.relative_to(folder).as_posix() for path in paths]


def test_images_and_what_is_left_out(folder):
    images = list_images(folder)
    assert names(folder, images.paths) == ["ant/x.bmp", "cat/10.JPEG", "cat/2.jpg", "cat/deep/1.png"]
    assert images.labels == [0, 1, 1, 1]
    assert images.classes == ["ant", "cat"]
    assert images.counts() == {"ant": 1, "cat": 3}
    assert len(images) == 4
    reasons = {path.name: reason for path, reason in images.left_out}
    unusable = {"imageNotFound.gif", "truncated.jpg", "truncated.png", "empty.jpg", "text.jpg", "notes"}
    assert reasons.keys() == unusable | {"readme.txt"}
    assert "placeholder" in reasons["imageNotFound.gif"]
    assert "no subfolder of a class" in reasons["readme.txt"]
    assert "truncated" in reasons["truncated.jpg"]
    assert reasons["truncated.png"].startswith("damaged")
    assert reasons["empty.jpg"] == "empty file"
    assert reasons["text.jpg"].startswith("not an image")
    assert reasons["notes"].startswith("no extension")


def test_without_decoding(folder):
    left_out = {path.name for path, _ in list_images(folder, decode=False).left_out}
    assert left_out == {"imageNotFound.gif", "empty.jpg", "notes", "readme.txt"}


def test_an_empty_hidden_folder_is_no_class(tmp_path, make_image):
    for name in ("ants", "bees"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(make_image(1))
    (tmp_path / ".ipynb_checkpoints").mkdir()
    assert list_images(tmp_path).classes == ["ants", "bees"]


def test_usual_extensions_in_capitals_too(tmp_path, make_image):
    kinds = {"a.JPG": "JPEG", "b.JPEG": "JPEG", "c.jfif": "JPEG", "d.GIF": "GIF", "e.PNG": "PNG", "f.tif": "TIFF"}
    (tmp_path / "bees").mkdir()
    for name, kind in kinds.items():
        (tmp_path / "bees" / name).write_bytes(make_image(1, kind=kind))
    (tmp_path / "bees" / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    images = list_images(tmp_path)
    assert [path.name for path in images.paths] == list(kinds)
    assert [(path.name, reason) for path, reason in images.left_out] == [
        ("phone.HEIC", "a HEIC photograph; export it as JPEG")
    ]


def test_images_are_found_and_other_files_named(folder):
    images, others = find_images(folder)
    assert {path.name for path, _ in others} == {"notes", "readme.txt"}
    assert all("not the extension of an image" in reason for _, reason in others)
    assert len(images) == 9
    assert images == sorted(images)
    assert not any("checkpoint" in path.name or path.name.startswith(".") for path in images)


def test_same_listing_as_image_folder(folder):
    datasets = pytest.importorskip("torchvision.datasets")
    for name in ("truncated.jpg", "truncated.png", "empty.jpg", "text.jpg", "._x.bmp"):
        (folder / "ant" / name).unlink()
    for name in (".ipynb_checkpoints", "__MACOSX", "ant/.ipynb_checkpoints"):  # ImageFolder reads them
        shutil.rmtree(folder / name)
    images, theirs = list_images(folder), datasets.ImageFolder(folder)
    assert [(str(path), label) for path, label in zip(images.paths, images.labels, strict=True)] == theirs.samples
    assert images.classes == theirs.classes
    assert set(datasets.folder.IMG_EXTENSIONS) <= EXTENSIONS


def test_missing_folder(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        list_images(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no subfolders"):
        list_images(tmp_path)


def test_class_without_images(folder):
    (folder / "ant/x.bmp").unlink()
    with pytest.raises(DataError, match="no usable image of class ant; add images or remove its folder"):
        list_images(folder)


def test_read_split(tiny, patience, progress, tmp_path):
    with pytest.raises(NotFetched, match="captionlab data fetch tiny"):
        read_split("tiny", "train")
    fetch("tiny", retry=patience, progress=progress)
    assert read_split("tiny", "train").counts() == {"a": 4, "b": 4}
    with pytest.raises(DataError, match="no folder of images 'test'; there are: train, val"):
        read_split("tiny", "test")
    with pytest.raises(DataError, match="there are: none"):
        read_split("coco", "train")


# --- verify -----------------------------------------------------------------------------------------------------------


def test_verify_folders(tiny, patience, progress):
    target = fetch("tiny", retry=patience, progress=progress)
    report = verify("tiny")
    assert report.problems == []
    assert [(count.split, count.items, count.found) for count in report.counts] == list(tiny.image_counts)
    path = target / "train/a/0.jpg"
    path.write_bytes(path.read_bytes()[:200])
    (target / "val/b/3.jpg").unlink()
    (target / "val/c").mkdir()
    (target / "val/c/1.jpg").write_bytes((target / "val/b/2.jpg").read_bytes())
    problems = "\n".join(verify("tiny").problems)
    assert "train, a: found 3, expected 4" in problems
    assert "0.jpg: damaged" in problems
    assert "val, b: found 3, expected 4" in problems
    assert "val: unexpected class c" in problems
    assert not any("damaged" in problem for problem in verify("tiny", quick=True).problems)


def test_known_junk_is_not_a_problem(tiny, enlist, patience, progress):
    enlist(*tiny.archives, known_junk=("train/a/junk.gif",))
    target = fetch("tiny", retry=patience, progress=progress)
    (target / "train/a/junk.gif").write_bytes(b"GIF89a")
    report = verify("tiny")
    assert [path.name for path, _ in report.left_out] == ["junk.gif"]
    assert report.problems == []


def test_verify_captions_of_flickr8k(tmp_path, make_image):
    folder = tmp_path / "flickr8k"
    (folder / "Flicker8k_Dataset").mkdir(parents=True)
    (folder / "Flicker8k_Dataset/1.jpg").write_bytes(make_image(1))
    lines = [f"{image}.jpg#{n}\ta dog ." for image, n in [*((1, n) for n in range(5)), (2, 0)]]
    (folder / "Flickr8k.token.txt").write_text("\n".join(lines) + "\n")
    (folder / "Flickr_8k.trainImages.txt").write_text("1.jpg\n2.jpg\n")
    (folder / "Flickr_8k.devImages.txt").write_text("")
    report = verify("flickr8k", tmp_path)
    found = {(count.split, count.items): count.found for count in report.counts}
    assert found["train", "images listed"] == 2
    assert found["train", "images with 5 captions"] == 1
    assert found["train", "readable images"] == 1
    assert any(problem.endswith("2.jpg: missing") for problem in report.problems)
    assert any("no test split" in note for note in report.notes)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_verify_reads_text_from_any_system(tmp_path, make_image, encoding):
    folder = tmp_path / "flickr8k"
    (folder / "Flicker8k_Dataset").mkdir(parents=True)
    (folder / "Flicker8k_Dataset/1.jpg").write_bytes(make_image(1))
    lines = "".join(f"1.jpg#{n}\ta\u2028dog .\r\n" for n in range(5))
    (folder / "Flickr8k.token.txt").write_bytes(lines.encode(encoding))
    for split in ("train", "dev"):
        (folder / f"Flickr_8k.{split}Images.txt").write_bytes("1.jpg\r\n".encode(encoding))
    assert {count.found for count in verify("flickr8k", tmp_path, quick=True).counts} == {1}
    (folder / "Flickr_8k.trainImages.txt").write_bytes(b"1.jpg\0")
    assert verify("flickr8k", tmp_path).problems[-1].startswith("Flickr_8k.trainImages.txt is not text (line 1")


def test_verify_captions_of_coco(tmp_path, make_image):
    folder = tmp_path / "coco"
    for name in ("annotations", "train2014", "val2014"):
        (folder / name).mkdir(parents=True)
    (folder / "train2014/COCO_train2014_000000000009.jpg").write_bytes(make_image(1))
    annotations = ", ".join('{"image_id": 9, "caption": "a dog"}' for _ in range(5))
    (folder / "annotations/captions_train2014.json").write_text(f'{{"annotations": [{annotations}]}}')
    (folder / "annotations/captions_val2014.json").write_text("{}")
    report = verify("coco", tmp_path)
    assert [count.found for count in report.counts] == [1, 1]
    assert any("does not contain COCO captions" in problem for problem in report.problems)


def test_verify_flickr30k(tmp_path):
    folder = tmp_path / "flickr30k"
    folder.mkdir()
    for archive in DATASETS["flickr30k"].archives:
        (folder / archive.extract_to).write_bytes(b"PAR1....PAR1")
    (folder / "train-0003.parquet").write_bytes(b"PAR1....")
    (folder / "train-0004.parquet").unlink()
    problems = "\n".join(verify("flickr30k", tmp_path).problems)
    assert "train-0003.parquet: expected a complete .parquet file" in problems
    assert "train-0004.parquet is missing" in problems
