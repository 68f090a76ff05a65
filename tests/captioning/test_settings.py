"""Settings: old and misspelled names are corrected, and so are values; files, and values that are not valid."""

from __future__ import annotations

from dataclasses import fields

import pytest

from captionlab.captioning.configurations import load_configuration, packaged_names
from captionlab.captioning.setting_names import OLD_KEYS, SYNONYMS, refuse_old_keys
from captionlab.captioning.settings import (
    DATA_NAMES,
    DECODER_NAMES,
    TRAINING_NAMES,
    DecoderSettings,
    RunSettings,
    TrainingSettings,
)

NAMES = {*DATA_NAMES, *DECODER_NAMES, *TRAINING_NAMES}


@pytest.mark.parametrize("name", sorted(OLD_KEYS))
def test_an_old_name_is_refused_with_the_new_one(name):
    known = NAMES | {each.name for owner in (DecoderSettings, RunSettings) for each in fields(owner)}
    assert OLD_KEYS[name] in known
    assert name not in known
    with pytest.raises(ValueError, match=f"{name} is now called {OLD_KEYS[name]}"):
        RunSettings.from_flat({name: 1})
    with pytest.raises(ValueError, match=f"run was written by an earlier version: {name} is now called"):
        refuse_old_keys({"decoder": {name: 1}}, "run")


def test_an_old_batch_size_counted_images():
    with pytest.raises(ValueError, match="32 images with 5 captions each are batch_size = 160"):
        RunSettings.from_flat({"images": 32})


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("lerning_rate", "lr"),
        ("learning_rate", "lr"),
        ("decoder_dims", "decoder_dim"),
        ("hiden_size", "decoder_dim"),
        ("label_smooting", "label_smoothing"),
        ("batchsize", "batch_size"),
        ("hiden", "decoder_dim"),
        ("longst", "max_length"),
    ],
)
def test_a_misspelled_name_is_refused_with_the_nearest(name, nearest):
    with pytest.raises(ValueError, match=f"there is no setting '{name}'; did you mean '{nearest}'"):
        RunSettings.from_flat({name: 1})


def test_synonyms_are_names_of_settings():
    assert set(SYNONYMS.values()) <= NAMES
    assert not set(SYNONYMS) & NAMES


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cell": "lstn"}, "cell is 'lstn': give one of lstm, gru, rnn; did you mean 'lstm'?"),
        ({"schedule": "cosin"}, "did you mean 'cosine'?"),
        ({"monitor": "accuracy"}, "monitor is 'accuracy': give one of bleu4, loss$"),
        ({"epochs": 2.5}, "epochs is 2.5: give a whole number"),
        ({"gate": 1}, "gate is 1: give true or false"),
        ({"dropout": 1.5}, "dropout is 1.5: give a number of at least 0 and below 1"),
        ({"max_length": 2}, "max_length is 2: give a number of at least 3"),
        ({"batch_size": 3, "captions_per_image": 4}, "batch_size is 3 and captions_per_image 4"),
        ({"epochs": 3, "reward_epochs": 3}, "reward_epochs is 3 of 3 epochs"),
        ({"finetune_blocks": 1, "layers": "layer4"}, "give one of the two"),
    ],
)
def test_values_that_are_not_valid_are_refused(values, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        RunSettings.from_flat(values)


@pytest.mark.parametrize("name", packaged_names())
def test_packaged_configurations_are_valid(name):
    settings = RunSettings.from_flat(load_configuration(name))
    training = TrainingSettings(**settings.training)
    assert training.batch_size == 32 * 5  # captions of 32 images
    assert training.captions_per_image == 0  # all of them


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("end", ["\r\n", "\r"])
@pytest.mark.parametrize("text", ["lr = 1e-3\ncell = 'gru' # é\n", '{"lr": 1e-3,\n "cell": "gru"}\n'])
def test_configurations_are_recognized_by_their_content(tmp_path, text, encoding, end):
    (tmp_path / "settings.txt").write_bytes(text.replace("\n", end).encode(encoding))
    assert load_configuration(tmp_path / "settings.txt") == {"lr": 1e-3, "cell": "gru"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"lr": 1,\n "lr": 2}', "settings.txt is not valid JSON: lr occurs twice"),
        (b"lr = 1\nlr = 2", "settings.txt is not valid TOML"),
        (b"lr = 1\ncell = 'caf\xe9'", r"settings.txt is not UTF-8 text .*in line 2"),
        (b"lr = 1\0", "settings.txt is not text"),
    ],
)
def test_damaged_configurations_are_named(tmp_path, data, message):
    (tmp_path / "settings.txt").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        load_configuration(tmp_path / "settings.txt")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_settings_are_finite(tmp_path, value):
    (tmp_path / "settings.toml").write_text(f"lr = {value}\n")
    with pytest.raises(ValueError, match=f"lr is {value}: give a finite number"):
        RunSettings.from_flat(load_configuration(tmp_path / "settings.toml"))


def test_configuration_files(tmp_path):
    (tmp_path / "one.toml").write_text("lr = 1e-3\n")
    (tmp_path / "one.json").write_text('{"lr": 1e-3}')
    assert load_configuration(tmp_path / "one.toml") == load_configuration(tmp_path / "one.json") == {"lr": 1e-3}
    (tmp_path / "two.toml").write_text("[training]\nlr = 1e-3\n")
    (tmp_path / "three.toml").write_text("lr : 3\n")
    for name, message in (
        ("two.toml", "has lists or tables: expected one `name = value` per line"),
        ("three.toml", "three.toml is not valid TOML"),
        ("embeded", "there is no configuration 'embeded': .*did you mean 'embedded'"),
        ("flickr8", "did you mean 'flickr8k'"),
    ):
        with pytest.raises(ValueError, match=message):
            load_configuration(tmp_path / name if name.endswith("toml") else name)
