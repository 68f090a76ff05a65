"""Lab 4's experiments on a handful of drawn scenes and a tiny decoder: tables, figures, resuming, users' mistakes."""

from __future__ import annotations

import csv
import json
import shlex
from dataclasses import fields

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from captionlab.captioning import datasets as corpora
from captionlab.captioning.captioner import Captioner
from captionlab.captioning.runs import train
from captionlab.captioning.settings import RunSettings, packaged_configuration
from captionlab.cli import main
from captionlab.commands.caption_experiments import QUESTIONS, _values
from captionlab.common.provenance import readable
from captionlab.datasets.drawn_captions import make_scenes
from captionlab.experiments.captions import attention as looking
from captionlab.experiments.captions import noise
from captionlab.experiments.captions import runs as experiments
from captionlab.experiments.captions.attention import looks
from captionlab.experiments.captions.tables import summary

SMALL = {"epochs": 2, "embedding": 8, "hidden": 12, "attention": 6, "images": 8, "beams": 1}


@pytest.fixture
def few(monkeypatch, tmp_path):
    """Few scenes, and all data in a folder of the test."""
    monkeypatch.setattr(corpora, "EMBEDDED_COUNTS", {"train": 16, "dev": 6, "test": 2})
    monkeypatch.setattr(looking, "EMBEDDED_COUNTS", {"train": 16, "dev": 6, "test": 2})
    monkeypatch.setenv("CAPTIONLAB_DATA", str(tmp_path / "data"))
    return tmp_path


def invoke(*arguments):
    return CliRunner().invoke(main, ["experiment", *map(str, arguments)])


def small():
    return [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]


