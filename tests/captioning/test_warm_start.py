"""A new run from the weights of an earlier one: what fits is taken over, what does not is named."""

from __future__ import annotations

import logging

import pytest
import torch
from click.testing import CliRunner

from captionlab.captioning import Captioner
from captionlab.captioning.runs import RunSettings, make_model, make_trainer, prepare_data, train
from captionlab.captioning.warm_start import init_weights, load_vocabulary, settings_of_run
from captionlab.cli import main
from captionlab.common.checkpoints import load_checkpoint, save_checkpoint

pytestmark = pytest.mark.usefixtures("data_home")
COUNTS = {"train": 10, "dev": 4, "test": 4}
SMALL = {
    "min_word_freq": 1,
    "embed_dim": 8,
    "decoder_dim": 12,
    "attention_dim": 6,
    "epochs": 1,
    "batch_size": 40,
    "dataset": "embedded",
    "input_size": 64,
}


@pytest.fixture(scope="module")
def home(data_home):
    """A folder of data, and in it a run with a frozen encoder and one with a fine-tuned encoder."""
    train(RunSettings.from_flat(SMALL), data_home / "frozen", progress=False)
    train(RunSettings.from_flat(SMALL | {"finetune_blocks": 1}), data_home / "tuned", progress=False)
    return data_home


def invoke(*arguments):
    return CliRunner().invoke(main, ["caption", "train", *map(str, arguments)])


def started(run, **changes):
    """The tensors of a new model with the weights of a run, and its settings."""
    settings = settings_of_run(run, changes)
    data = prepare_data(settings, vocabulary=load_vocabulary(run), progress=False)
    model = make_model(settings, data)
    init_weights(model, data.encoder, settings.finetune_blocks, run)
    return model.state_dict(), settings


def test_a_frozen_run_goes_on_fine_tuned_by_one_flag(home, tmp_path):
    refused = invoke(home / "frozen", "--dataset", "embedded", "--finetune-blocks", 1, "--epochs", 3)
    assert refused.exit_code == 1
    assert "finetune_blocks 0, this one has 1" in refused.output
    assert "encoder_dim" not in refused.output  # it follows from the setting
    assert f"captionlab caption train NEW --init-from {home / 'frozen'} --finetune-blocks 1" in refused.output
    for _ in range(2):  # the second time there is nothing left to do
        done = invoke(tmp_path / "new", "--init-from", home / "frozen", "--finetune-blocks", 1, "--epochs", 2)
        assert done.exit_code == 0, done.output
    captioner = Captioner.load(tmp_path / "new")
    assert captioner.vocabulary.words == load_vocabulary(home / "frozen").words
    assert captioner.run["finetune_blocks"] == 1
    assert captioner.run["decoder"]["decoder_dim"] == SMALL["decoder_dim"]
    assert (tmp_path / "new" / "history.csv").read_text().count("\n") == 3


def test_all_weights_are_taken_over_where_nothing_differs(home):
    for run in ("frozen", "tuned"):
        kept = load_checkpoint(home / run / "captioner.safetensors")[0]
        found, settings = started(home / run, lr=0.5, epochs=7, dropout=0.3)
        assert found.keys() == kept.keys()
        assert all(torch.equal(found[name], kept[name]) for name in kept)
        assert (settings.training["lr"], settings.training["epochs"], settings.decoder["dropout"]) == (0.5, 7, 0.3)


@pytest.mark.parametrize("projection_dim", [0, 5])
def test_features_of_earlier_layers_are_left_out_and_all_others_read_the_same_weights(
    home, tmp_path, caplog, projection_dim
):
    caplog.set_level(logging.INFO, "captionlab")
    settings = RunSettings.from_flat(SMALL | {"projection_dim": projection_dim, "standardize": True})
    train(settings, tmp_path, progress=False)
    kept = load_checkpoint(tmp_path / "captioner.safetensors")[0]
    found, _ = started(tmp_path, finetune_blocks=1)
    assert "16 channels of earlier layers are left out" in caplog.text
    assert torch.equal(found["decoder.mean"], kept["decoder.mean"][16:])
    assert torch.equal(found["decoder.embedding.weight"], kept["decoder.embedding.weight"])
    cell, old = found["decoder.cell.weight_ih"], kept["decoder.cell.weight_ih"]
    if projection_dim:
        assert torch.equal(cell, old)
        assert torch.equal(found["decoder.projection.weight"], kept["decoder.projection.weight"][:, 16:])
    else:
        assert torch.equal(cell, torch.cat([old[:, :8], old[:, 24:]], dim=1))
        assert torch.equal(found["decoder.gate.linear.weight"], kept["decoder.gate.linear.weight"][16:])
        assert torch.equal(found["decoder.gate.linear.bias"], kept["decoder.gate.linear.bias"][16:])
        name = "decoder.attention.encoder_att.weight"
        assert torch.equal(found[name], kept[name][:, 16:])


