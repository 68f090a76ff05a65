"""Saving and restoring a training: everything that decides how it continues is in one file."""

from __future__ import annotations

import csv
import io
import json
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from captionlab.captioning.setting_names import refuse_old_keys
from captionlab.common.checkpoints import (
    add_prefix,
    load_checkpoint,
    load_optimizer_state,
    load_weights,
    save_checkpoint,
    select_prefix,
    split_optimizer_state,
)
from captionlab.common.files import write_atomically
from captionlab.common.logs import logger

if TYPE_CHECKING:
    from captionlab.captioning.training import Trainer

STATE, HISTORY = "training.safetensors", "history.csv"
# Settings of a run, besides the encoder's, that decide what the model is trained on.
DATA_SETTINGS = (
    "dataset",
    "max_length",
    "hflip",
    "train_images",
    "min_word_freq",
    "max_vocab_size",
    "pretrained_embeddings",
)


@dataclass
class TrainingProgress:
    """How far a training has come, as JSON values.

    Attributes:
        epoch: number of completed epochs.
        best_epoch: the epoch whose weights are kept; 0 before the first.
        seconds: the time the epochs took, without evaluation.
    """

    epoch: int = 0
    best_epoch: int = 0
    seconds: float = 0.0


def save_training(trainer: Trainer) -> None:
    """Write the checkpoint to resume from, and the history."""
    tensors, optimizer = split_optimizer_state(trainer.optimizer)
    tensors = {
        **add_prefix("model", trainer.model.state_dict()),
        **add_prefix("optimizer", tensors),
        "random.torch": torch.get_rng_state(),
        "random.generator": trainer.generator.get_state(),
    }
    if trainer.ema:
        tensors |= add_prefix("ema", trainer.ema.state_dict())
    if trainer.device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    metadata = {
        "optimizer": optimizer,
        "progress": asdict(trainer.done),
        "history": trainer.history,
        "base_lrs": trainer.base_lrs,
        **_fixed(trainer),
    }
    # The weights first: were they last, a kill between the two would leave an epoch evaluated and not kept.
    save_checkpoint(trainer.folder / STATE, tensors, metadata)
    write_history(trainer)


def write_history(trainer: Trainer) -> None:
    """Write ``history.csv``, one row per epoch."""
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(trainer.history[0]))
    writer.writeheader()
    writer.writerows(trainer.history)
    write_atomically(trainer.folder / HISTORY, table.getvalue().encode())


def restore_training(trainer: Trainer) -> None:
    """Continue where the training in the trainer's folder stopped.

    Raises:
        ValueError: if it was a training with other settings, another decoder or other data.
    """
    tensors, metadata = load_checkpoint(trainer.folder / STATE)
    for part, expected in _fixed(trainer).items():
        refuse_old_keys(metadata.get(part, {}), str(trainer.folder))
        for name, value in expected.items():
            found = metadata.get(part, {}).get(name)
            if found != value:
                raise ValueError(
                    f"{trainer.folder} holds a run with {name} {found!r}, this one has {value!r}: give the same value "
                    "to resume it, or another folder to start a new run"
                )
    load_weights(trainer.model, select_prefix("model", tensors), STATE)
    load_optimizer_state(trainer.optimizer, select_prefix("optimizer", tensors), metadata["optimizer"])
    if trainer.ema:
        trainer.ema.load_state_dict(select_prefix("ema", tensors))
    torch.set_rng_state(tensors["random.torch"])
    trainer.generator.set_state(tensors["random.generator"])
    if "random.cuda" in tensors and trainer.device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random.cuda"])
    trainer.done, trainer.history = TrainingProgress(**metadata["progress"]), metadata["history"]
    trainer.base_lrs = metadata["base_lrs"]
    write_history(trainer)
    logger.info("resuming after epoch %d, from %s", trainer.done.epoch, trainer.folder / STATE)


def _fixed(trainer: Trainer) -> dict[str, dict[str, Any]]:
    """What must be the same to resume a training: its settings, the decoder and the data, as JSON values."""
    settings = trainer.settings
    # When to stop may change from one start to the next; the number of epochs only if nothing else depends on it.
    free = {"patience", "max_minutes"}
    if settings.schedule != "cosine" and not settings.reward_epochs:
        free.add("epochs")
    words = trainer.vocabulary.words
    data = {"vocabulary": f"{len(words)} words, {zlib.crc32(' '.join(words).encode()):08x}"}
    data |= trainer.metadata.get("encoder", {})
    data |= {name: value for name, value in trainer.metadata.get("run", {}).items() if name in DATA_SETTINGS}
    return {
        "settings": {name: value for name, value in asdict(settings).items() if name not in free},
        "decoder": trainer.model.decoder.config(),
        "data": json.loads(json.dumps(data)),
    }
