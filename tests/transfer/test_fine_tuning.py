"""The training loop: best epoch, early stopping, resuming after a kill, full disks, damaged files, its log."""

from __future__ import annotations

import copy
import json
import logging
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from captionlab.common.checkpoints import load_checkpoint, save_checkpoint
from captionlab.transfer import fine_tuning
from captionlab.transfer.backbones import predict_batched
from captionlab.transfer.fine_tuning import BEST, HISTORY, LAST, FineTuneSettings, fine_tune
from captionlab.transfer.freezing import freeze, parameter_groups, set_train_mode
from captionlab.transfer.training import EarlyStopping, evaluate, train_and_keep_best, train_step

SETTINGS = FineTuneSettings(epochs=5, patience=5, batch_size=5, head_lr=0.1, backbone_lr=0.05, seed=3)


class Noisy(Dataset):
    """Twelve images of two classes that look different each time, as augmented ones do."""

    def __init__(self, delay: float = 0.0):
        self.delay = delay

    def __len__(self) -> int:
        return 12

    def __getitem__(self, k: int) -> tuple[Tensor, int]:
        time.sleep(self.delay)
        return torch.randn(3, 8, 8) + (k % 2), k % 2


def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Module()
        body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        model.body, model.classifier = body, nn.Sequential(nn.Dropout(0.3), nn.Linear(4, 2))
    model.forward = lambda images: model.classifier(model.body(images))
    return model


def validation() -> TensorDataset:
    generator = torch.Generator().manual_seed(7)
    labels = torch.tensor([0, 1] * 4)
    return TensorDataset(torch.randn(8, 3, 8, 8, generator=generator) + labels[:, None, None, None], labels)


def train(folder: Path | None = None, settings: FineTuneSettings = SETTINGS, delay: float = 0.0, **more):
    model = network()
    result = fine_tune(model, Noisy(delay), validation(), settings, folder=folder, device="cpu", progress=False, **more)
    return model, result


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_the_same_seed_gives_the_same_run_and_the_global_random_state_is_unchanged():
    torch.manual_seed(11)
    before = torch.get_rng_state()
    (model, first), (again, second) = train(), train()
    assert torch.equal(torch.get_rng_state(), before)
    assert first == second
    assert same(model, again)
    assert train(settings=replace(SETTINGS, seed=4))[1].history != first.history
    assert [entry["epoch"] for entry in first.history] == [1, 2, 3, 4, 5]
    assert set(first.history[0]) == {"epoch", "lr", "train_loss", "validation_loss", "validation_accuracy"}


def test_saving_changes_nothing_and_the_result_of_a_completed_run_is_returned(tmp_path: Path):
    model, plain = train()
    saved_model, saved = train(tmp_path)
    assert saved == plain
    assert same(model, saved_model)
    assert json.loads((tmp_path / HISTORY).read_text()) == plain.history
    written = (tmp_path / LAST).stat().st_mtime_ns
    (tmp_path / HISTORY).write_text("[]")  # as after a kill just before it was written
    loaded, result = train(tmp_path)
    assert result == plain
    assert same(loaded, model)
    assert (tmp_path / LAST).stat().st_mtime_ns == written
    assert json.loads((tmp_path / HISTORY).read_text()) == plain.history


def run_and_kill(folder: Path) -> int:
    """Train in another process, kill it after two epochs; returns the epochs of its last checkpoint."""
    code = (
        "import sys, torch; from pathlib import Path; torch.set_num_threads(1); "
        f"sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_fine_tuning as t; "
        f"t.train(Path({str(folder)!r}), delay=0.02)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        deadline = time.monotonic() + 120
        while not (folder / HISTORY).exists() or len(json.loads((folder / HISTORY).read_text())) < 2:
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.kill()  # SIGKILL: no cleanup is possible
        process.wait()
    return len(load_checkpoint(folder / LAST)[1]["result"]["history"])


def test_after_kill_9_the_history_is_the_same_to_the_last_bit(tmp_path: Path):
    model, whole = train()
    done = run_and_kill(tmp_path)
    assert 2 <= done < 5
    resumed, result = train(tmp_path)
    assert result == whole
    assert same(resumed, model)


def test_best_epoch_by_accuracy_then_by_loss(monkeypatch: pytest.MonkeyPatch):
    measured = iter([(0.9, 0.5), (0.8, 0.75), (0.6, 0.75), (0.7, 0.75), (0.1, 0.5)])
    kept = []

    def evaluated(model, batches):
        kept.append(copy.deepcopy(model.state_dict()))
        return next(measured)

    monkeypatch.setattr(fine_tuning, "evaluate", evaluated)
    model, result = train()
    assert result.best_epoch == 3
    assert not result.stopped_early
    assert all(torch.equal(value, kept[2][name]) for name, value in model.state_dict().items())


def test_early_stopping(monkeypatch: pytest.MonkeyPatch):
    measured = iter([(0.9, 0.5), (0.9, 0.6), (0.5, 0.6), (0.4, 0.6), (0.1, 0.9)])
    monkeypatch.setattr(fine_tuning, "evaluate", lambda model, batches: next(measured))
    _, result = train(settings=replace(SETTINGS, patience=2))
    assert result.stopped_early
    assert len(result.history) == 4
    assert result.best_epoch == 4  # equal accuracy, lower loss: kept, but no reason to continue


def closures(model: nn.Module) -> tuple:
    """The training of an epoch and its validation, as a student would write them with the steps of Lab 3."""
    groups = parameter_groups(model, model.classifier[-1], SETTINGS.head_lr, SETTINGS.backbone_lr)
    optimizer = torch.optim.SGD(groups, momentum=SETTINGS.momentum, weight_decay=SETTINGS.weight_decay, nesterov=True)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, SETTINGS.epochs)
    order = torch.Generator().manual_seed(SETTINGS.seed)
    batches = DataLoader(Noisy(), SETTINGS.batch_size, shuffle=True, generator=order)

    def train_epoch() -> float:
        set_train_mode(model, model.classifier[-1])
        losses = [(train_step(model, *batch, optimizer), len(batch[0])) for batch in batches]
        scheduler.step()
        return sum(loss * size for loss, size in losses) / sum(size for _, size in losses)

    return train_epoch, lambda: evaluate(model, DataLoader(validation(), SETTINGS.batch_size))[1]


