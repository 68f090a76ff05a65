"""Lab 2: can the network do it alone? A new last layer, trained by gradient descent, against an SVM on its features."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import numpy as np
import torch
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedKFold
from torch import nn
from torch.utils.data import TensorDataset

from captionlab.experiments.scenes.data import FeatureBank
from captionlab.experiments.scenes.feature_search import FOLDS, SEED
from captionlab.transfer.features import extract_features
from captionlab.transfer.fine_tuning import FineTuneSettings, fine_tune
from captionlab.transfer.heads import replace_head
from captionlab.transfer.svm import scene_classifier
from captionlab.vision.extraction import read_batch

# No validation images and no early stopping: the held-out fold is for the comparison, so nothing may be chosen by it.
HEAD = FineTuneSettings(epochs=40, batch_size=32, head_lr=0.05, seed=SEED)
WHOLE = FineTuneSettings(epochs=20, batch_size=32, head_lr=0.02, backbone_lr=0.002, seed=SEED)

Predict = Callable[[np.ndarray], np.ndarray]
Fit = Callable[[np.ndarray, np.ndarray, bool], tuple[Predict, int]]  # X, y, progress; also the parameters trained


def compare_heads(bank: FeatureBank, progress: bool = True) -> list[dict]:
    """Accuracy of an SVM, a new last layer and a fine-tuned network on one fold of the training images.

    The whole network is fine-tuned only if it is an embedded one: fine-tuning on photographs is the subject of Lab 3,
    and takes a processor hours.

    Returns:
        One row each: ``name``, ``trained`` (parameters), ``accuracy`` (on the held-out fold) and ``train_seconds``.
    """
    labels = bank.scenes.labels["train"]
    train, held_out = next(StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(labels, labels))

    def row(name: str, fit: Fit, X: np.ndarray) -> dict:
        begin = time.perf_counter()
        predict, trained = fit(X[train], labels[train], progress)
        seconds = time.perf_counter() - begin
        accuracy = float(accuracy_score(labels[held_out], predict(X[held_out])))
        return {"name": name, "trained": trained, "accuracy": round(accuracy, 4), "train_seconds": round(seconds, 2)}

    features = bank.last_layer("train")
    rows = [row("linear SVM on the features", _fit_svm, features)]
    rows.append(row("new last layer, network frozen", _fit_head, features))
    if bank.classifier.is_embedded:
        images = read_batch(bank.scenes.files["train"], bank.config(bank.classifier.input_size)).numpy()
        fit = _whole_network(bank.classifier.model, len(bank.scenes.classes))
        rows.append(row("new last layer, whole network fine-tuned", fit, images))
    return rows


def _fit_svm(X: np.ndarray, y: np.ndarray, progress: bool) -> tuple[Predict, int]:
    classifier = scene_classifier().fit(X, y)
    return classifier.predict, classifier[-1].coef_.size + classifier[-1].intercept_.size


def _fit_head(X: np.ndarray, y: np.ndarray, progress: bool) -> tuple[Predict, int]:
    """The last layer alone, on features computed once: a frozen network gives the same ones in every epoch."""
    torch.manual_seed(SEED)
    return _train(nn.Linear(X.shape[1], y.max() + 1), X, y, HEAD, progress)


def _whole_network(model: nn.Module, classes: int) -> Fit:
    def fit(X: np.ndarray, y: np.ndarray, progress: bool) -> tuple[Predict, int]:
        torch.manual_seed(SEED)
        return _train(replace_head(copy.deepcopy(model), classes), X, y, WHOLE, progress)

    return fit


def _train(
    model: nn.Module, X: np.ndarray, y: np.ndarray, settings: FineTuneSettings, progress: bool
) -> tuple[Predict, int]:
    data = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    head = model if isinstance(model, nn.Linear) else None
    fine_tune(model, data, None, settings, head=head, device="cpu", progress=progress)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return lambda X_test: extract_features(model, torch.from_numpy(X_test)).argmax(dim=1).numpy(), trained
