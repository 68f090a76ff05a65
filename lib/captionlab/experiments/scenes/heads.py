"""Lab 2: could the network do it alone? A new last layer, trained on, against an SVM on the network's features."""

from __future__ import annotations

import copy
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold
from torch import nn
from torch.utils.data import TensorDataset

from captionlab.experiments.scenes.choices import FOLDS, SEED
from captionlab.experiments.scenes.data import FeatureBank, layers_of
from captionlab.transfer.features import extract_features
from captionlab.transfer.fine_tuning import Settings, fine_tune
from captionlab.transfer.heads import replace_head
from captionlab.transfer.svm import scene_classifier
from captionlab.vision.classifiers import EMBEDDED
from captionlab.vision.extraction import read_batch

# No validation images and no early stopping: the fold held out is for the comparison, so nothing may be chosen by it.
HEAD = Settings(epochs=40, batch_size=32, head_rate=0.05, seed=SEED)
WHOLE = Settings(epochs=20, batch_size=32, head_rate=0.02, backbone_rate=0.002, seed=SEED)


def compare_heads(bank: FeatureBank, progress: bool = True) -> list[dict]:
    """Accuracy on one fold of the training images by an SVM, by a new last layer, and by a network trained on.

    The whole network is trained on only if it is an embedded one: on photographs that is Lab 3's subject, and hours of
    work for a processor.

    Returns:
        A row each: ``name``, ``trained`` (parameters), ``accuracy`` (on the fold held out) and ``train_seconds``.
    """
    labels = bank.scenes.labels["train"]
    train, held_out = next(StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(labels, labels))
    features = bank.get("train", bank.classifier.input_size, layers_of(bank.classifier)[-1])
    fits = [("linear SVM on the features", _svm), ("new last layer, network frozen", _head)]
    rows = [_row(name, fit, features, labels, train, held_out, progress) for name, fit in fits]
    if bank.classifier.name in EMBEDDED:
        fit = _whole(bank, len(bank.scenes.classes))
        images = read_batch(bank.scenes.files["train"], bank.recipe(bank.classifier.input_size)).numpy()
        rows.append(_row("new last layer, whole network trained on", fit, images, labels, train, held_out, progress))
    return rows


def _row(name: str, fit, rows: np.ndarray, labels: np.ndarray, train, held_out, progress: bool) -> dict:
    begin = time.perf_counter()
    predict, trained = fit(rows[train], labels[train], progress)
    seconds = time.perf_counter() - begin
    accuracy = float((predict(rows[held_out]) == labels[held_out]).mean())
    return {"name": name, "trained": trained, "accuracy": round(accuracy, 4), "train_seconds": round(seconds, 2)}


def _svm(rows: np.ndarray, labels: np.ndarray, progress: bool) -> tuple:
    classifier = scene_classifier().fit(rows, labels)
    return classifier.predict, classifier[-1].coef_.size + classifier[-1].intercept_.size


def _head(rows: np.ndarray, labels: np.ndarray, progress: bool) -> tuple:
    """The last layer alone, on features computed once: what a frozen network does not change, it need not repeat."""
    torch.manual_seed(SEED)
    return _trained(nn.Linear(rows.shape[1], labels.max() + 1), rows, labels, HEAD, progress)


def _whole(bank: FeatureBank, classes: int):
    def fit(rows: np.ndarray, labels: np.ndarray, progress: bool) -> tuple:
        torch.manual_seed(SEED)
        model = replace_head(copy.deepcopy(bank.classifier.model), classes)
        return _trained(model, rows, labels, WHOLE, progress)

    return fit


def _trained(model: nn.Module, rows: np.ndarray, labels: np.ndarray, settings: Settings, progress: bool) -> tuple:
    data = TensorDataset(torch.from_numpy(rows), torch.from_numpy(labels))
    head = model if isinstance(model, nn.Linear) else None
    fine_tune(model, data, None, settings, head=head, device="cpu", progress=progress)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return lambda asked: extract_features(model, torch.from_numpy(asked)).argmax(dim=1).numpy(), trained


def write_heads(out: Path, data: str | None = None, network: str | None = None, progress: bool = True) -> list[Path]:
    """Compare (see `compare_heads`) and write ``lab2_head.json``, ``.csv`` and ``.png``.

    Args, returns and errors: see :func:`captionlab.experiments.scenes.runs.run_scenes`.
    """
    from captionlab.experiments.scenes import runs as common
    from captionlab.plots.scenes import draw_bars

    bank = common.open_bank(data, network, progress)
    rows = compare_heads(bank, progress)
    name = common.name_for("lab2_head", bank.scenes)
    title = f"{bank.classifier.name}, {common.named(bank.scenes)}: SVM, or the network's own last layer?"
    label = "accuracy on one fold (of five) of the training images"
    drawn = [{**row, "cv_accuracy": row["accuracy"], "cv_spread": 0} for row in rows]
    costs = (("trained", "parameters trained"), ("train_seconds", "training, s"))
    draw_bars(drawn, title, out / f"{name}.png", costs, label)
    return common.write(out, name, {"rows": rows}, rows, bank, common.command_line("scenes-head", data, network))
