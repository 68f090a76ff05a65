"""Training a pretrained network on new classes: the loop around the steps of ``training`` and ``freezing``.

Each epoch trains on all batches in a new order, then measures the loss and accuracy on the validation images. The
weights of the best epoch (validation accuracy; among equals the lowest validation loss) are kept, and training ends
when the accuracy has not risen for some epochs. With a folder, the state is saved after each epoch, and the same call
goes on where a killed one stopped: on the CPU with one thread its history is the same to the last bit.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from captionlab.common.checkpoints import (
    load_checkpoint,
    load_weights,
    optimizer_state,
    prefixed,
    restore_optimizer,
    save_checkpoint,
    unprefixed,
)
from captionlab.common.files import write_atomically
from captionlab.transfer.freezing import parameter_groups, training_mode
from captionlab.transfer.heads import head_of
from captionlab.transfer.training import EarlyStopping, evaluate, train_step

BEST, LAST, HISTORY = "best.safetensors", "last.safetensors", "history.json"


@dataclass(frozen=True)
class Settings:
    """What decides a training run, beside the network and the images.

    Attributes:
        epochs: at most so many; the learning rates fall to 0 over them along half a cosine.
        patience: epochs in a row without a higher validation accuracy after which training ends.
        batch_size: images a step.
        head_rate, backbone_rate: learning rates at the start (see ``parameter_groups``).
        momentum, weight_decay: of stochastic gradient descent (Nesterov's momentum).
        hold_statistics: batch normalization keeps the statistics of the pretraining (see ``training_mode``); False
            for training from scratch, where there are none to keep.
        seed: of the order of the images, of augmentation and of dropout.
    """

    epochs: int = 30
    patience: int = 10
    batch_size: int = 32
    head_rate: float = 1e-2
    backbone_rate: float = 1e-4
    momentum: float = 0.9
    weight_decay: float = 1e-4
    hold_statistics: bool = True
    seed: int = 0


@dataclass
class Outcome:
    """What a training run gave; the model itself has the weights of ``best_epoch`` afterwards.

    Attributes:
        history: a dictionary an epoch: ``epoch`` (from 1), ``rate`` (the head's learning rate), ``train_loss`` (mean
            of the steps' losses, on augmented images while the network changes), and, with validation images,
            ``validation_loss`` and ``validation_accuracy``.
        best_epoch: the epoch whose weights were kept; without validation images the last one.
        stopped_early: whether patience ended it.
    """

    history: list[dict] = field(default_factory=list)
    best_epoch: int = 0
    stopped_early: bool = False


def fine_tune(
    model: nn.Module,
    training: Dataset,
    validation: Dataset | None,
    settings: Settings,
    *,
    head: nn.Module | None = None,
    folder: Path | None = None,
    tensorboard: Path | None = None,
    device: str | torch.device | None = None,
    progress: bool = True,
) -> Outcome:
    """Train those parameters of a network that require gradients, and leave it with the weights of its best epoch.

    Args:
        model: gives scores (batch, classes); what must not move is frozen (``freeze``). It is moved to the device.
        training: examples (image (3, height, width), label), drawn in a new order each epoch.
        validation: examples by which the best epoch is chosen; None: all epochs are trained and the last one is kept.
        head: the part of the model with the head's learning rate; by default its classification layer.
        folder: for ``last.safetensors`` (to go on from), ``best.safetensors`` and ``history.json``. If a run of the
            same settings was cut off there, it goes on; if it was completed, its outcome is returned.
        tensorboard: folder for TensorBoard's files.
        device: by default the first CUDA device if there is one, else the CPU.
        progress: a bar with the time left on the error stream, where that is a terminal.

    Raises:
        ValueError: if the folder holds a damaged checkpoint or another run's, or nothing in the model is trainable.
        FloatingPointError: if the loss is no number any more.
        OSError: if a checkpoint cannot be saved; the one before it stays.
        ModuleNotFoundError: if tensorboard is asked for and not installed.
    """
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    model.to(device)
    run = _Run(model, head or head_of(model), settings, folder, _sizes(training, validation))
    with _seeded(settings.seed, device):
        run.resume()
        batches = DataLoader(training, settings.batch_size, shuffle=True, generator=run.order)
        writer = _tensorboard(tensorboard, purge_step=run.epoch + 1)
        done = run.epoch * len(batches)
        total = settings.epochs * len(batches)
        with tqdm(total=total, initial=done, unit="batch", disable=None if progress else True) as bar:
            while not run.finished:
                entry = run.train_epoch(_on(device, batches), bar)
                entry |= _validate(model, validation, settings.batch_size, device)
                run.end_epoch(entry)
                for name, value in entry.items():
                    if writer and name != "epoch":
                        writer.add_scalar(name, value, entry["epoch"])
                bar.set_postfix({name: f"{value:.3g}" for name, value in entry.items() if name != "rate"})
        if writer:
            writer.close()
    run.take_best()
    return run.outcome


class _Run:
    """The state of a training run, which can be saved and restored."""

    def __init__(
        self, model: nn.Module, head: nn.Module, settings: Settings, folder: Path | None, sizes: dict[str, int]
    ) -> None:
        groups = parameter_groups(model, head, settings.head_rate, settings.backbone_rate)
        if not groups:
            raise ValueError("found no parameter that requires gradients, expected at least the head's: unfreeze some")
        self.model, self.head, self.settings, self.folder = model, head, settings, folder
        self.optimizer = torch.optim.SGD(
            groups, lr=settings.head_rate, momentum=settings.momentum, weight_decay=settings.weight_decay, nesterov=True
        )
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=settings.epochs)
        self.stopping = EarlyStopping(settings.patience)
        self.order = torch.Generator().manual_seed(settings.seed)
        self.outcome = Outcome()
        self.best: dict[str, Tensor] | None = None  # in memory only where there is no folder
        self.made_by = {"settings": asdict(settings), **sizes}

    @property
    def epoch(self) -> int:
        """Number of completed epochs."""
        return len(self.outcome.history)

    @property
    def finished(self) -> bool:
        return self.outcome.stopped_early or self.epoch >= self.settings.epochs

    def train_epoch(self, batches: Iterator[tuple[Tensor, Tensor]], bar: tqdm) -> dict:
        """One pass over the training images; returns the epoch's entry of the history, without validation."""
        if self.settings.hold_statistics:
            training_mode(self.model, self.head)
        else:
            self.model.train()
        rate = self.optimizer.param_groups[0]["lr"]
        total, images_seen = 0.0, 0
        for images, labels in batches:
            total += train_step(self.model, images, labels, self.optimizer) * len(labels)
            images_seen += len(labels)
            bar.update()
        self.scheduler.step()
        return {"epoch": self.epoch + 1, "rate": rate, "train_loss": total / images_seen}

    def end_epoch(self, entry: dict) -> None:
        """Add an epoch to the history, keep its weights if it is the best, and save."""
        lost = [name for name, value in entry.items() if not math.isfinite(value)]
        if lost:
            raise FloatingPointError(
                f"epoch {entry['epoch']}: {lost[0]} is {entry[lost[0]]}, expected a number: lower the learning rates"
            )
        kept = self.outcome.history[self.outcome.best_epoch - 1] if self.outcome.history else None
        self.outcome.history.append(entry)
        if kept is None or _merit(entry) > _merit(kept):
            self.outcome.best_epoch = entry["epoch"]
            self._keep_weights(entry)
        if "validation_accuracy" in entry:
            self.outcome.stopped_early = self.stopping.update(entry["validation_accuracy"])
        # The best weights before the state that refers to them: a kill in between costs an epoch, not the weights.
        self._save()

    def take_best(self) -> None:
        """Give the model the weights of the best epoch."""
        if self.folder is not None:
            tensors, _ = load_checkpoint(self.folder / BEST)
            load_weights(self.model, tensors, BEST)
        elif self.best is not None:
            self.model.load_state_dict(self.best)

    def _keep_weights(self, entry: dict) -> None:
        if self.folder is not None:
            save_checkpoint(self.folder / BEST, self.model.state_dict(), entry)
        else:
            self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def _save(self) -> None:
        if self.folder is None:
            return
        tensors, optimizer = optimizer_state(self.optimizer)
        tensors = prefixed("model", self.model.state_dict()) | prefixed("optimizer", tensors)
        tensors |= prefixed("generator", _generators(self.order))
        about = {
            "made_by": self.made_by,
            "outcome": asdict(self.outcome),
            "stopping": vars(self.stopping),
            "optimizer": optimizer,
            "scheduler": self.scheduler.state_dict(),
        }
        save_checkpoint(self.folder / LAST, tensors, about)
        self._write_history()

    def _write_history(self) -> None:
        write_atomically(self.folder / HISTORY, (json.dumps(self.outcome.history, indent=1) + "\n").encode())

    def resume(self) -> None:
        """Take up the run that the folder holds, if it holds one."""
        if self.folder is None or not (self.folder / LAST).exists():
            return
        tensors, about = load_checkpoint(self.folder / LAST)
        if about.get("made_by") != self.made_by:
            raise ValueError(
                f"{LAST} was saved by a run with {about.get('made_by')}, this one has {self.made_by}: run with the "
                "same settings and images, or give another folder"
            )
        load_weights(self.model, unprefixed("model", tensors), LAST)
        restore_optimizer(self.optimizer, unprefixed("optimizer", tensors), about["optimizer"])
        self.scheduler.load_state_dict(about["scheduler"])
        vars(self.stopping).update(about["stopping"])
        self.outcome = Outcome(**about["outcome"])
        _restore_generators(self.order, unprefixed("generator", tensors))
        self._write_history()  # a kill may have come between the checkpoint and it


def _merit(entry: dict) -> tuple[float, float]:
    """By what epochs are compared, higher is better; without validation images the later one is."""
    if "validation_accuracy" not in entry:
        return float(entry["epoch"]), 0.0
    return entry["validation_accuracy"], -entry["validation_loss"]


def _validate(model: nn.Module, validation: Dataset | None, batch_size: int, device: torch.device) -> dict[str, float]:
    if validation is None:
        return {}
    loss, accuracy = evaluate(model, _on(device, DataLoader(validation, batch_size)))
    return {"validation_loss": loss, "validation_accuracy": accuracy}


def _on(device: torch.device, batches: DataLoader) -> Iterator[tuple[Tensor, Tensor]]:
    for images, labels in batches:
        yield images.to(device), labels.to(device)


def _sizes(training: Dataset, validation: Dataset | None) -> dict[str, int]:
    return {"training_images": len(training), "validation_images": 0 if validation is None else len(validation)}


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's own generators, which augmentation and dropout draw from, and afterwards leave them as found."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _generators(order: torch.Generator) -> dict[str, Tensor]:
    cuda = {"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {}
    return {"order": order.get_state(), "torch": torch.get_rng_state(), **cuda}


def _restore_generators(order: torch.Generator, states: dict[str, Tensor]) -> None:
    order.set_state(states["order"])
    torch.set_rng_state(states["torch"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])


def _tensorboard(folder: Path | None, purge_step: int):
    if folder is None:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("TensorBoard is not installed: run `pip install tensorboard`") from error
    return SummaryWriter(str(folder), purge_step=purge_step)  # drops what a killed run wrote after its last checkpoint
