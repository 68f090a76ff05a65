import csv
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA

from captionlab.cli import main
from captionlab.datasets.drawn_scenes import CLASSES, make_split, write_folders
from captionlab.experiments.scenes import feature_search
from captionlab.experiments.scenes import runs as scene_experiments
from captionlab.experiments.scenes.data import FeatureBank, Scenes, layers_of, load_scenes, scene_network
from captionlab.experiments.scenes.feature_search import cross_val_scores, steps
from captionlab.experiments.scenes.feature_specs import FeatureBlock, FeatureSpec, compute_features, design_matrices
from captionlab.transfer.svm import scene_classifier
from captionlab.transfer.visual_words import VisualWords
from captionlab.vision.embedded import tiny_resnet

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four classes of drawn scenes, ten training and three test images each."""
    drawn = make_split(0, per_class_train=10, per_class_test=3)
    keep = [labels < 4 for labels in (drawn[1], drawn[3])]
    made = write_folders(
        (drawn[0][keep[0]], drawn[1][keep[0]], drawn[2][keep[1]], drawn[3][keep[1]]), tmp_path_factory.mktemp("drawn")
    )
    for part in ("train", "test"):
        for name in CLASSES[4:]:
            (made / part / name).rmdir()
    return made


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """One folder of features for the whole module."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def bank(folder, kept):
    found = load_scenes(folder)
    return FeatureBank(found, scene_network(found, "tiny_resnet"), kept / "features", progress=False)


@pytest.fixture
def invoke(folder, kept, tmp_path, monkeypatch):
    monkeypatch.setenv("CAPTIONLAB_DATA", str(kept))
    monkeypatch.delenv("CAPTIONLAB_MIRROR", raising=False)
    # Compiling takes longer than these few images; test_extraction.py has a test of it.
    monkeypatch.setattr("captionlab.vision.extraction._compile", lambda network, size: network)

    def run(command, *arguments):
        options = ["--dataset", str(folder), "--out", str(tmp_path), *arguments]
        return CliRunner().invoke(main, ["experiment", "lab2", command, *options], catch_exceptions=False)

    return run


def written(tmp_path, name):
    record = json.loads((tmp_path / f"{name}.json").read_text())
    with (tmp_path / f"{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    png = (tmp_path / f"{name}.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert len(png) < 300_000
    assert "/tmp" not in json.dumps(record)
    assert record["command"].startswith("captionlab experiment lab2 ")
    assert set(record["machine"]) == {"cpu", "cores", "device"}
    return record, rows


def test_the_lab_s_recipe(invoke, folder, tmp_path):
    assert invoke("scenes", "--network", "tiny_resnet").exit_code == 0
    record, rows = written(tmp_path, f"lab2_scenes_{folder.name}")
    confusion = np.array(record["confusion"])
    assert confusion.sum(axis=1).tolist() == [3] * 4
    assert record["accuracy"] == round(np.trace(confusion) / 12, 4)
    assert record["accuracy"] > 0.5
    assert [row["class"] for row in rows] == list(CLASSES[:4])
    assert [float(row["accuracy"]) for row in rows] == record["accuracy_by_class"]


@pytest.mark.parametrize("name", ["layers", "c", "pca"])
def test_tables(invoke, folder, tmp_path, name):
    assert invoke(name, "--network", "tiny_resnet").exit_code == 0
    _, rows = written(tmp_path, f"lab2_{name}_{folder.name}")
    assert len(rows) >= 2
    assert all(0 <= float(row["cv_accuracy"]) <= 1 for row in rows)
    assert all(float(row["train_seconds"]) >= 0 for row in rows)


def test_training_time_covers_the_projection(bank, monkeypatch):
    class Slow(PCA):
        def fit_transform(self, *arguments, **options):
            time.sleep(0.3)
            return super().fit_transform(*arguments, **options)

    monkeypatch.setattr(scene_experiments, "PCA", Slow)
    row = scene_experiments._row("two", bank.get("train", 64, "layer4"), bank.scenes, None, components=2)
    assert row["train_seconds"] >= 0.3


def test_step_by_step(invoke, folder, tmp_path):
    assert invoke("best", "--network", "tiny_resnet").exit_code == 0
    record, rows = written(tmp_path, f"lab2_best_{folder.name}")
    kept = [step["cv_accuracy"] for step in record["steps"] if step["kept"]]
    assert kept == sorted(set(kept))  # every step kept is better than the one before
    assert len(rows) == len(record["steps"])
    assert (tmp_path / f"lab2_best_{folder.name}_confusion.png").is_file()


@pytest.mark.slow
def test_heads(invoke, folder, tmp_path):
    assert invoke("head", "--network", "tiny_resnet").exit_code == 0
    _, rows = written(tmp_path, f"lab2_head_{folder.name}")
    trained = [int(row["trained"]) for row in rows]
    assert trained[0] == trained[1] == 4 * 129
    assert trained[2] > 100_000


def test_what_is_wrong_is_a_line(invoke, tmp_path):
    assert "did you mean 'scene15'" in invoke("scenes", "--dataset", "scenes15").output
    result = invoke("scenes", "--dataset", str(tmp_path / "none"))
    assert result.exit_code == 1
    assert "does not exist" in result.output
    assert "no network 'vgg17'" in invoke("scenes", "--network", "vgg17").output


# --- parts ------------------------------------------------------------------------------------------------------------


def test_feature_specs(bank):
    plain = FeatureSpec((FeatureBlock(64, "layer3"), FeatureBlock(64, "layer4")))
    rows = compute_features(bank, "train", plain)
    assert rows.shape == (40, 64 + 128)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(rows[:, :64], axis=1), 0.5**0.5, rtol=1e-5)  # blocks weigh the same
    rooted = compute_features(bank, "train", FeatureSpec(plain.blocks, signed_sqrt=True))
    assert (np.sign(rooted) == np.sign(rows)).all()
    assert np.abs(rooted).max() < np.abs(rows).max()
    X, training_sets = design_matrices(bank, "train", FeatureSpec(plain.blocks, hflip="rows"))
    assert [each.shape for each in (X, *training_sets)] == [(40, 192)] * 3
    np.testing.assert_allclose(np.linalg.norm(X, axis=1), 1, rtol=1e-5)
    X, training_sets = design_matrices(bank, "train", FeatureSpec(plain.blocks, hflip="average"))
    assert len(training_sets) == 1
    assert training_sets[0] is X
    for shrinkage in (None, 0.9):
        predictions, seconds = feature_search.test(bank, FeatureSpec(plain.blocks, hflip="rows", shrinkage=shrinkage))
        assert predictions.shape == (12,)
        assert seconds > 0
    assert list(FeatureSpec(plain.blocks, shrinkage=0.9, C=3).make_classifier().named_steps) == [
        *("whitening", "normalizer", "linearsvc")
    ]


