import csv
import json
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from captionlab.experiments import classify as experiment
from captionlab.experiments.classify import Sample, Samples, classify, mirror_samples, read_samples, run
from captionlab.vision.classifiers import Classifier
from captionlab.vision.preprocessing import Preprocessing

INSECTS = {"ant", "bee", "fly", "dragonfly", "damselfly", "cicada", "mantis", "cricket", "grasshopper", "lacewing"}


class Brightness(torch.nn.Module):
    """Scores for dark, middle and bright: how near the image's mean is to each."""

    def forward(self, images):
        mean = images.mean(dim=(1, 2, 3))
        return -10 * (mean[:, None] - torch.tensor([-2.0, 0.0, 2.3])).abs()


@pytest.fixture
def toy():
    return Classifier(
        Brightness().eval(), ("dark", "middle", "bright"), Preprocessing(size=8), "toy", "made for this test"
    )


@pytest.fixture(autouse=True)
def without_mirror(monkeypatch, request):
    if "realdata" not in request.keywords:
        monkeypatch.delenv("CAPTIONLAB_MIRROR", raising=False)


def save(path, mode="RGB", color=255, size=(300, 200)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, color).convert(mode).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Every mode an image can have, in class folders, and files that are no images."""
    root = tmp_path / "photos"
    save(root / "brights" / "cmyk.jpg", "CMYK", 255)
    save(root / "brights" / "palette.png", "P", 255)
    save(root / "darks" / "gray.png", "L", 0)
    save(root / "darks" / "transparent.png", "RGBA", 0)
    (root / "darks" / "broken.jpg").write_bytes(b"no image")
    whole = save(root / "darks" / "cut.jpg", "RGB", 0).read_bytes()
    (root / "darks" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "darks" / "notes.txt").write_text("named, but not read")
    for hidden in (".ipynb_checkpoints/gray-checkpoint.png", "darks/._gray.png", "__MACOSX/darks/gray.png"):
        save(root / hidden)
    save(root / "loose.png", "RGB", 0)
    return root


def top(paths):
    record = json.loads(next(path for path in paths if path.suffix == ".json").read_text())
    return record, {image["file"]: image["top5"][0]["category"] for image in record["images"]}


def test_every_mode_is_read_and_labeled_by_its_folder(folder):
    samples = read_samples([folder], limit=20)
    assert [(sample.name, sample.label) for sample in samples.good] == [
        ("brights/cmyk.jpg", "brights"),
        ("brights/palette.png", "brights"),
        ("darks/gray.png", "darks"),
        ("darks/transparent.png", "darks"),
        ("loose.png", None),
    ]
    assert {sample.image.mode for sample in samples.good} == {"RGB"}


def test_bad_files_are_named_and_left_out(folder):
    left_out = dict(read_samples([folder], limit=20).left_out)
    assert "not an image" in left_out["darks/broken.jpg"]
    assert "truncated" in left_out["darks/cut.jpg"]
    assert "extension" in left_out["darks/notes.txt"]
    assert len(left_out) == 3


def test_a_file_given_has_its_name_only(folder):
    samples = read_samples([folder / "darks" / "gray.png"], limit=3)
    assert [(sample.name, sample.label) for sample in samples.good] == [("gray.png", None)]


def test_the_limit_counts_images_that_could_be_read(folder):
    assert [sample.name for sample in read_samples([folder / "darks"], limit=1).good] == ["gray.png"]


def test_a_missing_path(tmp_path):
    with pytest.raises(FileNotFoundError, match="no image or folder"):
        read_samples([tmp_path / "nothing"], limit=3)


def test_predictions_table_and_figure(folder, tmp_path, toy, monkeypatch):
    monkeypatch.setattr(experiment, "top_predictions", lambda s, c, k: _top(s, c, 3))
    paths = classify(read_samples([folder], limit=20), toy, tmp_path / "out", command="run --images /secret/photos")
    assert [path.name for path in paths] == ["lab1_classify.json", "lab1_classify.csv", "lab1_classify.png"]
    record, best = top(paths)
    assert best == {
        "brights/cmyk.jpg": "bright",
        "brights/palette.png": "bright",
        "darks/gray.png": "dark",
        "darks/transparent.png": "dark",
        "loose.png": "dark",
    }
    assert record["network"] == "toy"
    assert [one["file"] for one in record["left_out"]] == ["darks/broken.jpg", "darks/cut.jpg", "darks/notes.txt"]
    assert {"command", "seed", "versions", "machine"} <= set(record)
    assert "/secret" not in paths[0].read_text()
    assert str(tmp_path) not in paths[0].read_text() + paths[1].read_text()
    rows = list(csv.reader(paths[1].open(encoding="utf-8")))
    assert rows[0][:4] == ["file", "label", "category 1", "probability 1"]
    assert rows[1][:3] == ["brights/cmyk.jpg", "brights", "bright"]
    with Image.open(paths[2]) as figure:
        assert figure.size[0] > 300


def _top(scores, categories, k):
    values, indices = scores.softmax(dim=0).topk(k)
    return [(categories[i], v) for i, v in zip(indices.tolist(), values.tolist(), strict=True)]


def test_thumbnails_are_small_and_a_plural_folder_matches_its_category(folder, tmp_path, toy, monkeypatch):
    seen = {}

    def remember(images, predictions, titles, labels, title):
        seen.update(images=images, labels=labels)
        return experiment_grid(images, predictions, titles, labels, title=title)

    experiment_grid = experiment.prediction_grid
    monkeypatch.setattr(experiment, "top_predictions", lambda s, c, k: _top(s, c, 3))
    monkeypatch.setattr(experiment, "prediction_grid", remember)
    classify(read_samples([folder], limit=20), toy, tmp_path, command="run")
    assert max(max(np.shape(image)[:2]) for image in seen["images"]) == 128
    assert seen["labels"] == ["bright", "bright", "dark", "dark", None]


def test_nothing_to_classify_names_the_bad_files(toy, tmp_path):
    with pytest.raises(ValueError, match=r"no image to classify \(a\.jpg: not an image\)"):
        classify(Samples([], [("a.jpg", "not an image")]), toy, tmp_path, command="run")


def archive(folder, count=6):
    with zipfile.ZipFile(folder / "hymenoptera_data.zip", "w") as opened:
        for part in ("train", "val"):
            for label in ("ants", "bees"):
                for at in range(count):
                    path = save(folder / f"{at}.jpg", color=at)
                    opened.write(path, f"hymenoptera_data/{part}/{label}/{at}.jpg")


def test_the_mirrors_images_are_drawn_from_both_classes_of_val(tmp_path):
    archive(tmp_path)
    samples = mirror_samples(tmp_path, limit=8)
    assert [sample.label for sample in samples.good] == ["ants"] * 4 + ["bees"] * 4
    assert len({sample.name for sample in samples.good}) == 8
    assert [one.name for one in mirror_samples(tmp_path, limit=8).good] == [one.name for one in samples.good]
    others = [mirror_samples(tmp_path, limit=8, seed=seed) for seed in (1, 2, 3)]
    assert any([one.name for one in other.good] != [one.name for one in samples.good] for other in others)
    assert [sample.label for sample in mirror_samples(tmp_path, limit=2).good] == ["ants", "bees"]


def test_a_mirror_without_the_archive_or_with_a_damaged_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder with hymenoptera_data\.zip"):
        mirror_samples(tmp_path, limit=2)
    (tmp_path / "hymenoptera_data.zip").write_bytes(b"cut")
    with pytest.raises(ValueError, match="damaged"):
        mirror_samples(tmp_path, limit=2)
    with zipfile.ZipFile(tmp_path / "hymenoptera_data.zip", "w"):
        pass
    with pytest.raises(ValueError, match="holds no images"):
        mirror_samples(tmp_path, limit=2)


# --- run ---


def test_offline_it_draws_and_recognizes_synthetic_images(tmp_path, caplog):
    caplog.set_level("INFO", "captionlab")
    paths = run([], None, None, tmp_path, limit=12)
    record, best = top(paths)
    assert record["network"] == "tiny_vgg"
    assert record["seed"] == 0
    assert record["command"] == "captionlab experiment lab1 classify --network tiny_vgg --limit 12"
    right = sum(best[image["file"]] == image["label"] for image in record["images"])
    assert right >= 9
    assert "tiny_vgg" in caplog.text


def test_the_same_run_writes_the_same_bytes(tmp_path):
    one = run([], "tiny_resnet", None, tmp_path / "one", limit=3)
    other = run([], "tiny_resnet", None, tmp_path / "other", limit=3)
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_images_given_are_classified_and_bad_ones_reported(folder, tmp_path, caplog):
    record, best = top(run([folder], "tiny_vgg", None, tmp_path / "out", limit=8))
    assert len(best) == 5
    assert record["seed"] is None
    assert record["command"].startswith("captionlab experiment lab1 classify --images photos --network tiny_vgg")
    assert "left out darks/broken.jpg: not an image" in caplog.text


def test_a_limit_below_one(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        run([], None, None, tmp_path, limit=0)


def test_an_imagenet_network_needs_photographs(tmp_path, monkeypatch, toy):
    monkeypatch.setattr(experiment, "load_classifier", lambda network, weights: toy)
    with pytest.raises(ValueError, match="give photographs"):
        run([], "vgg16", None, tmp_path, limit=2)


def test_a_sample_without_label_is_titled_by_its_file(tmp_path, toy, monkeypatch):
    monkeypatch.setattr(experiment, "top_predictions", lambda s, c, k: _top(s, c, 3))
    sample = Sample("folder/name.png", Image.new("RGB", (4, 4)))
    assert all(path.exists() for path in classify(Samples([sample], []), toy, tmp_path, command="run"))


@pytest.mark.realdata
def test_bees_and_ants_are_seen_as_insects(tmp_path):
    record, _ = top(run([], None, None, tmp_path, limit=8))
    insects = [any(_insect(one["category"]) for one in image["top5"]) for image in record["images"]]
    assert len(insects) == 8
    assert sum(insects) >= 6
    assert (tmp_path / "lab1_classify.png").stat().st_size < 400_000


def _insect(category):
    return category in INSECTS or "beetle" in category or category.endswith(("bug", "butterfly"))
