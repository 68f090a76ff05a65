"""Training a pretrained network on new classes: the loop around the steps of ``training`` and ``freezing``.

Each epoch trains on all batches in a new order, then measures the loss and accuracy on the validation images. The
weights of the best epoch (by validation accuracy; among equals, by validation loss) are kept, and training stops when
the accuracy has not improved for some epochs. With a folder, the state is saved after each epoch, and the same call
resumes where a killed run stopped: on the CPU with one thread its history is the same to the last bit.

If no two epochs have the same validation accuracy, the model is left as ``train_and_keep_best`` leaves it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from captionlab.common.checkpoints import (
    add_prefix,
    damaged_metadata,
    load_checkpoint,
    load_optimizer_state,
    load_weights,
    save_checkpoint,
    select_prefix,
    split_optimizer_state,
)
from captionlab.common.files import write_atomically
from captionlab.common.logs import logger
from captionlab.common.progress import LogProgress, Progress, progress_bar
from captionlab.common.weight_files import check_finite
from captionlab.transfer.freezing import parameter_groups, set_train_mode
from captionlab.transfer.heads import get_head
from captionlab.transfer.training import EarlyStopping, evaluate, train_step

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

BEST, LAST, HISTORY = "best.safetensors", "last.safetensors", "history.json"


@dataclass(frozen=True)
class FineTuneSettings:
    """What determines a training run, besides the network and the images.

    Attributes:
        epochs: maximum number; the learning rates fall to 0 over them along half a cosine.
        patience: consecutive epochs without a higher validation accuracy after which training stops.
        batch_size: images per step.
        head_lr, backbone_lr: learning rates at the start (see ``parameter_groups``).
        momentum, weight_decay: of stochastic gradient descent (with Nesterov momentum).
        freeze_batchnorm: the backbone's batch normalization keeps the statistics of the pretraining (see
            ``set_train_mode``, which also switches the backbone's dropout off); False for training from scratch, where
            there are none to keep.
        seed: of the order of the images, of augmentation and of dropout.
    """

    epochs: int = 30
    patience: int = 10
    batch_size: int = 32
    head_lr: float = 1e-2
    backbone_lr: float = 1e-4
    momentum: float = 0.9
    weight_decay: float = 1e-4
    freeze_batchnorm: bool = True
    seed: int = 0


@dataclass
class TrainResult:
    """The outcome of a training run; the model itself has the weights of ``best_epoch`` afterwards.

    Attributes:
        history: one dictionary per epoch: ``epoch`` (from 1), ``lr`` (the head's learning rate), ``train_loss`` (mean
            of the losses of all steps, on augmented images while the network changes) and, with validation images,
            ``validation_loss`` and ``validation_accuracy``.
        best_epoch: the epoch whose weights were kept; without validation images the last one.
        stopped_early: whether training stopped because patience ran out.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    stopped_early: bool = False


def fine_tune(
    model: nn.Module,
    train_set: Dataset,
    validation_set: Dataset | None,
    settings: FineTuneSettings,
    *,
    head: nn.Module | None = None,
    folder: Path | None = None,
    tensorboard: Path | None = None,
    device: str | torch.device | None = None,
    progress: bool = True,
) -> TrainResult:
    """Train the parameters of a network that require gradients, and leave it with the weights of its best epoch.

    Args:
        model: returns logits ``(batch, classes)``; freeze what must not change (``freeze``). It is moved to the device.
        train_set: examples (image ``(3, height, width)``, label), drawn in a new order each epoch.
        validation_set: examples by which the best epoch is chosen; None: all epochs are trained and the last one kept.
        head: the part of the model with the head's learning rate; by default its classification layer.
        folder: where to write ``last.safetensors`` (to resume from), ``best.safetensors`` and ``history.json``. An
            interrupted run of the same settings found there is resumed; of a completed one, the result is returned.
        tensorboard: folder for TensorBoard's files.
        device: by default the first CUDA device if there is one, else the CPU.
        progress: show a progress bar on a terminal, otherwise write one log line per epoch.

    Raises:
        ValueError: if the folder holds a damaged checkpoint or another run's, or nothing in the model is trainable.
        FloatingPointError: if the loss becomes infinite or not a number.
        OSError: if a checkpoint cannot be saved; the previous one is left intact.
        ModuleNotFoundError: if TensorBoard is asked for and not installed.
    """
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    model.to(device)
    run = _Run(model, head or get_head(model), settings, folder, _sizes(train_set, validation_set))
    with _seeded(settings.seed, device):
        run.resume()
        batches = DataLoader(train_set, settings.batch_size, shuffle=True, generator=run.order)
        writer = _tensorboard(tensorboard, purge_step=run.epoch + 1)
        total, done = settings.epochs * len(batches), run.epoch * len(batches)
        with progress_bar("training", total, completed=done, unit="batches", progress=progress, log_ends=False) as bar:
            while not run.finished:
                entry = run.train_epoch(_to_device(device, batches), bar)
                entry |= _validate(model, validation_set, settings.batch_size, device)
                run.end_epoch(entry)
                _report(entry, settings.epochs, bar, writer)
        if writer:
            writer.close()
    run.load_best()
    return run.result


