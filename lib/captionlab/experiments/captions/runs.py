"""Lab 4's experiments: one setting is changed, everything else stays, and what comes of it is a table and a figure.

Each run keeps its folder, named by its settings, below the folder of all data: an experiment that was stopped goes on
where it was, and a run that two experiments share is trained once.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock

from captionlab.captioning.captioner import Captioner
from captionlab.captioning.datasets import load_dataset
from captionlab.captioning.encoders import PUBLISHED
from captionlab.captioning.evaluation import LENGTH_PENALTY
from captionlab.captioning.runs import Transform, evaluate, train
from captionlab.captioning.settings import (
    DENSE_DECODER,
    DecoderSettings,
    RunSettings,
    TrainingSettings,
    packaged_configuration,
)
from captionlab.captioning.text import tokenize
from captionlab.captioning.training import HISTORY
from captionlab.common.files import write_atomically
from captionlab.datasets.paths import data_root
from captionlab.experiments.captions.tables import as_row, write_results
from captionlab.plots.captioning import curves_figure
from captionlab.vision.classifiers import load_classifier

FORMAT = 1  # to be raised when the same settings begin to give other numbers
BEAMS = 5  # of the search behind all scores
SCORES = "scores.json"


@dataclass(frozen=True)
class Variant:
    """One row of a table.

    Attributes:
        name: what is different.
        changes: settings that differ from the base, by name.
        seeds: how many times it is trained, seeds 0, 1, ...; several show the spread.
    """

    name: str
    changes: dict = field(default_factory=dict)
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
    changes: dict = field(default_factory=dict)


def _sweep(setting: str, values: Sequence, unit: str) -> tuple[Variant, ...]:
    return tuple(Variant(f"{value:g} {unit}", {setting: value}) for value in values)


def _encoders(*names: str) -> tuple[Variant, ...]:
    return tuple(Variant(name, {"network": name}) for name in names)


LEARNT_BY_HEART = {"dropout": 0.0, "smoothing": 0.0, "mirrored": False, "average": 0.0, "schedule": "plateau"}
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
            Variant("no penalty", {"penalty": 0.0}),
            Variant("mean over positions, factor 1", {"penalty": 1.0, "reduction": "mean"}),
            Variant("sum over positions, factor 1", {"penalty": 1.0, "reduction": "sum"}),
        ),
    ),
    "sampling": Experiment(
        "Does it help to read one's own words in training?",
        (Variant("the true words"), Variant("own words, up to 25 %", {"slope": 0.05, "highest": 0.25})),
    ),
    "vectors": Experiment(
        "Do pretrained word vectors help?",
        (Variant("random"), Variant("Word2Vec on the captions", {"vectors": "captions"})),
    ),
    "encoders": Experiment("Which encoder?", _encoders(*PUBLISHED, "tiny_resnet", "tiny_vgg")),
    "batch-size": Experiment("How large a batch?", _sweep("images", (8, 32, 128), "images")),
    "learning-rate": Experiment("Which learning rate?", _sweep("rate", (1e-4, 4e-4, 1e-3, 4e-3, 1.6e-2), "")),
    "training-images": Experiment("How many training images?", _sweep("train_images", (150, 500, 1500), "images")),
    "overfitting": Experiment(
        "What becomes of a model that learns by heart?",
        (
            Variant("300 images, no dropout", {**LEARNT_BY_HEART, "train_images": 300}),
            Variant("300 images, dropout 0.5", {**LEARNT_BY_HEART, "train_images": 300, "dropout": 0.5}),
        ),
        {"epochs": 25, "images": 16, "patience": 25},
    ),
}
OF_PHOTOGRAPHS = {
    "training-images": _sweep("train_images", (1000, 3000, 6000), "images"),
    "encoders": _encoders(*PUBLISHED),  # those trained on drawings are for drawings
}


def run_experiment(
    name: str,
    out: Path,
    corpus: str = "flickr8k",
    changes: dict | None = None,
    seeds: int | None = None,
    runs: Path | None = None,
    report: Callable[[str], None] = print,
) -> list[Path]:
    """Train and measure all variants of an experiment; write ``lab4_NAME_CORPUS.{json,csv,png}``.

    Args:
        name: one of ``EXPERIMENTS``.
        out: folder for the files, made if missing.
        corpus: see :func:`captionlab.captioning.datasets.load_dataset`.
        changes: settings, by name, for all variants.
        seeds: of each variant; by default what the experiment says.
        runs: folder of the runs; by default ``runs`` below the folder of all data.

    Returns:
        The files written.

    Raises:
        ValueError, FileNotFoundError, DataError: a setting that makes no sense; data that are not there.
    """
    refuse_given(changes or {})
    experiment, runs = EXPERIMENTS[name], runs or data_root() / "runs"
    variants = experiment.variants if corpus == "embedded" else OF_PHOTOGRAPHS.get(name, experiment.variants)
    base = {**short_configuration(corpus), **experiment.changes, **(changes or {})}
    rows, left_out = [], []
    for variant in variants:
        settings = RunSettings.from_flat({**base, **variant.changes})
        if reason := _missing_weights(variant) or _missing_images(settings):
            report(f"{variant.name}: left out, {reason}")
            left_out.append({"variant": variant.name, "reason": reason})
            continue
        for seed in range(seeds or variant.seeds):
            report(f"{variant.name}, seed {seed}")
            seeded = RunSettings.from_flat({**base, **variant.changes, "seed": seed})
            _, history, scores = train_or_load(seeded, runs, report)
            rows.append(as_row(variant.name, seed, history, scores))
    if not rows:
        raise FileNotFoundError(f"nothing could be run: {'; '.join(each['reason'] for each in left_out)}")
    command = f"captionlab experiment {name} --corpus {corpus}" + (f" --seeds {seeds}" if seeds else "")
    about = {
        "question": experiment.question,
        "beams": BEAMS,
        "settings": {**base, "corpus": Path(corpus).name},
        "variants": {variant.name: variant.changes for variant in variants},
        "left_out": left_out,
    }
    command += as_options(changes or {})
    return write_results(f"lab4_{name}_{Path(corpus).name}", rows, about, command, out)


def refuse_given(changes: dict) -> None:
    """Settings that an experiment sets itself.

    Raises:
        ValueError: if one is given.
    """
    for setting, instead in {"seed": "--seeds and how many", "corpus": "--corpus"}.items():
        if setting in changes:
            raise ValueError(f"{setting} is set by the experiment for each run: give {instead}")


def as_options(changes: dict) -> str:
    """Settings as the command line takes them."""
    values = {name: json.dumps(value) if isinstance(value, bool) else value for name, value in changes.items()}
    return "".join(f" --set {shlex.quote(f'{name}={value}')}" for name, value in values.items())


def short_configuration(corpus: str) -> dict:
    """Settings, by name, with which a run of the experiments takes at most 10 minutes on one core."""
    if corpus == "embedded":
        return packaged_configuration("embedded")
    return {**packaged_configuration("flickr8k_short"), "corpus": corpus}


def train_or_load(
    settings: RunSettings,
    runs: Path,
    report: Callable[[str], None] = print,
    transform: Transform | None = None,
    name: str = "",
) -> tuple[Path, list[dict], dict]:
    """A run's folder, history and scores: trained now, gone on with, or found finished.

    Args:
        transform, name: a change of every picture, as :func:`captionlab.captioning.runs.prepare_data` takes it, and its
            name.
    """
    every = [
        asdict(settings),
        asdict(DecoderSettings(1, 1, **settings.shape)),
        asdict(TrainingSettings(**settings.training)),
    ]
    every[0] = {name: value for name, value in every[0].items() if name not in ("shape", "training")}
    where = str(Path(settings.corpus).resolve()) if Path(settings.corpus).is_dir() else settings.corpus
    rest = [name, where, FORMAT, BEAMS, LENGTH_PENALTY]
    key = hashlib.sha256(json.dumps([*every, rest], sort_keys=True).encode()).hexdigest()[:16]
    folder = runs / f"{Path(settings.corpus).name}-{key}"
    scores = folder / SCORES
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "scores.lock"):  # an experiment at our side that shares the run trains it once
        if scores.is_file():
            report(f"found finished: {folder}")
            return folder, read_history(folder), json.loads(scores.read_text(encoding="utf-8"))
        history = train(settings, folder, transform, report=report)
        found = evaluate(folder, settings.corpus, extra=settings.extra, beams=BEAMS, transform=transform)
        write_atomically(scores, json.dumps(found, indent=1).encode())
    report(f"BLEU-4 with {BEAMS} beams: {found['bleu'][3]:.4f}")
    return folder, history, found


def read_history(folder: Path) -> list[dict]:
    """A run's epochs, from its ``history.csv``."""
    with (folder / HISTORY).open(encoding="utf-8", newline="") as file:
        return [{column: _number(value) for column, value in row.items()} for row in csv.DictReader(file)]


