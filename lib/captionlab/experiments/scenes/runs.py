"""Lab 2's experiments, as ``captionlab experiment scenes...`` calls them; each writes a JSON, a CSV and a PNG file.

Everything that is chosen or compared is compared by five-fold cross-validation on the training images. No choice is
made on the test images: :func:`run_scenes` (the lab's plain recipe) and :func:`run_best` (when all is chosen) report
their accuracy.
"""

from __future__ import annotations

import csv
import json
import os
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from captionlab.common.provenance import cores, provenance
from captionlab.experiments.scenes.choices import (
    SEED,
    Block,
    Description,
    climb,
    cross_validated,
    describe,
    tested,
)
from captionlab.experiments.scenes.data import FeatureBank, Scenes, layers_of, load_scenes, scene_network
from captionlab.plots.scenes import draw_bars, draw_confusion, draw_curve, draw_steps
from captionlab.transfer.confusion import accuracy_by_class, confusion_matrix
from captionlab.transfer.svm import scene_classifier
from captionlab.transfer.visual_words import VisualWords
from captionlab.vision.classifiers import EMBEDDED, MIRROR_VARIABLE, Classifier, load_classifier
from captionlab.vision.extraction import Recipe, prepare, run

CANDIDATES = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0)
COMPONENTS = (16, 32, 64, 128, 256, 512)
NETWORKS = ("vgg16", "resnet18", "resnet50", "mobilenet_v2")
TIMED = 48  # images on which the speed of extraction is measured
COSTS = (
    ("features", "features"),
    ("extract_ms", "extraction, ms an image"),
    ("train_seconds", "training, s"),
)


# --- the experiments --------------------------------------------------------------------------------------------------


def run_scenes(out: Path, data: str | None = None, network: str | None = None, progress: bool = True) -> list[Path]:
    """The lab's recipe: the features before the classification layer, L2-normalized, LinearSVC(C=1); test accuracy.

    Args:
        out: folder for the files, made if missing.
        data: see :func:`captionlab.experiments.scenes.data.load_scenes`.
        network: by default MobileNetV2 for photographs, the embedded ``tiny_resnet`` for drawings.
        progress: show progress bars.

    Returns:
        The files written: ``lab2_scenes.json``, ``.csv`` and ``.png`` (``lab2_scenes_embedded...`` for drawings).

    Raises:
        FileNotFoundError, ValueError, DataError: if data or network are not there, or do not fit.
    """
    bank = open_bank(data, network, progress)
    description = Description((Block(bank.classifier.input_size, layers_of(bank.classifier)[-1]),))
    predictions, seconds = tested(bank, description)
    result = _result(bank.scenes, predictions)
    result |= {
        "description": description.words(),
        "features": describe(bank, "train", description).shape[1],
        "extract_ms": _milliseconds(bank, description.parts[0].layer, description.parts[0].size),
        "train_seconds": round(seconds, 2),
    }
    title = f"{bank.classifier.name}, {named(bank.scenes)}: {result['accuracy']:.1%} of {len(predictions)} test images"
    name = name_for("lab2_scenes", bank.scenes)
    draw_confusion(np.array(result["confusion"]), bank.scenes.classes, title, out / f"{name}.png")
    return write(out, name, result, _class_rows(bank.scenes, result), bank, command_line("scenes", data, network))


def run_layers(out: Path, data: str | None = None, network: str | None = None, progress: bool = True) -> list[Path]:
    """Features of every listed layer: accuracy, size, extraction time of a network cut there, training time."""
    bank = open_bank(data, network, progress)
    size, rows = bank.classifier.input_size, []
    for layer in layers_of(bank.classifier):
        rows.append(_row(layer, bank.get("train", size, layer), bank.scenes, _milliseconds(bank, layer, size)))
    name = name_for("lab2_layers", bank.scenes)
    draw_bars(rows, f"Layers of {bank.classifier.name}, {named(bank.scenes)}", out / f"{name}.png", COSTS)
    return write(out, name, {"rows": rows}, rows, bank, command_line("scenes-layers", data, network))


