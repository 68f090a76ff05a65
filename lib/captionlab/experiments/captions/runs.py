"""Lab 4's experiments, as ``captionlab experiment lab4`` runs them: one setting changes, everything else stays.

Each run keeps its folder, named by its settings, below the folder of all data: an experiment that was stopped resumes
where it stopped, and a run that two experiments share is trained once.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock

from captionlab.captioning.captioner import Captioner
from captionlab.captioning.configurations import packaged_configuration
from captionlab.captioning.datasets import load_dataset
from captionlab.captioning.evaluation import LENGTH_PENALTY
from captionlab.captioning.resuming import HISTORY
from captionlab.captioning.runs import Transform, evaluate, train
from captionlab.captioning.settings import DecoderSettings, RunSettings, TrainingSettings
from captionlab.captioning.text import tokenize
from captionlab.common.files import write_atomically
from captionlab.common.logs import logger
from captionlab.datasets.paths import data_root
from captionlab.experiments.captions.tables import as_row, bleu_columns, write_runs
from captionlab.experiments.captions.variants import EXPERIMENTS, Variant, variants_for
from captionlab.experiments.results import command_line
from captionlab.vision.classifiers import load_classifier

FORMAT = 1  # to be raised when the same settings begin to give other numbers
BEAMS = 5  # of the search behind all scores
SCORES = "scores.json"


def run_experiment(
    name: str,
    out: Path,
    dataset: str = "flickr8k",
    changes: dict[str, Any] | None = None,
    seeds: int | None = None,
    runs: Path | None = None,
) -> list[Path]:
    """Train and evaluate all variants of an experiment; write ``lab4_NAME_DATASET.{json,csv,png}`` and the curves.

    Args:
        name: one of ``captionlab.experiments.captions.variants.EXPERIMENTS``.
        out: folder for the files, made if missing.
        dataset: see :func:`captionlab.captioning.datasets.load_dataset`.
        changes: settings, by name, for all variants.
        seeds: number of seeds of each variant; by default what the experiment says.
        runs: folder of the runs; by default ``runs`` below the folder of all data.

    Returns:
        The files written.

    Raises:
        ValueError, FileNotFoundError, DataError: for a setting that is not valid, or missing data.
    """
    refuse_fixed_settings(changes or {})
    experiment, runs = EXPERIMENTS[name], runs or data_root() / "runs"
    variants = variants_for(name, dataset)
    base = {**short_configuration(dataset), **experiment.changes, **(changes or {})}
    rows, left_out = [], []
    for variant in variants:
        settings = RunSettings.from_flat({**base, **variant.changes})
        if reason := _missing_weights(variant) or _missing_images(settings):
            logger.warning("%s: left out, %s", variant.name, reason)
            left_out.append({"variant": variant.name, "reason": reason})
            continue
        for seed in range(seeds or variant.seeds):
            logger.info("%s, seed %s", variant.name, seed)
            seeded = RunSettings.from_flat({**base, **variant.changes, "seed": seed})
            _, history, scores = train_or_load(seeded, runs)
            rows.append(as_row(variant.name, seed, history, scores))
    if not rows:
        raise FileNotFoundError(f"nothing could be run: {'; '.join(each['reason'] for each in left_out)}")
    record = {
        "question": experiment.question,
        "beams": BEAMS,
        "settings": {**base, "dataset": Path(dataset).name},
        "variants": {variant.name: variant.changes for variant in variants},
        "left_out": left_out,
    }
    command = command_line("lab4", name, dataset=dataset, seeds=seeds, set=as_options(changes or {}))
    return write_runs(out, f"lab4_{name}_{Path(dataset).name}", rows, record, command)


def refuse_fixed_settings(changes: dict[str, Any]) -> None:
    """Refuse settings that an experiment sets itself.

    Raises:
        ValueError: if one is given.
    """
    for setting, instead in {"seed": "--seeds", "dataset": "--dataset"}.items():
        if setting in changes:
            raise ValueError(f"{setting} is set by the experiment for each run: give {instead}")


def as_options(changes: dict[str, Any]) -> list[str]:
    """Settings as values of ``--set`` on the command line.

    >>> as_options({"gate": False, "epochs": 3})
    ['gate=false', 'epochs=3']
    """
    values = {name: json.dumps(value) if isinstance(value, bool) else value for name, value in changes.items()}
    return [f"{name}={value}" for name, value in values.items()]


def short_configuration(dataset: str) -> dict[str, Any]:
    """Settings, by name, with which a run of the experiments takes at most 10 minutes on one core."""
    if dataset == "embedded":
        return packaged_configuration("embedded")
    return {**packaged_configuration("flickr8k_short"), "dataset": dataset}


def train_or_load(
    settings: RunSettings, runs: Path, transform: Transform | None = None, name: str = ""
) -> tuple[Path, list[dict], dict]:
    """Train a run, resume it, or find it finished.

    Args:
        settings: of the run.
        runs: folder of all runs.
        transform: changes every image, as :func:`captionlab.captioning.runs.prepare_data` takes it.
        name: of the transform; runs with transforms of other names are other runs.

    Returns:
        The run's folder, its epochs, and its scores.
    """
    where = str(Path(settings.dataset).resolve()) if Path(settings.dataset).is_dir() else settings.dataset
    data = {key: value for key, value in asdict(settings).items() if key not in ("decoder", "training")}
    decoder, training = DecoderSettings(1, 1, **settings.decoder), TrainingSettings(**settings.training)
    identity = [data, asdict(decoder), asdict(training), [name, where, FORMAT, BEAMS, LENGTH_PENALTY]]
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    folder = runs / f"{Path(settings.dataset).name}-{key}"
    scores = folder / SCORES
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "scores.lock"):  # two experiments at a time that share a run train it once
        if scores.is_file():
            logger.info("already finished: %s", folder)
            return folder, read_history(folder), json.loads(scores.read_text(encoding="utf-8"))
        history = train(settings, folder, transform)
        found = evaluate(folder, settings.dataset, extra_data=settings.extra_data, beams=BEAMS, transform=transform)
        write_atomically(scores, json.dumps(found, indent=1).encode())
    logger.info("BLEU-4 with %s beams: %.4f", BEAMS, found["bleu"][3])
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
    if "encoder" in variant.changes:
        try:
            load_classifier(variant.changes["encoder"])
        except (FileNotFoundError, ValueError) as error:
            return f"its weights are not here ({str(error).splitlines()[0]})"
    return ""


def _missing_images(settings: RunSettings) -> str:
    """Why a run would have fewer training images than its name says; empty if it has them."""
    found = len(load_dataset(settings.dataset, settings.extra_data).require("train")) if settings.train_images else 0
    return f"there are {found} training images" if settings.train_images > found else ""


def compare_beams(
    run: Path,
    out: Path,
    split: str = "dev",
    extra_data: str | None = None,
    beams: Sequence[int] = (1, 3, 5, 10),
    dataset: str | None = None,
) -> list[Path]:
    """BLEU of a trained model by the number of beams; the record also describes the model and its training.

    Writes ``lab4_beams_DATASET.{json,csv,png}`` and the curves of its training.

    Args:
        run: folder of the trained model.
        out: folder for the files, made if missing.
        split, extra_data, dataset: what to evaluate on, see :func:`captionlab.captioning.runs.evaluate`.
        beams: the numbers to compare.
    """
    rows = []
    for length_penalty in (0.0, LENGTH_PENALTY, 1.0):
        for count in beams:
            if count == 1 and length_penalty:
                continue  # greedy search compares no captions of different length
            found = evaluate(run, dataset, split, extra_data, beams=count, length_penalty=length_penalty)
            logger.info("%s beams, length penalty %g: BLEU-4 %.4f", count, length_penalty, found["bleu"][3])
            rows.append(_beams_row(count, length_penalty, found))
    captioner, history, name = Captioner.load(run), read_history(run), f"lab4_beams_{Path(found['dataset']).name}"
    record = {
        "question": "How many beams?",
        **{key: found[key] for key in ("split", "images", "top5", "loss", "parameters")},
        "vocabulary": len(captioner.vocabulary),
        "tokenization": " ".join((tokenize.__doc__ or "").partition("Args:")[0].split()),
        "model": captioner.decoder.config(),
        "run": {**captioner.run, "dataset": Path(captioner.run["dataset"]).name},
        "minutes": history[-1]["seconds"] / 60,
        "history": history,
    }
    command = command_line("lab4", "beams", run.name, split=None if split == "dev" else split)
    name += "" if split == "dev" else f"_{split}"
    seed = captioner.run["training"].get("seed", 0)
    return write_runs(out, name, rows, record, command, seed, curves={run.name: history})


def _beams_row(count: int, length_penalty: float, found: dict) -> dict[str, Any]:
    captions = [caption.split() for caption in found["captions"].values()]
    return {
        "variant": f"{count} beam{'s' if count > 1 else ''}, log-probability / length^{length_penalty:g}",
        "beams": count,
        "length_penalty": length_penalty,
        **bleu_columns(found),
        "words": sum(map(len, captions)) / len(captions),
        "different_words": len({word for caption in captions for word in caption}),
        "images_per_second": found["images_per_second"],
    }