def test_no_image_predicted_was_trained_on():
    rng, labels = np.random.default_rng(0), np.repeat(range(4), 10)
    X = np.hstack([np.arange(40)[:, None], rng.normal(size=(40, 2))])
    other = X + np.array([1000, 0, 0])
    seen = []

    class Watching(BaseEstimator):
        def fit(self, rows, classes):
            self.train = set((rows[:, 0] % 1000).tolist())
            assert len(rows) == 2 * len(self.train) == 64
            assert (classes == labels[(rows[:, 0] % 1000).astype(int)]).all()
            return self

        def predict(self, held_out):
            assert not self.train & set(held_out[:, 0].tolist())
            seen.extend(held_out[:, 0].tolist())
            return np.zeros(len(held_out), dtype=int)

    assert cross_val_scores(X, [X, other], labels, Watching()) == [0.25] * 5
    assert sorted(seen) == list(range(40))


def test_steps_build_on_the_best_so_far():
    start = FeatureSpec((FeatureBlock(224, "d"),))
    found = dict(steps(start, ("a", "b", "c", "d"), 320))
    assert found["square roots"](start)[0].signed_sqrt
    second = found["a second layer"](start)
    assert [each.blocks for each in second] == [(FeatureBlock(224, "d"), FeatureBlock(224, "c"))]
    quarters = found["quarters"](second[0])
    assert [[part.pooling for part in each.blocks] for each in quarters] == [
        ["pyramid_2x2", "average"],
        ["average", "pyramid_2x2"],
    ]
    large = found["larger images"](quarters[1])[0]
    assert large.blocks == ((320, "d", "average"), (320, "c", "pyramid_2x2"))
    both = found["both sizes"](large)[0]
    assert both.blocks == (*quarters[1].blocks, *large.blocks)
    assert found["both sizes"](quarters[1])[0].blocks == both.blocks  # also if larger images alone were no better


def test_listed_layers_are_there():
    for name in ("tiny_vgg", "tiny_resnet"):
        classifier = scene_network(Scenes("embedded", (), {}, {}), name)
        assert set(layers_of(classifier)) <= dict(classifier.model.named_modules()).keys()


def test_drawings_are_made_once(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPTIONLAB_DATA", str(tmp_path))
    monkeypatch.setattr("captionlab.datasets.drawn_scenes.make_split", lambda seed: make_split(seed, 1, 1))
    first = load_scenes()
    assert first.source == "embedded"
    assert first.classes == CLASSES
    times = [file.stat().st_mtime_ns for file in first.files["train"]]
    assert [file.stat().st_mtime_ns for file in load_scenes("embedded").files["train"]] == times
    assert [entry.name for entry in (tmp_path / "drawn").iterdir()] == ["scenes-0"]
    assert scene_network(first).name == "tiny_resnet"
    assert isinstance(scene_network(first).model, type(tiny_resnet()))


def test_visual_words_tell_scenes_apart(bank):
    files, labels = bank.scenes.files["train"], bank.scenes.labels["train"]
    dictionary = VisualWords(files, words=30)
    rows = dictionary.describe(files)
    assert rows.shape == (40, 120)
    np.testing.assert_allclose((rows**2).sum(axis=1), 1)
    assert (rows == VisualWords(files, words=30).describe(files)).all()
    assert np.mean(cross_val_scores(rows, [rows], labels, scene_classifier())) > 0.4


# --- the photographs --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.realdata
def test_the_best_description_is_found_again(tmp_path):
    from captionlab.experiments.scenes.runs import run_best

    if not os.environ.get("CAPTIONLAB_DATA"):
        pytest.skip("CAPTIONLAB_DATA names no folder with 15-Scene in it")
    run_best(tmp_path, "scene15", "mobilenet_v2", progress=False)
    record = json.loads((tmp_path / "lab2_best.json").read_text())
    assert record["accuracy"] >= 0.925
    assert record["test_accuracy_plain"] >= 0.88


def test_the_results_in_the_repository_reach_the_goal():
    assert json.loads((RESULTS / "lab2_best.json").read_text())["accuracy"] >= 0.925