def _number(text: str) -> int | float | None:
    if not text:
        return None  # an epoch without this number
    return int(text) if text.isdigit() else float(text)


def _missing_weights(variant: Variant) -> str:
    """Why the variant cannot be run here; empty if it can."""
    if "network" in variant.changes:
        try:
            load_classifier(variant.changes["network"])
        except (FileNotFoundError, ValueError) as error:
            return f"its weights are not here ({str(error).splitlines()[0]})"
    return ""


def _missing_images(settings: RunSettings) -> str:
    """Why a run would have fewer training images than its name says; empty if it has them."""
    there = len(load_dataset(settings.corpus, settings.extra).require("train")) if settings.train_images else 0
    return f"there are {there} training images" if settings.train_images > there else ""


def compare_beams(
    run: Path,
    out: Path,
    beams: Sequence[int] = (1, 3, 5, 10),
    corpus: str | None = None,
    split: str = "dev",
    extra: str | None = None,
) -> list[Path]:
    """BLEU of a trained model against the number of beams, with all there is to say of the model and its training.

    Writes ``lab4_beams_CORPUS.{json,csv,png}`` and the curves of its training.
    """
    rows = []
    for by_length in (0.0, LENGTH_PENALTY, 1.0):
        for count in beams:
            if count == 1 and by_length:
                continue  # there is nothing to compare
            found = evaluate(run, corpus, split, extra, beams=count, by_length=by_length)
            captions = [caption.split() for caption in found.pop("captions").values()]
            rows.append(
                {
                    "variant": f"{count} beam{'s' if count > 1 else ''}, log-probability / length^{by_length:g}",
                    "beams": count,
                    "by_length": by_length,
                    **{f"bleu{n}": value for n, value in enumerate(found["bleu"], start=1)},
                    "words": sum(map(len, captions)) / len(captions),
                    "different_words": len({word for caption in captions for word in caption}),
                    "images_a_second": found["images_a_second"],
                }
            )
    captioner, history, name = Captioner.load(run), read_history(run), f"lab4_beams_{Path(found['corpus']).name}"
    name += "" if split == "dev" else f"_{split}"
    about = {
        "question": "How many beams?",
        "split": found["split"],
        "images": found["images"],
        "top5": found["top5"],
        "loss": found["loss"],
        "parameters": found["parameters"],
        "vocabulary": len(captioner.vocabulary),
        "words": " ".join((tokenize.__doc__ or "").partition("Args:")[0].split()),
        "model": captioner.decoder.about(),
        "run": {**captioner.about, "corpus": Path(captioner.about["corpus"]).name},
        "minutes": history[-1]["seconds"] / 60,
        "history": history,
    }
    command = f"captionlab experiment beams {run.name}" + ("" if split == "dev" else f" --split {split}")
    paths = write_results(name, rows, about, command, out, captioner.about["training"].get("seed", 0))
    paths.append(out / f"{name}_curves.png")
    curves_figure({run.name: history}, "Training of the model").savefig(paths[-1], dpi=110)
    return paths
