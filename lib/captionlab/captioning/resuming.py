"""Saving and restoring a training: everything that decides how it continues is in one file."""

from __future__ import annotations

import csv
import io
import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from captionlab.captioning.setting_names import refuse_old_keys
from captionlab.captioning.settings import DECODER_NAMES, DecoderSettings, RunSettings, TrainingSettings
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
# What follows from the data and the encoder.
DERIVED = {"vocabulary", "vocab_size", "encoder_dim", "layers", "fingerprint", "name"}


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
        **_fixed(trainer.settings, trainer.model.decoder.config(), _all_data(trainer)),
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
        ValueError: if it was a training with other settings, another decoder or other data, or its file is damaged.
    """
    path = trainer.folder / STATE
    tensors, metadata = load_checkpoint(path)
    fixed = _fixed(trainer.settings, trainer.model.decoder.config(), _all_data(trainer))
    refuse_other_settings(trainer.folder, metadata, fixed)
    load_weights(trainer.model, select_prefix("model", tensors), STATE)
    with damaged_metadata(path):
        load_optimizer_state(trainer.optimizer, select_prefix("optimizer", tensors), metadata["optimizer"])
        if trainer.ema:
            trainer.ema.load_state_dict(select_prefix("ema", tensors))
        torch.set_rng_state(tensors["random.torch"])
        trainer.generator.set_state(tensors["random.generator"])
        if "random.cuda" in tensors and trainer.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"])
        trainer.done, trainer.history = TrainingProgress(**metadata["progress"]), metadata["history"]
        trainer.base_lrs = list(metadata["base_lrs"])
        write_history(trainer)
    logger.info("resuming after epoch %d, from %s", trainer.done.epoch, path)


def check_resumable(folder: Path, settings: RunSettings) -> None:
    """Refuse settings with which the run in a folder cannot be resumed, before anything is computed.

    Raises:
        ValueError: with the settings that differ, and what to do.
    """
    if not folder.is_dir() and folder.exists():
        raise ValueError(f"{folder} is a file: give the folder of a run, or a new one")
    if not (folder / STATE).is_file():
        return
    _, metadata = load_checkpoint(folder / STATE)
    decoder = asdict(DecoderSettings(1, 1, **settings.decoder))
    decoder = {name: decoder[name] for name in DECODER_NAMES}
    data = _data({"run": asdict(settings)}) | {"finetune_blocks": settings.finetune_blocks}
    training = TrainingSettings(**settings.training)
    refuse_other_settings(folder, metadata, _fixed(training, decoder, data))


def refuse_other_settings(folder: Path, metadata: dict[str, Any], fixed: dict[str, dict[str, Any]]) -> None:
    """Compare the settings of the run in a folder with those it is to be resumed with.

    Args:
        folder: of the run.
        metadata: of its checkpoint.
        fixed: what must be the same, from :func:`_fixed`.

    Raises:
        ValueError: with the settings that differ, and what to do.
    """
    differing: dict[str, tuple[Any, Any]] = {}
    for part, expected in fixed.items():
        found = metadata.get(part)
        found = found if isinstance(found, dict) else {}
        refuse_old_keys(found, str(folder))
        differing |= {name: (found.get(name), value) for name, value in expected.items() if found.get(name) != value}
    # What follows from settings is only named if no setting differs.
    chosen = {name: values for name, values in differing.items() if name not in DERIVED} or differing
    if not chosen:
        return
    listed = ", ".join(f"{name} {found!r}, this one has {value!r}" for name, (found, value) in chosen.items())
    flag = f" --finetune-blocks {chosen['finetune_blocks'][1]}" if "finetune_blocks" in chosen else ""
    raise ValueError(
        f"{folder} holds a run with {listed}: give the same value to resume it, or another folder to start a new run. "
        f"A new run may start from its weights and settings: captionlab caption train NEW --init-from {folder}{flag}"
    )


def _all_data(trainer: Trainer) -> dict[str, Any]:
    words = trainer.vocabulary.words
    vocabulary = f"{len(words)} words, {zlib.crc32(' '.join(words).encode()):08x}"
    return {"vocabulary": vocabulary, **_data(trainer.metadata)}


def _data(metadata: dict[str, Any]) -> dict[str, Any]:
    """What the model is trained on, from the metadata of its checkpoint."""
    run = {name: value for name, value in metadata.get("run", {}).items() if name in DATA_SETTINGS}
    return {**metadata.get("encoder", {}), **run}


def _fixed(settings: TrainingSettings, decoder: dict[str, Any], data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What must be the same to resume a training: its settings, the decoder and the data, as JSON values."""
    # When to stop may change from one start to the next; the number of epochs only if nothing else depends on it.
    free = {"patience", "max_minutes"}
    if settings.schedule != "cosine" and not settings.reward_epochs:
        free.add("epochs")
    return {
        "data": json.loads(json.dumps(data)),
        "settings": {name: value for name, value in asdict(settings).items() if name not in free},
        "decoder": decoder,
    }
