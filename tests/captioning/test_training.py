"""Training: it learns, keeps the best epoch, stops early, and resumes bit by bit as if it had never been killed."""

from __future__ import annotations

import csv
import logging
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from captionlab.captioning import training
from captionlab.captioning.decoder import CELLS, Decoder
from captionlab.captioning.evaluation import (
    CaptionModel,
    evaluate_generation,
    evaluate_teacher_forcing,
    make_step_fn,
)
from captionlab.captioning.loss import caption_loss
from captionlab.captioning.metrics import bleu
from captionlab.captioning.resuming import HISTORY, STATE
from captionlab.captioning.search import greedy_search
from captionlab.captioning.settings import DecoderSettings, TrainingSettings
from captionlab.captioning.teacher_forcing import free_running_bleu
from captionlab.captioning.training import BEST, Trainer
from captionlab.captioning.vocabulary import Vocabulary
from captionlab.common.checkpoints import load_checkpoint, save_checkpoint

QUICK = TrainingSettings(epochs=4, batch_size=16, lr=0.02, warmup_steps=2, seed=3)  # 8 images with 2 captions each


def trainer(toy, folder: Path, settings: TrainingSettings = QUICK, **shape) -> Trainer:
    vocabulary, train, dev = toy
    torch.manual_seed(settings.seed)
    shape = {"embed_dim": 12, "decoder_dim": 24, "attention_dim": 8, "dropout": 0.1} | shape
    decoder = Decoder(DecoderSettings(7, len(vocabulary), **shape))
    return Trainer(CaptionModel(decoder), vocabulary, train, dev, settings, folder, {"run": {}}, progress=False)


@pytest.fixture
def log(caplog):
    """What is logged; ``log.messages`` are the lines so far."""
    caplog.set_level(logging.INFO, "captionlab")
    return caplog


def losses(history: list[dict]) -> list[float]:
    return [row["train_loss"] for row in history]


@pytest.mark.parametrize("cell", CELLS)
def test_it_learns_to_describe_what_it_has_not_seen(toy, tmp_path, cell):
    made = trainer(toy, tmp_path, replace(QUICK, epochs=15, attention_reg=0.1), cell=cell)
    history = made.run()
    assert history[-1]["dev_loss"] < 0.5 * history[0]["dev_loss"]
    written = evaluate_generation(made.evaluated(), toy[0], toy[2]).captions
    right = [list(caption) in references for caption, references in zip(written, toy[2].references, strict=True)]
    assert sum(right) >= 10  # of 12


