"""Folders of images: the listing is ImageFolder's, and what is no image is left out with a reason."""

import pytest

from captionlab.datasets.catalog import DATASETS
from captionlab.datasets.errors import DataError, NotFetched
from captionlab.datasets.folders import EXTENSIONS, list_images, read_split
from captionlab.datasets.store import fetch
from captionlab.datasets.verify import verify


@pytest.fixture
def folder(tmp_path, make_picture):
    """Two classes with good images, and one of every kind of file that is none."""
    good = make_picture(0, size=64)
    files = {
        "cat/2.jpg": good,
        "cat/10.JPEG": good,
        "cat/deep/1.png": make_picture(1, kind="PNG"),
        "ant/x.bmp": make_picture(2, kind="BMP"),
        "ant/imageNotFound.gif": make_picture(3, kind="GIF"),
        "ant/truncated.jpg": good[: len(good) // 2],
        "ant/truncated.png": make_picture(4, kind="PNG")[:-100],
        "ant/empty.jpg": b"",
        "ant/text.jpg": b"this is no image",
        "ant/notes": b"no ending",
        "ant/.DS_Store": b"hidden",
    }
    for name, body in files.items():
        path = tmp_path / "train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    (tmp_path / "train/readme.txt").write_text("beside the classes")
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
    assert reasons.keys() == {"imageNotFound.gif", "truncated.jpg", "truncated.png", "empty.jpg", "text.jpg", "notes"}
    assert "ending" in reasons["imageNotFound.gif"]
    assert "truncated" in reasons["truncated.jpg"]
    assert reasons["truncated.png"].startswith("damaged")
    assert reasons["empty.jpg"] == "empty file"
    assert reasons["text.jpg"].startswith("not an image")
    assert reasons["notes"].startswith("no ending")


def test_without_decoding(folder):
    left_out = {path.name for path, _ in list_images(folder, decode=False).left_out}
    assert left_out == {"imageNotFound.gif", "empty.jpg", "notes"}


def test_same_listing_as_image_folder(folder):
    datasets = pytest.importorskip("torchvision.datasets")
    for name in ("truncated.jpg", "truncated.png", "empty.jpg", "text.jpg"):
        (folder / "ant" / name).unlink()
    images, theirs = list_images(folder), datasets.ImageFolder(folder)
    assert [(str(path), label) for path, label in zip(images.paths, images.labels, strict=True)] == theirs.samples
    assert images.classes == theirs.classes
    assert datasets.folder.IMG_EXTENSIONS == EXTENSIONS


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="is not there"):
        list_images(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no subfolders"):
        list_images(tmp_path)


def test_class_without_images(folder):
    (folder / "ant/x.bmp").unlink()
    with pytest.raises(DataError, match="no usable image of class ant; add images to it or remove its folder"):
        list_images(folder)


def test_read_split(tiny, patience, progress, tmp_path):
    with pytest.raises(NotFetched, match="captionlab data fetch tiny"):
        read_split("tiny", "train")
    fetch("tiny", retry=patience, progress=progress)
    assert read_split("tiny", "train").counts() == {"a": 4, "b": 4}
    with pytest.raises(DataError, match="no folder of images 'test'; it has: train, val"):
        read_split("tiny", "test")
    with pytest.raises(DataError, match="it has: none"):
        read_split("coco", "train")


# --- verify -----------------------------------------------------------------------------------------------------------


def test_verify_folders(tiny, patience, progress):
    target = fetch("tiny", retry=patience, progress=progress)
    findings = verify("tiny")
    assert findings.problems == []
    assert [(c.part, c.of, c.found) for c in findings.counts] == list(tiny.counts)
    path = target / "train/a/0.jpg"
    path.write_bytes(path.read_bytes()[:200])
    (target / "val/b/3.jpg").unlink()
    (target / "val/c").mkdir()
    (target / "val/c/1.jpg").write_bytes((target / "val/b/2.jpg").read_bytes())
    problems = "\n".join(verify("tiny").problems)
    assert "train, a: 3 found, 4 expected" in problems
    assert "0.jpg: damaged" in problems
    assert "val, b: 3 found, 4 expected" in problems
    assert "val: class c does not belong here" in problems
    assert not any("damaged" in problem for problem in verify("tiny", quick=True).problems)


def test_known_stray_is_no_problem(tiny, enlist, patience, progress):
    enlist(*tiny.archives, strays=("train/a/stray.gif",))
    target = fetch("tiny", retry=patience, progress=progress)
    (target / "train/a/stray.gif").write_bytes(b"GIF89a")
    findings = verify("tiny")
    assert [path.name for path, _ in findings.left_out] == ["stray.gif"]
    assert findings.problems == []


def test_verify_captions_of_flickr8k(tmp_path, make_picture):
    folder = tmp_path / "flickr8k"
    (folder / "Flicker8k_Dataset").mkdir(parents=True)
    (folder / "Flicker8k_Dataset/1.jpg").write_bytes(make_picture(1))
    lines = [f"{image}.jpg#{n}\ta dog ." for image, n in [*((1, n) for n in range(5)), (2, 0)]]
    (folder / "Flickr8k.token.txt").write_text("\n".join(lines) + "\n")
    (folder / "Flickr_8k.trainImages.txt").write_text("1.jpg\n2.jpg\n")
    (folder / "Flickr_8k.devImages.txt").write_text("")
    findings = verify("flickr8k", tmp_path)
    found = {(count.part, count.of): count.found for count in findings.counts}
    assert found["train", "images listed"] == 2
    assert found["train", "images with 5 captions"] == 1
    assert found["train", "readable images"] == 1
    assert any(problem.endswith("2.jpg: missing") for problem in findings.problems)
    assert any("no test split" in note for note in findings.notes)


def test_verify_captions_of_coco(tmp_path, make_picture):
    folder = tmp_path / "coco"
    for name in ("annotations", "train2014", "val2014"):
        (folder / name).mkdir(parents=True)
    (folder / "train2014/COCO_train2014_000000000009.jpg").write_bytes(make_picture(1))
    annotations = ", ".join('{"image_id": 9, "caption": "a dog"}' for _ in range(5))
    (folder / "annotations/captions_train2014.json").write_text(f'{{"annotations": [{annotations}]}}')
    (folder / "annotations/captions_val2014.json").write_text("{}")
    findings = verify("coco", tmp_path)
    assert [count.found for count in findings.counts] == [1, 1]
    assert any("is not COCO's captions" in problem for problem in findings.problems)


def test_verify_flickr30k(tmp_path):
    folder = tmp_path / "flickr30k"
    folder.mkdir()
    for archive in DATASETS["flickr30k"].archives:
        (folder / archive.into).write_bytes(b"PAR1....PAR1")
    (folder / "train-0003.parquet").write_bytes(b"PAR1....")
    (folder / "train-0004.parquet").unlink()
    problems = "\n".join(verify("flickr30k", tmp_path).problems)
    assert "train-0003.parquet: expected a whole .parquet file" in problems
    assert "train-0004.parquet is missing" in problems