def _report(entry: dict[str, Any], epochs: int, bar: Progress, writer: SummaryWriter | None) -> None:
    """Show the metrics of an epoch in the progress bar, or in a line of the log, and in TensorBoard."""
    metrics = {name: value for name, value in entry.items() if name != "epoch"}
    for name, value in metrics.items():
        if writer:
            writer.add_scalar(name, value, entry["epoch"])
    shown = {name: f"{value:.3g}" for name, value in metrics.items() if name != "lr"}
    bar.set_postfix(epoch=f"{entry['epoch']}", **shown)
    if isinstance(bar, LogProgress):
        line = ", ".join(f"{name} {value}" for name, value in shown.items())
        logger.info("%s", f"epoch {entry['epoch']} of {epochs}: {line}")


class _Run:
    """The state of a training run, which can be saved and restored."""

    def __init__(
        self, model: nn.Module, head: nn.Module, settings: FineTuneSettings, folder: Path | None, sizes: dict[str, int]
    ) -> None:
        groups = parameter_groups(model, head, settings.head_lr, settings.backbone_lr)
        if not groups:
            raise ValueError("found no parameter that requires gradients, expected at least the head's: unfreeze some")
        self.model, self.head, self.settings, self.folder = model, head, settings, folder
        self.optimizer = torch.optim.SGD(
            groups, lr=settings.head_lr, momentum=settings.momentum, weight_decay=settings.weight_decay, nesterov=True
        )
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=settings.epochs)
        self.stopping = EarlyStopping(settings.patience)
        self.order = torch.Generator().manual_seed(settings.seed)
        self.result = TrainResult()
        self.best: dict[str, Tensor] | None = None  # in memory only if there is no folder
        self.made_by = {"settings": asdict(settings), **sizes}

    @property
    def epoch(self) -> int:
        """Number of completed epochs."""
        return len(self.result.history)

    @property
    def finished(self) -> bool:
        return self.result.stopped_early or self.epoch >= self.settings.epochs

    def train_epoch(self, batches: Iterable[tuple[Tensor, Tensor]], bar: Progress) -> dict[str, Any]:
        """One pass over the training images; returns the epoch's entry in the history, without validation."""
        if self.settings.freeze_batchnorm:
            set_train_mode(self.model, self.head)
        else:
            self.model.train()
        lr = self.optimizer.param_groups[0]["lr"]
        total_loss, num_images = 0.0, 0
        for number, (images, labels) in enumerate(batches, start=1):
            loss = train_step(self.model, images, labels, self.optimizer)
            self._refuse_divergence({f"the loss of batch {number}": loss}, self.epoch + 1)
            total_loss += loss * len(labels)
            num_images += len(labels)
            bar.advance()
        self.scheduler.step()
        return {"epoch": self.epoch + 1, "lr": lr, "train_loss": total_loss / num_images}

    def end_epoch(self, entry: dict[str, Any]) -> None:
        """Add an epoch to the history, keep its weights if it is the best, and save."""
        self._refuse_divergence(entry, entry["epoch"])
        try:
            check_finite(self.model.state_dict(), f"the network after epoch {entry['epoch']}")
        except ValueError as error:
            raise FloatingPointError(f"{error}, and lower the learning rates") from error
        best = self.result.history[self.result.best_epoch - 1] if self.result.history else None
        self.result.history.append(entry)
        if best is None or _rank(entry) > _rank(best):
            self.result.best_epoch = entry["epoch"]
            self._keep_weights(entry)
        if "validation_accuracy" in entry:
            self.result.stopped_early = self.stopping.update(entry["validation_accuracy"])
        # After the best weights, to which this state refers: a kill in between costs an epoch, not the weights.
        self._save()

    def _refuse_divergence(self, values: dict[str, Any], epoch: int) -> None:
        diverged = [name for name, value in values.items() if not math.isfinite(value)]
        if diverged:
            lrs = " and ".join(f"{group['initial_lr']:g}" for group in self.optimizer.param_groups)
            kept = f"; the best epoch before, {self.result.best_epoch}, is kept" if self.epoch else ""
            raise FloatingPointError(
                f"epoch {epoch}: {diverged[0]} is {values[diverged[0]]}, expected a finite number: lower the learning "
                f"rates, {lrs} now, and begin again in another folder{kept}"
            )

    def load_best(self) -> None:
        """Give the model the weights of the best epoch."""
        if self.folder is not None:
            tensors, _ = load_checkpoint(self.folder / BEST)
            load_weights(self.model, tensors, BEST)
        elif self.best is not None:
            self.model.load_state_dict(self.best)

    def _keep_weights(self, entry: dict[str, Any]) -> None:
        if self.folder is not None:
            save_checkpoint(self.folder / BEST, self.model.state_dict(), entry)
        else:
            self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def _save(self) -> None:
        if self.folder is None:
            return
        tensors, optimizer = split_optimizer_state(self.optimizer)
        tensors = add_prefix("model", self.model.state_dict()) | add_prefix("optimizer", tensors)
        tensors |= add_prefix("generator", _generators(self.order))
        metadata = {
            "made_by": self.made_by,
            "result": asdict(self.result),
            "stopping": vars(self.stopping),
            "optimizer": optimizer,
            "scheduler": self.scheduler.state_dict(),
        }
        save_checkpoint(self.folder / LAST, tensors, metadata)
        self._write_history(self.folder)

    def _write_history(self, folder: Path) -> None:
        write_atomically(folder / HISTORY, (json.dumps(self.result.history, indent=1) + "\n").encode())

    def resume(self) -> None:
        """Restore the run that the folder holds, if it holds one."""
        if self.folder is None or not (self.folder / LAST).exists():
            return
        tensors, metadata = load_checkpoint(self.folder / LAST)
        with damaged_metadata(self.folder / LAST):
            found = _flat(metadata["made_by"])
            differing = [
                f"{name} {found.get(name)!r}, this one has {value!r}"
                for name, value in _flat(self.made_by).items()
                if found.get(name) != value
            ]
            if differing:
                raise ValueError(
                    f"{LAST} in {self.folder} was saved by a run with {', '.join(differing)}: give the same settings "
                    "and images to resume it, or another folder"
                )
            load_weights(self.model, select_prefix("model", tensors), LAST)
            load_optimizer_state(self.optimizer, select_prefix("optimizer", tensors), metadata["optimizer"])
            self.scheduler.load_state_dict(metadata["scheduler"])
            vars(self.stopping).update(metadata["stopping"])
            self.result = TrainResult(**metadata["result"])
            _restore_generators(self.order, select_prefix("generator", tensors))
        self._write_history(self.folder)  # a kill may have come between the checkpoint and it


