"""Lab 4's experiments on a handful of drawn scenes and a tiny decoder: tables, figures, resuming, users' mistakes."""

from __future__ import annotations

import csv
import json
from dataclasses import fields

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from captionlab.captioning import datasets as caption_datasets
from captionlab.captioning.captioned_images import InMemoryImage
from captionlab.captioning.captioner import Captioner
from captionlab.captioning.configurations import packaged_configuration
from captionlab.captioning.runs import train
from captionlab.captioning.settings import RunSettings
from captionlab.cli import main
from captionlab.commands.experiments_lab4 import QUESTIONS
from captionlab.commands.options import parse_settings
from captionlab.common.provenance import format_json
from captionlab.datasets.drawn_captions import make_scenes
from captionlab.experiments.captions import attention as overlaps
from captionlab.experiments.captions import noise
from captionlab.experiments.captions import runs as experiments
from captionlab.experiments.captions.attention import AttentionOverlap, attention_overlap
from captionlab.experiments.captions.tables import summarize
from captionlab.experiments.captions.variants import EXPERIMENTS, variants_for

SMALL = {"epochs": 2, "embed_dim": 8, "decoder_dim": 12, "attention_dim": 6, "batch_size": 40, "beams": 1}


@pytest.fixture
def few(monkeypatch, tmp_path):
    """Few scenes, and all data in a folder of the test."""
    monkeypatch.setattr(caption_datasets, "EMBEDDED_COUNTS", {"train": 16, "dev": 6, "test": 2})
    monkeypatch.setattr(overlaps, "EMBEDDED_COUNTS", {"train": 16, "dev": 6, "test": 2})
    monkeypatch.setenv("CAPTIONLAB_DATA", str(tmp_path / "data"))
    return tmp_path


def invoke(*arguments):
    return CliRunner().invoke(main, ["experiment", "lab4", *map(str, arguments)])


def small():
    return [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]


