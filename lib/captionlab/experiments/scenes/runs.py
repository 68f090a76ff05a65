"""Lab 2's experiments, as ``captionlab experiment lab2`` runs them; each writes a JSON, a CSV and a PNG file.

Everything that is chosen or compared is compared by five-fold cross-validation on the training images. No choice is
made on the test images: :func:`run_scenes` (the lab's plain recipe) and :func:`run_best` (when all is chosen) report
their accuracy.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline

from captionlab.common.logs import logger
from captionlab.common.progress import track
from captionlab.common.provenance import available_cores
from captionlab.experiments.results import command_line, write_results
from captionlab.experiments.scenes.data import FeatureBank, Scenes, layers_of, load_scenes, scene_network
from captionlab.experiments.scenes.feature_search import SEED, cross_val_scores, greedy_search, test
from captionlab.experiments.scenes.feature_specs import FeatureBlock, FeatureSpec, compute_features, l2_normalize
from captionlab.experiments.scenes.heads import compare_heads
from captionlab.plots.scenes import confusion_with_accuracies, search_steps
from captionlab.plots.transfer import accuracy_curve, cost_comparison
from captionlab.transfer.confusion import accuracy_by_class, confusion_matrix
from captionlab.transfer.svm import scene_classifier
from captionlab.transfer.visual_words import VisualWords
from captionlab.vision.classifiers import Classifier, load_classifier
from captionlab.vision.extraction import ExtractionConfig, FeatureExtractor
from captionlab.vision.networks import EMBEDDED_NETWORKS

CANDIDATES = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0)
COMPONENTS = (16, 32, 64, 128, 256, 512)
NETWORKS = ("vgg16", "resnet18", "resnet50", "mobilenet_v2")
TIMED = 48  # images on which the speed of extraction is measured
COSTS = {"features": "features", "extraction, ms per image": "extract_ms", "training, s": "train_seconds"}
HELD_OUT = "accuracy, 5-fold cross-validation"


# --- the experiments --------------------------------------------------------------------------------------------------


def run_scenes(out: Path, dataset: str | None = None, network: str | None = None, progress: bool = True) -> list[Path]:
    """The lab's recipe: the features before the classification layer, L2-normalized, LinearSVC(C=1); test accuracy.

    Args:
        out: folder for the files, made if missing.
        dataset: see :func:`captionlab.experiments.scenes.data.load_scenes`.
        network: by default MobileNetV2 for photographs, the embedded ``tiny_resnet`` for drawings.
        progress: show how far it has come.

    Returns:
        The files written: ``lab2_scenes.json``, ``.csv`` and ``.png`` (``lab2_scenes_embedded...`` for drawings).

    Raises:
        FileNotFoundError, ValueError, DataError: if data or network are not there, or do not fit each other.
    """
    bank = open_bank(dataset, network, progress)
    spec = _plain_spec(bank)
    predictions, seconds = test(bank, spec)
    result = _test_result(bank.scenes, predictions)
    result |= {
        "description": str(spec),
        "features": compute_features(bank, "train", spec).shape[1],
        "extract_ms": _extraction_ms(bank, spec.blocks[0].layer, spec.blocks[0].size),
        "train_seconds": round(seconds, 2),
    }
    title = f"{_titled(bank)}: {result['accuracy']:.1%} of {len(predictions)} test images"
    figure = confusion_with_accuracies(np.array(result["confusion"]), bank.scenes.classes, title)
    command = command_line("lab2", "scenes", dataset=dataset, network=network)
    return _write(out, "lab2_scenes", result, _class_rows(bank.scenes, result), {"": figure}, bank, command)


def run_layers(out: Path, dataset: str | None = None, network: str | None = None, progress: bool = True) -> list[Path]:
    """Features of every listed layer: accuracy, size, extraction time of a network cut there, training time."""
    bank = open_bank(dataset, network, progress)
    size, rows = bank.classifier.input_size, []
    for layer in track(layers_of(bank.classifier), "comparing layers", unit="layers", progress=progress):
        milliseconds = _extraction_ms(bank, layer, size)
        rows.append(_row(layer, bank.get("train", size, layer), bank.scenes, milliseconds))
    figure = _cost_figure(rows, f"Layers of {_titled(bank)}", COSTS)
    command = command_line("lab2", "layers", dataset=dataset, network=network)
    return _write(out, "lab2_layers", {"rows": rows}, rows, {"": figure}, bank, command)


def run_networks(out: Path, dataset: str | None = None, progress: bool = True) -> list[Path]:
    """The last features of every network whose weights are here, and a bag of visual words."""
    scenes, rows = load_scenes(dataset), []
    for classifier in track(_available(), "comparing networks", unit="networks", progress=progress):
        bank = FeatureBank(scenes, classifier, progress=progress)
        layer, size = layers_of(classifier)[-1], classifier.input_size
        name = f"{classifier.name}, {size} px"
        row = _row(name, bank.last_layer("train"), scenes, _extraction_ms(bank, layer, size))
        parameters = sum(parameter.numel() for parameter in classifier.model.parameters())
        rows.append({**row, "megaparameters": round(parameters / 1e6, 2), "weights": classifier.weights_source})
    rows.append(_visual_words_row(scenes))
    costs = {"parameters, million": "megaparameters", **{name: key for name, key in COSTS.items() if key != "features"}}
    figure = _cost_figure(rows, f"Features for a linear SVM, {display_name(scenes)}", costs)
    record = {"rows": rows, "data": scenes.source}
    command = command_line("lab2", "networks", dataset=dataset)
    return _write(out, result_name("lab2_networks", scenes), record, rows, {"": figure}, None, command)


def run_c(out: Path, dataset: str | None = None, network: str | None = None, progress: bool = True) -> list[Path]:
    """The SVM's C: accuracy and training time."""
    bank = open_bank(dataset, network, progress)
    features, rows = bank.last_layer("train"), []
    for C in track(CANDIDATES, "comparing values of C", unit="values", progress=progress):
        rows.append({"C": C, **_row(f"C={C:g}", features, bank.scenes, None, C)})
    top = max(row["cv_accuracy"] for row in rows)
    best = min(row["C"] for row in rows if row["cv_accuracy"] == top)
    figure = _curve_figure(rows, "C", f"C of the SVM, {_titled(bank)}: best {best:g}", best)
    command = command_line("lab2", "c", dataset=dataset, network=network)
    return _write(out, "lab2_c", {"best": best, "rows": rows}, rows, {"": figure}, bank, command)