def run_networks(out: Path, data: str | None = None, progress: bool = True) -> list[Path]:
    """The last features of every network whose weights are here, beside a bag of visual words."""
    scenes, rows = load_scenes(data), []
    for classifier in _available():
        bank = FeatureBank(scenes, classifier, progress=progress)
        layer, size = layers_of(classifier)[-1], classifier.input_size
        row = _row(
            f"{classifier.name}, {size} px", bank.get("train", size, layer), scenes, _milliseconds(bank, layer, size)
        )
        parameters = sum(parameter.numel() for parameter in classifier.model.parameters())
        rows.append({**row, "megaparameters": round(parameters / 1e6, 2), "weights": classifier.weights_source})
    rows.append(_visual_words_row(scenes))
    name = name_for("lab2_networks", scenes)
    costs = (("megaparameters", "parameters, million"), *COSTS[1:])
    draw_bars(rows, f"Features for a linear SVM, {named(scenes)}", out / f"{name}.png", costs)
    return write(
        out, name, {"rows": rows, "data": scenes.source}, rows, None, command_line("scenes-networks", data, None)
    )


def run_c(out: Path, data: str | None = None, network: str | None = None, progress: bool = True) -> list[Path]:
    """The SVM's C: accuracy and training time."""
    bank = open_bank(data, network, progress)
    features = bank.get("train", bank.classifier.input_size, layers_of(bank.classifier)[-1])
    rows = [{"C": C, **_row(f"C={C:g}", features, bank.scenes, None, C)} for C in CANDIDATES]
    top = max(row["cv_accuracy"] for row in rows)
    best = min(row["C"] for row in rows if row["cv_accuracy"] == top)
    name = name_for("lab2_c", bank.scenes)
    title = f"C of the SVM on {bank.classifier.name}'s features, {named(bank.scenes)}: best {best:g}"
    draw_curve(rows, "C", "C", title, out / f"{name}.png")
    return write(out, name, {"best": best, "rows": rows}, rows, bank, command_line("scenes-c", data, network))


def run_pca(out: Path, data: str | None = None, network: str | None = None, progress: bool = True) -> list[Path]:
    """Fewer dimensions before the SVM: accuracy against time. The projection is fitted within each fold."""
    bank = open_bank(data, network, progress)
    features = bank.get("train", bank.classifier.input_size, layers_of(bank.classifier)[-1])
    features = features / np.linalg.norm(features, axis=1, keepdims=True)
    limit = min(int(len(features) * 0.8), features.shape[1])
    rows = []
    for components in [count for count in COMPONENTS if count < limit]:
        row = _row(f"{components} components", features, bank.scenes, None, components=components)
        rows.append({"components": components, **row, "features": components})
    rows.append({"components": features.shape[1], **_row("all, no PCA", features, bank.scenes, None)})
    name = name_for("lab2_pca", bank.scenes)
    title = f"PCA before the SVM, {bank.classifier.name}, {named(bank.scenes)} (rightmost: all features, no PCA)"
    draw_curve(rows, "components", "components", title, out / f"{name}.png")
    return write(out, name, {"rows": rows}, rows, bank, command_line("scenes-pca", data, network))


def run_best(out: Path, data: str | None = None, network: str | None = None, progress: bool = True) -> list[Path]:
    """Step by step to a better description of an image, chosen on the training images alone.

    No choice is made on the test images: their accuracy is reported for the first and the last step, at the end.
    """
    bank = open_bank(data, network, progress)
    size = bank.classifier.input_size
    larger = round(size * 10 / 7 / 16) * 16  # 224 -> 320, 64 -> 96
    rows, best = climb(bank, larger)
    start = Description((Block(size, layers_of(bank.classifier)[-1]),))
    plain, _ = tested(bank, start)
    predictions, seconds = tested(bank, best)
    result = _result(bank.scenes, predictions)
    tests = [("plain", round(float((plain == bank.scenes.labels["test"]).mean()), 4)), ("best", result["accuracy"])]
    result |= {"description": best.words(), "train_seconds": round(seconds, 2), "test_accuracy_plain": tests[0][1]}
    result["steps"] = [_rounded(row) for row in rows]
    name = name_for("lab2_best", bank.scenes)
    title = f"{bank.classifier.name}, {named(bank.scenes)}"
    draw_steps(rows, tests, title, out / f"{name}.png")
    title = f"{title}, best description: {result['accuracy']:.1%} of {len(predictions)} test images"
    draw_confusion(np.array(result["confusion"]), bank.scenes.classes, title, out / f"{name}_confusion.png")
    written = write(out, name, result, result["steps"], bank, command_line("scenes-best", data, network))
    return [*written, out / f"{name}_confusion.png"]


# --- measuring --------------------------------------------------------------------------------------------------------


def open_bank(data: str | None, network: str | None, progress: bool) -> FeatureBank:
    scenes = load_scenes(data)
    return FeatureBank(scenes, scene_network(scenes, network), progress=progress)