def test_history_and_best_checkpoint(toy, tmp_path):
    made = trainer(toy, tmp_path)
    history = made.run()
    with (tmp_path / HISTORY).open() as file:
        assert [float(row["train_loss"]) for row in csv.DictReader(file)] == losses(history)
    values = [row["dev_bleu4"] for row in history]
    assert made.done.best_epoch == values.index(max(values)) + 1
    tensors, about = load_checkpoint(tmp_path / BEST)
    model = CaptionModel(Decoder(DecoderSettings(**about["decoder"])))
    model.load_state_dict(tensors)
    assert evaluate_generation(model, toy[0], toy[2]).bleu[3] == max(values)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ema_decay": 0.9},
        {"sampling_prob_growth": 0.2},
        {"schedule": "cosine"},
        {"monitor": "loss", "patience": 2, "epochs": 6},
        {"reward_epochs": 3},
        {"captions_per_image": 1},
    ],
)
def test_a_resumed_run_gives_the_numbers_of_an_undisturbed_one(toy, tmp_path, monkeypatch, log, changes):
    settings = replace(QUICK, **changes)
    whole = trainer(toy, tmp_path / "whole", settings).run()

    class Killed(Exception):
        pass

    def killed(self, *_, **__):
        if self.done.epoch == 2:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_report", killed)
        with pytest.raises(Killed):
            trainer(toy, tmp_path / "cut", settings).run()
    log.clear()
    resumed = trainer(toy, tmp_path / "cut", settings)
    assert log.messages == [f"resuming after epoch 1, from {tmp_path / 'cut' / STATE}"]
    history = resumed.run()
    assert [{**row, "seconds": 0} for row in history] == [{**row, "seconds": 0} for row in whole]
    one, two = (load_checkpoint(tmp_path / name / BEST)[0] for name in ("whole", "cut"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_finished_run_has_nothing_left_to_do(toy, tmp_path):
    trainer(toy, tmp_path).run()
    before = (tmp_path / STATE).stat().st_mtime_ns
    assert len(trainer(toy, tmp_path).run()) == QUICK.epochs
    assert (tmp_path / STATE).stat().st_mtime_ns == before
    assert len(trainer(toy, tmp_path, replace(QUICK, epochs=6)).run()) == 6  # more epochs may be asked for later


def test_another_shape_or_rate_is_refused_and_nothing_lost(toy, tmp_path):
    trainer(toy, tmp_path, replace(QUICK, epochs=1)).run()
    kept = (tmp_path / STATE).read_bytes()
    with pytest.raises(ValueError, match=r"lr 0.02, this one has 0.5"):
        trainer(toy, tmp_path, replace(QUICK, lr=0.5))
    with pytest.raises(ValueError, match=r"decoder_dim 24, this one has 25"):
        trainer(toy, tmp_path, decoder_dim=25)
    assert (tmp_path / STATE).read_bytes() == kept


def test_a_full_disk_leaves_the_old_checkpoint_whole(toy, tmp_path, monkeypatch):
    trainer(toy, tmp_path, replace(QUICK, epochs=2)).run()
    kept = {name: (tmp_path / name).read_bytes() for name in (BEST, STATE)}

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"free some disk space"):
        trainer(toy, tmp_path, QUICK).run()
    assert {name: (tmp_path / name).read_bytes() for name in (BEST, STATE)} == kept


def test_it_stops_after_patience_and_after_its_minutes(toy, tmp_path, monkeypatch, log):
    hopeless = replace(QUICK, epochs=50, patience=2, lr=10.0, monitor="loss", schedule="cosine")
    history = trainer(toy, tmp_path / "a", hopeless).run()
    assert len(history) < 50
    assert "loss has not improved for 2 epochs" in log.messages[-1]
    clock = iter(range(0, 100_000, 40))
    monkeypatch.setattr(training.time, "monotonic", lambda: next(clock))
    assert len(trainer(toy, tmp_path / "b", replace(QUICK, max_minutes=1.0)).run()) == 2
    assert "the limit of 1 minutes is reached" in log.messages[-1]


def test_the_learning_rate_is_reduced_on_a_plateau(toy, tmp_path):
    settings = replace(QUICK, epochs=9, lr_patience=2, lr_factor=0.5, lr=5.0)
    history = trainer(toy, tmp_path, settings).run()
    rates = [row["lr"] for row in history]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 5.0


def test_teacher_forced_numbers_do_not_depend_on_the_batch(toy, tmp_path):
    made = trainer(toy, tmp_path)
    one, other = (evaluate_teacher_forcing(made.evaluated(), toy[2], batch_size=size) for size in (1, 12))
    assert one.loss == pytest.approx(other.loss, rel=1e-5)
    assert one.top5 == pytest.approx(other.top5)


SCRIPT = """
import sys, torch
from pathlib import Path
sys.path.insert(0, {tests!r})
import conftest
from test_training import trainer, QUICK
from dataclasses import replace
from captionlab.common.logs import setup_logging
setup_logging()
torch.set_num_threads(1)
toy = conftest.toy.__wrapped__() if hasattr(conftest.toy, "__wrapped__") else conftest.toy.__pytest_wrapped__.obj()
trainer(toy, Path(sys.argv[1]), replace(QUICK, epochs=int(sys.argv[2]))).run()
"""


@pytest.mark.slow
def test_kill_9_and_resume(tmp_path):
    """For real: the process is killed in the middle of an epoch, and a new one resumes."""
    script = tmp_path / "run.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)))

    def start(folder: str) -> subprocess.Popen:
        command = [sys.executable, str(script), str(tmp_path / folder), "12"]
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    assert start("whole").wait() == 0
    process = start("cut")
    for line in process.stdout:
        if line.startswith("epoch   5"):
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait() == -signal.SIGKILL
    again = start("cut")
    output = again.communicate()[0]
    assert again.returncode == 0
    assert "resuming after epoch" in output

    def table(folder: str) -> list[dict]:
        with (tmp_path / folder / HISTORY).open() as file:
            return [{**row, "seconds": ""} for row in csv.DictReader(file)]

    assert table("cut") == table("whole")


def test_a_run_is_not_resumed_with_other_words_or_another_encoder(toy, tmp_path):
    trainer(toy, tmp_path, replace(QUICK, epochs=1)).run()
    vocabulary, train, dev = toy
    swapped = Vocabulary(vocabulary.words[:3:-1])
    with pytest.raises(ValueError, match="holds a run with vocabulary"):
        trainer((swapped, train, dev), tmp_path)
    made = trainer(toy, tmp_path / "other", replace(QUICK, epochs=1))
    made.metadata = {"run": {"max_length": 20}, "encoder": {"input_size": 64}}
    made.run()
    for metadata, message in (
        ({"run": {"max_length": 20}, "encoder": {"input_size": 96}}, "input_size 64, this one has 96"),
        ({"run": {"max_length": 24}, "encoder": {"input_size": 64}}, "max_length 20, this one has 24"),
    ):
        with pytest.raises(ValueError, match=message):
            Trainer(made.model, vocabulary, train, dev, made.settings, made.folder, metadata, progress=False)


def test_label_smoothing_is_trained_on_and_not_reported(toy, tmp_path):
    plain, smooth = (trainer(toy, tmp_path, replace(QUICK, label_smoothing=value), dropout=0.0) for value in (0.0, 0.3))
    images = list(range(8))
    for made in (plain, smooth):
        made.first, _ = made.step(made.train_set.grids(images), made.train_set.token_ids[images])
    assert plain.first == smooth.first
    weights = [made.model.state_dict()["decoder.output.weight"] for made in (plain, smooth)]
    assert not torch.equal(*weights)


def test_numbers_that_are_not_finite_end_the_training_and_keep_the_epochs_before(toy, tmp_path):
    trainer(toy, tmp_path, replace(QUICK, epochs=1)).run()
    kept = {name: (tmp_path / name).read_bytes() for name in (BEST, STATE)}
    made = trainer(toy, tmp_path)
    with torch.no_grad():
        made.model.decoder.output.weight[5] = float("inf")
    with pytest.raises(
        FloatingPointError,
        match=r"in epoch 2 \(batch 1 of 6\) the loss is nan and .*no longer finite numbers; give a lower lr than 0\.02"
        r".*holds epoch 1, the best before; .* --init-from",
    ):
        made.run()
    assert {name: (tmp_path / name).read_bytes() for name in (BEST, STATE)} == kept


def test_features_that_are_not_finite_are_named_as_the_cause(toy, tmp_path):
    made = trainer(toy, tmp_path)
    made.train_set.source.rows[:] = float("inf")
    with pytest.raises(
        FloatingPointError, match=r"in epoch 1 \(batch 1 of 6\).*the features of its images contain NaN"
    ):
        made.run()
    assert not (tmp_path / BEST).exists()


def test_weights_that_the_last_update_of_an_epoch_spoils_are_not_kept(toy, tmp_path, monkeypatch):
    trainer(toy, tmp_path, replace(QUICK, epochs=1)).run()
    kept = {name: (tmp_path / name).read_bytes() for name in (BEST, STATE)}
    made = trainer(toy, tmp_path)
    epoch = Trainer._epoch

    def spoiled(self):
        loss = epoch(self)
        with torch.no_grad():
            self.model.decoder.output.bias[5] = float("nan")
        return loss

    monkeypatch.setattr(Trainer, "_epoch", spoiled)
    with pytest.raises(FloatingPointError, match=r"after epoch 2 the weights are no longer finite"):
        made.run()
    assert {name: (tmp_path / name).read_bytes() for name in (BEST, STATE)} == kept


@pytest.mark.parametrize("part", ["optimizer", "progress", "history", "base_lrs", "settings"])
def test_a_state_that_was_edited_is_named(toy, tmp_path, part):
    trainer(toy, tmp_path, replace(QUICK, epochs=1)).run()
    tensors, metadata = load_checkpoint(tmp_path / STATE)
    save_checkpoint(tmp_path / STATE, tensors, {**metadata, part: [] if part == "settings" else 3})
    message = "holds a run with batch_size None" if part == "settings" else f"{STATE} is damaged or was edited"
    with pytest.raises(ValueError, match=message):
        trainer(toy, tmp_path)


def test_a_history_that_is_gone_is_written_again(toy, tmp_path):
    trainer(toy, tmp_path).run()
    written = (tmp_path / HISTORY).read_text()
    (tmp_path / HISTORY).unlink()
    trainer(toy, tmp_path)
    assert (tmp_path / HISTORY).read_text() == written


def test_the_history_has_the_learning_rates_that_were_used(toy, tmp_path):
    settings = replace(QUICK, schedule="cosine", epochs=3, reward_epochs=1, reward_lr=1e-3)
    rates = [row["lr"] for row in trainer(toy, tmp_path, settings).run()]
    assert 0.02 > rates[0] > rates[1] > 0  # of each epoch's last update
    assert rates[2] < 1e-3


def test_more_epochs_would_move_the_reward_epochs(toy, tmp_path):
    settings = replace(QUICK, epochs=2, reward_epochs=1)
    trainer(toy, tmp_path, settings).run()
    with pytest.raises(ValueError, match="holds a run with epochs 2, this one has 4"):
        trainer(toy, tmp_path, replace(settings, epochs=4))


def test_two_processes_do_not_train_in_one_folder(toy, tmp_path):
    with FileLock(tmp_path / "lock"), pytest.raises(ValueError, match="another process is training"):
        trainer(toy, tmp_path).run()


def test_the_loss_of_an_update_is_caption_loss(toy, tmp_path):
    made = trainer(toy, tmp_path, dropout=0.0)
    images = list(range(8))
    grids, token_ids = made.train_set.grids(images), made.train_set.token_ids[images]
    features = made.model.features(grids)
    logits, targets = torch.zeros(16, 11, len(toy[0])), torch.zeros(16, 11, dtype=torch.int64)
    with torch.no_grad():
        for row, caption in enumerate(token_ids.flatten(0, 1)):
            caption = caption[caption != 0]
            steps = len(caption) - 1
            output = made.model.decoder(features[row // 2 : row // 2 + 1], caption[None, None])
            logits[row, :steps], targets[row, :steps] = output.logits, output.targets
    loss, words = made.step(grids, token_ids)
    assert words == int((targets != 0).sum())
    assert loss == pytest.approx(caption_loss(logits, targets).item(), rel=1e-5)


def test_generated_captions_are_scored_as_free_running_bleu_scores_them(toy, tmp_path):
    """The vocabulary has every word, so token ids and words give the same BLEU."""
    made = trainer(toy, tmp_path, replace(QUICK, epochs=6, attention_reg=0.1))
    made.run()
    vocabulary, _, dev = toy
    decoder = made.model.decoder.eval()

    def pair_step(token_ids, state):
        return step(token_ids, state)[:2]

    def bleu_of_ids(candidates, references):
        as_words = [[[str(token_id) for token_id in each] for each in captions] for captions in references]
        return bleu([[str(token_id) for token_id in caption] for caption in candidates], as_words)

    with torch.no_grad():
        step, state = make_step_fn(decoder, decoder.encode(made.model.features(dev.grids(range(len(dev))))))
        expected = free_running_bleu(pair_step, state, dev.token_ids, greedy_search, bleu_of_ids)
    assert expected[3] > 0.1
    assert evaluate_generation(made.model, vocabulary, dev).bleu == pytest.approx(expected)


def test_a_run_with_old_names_is_refused_with_the_new_ones(toy, tmp_path):
    trainer(toy, tmp_path, replace(QUICK, epochs=1)).run()
    tensors, metadata = load_checkpoint(tmp_path / STATE)
    metadata["settings"]["rate"] = metadata["settings"].pop("lr")
    save_checkpoint(tmp_path / STATE, tensors, metadata)
    with pytest.raises(ValueError, match="rate is now called lr; train it again"):
        trainer(toy, tmp_path)


def test_each_epoch_is_reported_in_one_line(toy, tmp_path, log):
    trainer(toy, tmp_path).run()
    assert [line[:9] for line in log.messages] == [*(f"epoch {n:3}" for n in range(1, 5)), "training "]