def run_pca(out: Path, dataset: str | None = None, network: str | None = None, progress: bool = True) -> list[Path]:
    """Fewer dimensions before the SVM: accuracy against time. The projection is fitted within each fold."""
    bank = open_bank(dataset, network, progress)
    features = l2_normalize(bank.last_layer("train"))
    limit = min(int(len(features) * 0.8), features.shape[1])
    counts, rows = [count for count in COMPONENTS if count < limit], []
    for count in track(counts, "comparing numbers of components", unit="numbers", progress=progress):
        row = _row(f"{count} components", features, bank.scenes, None, components=count)
        rows.append({"components": count, **row, "features": count})
    rows.append({"components": features.shape[1], **_row("all, no PCA", features, bank.scenes, None)})
    title = f"PCA before the SVM, {_titled(bank)} (rightmost: all features, no PCA)"
    command = command_line("lab2", "pca", dataset=dataset, network=network)
    figure = _curve_figure(rows, "components", title)
    return _write(out, "lab2_pca", {"rows": rows}, rows, {"": figure}, bank, command)


def run_heads(out: Path, dataset: str | None = None, network: str | None = None, progress: bool = True) -> list[Path]:
    """An SVM, a new last layer, and a fine-tuned network (see `compare_heads`)."""
    bank = open_bank(dataset, network, progress)
    rows = compare_heads(bank, progress)
    title = f"{_titled(bank)}: SVM, or the network's own last layer?"
    drawn = [{**row, "cv_accuracy": row["accuracy"], "cv_spread": 0} for row in rows]
    costs = {"parameters trained": "trained", "training, s": "train_seconds"}
    figure = _cost_figure(drawn, title, costs, "accuracy on one of five folds of the training images")
    command = command_line("lab2", "head", dataset=dataset, network=network)
    return _write(out, "lab2_head", {"rows": rows}, rows, {"": figure}, bank, command)


def run_best(out: Path, dataset: str | None = None, network: str | None = None, progress: bool = True) -> list[Path]:
    """Step by step to better features of an image, chosen on the training images alone.

    No choice is made on the test images: their accuracy is reported for the first and the last step, at the end.
    """
    bank = open_bank(dataset, network, progress)
    larger = round(bank.classifier.input_size * 10 / 7 / 16) * 16  # 224 -> 320, 64 -> 96
    rows, best = greedy_search(bank, larger)
    plain, _ = test(bank, _plain_spec(bank))
    predictions, seconds = test(bank, best)
    result = _test_result(bank.scenes, predictions)
    plain_accuracy = round(float(accuracy_score(bank.scenes.labels["test"], plain)), 4)
    result |= {"description": str(best), "train_seconds": round(seconds, 2), "test_accuracy_plain": plain_accuracy}
    result["steps"] = [_rounded(row) for row in rows]
    tests = f"plain: {plain_accuracy:.4f};  best: {result['accuracy']:.4f}"
    title = f"{_titled(bank)}, best features: {result['accuracy']:.1%} of {len(predictions)} test images"
    figures = {
        "": search_steps(rows, f"{_titled(bank)}\ntest images, on which no choice was made:  {tests}"),
        "_confusion": confusion_with_accuracies(np.array(result["confusion"]), bank.scenes.classes, title),
    }
    command = command_line("lab2", "best", dataset=dataset, network=network)
    return _write(out, "lab2_best", result, result["steps"], figures, bank, command)