def test_an_experiment_writes_its_table_and_goes_on_where_it_was(few, monkeypatch):
    out = few / "out"
    done = invoke("cells", "--corpus", "embedded", *small(), "--seeds", 1, "--out", out)
    assert done.exit_code == 0, done.output
    record = json.loads((out / "lab4_cells_embedded.json").read_text())
    assert [line["variant"] for line in record["table"]] == ["LSTM", "GRU", "RNN", "GRU, no gate, dense layer"]
    with (out / "lab4_cells_embedded.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    losses = [float(row["loss"]) for row in table]
    assert losses == pytest.approx([line["loss"] for line in record["table"]], rel=1e-4)
    assert len(set(losses)) == 4
    assert "--set hidden=12" in record["command"]
    assert all((out / f"lab4_cells_embedded{end}.png").stat().st_size > 5000 for end in ("", "_curves"))

    monkeypatch.setattr(experiments, "train", lambda *_, **__: pytest.fail("it was trained already"))
    again = invoke("cells", "--corpus", "embedded", *small(), "--seeds", 1, "--out", few / "again")
    assert again.exit_code == 0, again.output
    rows = json.loads((few / "again" / "lab4_cells_embedded.json").read_text())
    assert rows["table"] == record["table"]


def test_settings_are_written_as_the_command_line_takes_them():
    words = shlex.split(experiments.as_options({"gate": False, "vectors": "my vectors.txt", "epochs": 3}))
    assert words == ["--set", "gate=false", "--set", "vectors=my vectors.txt", "--set", "epochs=3"]
    assert _values(words[1::2]) == {"gate": False, "vectors": "my vectors.txt", "epochs": 3}


def test_every_experiment_has_a_command_and_settings_that_exist():
    assert set(QUESTIONS) == set(experiments.EXPERIMENTS)
    for experiment in experiments.EXPERIMENTS.values():
        names = [variant.name for variant in experiment.variants]
        assert len(set(names)) == len(names) > 1
        for corpus in ("embedded", "flickr8k"):
            for variant in experiment.variants:
                base = experiments.short_configuration(corpus)
                RunSettings.from_flat({**base, **experiment.changes, **variant.changes})
    RunSettings.from_flat(packaged_configuration("flickr8k"))


def test_networks_without_weights_are_left_out_and_said(few, monkeypatch):
    monkeypatch.delenv("CAPTIONLAB_MIRROR", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(few))
    done = invoke("encoders", "--corpus", "embedded", *small(), "--out", few)
    assert done.exit_code == 0, done.output
    record = json.loads((few / "lab4_encoders_embedded.json").read_text())
    assert [line["variant"] for line in record["table"]] == ["tiny_resnet", "tiny_vgg"]
    assert {each["variant"] for each in record["left_out"]} >= {"vgg16", "resnet101", "resnet50", "inception_v3"}


def test_more_images_than_there_are_are_left_out_and_said(few, monkeypatch):
    monkeypatch.setattr(corpora, "EMBEDDED_COUNTS", {"train": 160, "dev": 6, "test": 2})
    done = invoke("training-images", "--corpus", "embedded", *small(), "--out", few)
    assert done.exit_code == 0, done.output
    record = json.loads((few / "lab4_training-images_embedded.json").read_text())
    assert [line["variant"] for line in record["table"]] == ["150 images"]
    assert [tuple(each.values()) for each in record["left_out"]] == [
        ("500 images", "there are 160 training images"),
        ("1500 images", "there are 160 training images"),
    ]


def test_spread_is_that_of_the_seeds():
    rows = [{"variant": name, "seed": seed, "bleu4": value} for name, seed, value in
            (("a", 0, 0.1), ("a", 1, 0.3), ("b", 0, 0.5))]  # fmt: skip
    one, other = summary(rows)
    assert one["bleu4"] == pytest.approx(0.2)
    assert one["bleu4_spread"] == pytest.approx(np.std([0.1, 0.3], ddof=1))
    assert (one["runs"], other["runs"], other["bleu4_spread"]) == (2, 1, None)


def test_beams_and_attention_of_a_run(few, monkeypatch):
    train(RunSettings.from_flat({**packaged_configuration("embedded"), **SMALL}), few / "run", report=lambda _: None)
    done = invoke("beams", few / "run", "--out", few, "--split", "test")
    assert done.exit_code == 0, done.output
    record = json.loads((few / "lab4_beams_embedded_test.json").read_text())
    assert "--split test" in record["command"]
    done = invoke("beams", few / "run", "--out", few)
    assert done.exit_code == 0, done.output
    table = json.loads((few / "lab4_beams_embedded.json").read_text())["table"]
    assert [line["beams"] for line in table] == [1, 3, 5, 10, 3, 5, 10, 3, 5, 10]

    table = [looking.Look("ring", 0.5, 0.1), looking.Look("ring", 0.7, 0.2), looking.Look("box", 0.3, 0.3)]
    monkeypatch.setattr(looking, "looks", lambda *_: table)
    done = invoke("attention", few / "run", "--out", few)
    assert done.exit_code == 0, done.output
    rows = {row["word"]: row for row in json.loads((few / "lab4_attention_embedded.json").read_text())["table"]}
    assert rows["ring"] == {"word": "ring", "times": 2, "inside": 0.6, "area": 0.15, "ratio": 4.0}
    assert rows["all"]["times"] == 3


def test_attention_is_measured_inside_the_boxes(few):
    """Attention set by hand: all on the named object's middle, or even everywhere."""
    train(RunSettings.from_flat({**packaged_configuration("embedded"), **SMALL}), few / "run", report=lambda _: None)
    captioner, scenes = Captioner.load(few / "run"), make_scenes(5, 12)

    def teller(weights):
        def generate(pictures, beams):
            return [
                type("Caption", (), {"words": (scene.things[0].noun,), "alphas": [weights(scene)]}) for scene in scenes
            ]

        return generate

    def on_it(scene):
        alpha = torch.zeros(10, 10)
        x, y = scene.things[0].middle
        alpha[int(y // 16), int(x // 16)] = 1
        return alpha.flatten()

    captioner.generate = teller(on_it)
    assert all(look.inside > 0.4 for look in looks(captioner, scenes))
    captioner.generate = teller(lambda scene: torch.full((100,), 0.01))
    assert all(look.inside == pytest.approx(look.area, rel=1e-3) for look in looks(captioner, scenes))


def test_noise_with_and_without_the_autoencoder(few, monkeypatch):
    monkeypatch.setattr(noise, "EPOCHS", 3)
    done = invoke("noise", "--corpus", "embedded", *small(), "--out", few)
    assert done.exit_code == 0, done.output
    record = json.loads((few / "lab4_noise_embedded.json").read_text())
    assert len(record["table"]) == 8
    losses = {line["variant"]: line["loss"] for line in record["table"]}
    assert losses["clean; trained on clean images"] != losses["noisy; trained on clean images"]
    assert losses["noisy, denoised; trained on clean images"] != losses["noisy, denoised; trained on denoised images"]


def test_the_autoencoder_learns_to_remove_noise():
    scenes = [corpora.drawn(scene.image) for scene in make_scenes(1, 80)]
    network = noise.train_autoencoder(scenes[:64], 64, seed=0, epochs=12)
    noisy, clean = noise.Noisy(scenes[70], 60, 64, seed=1), noise.resized(scenes[70], 64).astype(float)
    denoised = np.asarray(noise.Denoised(noisy, network, "x", 64).read()).astype(float)
    assert ((denoised - clean) ** 2).mean() < 0.7 * ((noisy.pixels() - clean) ** 2).mean()
    assert noisy.cache_key() != noise.Noisy(scenes[70], 60, 64, seed=2).cache_key()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cells", "--set", "hiden=3"), "did you mean 'hidden'"),
        (("cells", "--set", "hidden"), "expected NAME=VALUE"),
        (("cells", "--corpus", "nowhere"), "nowhere"),
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
    assert json.loads(readable(record)) == {"a": [1.23457, 2], "b": {"c": None, "d": [{"e": 1e-12}]}}
    assert len(readable(record).splitlines()) < 10


def test_settings_of_another_type_are_refused(few):
    for given, message in (
        ("gate=False", "gate is 'False': give true or false"),
        ("mirrored=no", "mirrored is 'no': give true or false"),
        ("epochs=2.5", "epochs is 2.5: give a whole number"),
        ("min_frequency=three", "min_frequency is 'three': give a whole number"),
        ("seed=7", "give --seeds"),
    ):
        done = invoke("cells", "--corpus", "embedded", "--set", given, "--out", few)
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
    assert RunSettings("flickr8k").mirrors
    assert not RunSettings("embedded").mirrors
    assert RunSettings("embedded", mirrored=True).mirrors