def test_more_blocks_are_fine_tuned_than_before(home):
    kept = load_checkpoint(home / "tuned" / "captioner.safetensors")[0]
    found, _ = started(home / "tuned", finetune_blocks=2)
    block = {name: tensor for name, tensor in kept.items() if name.startswith("encoder.network.0.")}
    assert block
    assert all(torch.equal(found[name.replace(".0.", ".1.", 1)], tensor) for name, tensor in block.items())


@pytest.mark.parametrize(
    ("run", "changes", "message"),
    [
        ("frozen", {"decoder_dim": 13}, "decoder with decoder_dim 12, the new run has 13: its weights fit no other"),
        ("frozen", {"cell": "gru"}, "decoder with cell 'lstm', the new run has 'gru'"),
        ("frozen", {"encoder": "tiny_vgg"}, "another encoder: name 'tiny_resnet', found 'tiny_vgg'"),
        ("frozen", {"layers": "layer3"}, "trained on the layers maxpool, layer4, the new run has the output of layer3"),
        ("tuned", {"finetune_blocks": 0}, "finetune_blocks is 0: .* was trained with 1"),
    ],
)
def test_what_does_not_fit_is_named(home, run, changes, message):
    with pytest.raises(ValueError, match=message):
        started(home / run, **changes)


def test_users_mistakes_are_lines_and_no_tracebacks(home, tmp_path):
    (tmp_path / "file").write_text("x")
    tensors, metadata = load_checkpoint(home / "frozen" / "captioner.safetensors")
    edited = {
        "a": {"run": {}},
        "b": {"vocabulary": {"format": 1, "words": 3}},
        "c": {"decoder": {**metadata["decoder"], "dropout": "x"}},
        "d": {"encoder": [1]},
    }
    for name, change in edited.items():
        save_checkpoint(tmp_path / name / "captioner.safetensors", tensors, metadata | change)
    broken = {name: value.clone() for name, value in tensors.items()}
    broken["decoder.output.bias"][0] = torch.nan
    save_checkpoint(tmp_path / "e" / "captioner.safetensors", broken, metadata)
    for arguments, message in (
        ((home / "frozen", "--init-from", home / "frozen"), "is the run to start from: give another folder"),
        ((tmp_path / "new", "--init-from", home), "give one of the runs in it: frozen, tuned"),
        ((tmp_path / "new", "--init-from", home / "none"), "there is no folder"),
        ((tmp_path / "new", "--init-from", home / "data"), "not the folder of a trained model"),
        ((tmp_path / "new", "--init-from", home / "frozen", "--reward-epochs", 3), "reward_epochs is 3 of 1 epochs"),
        ((tmp_path / "file", "--init-from", home / "frozen"), "is a file: give the folder of a run"),
        ((tmp_path / "new", "--init-from", tmp_path / "a"), "captioner.safetensors is damaged or was edited"),
        ((tmp_path / "new", "--init-from", tmp_path / "b"), "captioner.safetensors is damaged or was edited"),
        ((tmp_path / "new", "--init-from", tmp_path / "c"), "dropout is 'x': give a number"),
        ((tmp_path / "new", "--init-from", tmp_path / "d"), "captioner.safetensors"),
        ((tmp_path / "new", "--init-from", tmp_path / "e"), "NaN or infinity in 1 of"),
    ):
        done = invoke(*arguments)
        assert done.exit_code == 1, arguments
        assert message in done.output, done.output
        assert "Traceback" not in done.output
        assert not (tmp_path / "new" / "captioner.safetensors").exists()


def test_the_settings_that_differ_are_named_before_anything_is_computed(home, monkeypatch):
    monkeypatch.setattr("captionlab.captioning.runs.prepare_data", None)
    changes = {"lr": 0.5, "max_length": 20, "decoder_dim": 13}
    with pytest.raises(
        ValueError, match=r"max_length 24, this one has 20, lr 0\.0004, this one has 0\.5, decoder_dim 12"
    ):
        train(RunSettings.from_flat(SMALL | changes), home / "frozen", progress=False)


def test_a_trainer_starts_from_the_weights(home, tmp_path):
    settings = settings_of_run(home / "frozen", {})
    data = prepare_data(settings, vocabulary=load_vocabulary(home / "frozen"), progress=False)
    trainer = make_trainer(settings, data, tmp_path, init_from=home / "frozen", progress=False)
    kept = load_checkpoint(home / "frozen" / "captioner.safetensors")[0]
    assert all(torch.equal(trainer.model.state_dict()[name].cpu(), kept[name]) for name in kept)