def _flat(made_by: dict[str, Any]) -> dict[str, Any]:
    """What made a run, settings and numbers of images, on one level."""
    return {**made_by["settings"], **{name: value for name, value in made_by.items() if name != "settings"}}


def _rank(entry: dict[str, Any]) -> tuple[float, float]:
    """How epochs are compared, higher is better; without validation images the later one is."""
    if "validation_accuracy" not in entry:
        return float(entry["epoch"]), 0.0
    return entry["validation_accuracy"], -entry["validation_loss"]


def _validate(
    model: nn.Module, validation_set: Dataset | None, batch_size: int, device: torch.device
) -> dict[str, float]:
    if validation_set is None:
        return {}
    loss, accuracy = evaluate(model, _to_device(device, DataLoader(validation_set, batch_size)))
    return {"validation_loss": loss, "validation_accuracy": accuracy}


def _to_device(device: torch.device, batches: DataLoader) -> Iterator[tuple[Tensor, Tensor]]:
    for images, labels in batches:
        yield images.to(device), labels.to(device)


def _sizes(train_set: Dataset, validation_set: Dataset | None) -> dict[str, int]:
    return {"training_images": _length(train_set), "validation_images": _length(validation_set)}


def _length(dataset: Dataset | None) -> int:
    return len(dataset) if isinstance(dataset, Sized) else 0


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators, which augmentation and dropout use, and restore their states afterwards."""
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


def _tensorboard(folder: Path | None, purge_step: int) -> SummaryWriter | None:
    if folder is None:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("TensorBoard is not installed: run `pip install tensorboard`") from error
    return SummaryWriter(str(folder), purge_step=purge_step)  # drops what a killed run wrote after its last checkpoint