def _available() -> list[Classifier]:
    found = []
    for name in NETWORKS:
        try:
            found.append(load_classifier(name))
        except FileNotFoundError:
            print(f"{name}: no weights here, left out")
    return [*found, *(load_classifier(name) for name in EMBEDDED)]


def _row(
    name: str, features: np.ndarray, scenes: Scenes, milliseconds: float | None, C: float = 1.0, components: int = 0
) -> dict:
    """A line of a table: cross-validated accuracy, and the seconds to train once on all training images."""
    labels, classifier = scenes.labels["train"], scene_classifier(C)
    if components:
        classifier = make_pipeline(PCA(components, random_state=SEED), classifier)
    folds = cross_validated(features, [features], labels, classifier)
    begin = time.perf_counter()
    classifier.fit(features, labels)
    return {
        "name": name,
        "features": features.shape[1],
        "cv_accuracy": round(float(np.mean(folds)), 4),
        "cv_spread": round(float(np.std(folds)), 4),
        "extract_ms": milliseconds,
        "train_seconds": round(time.perf_counter() - begin, 2),
    }


def _milliseconds(bank: FeatureBank, layer: str, size: int) -> float:
    """Milliseconds an image, files to features, on all cores, of the network cut at a layer; the best of three."""
    files = bank.scenes.files["train"][:: max(1, len(bank.scenes.files["train"]) // TIMED)][:TIMED]
    recipe = Recipe((layer,), size)
    network = prepare(bank.classifier.model, recipe)
    run(network, files[:8], recipe, progress=False)
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        run(network, files, recipe, progress=False)
        times.append(time.perf_counter() - begin)
    return round(1000 * min(times) / len(files), 2)


def _visual_words_row(scenes: Scenes) -> dict:
    """The dictionary is learned from all training images without their labels, then cross-validated like the others."""
    begin = time.perf_counter()
    dictionary = VisualWords(scenes.files["train"])
    features = dictionary.describe(scenes.files["train"])
    spent = 1000 * (time.perf_counter() - begin) / len(features)
    row = _row("bag of visual words", features, scenes, round(spent, 2))
    return {**row, "megaparameters": None, "weights": "dictionary of 400 words from the training images"}


def _result(scenes: Scenes, predictions: np.ndarray) -> dict:
    confusion = confusion_matrix(scenes.labels["test"], predictions, len(scenes.classes))
    by_class = accuracy_by_class(confusion)
    return {
        "accuracy": round(float(np.trace(confusion) / confusion.sum()), 4),
        "mean_class_accuracy": round(float(np.nanmean(by_class)), 4),
        "classes": list(scenes.classes),
        "accuracy_by_class": [round(float(value), 4) for value in by_class],
        "confusion": confusion.tolist(),
    }


def _class_rows(scenes: Scenes, result: dict) -> list[dict]:
    images = np.sum(result["confusion"], axis=1)
    columns = zip(scenes.classes, images.tolist(), result["accuracy_by_class"], strict=True)
    return [{"class": name, "images": count, "accuracy": accuracy} for name, count, accuracy in columns]


# --- writing ----------------------------------------------------------------------------------------------------------


def name_for(name: str, scenes: Scenes) -> str:
    return name if scenes.source == "scene15" else f"{name}_{scenes.source}"


def named(scenes: Scenes) -> str:
    return {"scene15": "15-Scene", "embedded": "drawn scenes"}.get(scenes.source, scenes.source)


def _rounded(row: dict) -> dict:
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}


def command_line(name: str, data: str | None, network: str | None) -> str:
    options = [*(["--data", str(data)] if data else []), *(["--network", network] if network else [])]
    mirrored = f"{MIRROR_VARIABLE}=MIRROR " if os.environ.get(MIRROR_VARIABLE) else ""
    return mirrored + shlex.join(["captionlab", "experiment", name, *options, "--out", "results"])


def write(
    out: Path, name: str, result: dict, rows: Sequence[dict], bank: FeatureBank | None, command: str
) -> list[Path]:
    about = {"cores": cores()}
    if bank is not None:
        about = {"data": bank.scenes.source, "network": bank.classifier.name, "weights": bank.classifier.weights_source}
        about["images"] = {split: len(files) for split, files in bank.scenes.files.items()}
    out.mkdir(parents=True, exist_ok=True)
    record = {**about, **result, **provenance(command, SEED)}
    (out / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    with (out / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]), extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
    return [out / f"{name}{suffix}" for suffix in (".json", ".csv", ".png")]
