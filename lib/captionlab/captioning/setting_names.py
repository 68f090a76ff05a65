"""Names of settings that no longer exist or are misspelled: what to write instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from captionlab.common.suggestions import nearest_name

# Names in configuration files and runs of earlier versions.
OLD_KEYS = {
    "corpus": "dataset",
    "extra": "extra_data",
    "network": "encoder",
    "size": "input_size",
    "second_size": "second_input_size",
    "min_frequency": "min_word_freq",
    "most_frequent": "max_vocab_size",
    "longest": "max_length",
    "mirrored": "hflip",
    "vectors": "pretrained_embeddings",
    "learnt": "finetune_blocks",
    "shape": "decoder",
    "channels": "encoder_dim",
    "words": "vocab_size",
    "embedding": "embed_dim",
    "hidden": "decoder_dim",
    "attention": "attention_dim",
    "form": "activation",
    "standardise": "standardize",
    "projection": "projection_dim",
    "initial": "init_state",
    "dense": "fc_dim",
    "images": "batch_size",
    "rate": "lr",
    "factor": "lr_factor",
    "plateau": "lr_patience",
    "encoder_rate": "encoder_lr",
    "warmup": "warmup_steps",
    "clip": "max_grad_norm",
    "penalty": "attention_reg",
    "reduction": "attention_reg_reduction",
    "smoothing": "label_smoothing",
    "slope": "sampling_prob_growth",
    "highest": "max_sampling_prob",
    "reward_rate": "reward_lr",
    "draws": "num_samples",
    "average": "ema_decay",
    "measure": "monitor",
    "by_length": "length_penalty",
    "minutes": "max_minutes",
}
# What the value of the new setting counts, if it is not what the old one counted.
OTHER_UNITS = {"images": ", which counts captions: 32 images with 5 captions each are batch_size = 160"}
# Names that other programs have for these settings; they are only suggested.
SYNONYMS = {
    "learning_rate": "lr",
    "num_epochs": "epochs",
    "hidden_size": "decoder_dim",
    "embedding_dim": "embed_dim",
    "num_beams": "beams",
    "beam_size": "beams",
    "grad_clip": "max_grad_norm",
    "weight_averaging": "ema_decay",
    "image_size": "input_size",
    "random_seed": "seed",
}


def refuse_unknown(names: Iterable[str], known: Iterable[str]) -> None:
    """Check that all settings exist.

    Raises:
        ValueError: for the first name that does not; the message has the new name of an old setting, or the nearest
            known one.
    """
    known = set(known)
    for name in names:
        if name not in known:
            if name in OLD_KEYS:
                raise ValueError(f"{name} {renamed(name)}")
            nearest = nearest_setting(name, known)
            guess = f"; did you mean {nearest!r}?" if nearest else ""
            raise ValueError(f"there is no setting {name!r}{guess}")


def nearest_setting(name: str, known: Iterable[str]) -> str | None:
    """The setting that was probably meant: the nearest known, old or synonymous name, as it is called now.

    >>> nearest_setting("lerning_rate", ["lr", "epochs"])
    'lr'
    """
    known = set(known)
    other_names = {other: now for other, now in (OLD_KEYS | SYNONYMS).items() if now in known}
    nearest = nearest_name(name, [*sorted(known), *other_names])
    return None if nearest is None else other_names.get(nearest, nearest)


def renamed(name: str) -> str:
    """The end of a message about a name in `OLD_KEYS`."""
    return f"is now called {OLD_KEYS[name]}{OTHER_UNITS.get(name, '')}"


def refuse_old_keys(record: Mapping[str, Any], where: str) -> None:
    """Check that a saved run has no settings of earlier versions; nested records are checked too.

    Args:
        record: JSON values, such as those of a checkpoint.
        where: what they were read from, for the message.

    Raises:
        ValueError: with the old and the new name of a setting.
    """
    for name, value in record.items():
        if name in OLD_KEYS:
            raise ValueError(f"{where} was written by an earlier version: {name} {renamed(name)}; train it again")
        if isinstance(value, Mapping):
            refuse_old_keys(value, where)