@pytest.mark.parametrize("patience", [1, 5])
def test_fine_tuning_is_what_train_and_keep_best_does_with_the_other_references(patience: int):
    fine_tuned, result = train(settings=replace(SETTINGS, patience=patience))
    accuracies = [entry["validation_accuracy"] for entry in result.history]
    assert accuracies.count(max(accuracies)) == 1  # of equally good epochs fine_tune keeps the one with the lowest loss
    model = network()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SETTINGS.seed)
        history = train_and_keep_best(model, *closures(model), EarlyStopping(patience), SETTINGS.epochs)
    assert [(entry["train_loss"], entry["validation_accuracy"]) for entry in result.history] == history
    assert same(fine_tuned, model)


def test_a_head_on_features_computed_once_is_trained_like_the_head_of_a_frozen_network():
    model = network()
    freeze(model.body)
    images = TensorDataset(torch.randn(12, 3, 8, 8, generator=torch.Generator().manual_seed(1)), torch.arange(12) % 2)
    features = TensorDataset(predict_batched(model.body, images.tensors[0]), images.tensors[1])
    held_out = TensorDataset(predict_batched(model.body, validation().tensors[0]), validation().tensors[1])
    head = copy.deepcopy(model.classifier)
    fast = fine_tune(head, features, held_out, SETTINGS, head=head, device="cpu", progress=False)
    whole = fine_tune(model, images, validation(), SETTINGS, head=model.classifier, device="cpu", progress=False)
    for one, other in zip(fast.history, whole.history, strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    assert fast.best_epoch == whole.best_epoch
    assert torch.allclose(head[1].weight, model.classifier[1].weight, rtol=1e-4)


def test_where_the_output_is_no_terminal_each_epoch_is_a_line_of_the_log(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, logger="captionlab"):
        train()
        assert not caplog.messages
        model = network()
        result = fine_tune(model, Noisy(), validation(), SETTINGS, device="cpu")
    assert len(caplog.messages) == 5
    assert caplog.messages[1].startswith(f"epoch 2 of 5: train_loss {result.history[1]['train_loss']:.3g}, ")


def test_without_validation_all_epochs_and_the_last_weights():
    model = network()
    result = fine_tune(model, Noisy(), None, SETTINGS, device="cpu", progress=False)
    assert result.best_epoch == len(result.history) == 5
    assert set(result.history[0]) == {"epoch", "lr", "train_loss"}


def test_batch_statistics_are_frozen_if_asked_for():
    for frozen in (True, False):
        model, _ = train(settings=replace(SETTINGS, freeze_batchnorm=frozen))
        assert torch.equal(model.body[1].running_mean, torch.zeros(4)) is frozen


def test_frozen_parts_stay_as_they_are_and_something_must_be_trainable():
    model = network()
    model.body.requires_grad_(False)
    before = copy.deepcopy(model.body.state_dict())
    fine_tune(model, Noisy(), validation(), SETTINGS, device="cpu", progress=False)
    assert all(torch.equal(value, before[name]) for name, value in model.body.state_dict().items())
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="unfreeze"):
        fine_tune(model, Noisy(), validation(), SETTINGS, device="cpu", progress=False)