# --- measuring --------------------------------------------------------------------------------------------------------


def open_bank(dataset: str | None, network: str | None, progress: bool) -> FeatureBank:
    """The features of the images and the network asked for, see :func:`run_scenes`."""
    scenes = load_scenes(dataset)
    return FeatureBank(scenes, scene_network(scenes, network), progress=progress)


def _plain_spec(bank: FeatureBank) -> FeatureSpec:
    return FeatureSpec((FeatureBlock(bank.classifier.input_size, layers_of(bank.classifier)[-1]),))


def _available() -> list[Classifier]:
    found = []
    for name in NETWORKS:
        try:
            found.append(load_classifier(name))
        except FileNotFoundError:
            logger.warning("%s: left out, its weights are not here", name)
    return [*found, *(load_classifier(name) for name in EMBEDDED_NETWORKS)]


def _row(
    name: str, X: np.ndarray, scenes: Scenes, milliseconds: float | None, C: float = 1.0, components: int = 0
) -> dict:
    """A row of a table: cross-validated accuracy, and the seconds to train once on all training images."""
    y, classifier = scenes.labels["train"], scene_classifier(C)
    if components:
        classifier = make_pipeline(PCA(components, random_state=SEED), classifier)
    scores = cross_val_scores(X, [X], y, classifier)
    begin = time.perf_counter()
    classifier.fit(X, y)
    return {
        "name": name,
        "features": X.shape[1],
        "cv_accuracy": round(float(np.mean(scores)), 4),
        "cv_spread": round(float(np.std(scores)), 4),
        "extract_ms": milliseconds,
        "train_seconds": round(time.perf_counter() - begin, 2),
    }


def _extraction_ms(bank: FeatureBank, layer: str, size: int) -> float:
    """Milliseconds per image, files to features, on all cores, of the network cut at a layer; the best of three."""
    files = bank.scenes.files["train"][:: max(1, len(bank.scenes.files["train"]) // TIMED)][:TIMED]
    config = ExtractionConfig((layer,), bank.classifier.preprocessing.with_size(size))
    extractor = FeatureExtractor(bank.classifier.model, config)
    extractor(files[:8])
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        extractor(files)
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


def _test_result(scenes: Scenes, predictions: np.ndarray) -> dict[str, Any]:
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


def result_name(name: str, scenes: Scenes) -> str:
    """What the files' names start with: results of other images than 15-Scene say of which."""
    return name if scenes.source == "scene15" else f"{name}_{scenes.source}"


def display_name(scenes: Scenes) -> str:
    """The images' name in a title."""
    return {"scene15": "15-Scene", "embedded": "drawn scenes"}.get(scenes.source, scenes.source)


def _titled(bank: FeatureBank) -> str:
    return f"{bank.classifier.name}, {display_name(bank.scenes)}"


def _rounded(row: dict) -> dict:
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}


def _cost_figure(rows: Sequence[dict], title: str, costs: dict[str, str], xlabel: str = HELD_OUT) -> Figure:
    names, accuracies, spreads = ([row[key] for row in rows] for key in ("name", "cv_accuracy", "cv_spread"))
    columns = {label: [row[key] for row in rows] for label, key in costs.items()}
    return cost_comparison(names, accuracies, spreads, columns, title, xlabel)


def _curve_figure(rows: Sequence[dict], key: str, title: str, chosen: float | None = None) -> Figure:
    values, accuracies, spreads, seconds = (
        [row[column] for row in rows] for column in (key, "cv_accuracy", "cv_spread", "train_seconds")
    )
    spread = {HELD_OUT: spreads}
    return accuracy_curve(
        values, {HELD_OUT: accuracies}, key, spreads=spread, chosen=chosen, seconds=seconds, title=title
    )


def _write(
    out: Path,
    name: str,
    result: dict,
    rows: Sequence[dict],
    figures: Mapping[str, Figure],
    bank: FeatureBank | None,
    command: str,
) -> list[Path]:
    about: dict[str, Any] = {"cores": available_cores()}
    if bank is not None:
        name = result_name(name, bank.scenes)
        about = {"data": bank.scenes.source, "network": bank.classifier.name, "weights": bank.classifier.weights_source}
        about["images"] = {split: len(files) for split, files in bank.scenes.files.items()}
    return write_results(out, name, rows, figures, {**about, **result}, command=command, seed=SEED)
