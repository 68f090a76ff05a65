"""Training: it learns, keeps the best, stops, and goes on bit by bit as if it had never been killed."""

from __future__ import annotations

import csv
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
from captionlab.captioning.evaluation import CaptionModel, evaluate_generation, evaluate_teacher_forcing
from captionlab.captioning.settings import DecoderSettings, TrainingSettings
from captionlab.captioning.training import BEST, HISTORY, STATE, Trainer
from captionlab.captioning.vocabulary import Vocabulary
from captionlab.common.checkpoints import load_checkpoint

QUICK = TrainingSettings(epochs=4, images=8, rate=0.02, warmup=2, seed=3)


def trainer(toy, folder: Path, settings: TrainingSettings = QUICK, report=lambda line: None, **shape) -> Trainer:
    vocabulary, train, dev = toy
    torch.manual_seed(settings.seed)
    shape = {"embedding": 12, "hidden": 24, "attention": 8, "dropout": 0.1} | shape
    decoder = Decoder(DecoderSettings(7, len(vocabulary), **shape))
    return Trainer(
        CaptionModel(decoder), vocabulary, train, dev, settings, folder, {"about": {}}, progress=False, report=report
    )


def losses(history: list[dict]) -> list[float]:
    return [row["train_loss"] for row in history]


@pytest.mark.parametrize("cell", CELLS)
def test_it_learns_to_describe_what_it_has_not_seen(toy, tmp_path, cell):
    made = trainer(toy, tmp_path, replace(QUICK, epochs=15, penalty=0.1), cell=cell)
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
    assert made.done.best == max(values)
    assert made.done.best_epoch == values.index(max(values)) + 1
    tensors, about = load_checkpoint(tmp_path / BEST)
    model = CaptionModel(Decoder(DecoderSettings(**about["decoder"])))
    model.load_state_dict(tensors)
    assert evaluate_generation(model, toy[0], toy[2]).bleu[3] == made.done.best


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"average": 0.9},
        {"slope": 0.2},
        {"schedule": "cosine"},
        {"measure": "loss", "patience": 2, "epochs": 6},
        {"reward_epochs": 3},
    ],
)
def test_going_on_gives_the_numbers_of_an_undisturbed_run(toy, tmp_path, changes):
    settings = replace(QUICK, **changes)
    whole = trainer(toy, tmp_path / "whole", settings).run()

    class Killed(Exception):
        pass

    def killed(line: str) -> None:
        if line.startswith("epoch   2"):
            raise Killed

    with pytest.raises(Killed):
        trainer(toy, tmp_path / "cut", settings, killed).run()
    said = []
    resumed = trainer(toy, tmp_path / "cut", settings, said.append)
    assert said == [f"going on after epoch 1, from {tmp_path / 'cut' / STATE}"]
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
    with pytest.raises(ValueError, match=r"rate 0.02, this one has 0.5"):
        trainer(toy, tmp_path, replace(QUICK, rate=0.5))
    with pytest.raises(ValueError, match=r"hidden 24, this one has 25"):
        trainer(toy, tmp_path, hidden=25)
    assert (tmp_path / STATE).read_bytes() == kept


def test_a_full_disk_leaves_the_old_checkpoint_whole(toy, tmp_path, monkeypatch):
    trainer(toy, tmp_path, replace(QUICK, epochs=2)).run()
    kept = {name: (tmp_path / name).read_bytes() for name in (BEST, STATE)}

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"make room on the disk"):
        trainer(toy, tmp_path, QUICK).run()
    assert {name: (tmp_path / name).read_bytes() for name in (BEST, STATE)} == kept


def test_it_stops_after_patience_and_after_its_minutes(toy, tmp_path, monkeypatch):
    said = []
    hopeless = replace(QUICK, epochs=50, patience=2, rate=1e-9, measure="loss", schedule="cosine")
    history = trainer(toy, tmp_path / "a", replace(hopeless, rate=10.0, patience=2), said.append).run()
    assert len(history) < 50
    assert "no better loss for 2 epochs" in said[-1]
    clock = iter(range(0, 100_000, 40))
    monkeypatch.setattr(training.time, "monotonic", lambda: next(clock))
    assert len(trainer(toy, tmp_path / "b", replace(QUICK, minutes=1.0), said.append).run()) == 2
    assert "1 minutes of training are over" in said[-1]


def test_the_rate_is_cut_on_a_plateau(toy, tmp_path):
    settings = replace(QUICK, epochs=9, plateau=2, factor=0.5, rate=5.0)
    history = trainer(toy, tmp_path, settings).run()
    rates = [row["rate"] for row in history]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 5.0


