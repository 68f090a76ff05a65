"""Lab 3's experiments, in small: every method runs, test images stay out of choices, the files say what was done."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from captionlab.cli import main
from captionlab.datasets import drawn_bees_ants as drawings
from captionlab.experiments.bees_ants import methods as bees_ants_methods
from captionlab.experiments.bees_ants.data import load_bees_ants
from captionlab.experiments.bees_ants.methods import METHODS, MethodContext, fine_tuned, frozen_head, frozen_svm
from captionlab.experiments.bees_ants.recipes import RECIPES, Recipe, recipe_for
from captionlab.experiments.bees_ants.runs import compare_methods, compare_networks
from captionlab.transfer.baselines import forest
from captionlab.vision.embedded import tiny_resnet

ROWS = [
    "fine-tuned",
    "fine-tuned, all images",
    "frozen, new head",
    "frozen, new head, all images",
    "frozen features, SVM",
    "frozen features, forest",
    "from scratch",
    "raw pixels, SVM",
    "raw pixels, forest",
]


def quick(network: str) -> Recipe:
    recipe = recipe_for(network)
    short = {name: replace(getattr(recipe, name), epochs=2) for name in ("head", "tuned", "scratch")}
    return replace(recipe, views=2, **short)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of few drawings, with one file that is no image."""
    where = drawings.write_folders(drawings.make_split(seed=5, train=24, test=10), tmp_path_factory.mktemp("insects"))
    (where / "train" / "ants" / "broken.png").write_bytes(b"no image")
    return where


def test_images_from_a_folder(folder: Path):
    images = load_bees_ants(folder)
    assert (len(images.train), len(images.test)) == (24, 10)
    assert images.classes == ("ants", "bees")
    assert images.train[0].mode == "RGB"
    assert [name for name, _ in images.left_out] == ["ants/broken.png"]
    assert np.bincount(images.train_labels).tolist() == [12, 12]


def test_folders_of_other_classes(tmp_path: Path):
    for place in ("train/ants", "train/bees", "val/bees", "val/wasps"):
        (tmp_path / place).mkdir(parents=True)
        drawings_image().save(tmp_path / place / "a.png")
    with pytest.raises(ValueError, match="wasps"):
        load_bees_ants(tmp_path)


def drawings_image():
    from PIL import Image

    return Image.fromarray(drawings.render(0, np.random.default_rng(0)))


@pytest.fixture(scope="module")
def written(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], dict]:
    """The files of a short run on few drawings, and its record."""
    out = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bees_ants_methods, "forest", partial(forest, n_estimators=10))
        paths = compare_methods(range(2), out, folder, "tiny_resnet", quick("tiny_resnet"), progress=False)
    return paths, json.loads(paths[0].read_text())


def test_the_table_has_every_method(written: tuple[list[Path], dict]):
    paths, record = written
    assert [row["method"] for row in record["rows"]] == ROWS
    for row in record["rows"]:
        assert len(row["test_accuracy"]) == 2
        assert row["mean"] == pytest.approx(np.mean(row["test_accuracy"]), abs=1e-4)
        assert row["spread"] == pytest.approx(np.std(row["test_accuracy"], ddof=1), abs=1e-4)
    assert [row["method"] for row in csv.DictReader(paths[1].open())] == ROWS
    assert (record["train_images"], record["test_images"], record["seeds"]) == (24, 10, [0, 1])
    assert record["left_out"][0]["file"] == "ants/broken.png"


def test_the_record_has_no_folders_and_the_figures_are_small(written: tuple[list[Path], dict], folder: Path):
    paths, record = written
    assert str(folder.parent) not in paths[0].read_text()
    command = record["command"].removeprefix("CAPTIONLAB_MIRROR=MIRROR ")  # if the tests have one
    assert command.startswith("captionlab experiment lab3 methods --seeds 2 --dataset ")
    for path in paths[2:]:
        assert path.read_bytes()[:4] == b"\x89PNG"
        assert path.stat().st_size < 300_000


@pytest.fixture(scope="module")
def context(folder: Path) -> MethodContext:
    return make_context(load_bees_ants(folder))


def make_context(images) -> MethodContext:
    return MethodContext(tiny_resnet(), images, quick("tiny_resnet"), lambda: tiny_resnet(False), progress=False)


def test_test_images_decide_nothing_but_the_test_accuracy(context: MethodContext, folder: Path):
    images = load_bees_ants(folder)
    turned = make_context(replace(images, test=images.test[::-1], test_labels=1 - images.test_labels[::-1]))
    for method in (fine_tuned, frozen_head, frozen_svm):
        one, other = method(context, 0), method(turned, 0)
        assert one.history == other.history
        assert (one.validation, one.details) == (other.validation, other.details)
        assert all(one.accuracy[name] == pytest.approx(1 - other.accuracy[name]) for name in one.accuracy)


def test_each_seed_starts_from_the_pretrained_weights(context: MethodContext):
    first = fine_tuned(context, 0)
    fine_tuned(context, 1)
    assert fine_tuned(context, 0) == first
    pretrained = tiny_resnet().state_dict()
    own = context.model.state_dict()
    assert all(torch.equal(own[name], value) for name, value in pretrained.items() if not name.startswith("fc"))


def test_training_and_validation_do_not_overlap(context: MethodContext):
    train, validation = context.split(0)
    assert sorted(train + validation) == list(range(24))


def test_networks_side_by_side(folder: Path, tmp_path: Path):
    networks = ("tiny_resnet", "tiny_vgg")
    recipe = replace(quick("tiny_resnet"), num_frozen_stages=3)
    paths = compare_networks(range(1), tmp_path, folder, networks, recipe, progress=False)
    rows = json.loads(paths[0].read_text())["rows"]
    assert [row["network"] for row in rows] == ["tiny_resnet"] * 6 + ["tiny_vgg"] * 6
    assert rows[0]["spread"] is None  # of one seed


def test_what_is_not_there_is_said_in_a_line(tmp_path: Path):
    for command, words, said in (
        ("methods", ["--network", "alexnet", "--dataset", "embedded"], "alexnet"),
        ("methods", ["--dataset", str(tmp_path / "nowhere")], "does not exist"),
        ("networks", ["--network", "vgg_16", "--dataset", "embedded"], "vgg_16"),
    ):
        result = CliRunner().invoke(main, ["experiment", "lab3", command, *words, "--out", str(tmp_path)])
        assert result.exit_code == 1
        assert said in result.output
        assert "Traceback" not in result.output


def test_every_network_has_a_recipe():
    assert {"mobilenet_v2", "resnet18", "vgg16", "tiny_resnet", "tiny_vgg"} == set(RECIPES)
    with pytest.raises(ValueError, match="resnet18"):
        recipe_for("resnet99")
    assert set(ROWS) >= set(METHODS)


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_frozen_features_on_the_photographs(mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from captionlab.datasets.store import fetch
    from captionlab.vision.classifiers import load_classifier

    monkeypatch.setenv("CAPTIONLAB_DATA", str(tmp_path))
    fetch("hymenoptera", None, str(mirror))
    images = load_bees_ants("hymenoptera")
    assert (len(images.train), len(images.test)) == (244, 153)
    recipe = replace(recipe_for("mobilenet_v2"), views=1)
    context = MethodContext(load_classifier("mobilenet_v2").model, images, recipe, torch.nn.Identity, progress=False)
    assert frozen_svm(context, 0).accuracy["frozen features, SVM"] >= 0.94