def test_a_full_disk_leaves_the_old_checkpoint_intact(tmp_path: Path):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, {"x": torch.arange(3.0)}, {"epoch": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # the kernel refuses to write more, as on a full disk
    try:
        with pytest.raises(OSError, match=r"c\.safetensors cannot be saved .* previous version is intact"):
            save_checkpoint(path, {"x": torch.zeros(10_000)}, {"epoch": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    tensors, about = load_checkpoint(path)
    assert tensors["x"].tolist() == [0.0, 1.0, 2.0]
    assert about == {"epoch": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["c.safetensors"]


def test_training_stops_on_a_full_disk_and_resumes_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _, whole = train()
    real, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 6:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        train(tmp_path)
    monkeypatch.undo()
    assert train(tmp_path)[1] == whole


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "foreign"])
def test_damaged_checkpoints_are_named(tmp_path: Path, damage: str):
    train(tmp_path, replace(SETTINGS, epochs=1))
    whole = (tmp_path / LAST).read_bytes()
    foreign = save_foreign(tmp_path / "foreign") if damage == "foreign" else b""
    (tmp_path / LAST).write_bytes(
        {"cut": whole[:-9], "text": b"not this" * 9, "empty": b"", "foreign": foreign}[damage]
    )
    with pytest.raises(ValueError, match=r"last\.safetensors is damaged or not a checkpoint"):
        train(tmp_path, replace(SETTINGS, epochs=1))


def save_foreign(path: Path) -> bytes:
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(2)}, path)
    return path.read_bytes()


def test_another_run_or_another_network_in_the_folder(tmp_path: Path):
    train(tmp_path, replace(SETTINGS, epochs=1))
    with pytest.raises(ValueError, match=r"a run with epochs 1, this one has 2: .*another folder"):
        train(tmp_path, replace(SETTINGS, epochs=2))
    model = network()
    model.body[0] = nn.Conv2d(3, 4, 5)
    with pytest.raises(ValueError, match=r"body\.0\.weight"):
        fine_tune(model, Noisy(), validation(), replace(SETTINGS, epochs=1), folder=tmp_path, progress=False)
    with pytest.raises(FileNotFoundError, match=BEST.replace(".", r"\.")):
        load_checkpoint(tmp_path / "nothing" / BEST)


def test_a_loss_that_is_not_a_number(tmp_path: Path):
    message = r"epoch 1: the loss of batch 2 is (nan|inf), .*lower the learning rates, 1e\+30 and 1e\+30 now"
    with pytest.raises(FloatingPointError, match=message):
        train(tmp_path, replace(SETTINGS, head_lr=1e30, backbone_lr=1e30))
    assert not (tmp_path / BEST).exists()


@pytest.mark.parametrize("validated", [True, False])
def test_weights_that_the_last_step_spoils_are_not_kept(tmp_path: Path, monkeypatch, validated):
    model, epoch = network(), fine_tuning._Run.train_epoch

    def spoiled(self, batches, bar):
        entry = epoch(self, batches, bar)
        if entry["epoch"] == 2:
            with torch.no_grad():
                self.model.classifier[1].bias[0] = torch.nan
        return entry

    monkeypatch.setattr(fine_tuning._Run, "train_epoch", spoiled)
    with pytest.raises(FloatingPointError, match=r"after epoch 2 contains NaN|epoch 2: validation_loss is nan"):
        fine_tune(model, Noisy(), validation() if validated else None, SETTINGS, folder=tmp_path, progress=False)
    kept, entry = load_checkpoint(tmp_path / BEST)
    assert entry["epoch"] == 1
    assert all(tensor.isfinite().all() for tensor in kept.values())


@pytest.mark.parametrize("part", ["made_by", "result", "stopping", "scheduler", "optimizer"])
def test_a_checkpoint_that_was_edited_is_named(tmp_path: Path, part):
    train(tmp_path, replace(SETTINGS, epochs=1))
    tensors, metadata = load_checkpoint(tmp_path / LAST)
    save_checkpoint(tmp_path / LAST, tensors, metadata | {part: 3})
    with pytest.raises(ValueError, match=r"last\.safetensors is damaged or was edited"):
        train(tmp_path, replace(SETTINGS, epochs=1))


def test_memory_layout_of_the_weights_survives_resuming(tmp_path: Path):
    model = network().to(memory_format=torch.channels_last)
    fine_tune(model, Noisy(), validation(), replace(SETTINGS, epochs=1), folder=tmp_path, progress=False, device="cpu")
    assert model.body[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_tensorboard_gets_the_curves(tmp_path: Path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    _, result = train(settings=replace(SETTINGS, epochs=2), tensorboard=tmp_path)
    events = accumulator.EventAccumulator(str(tmp_path)).Reload()
    written = [(event.step, round(event.value, 4)) for event in events.Scalars("validation_accuracy")]
    assert written == [(entry["epoch"], round(entry["validation_accuracy"], 4)) for entry in result.history]


def test_without_tensorboard_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ModuleNotFoundError, match="pip install tensorboard"):
        train(tensorboard=tmp_path)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_cuda_device(tmp_path: Path):
    model = network()
    result = fine_tune(model, Noisy(), validation(), SETTINGS, folder=tmp_path, progress=False)
    assert model.body[0].weight.device.type == "cuda"
    assert len(result.history) == 5