def test_teacher_forced_numbers_do_not_depend_on_the_batch(toy, tmp_path):
    made = trainer(toy, tmp_path)
    one, other = (evaluate_teacher_forcing(made.evaluated(), toy[2], size=size) for size in (1, 12))
    assert one.loss == pytest.approx(other.loss, rel=1e-5)
    assert one.top5 == pytest.approx(other.top5)


SCRIPT = """
import sys, torch
from pathlib import Path
sys.path.insert(0, {tests!r})
import conftest
from test_training import trainer, QUICK
from dataclasses import replace
torch.set_num_threads(1)
toy = conftest.toy.__wrapped__() if hasattr(conftest.toy, "__wrapped__") else conftest.toy.__pytest_wrapped__.obj()
trainer(toy, Path(sys.argv[1]), replace(QUICK, epochs=int(sys.argv[2])), lambda line: print(line, flush=True)).run()
"""


@pytest.mark.slow
def test_kill_9_and_resume(tmp_path):
    """For real: the process is killed in the middle of an epoch, and a new one goes on."""
    script = tmp_path / "run.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)))

    def start(folder: str) -> subprocess.Popen:
        command = [sys.executable, str(script), str(tmp_path / folder), "12"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})

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
    assert "going on after epoch" in output

    def table(folder: str) -> list[dict]:
        with (tmp_path / folder / HISTORY).open() as file:
            return [{**row, "seconds": ""} for row in csv.DictReader(file)]

    assert table("cut") == table("whole")


def test_a_run_does_not_go_on_with_other_words_or_another_encoder(toy, tmp_path):
    trainer(toy, tmp_path, replace(QUICK, epochs=1)).run()
    vocabulary, train, dev = toy
    swapped = Vocabulary(vocabulary.words[:3:-1])
    with pytest.raises(ValueError, match="holds a run with vocabulary"):
        trainer((swapped, train, dev), tmp_path)
    made = trainer(toy, tmp_path / "other", replace(QUICK, epochs=1))
    made.metadata = {"about": {"longest": 20}, "encoder": {"size": 64}}
    made.run()
    for metadata, message in (
        ({"about": {"longest": 20}, "encoder": {"size": 96}}, "size 64, this one has 96"),
        ({"about": {"longest": 24}, "encoder": {"size": 64}}, "longest 20, this one has 24"),
    ):
        with pytest.raises(ValueError, match=message):
            Trainer(made.model, vocabulary, train, dev, made.settings, made.folder, metadata, progress=False)


def test_smoothing_is_trained_on_and_not_reported(toy, tmp_path):
    plain, smooth = (trainer(toy, tmp_path, replace(QUICK, smoothing=value), dropout=0.0) for value in (0.0, 0.3))
    images = list(range(8))
    for made in (plain, smooth):
        made.first, _ = made.step(made.train_set.batch(images), made.train_set.encoded[images])
    assert plain.first == smooth.first
    weights = [made.model.state_dict()["decoder.output.weight"] for made in (plain, smooth)]
    assert not torch.equal(*weights)


def test_numbers_that_are_not_finite_end_the_training_and_keep_the_epochs_before(toy, tmp_path):
    trainer(toy, tmp_path, replace(QUICK, epochs=1)).run()
    kept = {name: (tmp_path / name).read_bytes() for name in (BEST, STATE)}
    made = trainer(toy, tmp_path)
    with torch.no_grad():
        made.model.decoder.output.weight[5] = float("inf")
    with pytest.raises(FloatingPointError, match=r"in epoch 2 .* give a lower rate than 0.02"):
        made.run()
    assert {name: (tmp_path / name).read_bytes() for name in (BEST, STATE)} == kept


def test_a_history_that_is_gone_is_written_again(toy, tmp_path):
    trainer(toy, tmp_path).run()
    written = (tmp_path / HISTORY).read_text()
    (tmp_path / HISTORY).unlink()
    trainer(toy, tmp_path)
    assert (tmp_path / HISTORY).read_text() == written


def test_the_history_has_the_rates_that_were_used(toy, tmp_path):
    settings = replace(QUICK, schedule="cosine", epochs=3, reward_epochs=1, reward_rate=1e-3)
    rates = [row["rate"] for row in trainer(toy, tmp_path, settings).run()]
    assert 0.02 > rates[0] > rates[1] > 0  # of each epoch's last update
    assert rates[2] < 1e-3


def test_more_epochs_would_move_those_that_are_rewarded(toy, tmp_path):
    settings = replace(QUICK, epochs=2, reward_epochs=1)
    trainer(toy, tmp_path, settings).run()
    with pytest.raises(ValueError, match="holds a run with epochs 2, this one has 4"):
        trainer(toy, tmp_path, replace(settings, epochs=4))


def test_two_processes_do_not_train_in_one_folder(toy, tmp_path):
    with FileLock(tmp_path / "lock"), pytest.raises(ValueError, match="another process is training"):
        trainer(toy, tmp_path).run()
