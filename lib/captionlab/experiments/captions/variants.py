"""What Lab 4's experiments compare: which settings change, and which stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from captionlab.captioning.settings import DENSE_DECODER

IMAGENET_ENCODERS = ("vgg16", "resnet101", "resnet50", "inception_v3", "mobilenet_v2")


@dataclass(frozen=True)
class Variant:
    """One row of a table.

    Attributes:
        name: what is different.
        changes: settings that differ from the base, by name.
        seeds: how many times it is trained, with the seeds 0, 1, ...; several show the spread.
    """

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    seeds: int = 1


@dataclass(frozen=True)
class Experiment:
    """A comparison.

    Attributes:
        question: one line, the figure's title.
        variants: the rows.
        changes: settings of all rows that differ from the base.
    """

    question: str
    variants: tuple[Variant, ...]
    changes: dict[str, Any] = field(default_factory=dict)


def _sweep(setting: str, values: Sequence[float], unit: str) -> tuple[Variant, ...]:
    return tuple(Variant(f"{value:g} {unit}".strip(), {setting: value}) for value in values)


def _encoders(*names: str) -> tuple[Variant, ...]:
    return tuple(Variant(name, {"encoder": name}) for name in names)


NO_REGULARIZATION = {"dropout": 0.0, "label_smoothing": 0.0, "hflip": False, "ema_decay": 0.0, "schedule": "plateau"}
EXPERIMENTS = {
    "cells": Experiment(
        "Which recurrent cell?",
        (
            Variant("LSTM", seeds=3),
            Variant("GRU", {"cell": "gru"}),
            Variant("RNN", {"cell": "rnn"}),
            Variant("GRU, no gate, dense layer", DENSE_DECODER),
        ),
    ),
    "penalty": Experiment(
        "Does doubly stochastic attention help?",
        (
            Variant("no penalty", {"attention_reg": 0.0}),
            Variant("mean over positions, factor 1", {"attention_reg": 1.0, "attention_reg_reduction": "mean"}),
            Variant("sum over positions, factor 1", {"attention_reg": 1.0, "attention_reg_reduction": "sum"}),
        ),
    ),
    "sampling": Experiment(
        "Does scheduled sampling help?",
        (
            Variant("teacher forcing"),
            Variant("sampled words, up to 25 %", {"sampling_prob_growth": 0.05, "max_sampling_prob": 0.25}),
        ),
    ),
    "vectors": Experiment(
        "Do pretrained word vectors help?",
        (Variant("random"), Variant("Word2Vec on the captions", {"pretrained_embeddings": "captions"})),
    ),
    "encoders": Experiment("Which encoder?", _encoders(*IMAGENET_ENCODERS, "tiny_resnet", "tiny_vgg")),
    # Captions: 8, 32 and 128 images with five captions each.
    "batch-size": Experiment("Which batch size?", _sweep("batch_size", (40, 160, 640), "captions")),
    "learning-rate": Experiment("Which learning rate?", _sweep("lr", (1e-4, 4e-4, 1e-3, 4e-3, 1.6e-2), "")),
    "training-images": Experiment("How many training images?", _sweep("train_images", (150, 500, 1500), "images")),
    "overfitting": Experiment(
        "How does a model overfit?",
        (
            Variant("300 images, no dropout", {**NO_REGULARIZATION, "train_images": 300}),
            Variant("300 images, dropout 0.5", {**NO_REGULARIZATION, "train_images": 300, "dropout": 0.5}),
        ),
        {"epochs": 25, "batch_size": 80, "patience": 25},
    ),
}
ON_PHOTOGRAPHS = {
    "training-images": _sweep("train_images", (1000, 3000, 6000), "images"),
    "encoders": _encoders(*IMAGENET_ENCODERS),  # the embedded networks were trained on drawings
}


def variants_for(name: str, dataset: str) -> tuple[Variant, ...]:
    """The variants of an experiment for a dataset: drawn scenes are fewer than photographs."""
    variants = EXPERIMENTS[name].variants
    return variants if dataset == "embedded" else ON_PHOTOGRAPHS.get(name, variants)