def test_an_experiment_writes_its_table_and_trains_nothing_twice(few, monkeypatch):
    out = few / "out"
    done = invoke("cells", "--dataset", "embedded", *small(), "--seeds", 1, "--out", out)
    assert done.exit_code == 0, done.output
    record = json.loads((out / "lab4_cells_embedded.json").read_text())
    assert [line["variant"] for line in record["table"]] == ["LSTM", "GRU", "RNN", "GRU, no gate, dense layer"]
    with (out / "lab4_cells_embedded.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    losses = [float(row["loss"]) for row in table]
    assert losses == pytest.approx([line["loss"] for line in record["table"]], rel=1e-4)
    assert len(set(losses)) == 4
    assert "--set decoder_dim=12" in record["command"]
    assert all((out / f"lab4_cells_embedded{end}.png").stat().st_size > 5000 for end in ("", "_curves"))

    monkeypatch.setattr(experiments, "train", lambda *_, **__: pytest.fail("it was trained already"))
    again = invoke("cells", "--dataset", "embedded", *small(), "--seeds", 1, "--out", few / "again")
    assert again.exit_code == 0, again.output
    rows = json.loads((few / "again" / "lab4_cells_embedded.json").read_text())
    assert rows["table"] == record["table"]


def test_settings_are_written_as_the_command_line_takes_them():
    settings = {"gate": False, "pretrained_embeddings": "my vectors.txt", "epochs": 3}
    options = experiments.as_options(settings)
    assert options == ["gate=false", "pretrained_embeddings=my vectors.txt", "epochs=3"]
    assert parse_settings(tuple(options)) == settings


def test_every_experiment_has_a_command_and_settings_that_exist():
    assert set(QUESTIONS) == set(EXPERIMENTS)
    for name, experiment in EXPERIMENTS.items():
        for dataset in ("embedded", "flickr8k"):
            variants = variants_for(name, dataset)
            assert len({variant.name for variant in variants}) == len(variants) > 1
            for variant in variants:
                base = experiments.short_configuration(dataset)
                RunSettings.from_flat({**base, **experiment.changes, **variant.changes})
    RunSettings.from_flat(packaged_configuration("flickr8k"))


def test_networks_without_weights_are_left_out_and_said(few, monkeypatch):
    monkeypatch.delenv("CAPTIONLAB_MIRROR", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(few))
    done = invoke("encoders", "--dataset", "embedded", *small(), "--out", few)
    assert done.exit_code == 0, done.output
    record = json.loads((few / "lab4_encoders_embedded.json").read_text())
    assert [line["variant"] for line in record["table"]] == ["tiny_resnet", "tiny_vgg"]
    assert {each["variant"] for each in record["left_out"]} >= {"vgg16", "resnet101", "resnet50", "inception_v3"}


@pytest.mark.slow
def test_more_images_than_there_are_are_left_out_and_said(few, monkeypatch):
    monkeypatch.setattr(caption_datasets, "EMBEDDED_COUNTS", {"train": 160, "dev": 6, "test": 2})
    done = invoke("training-images", "--dataset", "embedded", *small(), "--out", few)
    assert done.exit_code == 0, done.output
    record = json.loads((few / "lab4_training-images_embedded.json").read_text())
    assert [line["variant"] for line in record["table"]] == ["150 images"]
    assert [tuple(each.values()) for each in record["left_out"]] == [
        ("500 images", "there are 160 training images"),
        ("1500 images", "there are 160 training images"),
    ]


def test_the_spread_is_over_the_seeds():
    rows = [{"variant": name, "seed": seed, "bleu4": value} for name, seed, value in
            (("a", 0, 0.1), ("a", 1, 0.3), ("b", 0, 0.5))]  # fmt: skip
    one, other = summarize(rows)
    assert one["bleu4"] == pytest.approx(0.2)
    assert one["bleu4_spread"] == pytest.approx(np.std([0.1, 0.3], ddof=1))
    assert (one["runs"], other["runs"], other["bleu4_spread"]) == (2, 1, None)


@pytest.mark.slow
def test_beams_and_attention_of_a_run(few, monkeypatch):
    train(RunSettings.from_flat({**packaged_configuration("embedded"), **SMALL}), few / "run", progress=False)
    done = invoke("beams", few / "run", "--out", few, "--split", "test")
    assert done.exit_code == 0, done.output
    record = json.loads((few / "lab4_beams_embedded_test.json").read_text())
    assert "--split test" in record["command"]
    done = invoke("beams", few / "run", "--out", few)
    assert done.exit_code == 0, done.output
    table = json.loads((few / "lab4_beams_embedded.json").read_text())["table"]
    assert [line["beams"] for line in table] == [1, 3, 5, 10, 3, 5, 10, 3, 5, 10]

    table = [AttentionOverlap("ring", 0.5, 0.1), AttentionOverlap("ring", 0.7, 0.2), AttentionOverlap("box", 0.3, 0.3)]
    monkeypatch.setattr(overlaps, "attention_overlap", lambda *_: table)
    done = invoke("attention", few / "run", "--out", few)
    assert done.exit_code == 0, done.output
    rows = {row["word"]: row for row in json.loads((few / "lab4_attention_embedded.json").read_text())["table"]}
    assert rows["ring"] == {"word": "ring", "times": 2, "inside": 0.6, "area": 0.15, "ratio": 4.0}
    assert rows["all"]["times"] == 3


def test_attention_is_measured_inside_the_boxes(few):
    """Attention set by hand: all on the center of the named object, or even everywhere."""
    train(RunSettings.from_flat({**packaged_configuration("embedded"), **SMALL}), few / "run", progress=False)
    captioner, scenes = Captioner.load(few / "run"), make_scenes(5, 12)

    def fake_generate(weights):
        def generate(images, beams):
            return [
                type("Caption", (), {"words": (scene.objects[0].noun,), "alphas": [weights(scene)]}) for scene in scenes
            ]

        return generate

    def on_it(scene):
        alpha = torch.zeros(10, 10)
        x, y = scene.objects[0].center
        alpha[int(y // 16), int(x // 16)] = 1
        return alpha.flatten()

    captioner.generate = fake_generate(on_it)
    assert all(each.inside > 0.4 for each in attention_overlap(captioner, scenes))
    captioner.generate = fake_generate(lambda scene: torch.full((100,), 0.01))
    assert all(each.inside == pytest.approx(each.area, rel=1e-3) for each in attention_overlap(captioner, scenes))


@pytest.mark.slow
def test_noise_with_and_without_the_autoencoder(few, monkeypatch):
    monkeypatch.setattr(noise, "EPOCHS", 3)
    done = invoke("noise", "--dataset", "embedded", *small(), "--out", few)
    assert done.exit_code == 0, done.output
    record = json.loads((few / "lab4_noise_embedded.json").read_text())
    assert len(record["table"]) == 8
    losses = {line["variant"]: line["loss"] for line in record["table"]}
    assert losses["clean; trained on clean images"] != losses["noisy; trained on clean images"]
    assert losses["noisy, denoised; trained on clean images"] != losses["noisy, denoised; trained on denoised images"]


@pytest.mark.slow
def test_the_autoencoder_learns_to_remove_noise():
    scenes = [InMemoryImage.from_pixels(scene.image) for scene in make_scenes(1, 80)]
    network = noise.train_autoencoder(scenes[:64], 64, seed=0, epochs=12)
    noisy, clean = noise.Noisy(scenes[70], 60, 64, seed=1), noise.resized(scenes[70], 64).astype(float)
    denoised = np.asarray(noise.Denoised(noisy, network, "x", 64).read()).astype(float)
    assert ((denoised - clean) ** 2).mean() < 0.7 * ((noisy.pixels() - clean) ** 2).mean()
    assert noisy.cache_key() != noise.Noisy(scenes[70], 60, 64, seed=2).cache_key()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cells", "--set", "decoder_dims=3"), "did you mean 'decoder_dim'"),
        (("cells", "--set", "hidden=3"), "hidden is now called decoder_dim"),
        (("cells", "--set", "decoder_dim"), "expected NAME=VALUE"),
        (("cells", "--dataset", "nowhere"), "nowhere"),
        (("beams", "nowhere"), "no checkpoint"),
        (("attention", "nowhere"), "no checkpoint"),
    ],
)
def test_users_mistakes_are_lines(few, arguments, message):
    done = invoke(*arguments, "--out", few)
    assert done.exit_code != 0
    assert message in done.output
    assert "Traceback" not in done.output


def test_readable_is_the_record_with_short_numbers():
    record = {"a": [1.23456789, 2], "b": {"c": None, "d": [{"e": 1e-12}]}}
    assert json.loads(format_json(record)) == {"a": [1.23457, 2], "b": {"c": None, "d": [{"e": 1e-12}]}}
    assert len(format_json(record).splitlines()) < 10


def test_settings_of_another_type_are_refused(few):
    for given, message in (
        ("gate=False", "gate is 'False': give true or false"),
        ("hflip=no", "hflip is 'no': give true or false"),
        ("epochs=2.5", "epochs is 2.5: give a whole number"),
        ("min_word_freq=three", "min_word_freq is 'three': give a whole number"),
        ("seed=7", "give --seeds"),
    ):
        done = invoke("cells", "--dataset", "embedded", "--set", given, "--out", few)
        assert message in done.output
        assert done.exit_code == 1


def test_every_flag_of_training_takes_a_value_of_its_setting(few):
    """Each default given as a flag is the default."""
    from captionlab.captioning.settings import DecoderSettings, TrainingSettings
    from captionlab.commands.caption import caption

    defaults = {
        each.name: each.default for owner in (TrainingSettings, DecoderSettings, RunSettings) for each in fields(owner)
    }
    for option in caption.commands["train"].params:
        default = defaults.get(option.name)
        if default is None or option.is_flag:
            continue
        assert type(option.type_cast_value(click.Context(caption), str(default))) is type(default), option.name


def test_drawn_scenes_are_not_mirrored_unless_asked():
    assert RunSettings("flickr8k").uses_hflip
    assert not RunSettings("embedded").uses_hflip
    assert RunSettings("embedded", hflip=True).uses_hflip
