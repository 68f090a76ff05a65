"""Lab 3's experiments: every method in one table, and one network against another.

Each run writes a JSON file with all numbers and where they come from, a CSV table, and two figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from torch import nn

from captionlab.common.logs import logger
from captionlab.common.provenance import device_name
from captionlab.experiments.bees_ants.data import BeesAnts, load_bees_ants
from captionlab.experiments.bees_ants.methods import METHODS, MethodContext, Result
from captionlab.experiments.bees_ants.recipes import Recipe, recipe_for
from captionlab.experiments.results import command_line, write_results
from captionlab.plots.bees_ants import seed_curves
from captionlab.plots.training import method_bars
from captionlab.vision.classifiers import load_classifier
from captionlab.vision.networks import get_network

COMPARED_ON_NETWORKS = ("fine-tuned", "frozen, new head", "frozen features, SVM", "from scratch")
NETWORKS = ("resnet18", "vgg16")
SMALL_NETWORKS = ("tiny_resnet", "tiny_vgg")
CHANCE = 0.5  # of two classes


def compare_methods(
    seeds: Sequence[int],
    out: Path,
    dataset: str | Path | None = None,
    network: str | None = None,
    recipe: Recipe | None = None,
    progress: bool = True,
) -> list[Path]:
    """Train and test all methods on each seed; write ``lab3_insects_DATA.{json,csv,png}`` and the figure of the curves.

    Args:
        seeds: of the split, the heads, the order of images and the forests, at least one.
        out: folder for the files, made if missing.
        dataset: see ``load_bees_ants``.
        network: by default MobileNetV2 (its weights from torch's cache or the mirror) for photographs, else
            ``tiny_resnet``.
        recipe: by default the network's.
        progress: show how far it has come.

    Returns:
        The files written.

    Raises:
        ValueError, FileNotFoundError, DataError: if there is no seed, or the network or the data are missing.
    """
    _require(seeds, [network] if network and not recipe else [])
    images = load_bees_ants(dataset)
    network = network or ("tiny_resnet" if images.source == "embedded" else "mobilenet_v2")
    recipes = {network: recipe or recipe_for(network)}
    rows = _measure(images, network, tuple(METHODS), seeds, recipes[network], progress)
    command = command_line("lab3", "methods", seeds=len(seeds), dataset=dataset, network=network)
    return _write("lab3_insects", rows, images, recipes, command, seeds, out)


def compare_networks(
    seeds: Sequence[int],
    out: Path,
    dataset: str | Path | None = None,
    networks: Sequence[str] = (),
    recipe: Recipe | None = None,
    progress: bool = True,
) -> list[Path]:
    """ResNet against VGG: frozen, fine-tuned and from scratch; writes ``lab3_networks_DATA.*``.

    Args:
        seeds, out, dataset, recipe, progress: see :func:`compare_methods`.
        networks: by default torchvision's ResNet-18 and VGG16 on the photographs if their weights and the photographs
            are here, else the two small embedded networks on the drawings.

    Returns, raises: see :func:`compare_methods`.
    """
    _require(seeds, [] if recipe else networks)
    if not networks:
        networks, dataset = _networks_at_hand(dataset)
    images = load_bees_ants(dataset)
    recipes = {network: recipe or recipe_for(network) for network in networks}
    rows = []
    for network in networks:
        rows += _measure(images, network, COMPARED_ON_NETWORKS, seeds, recipes[network], progress)
    command = command_line("lab3", "networks", seeds=len(seeds), dataset=dataset, network=networks)
    return _write("lab3_networks", rows, images, recipes, command, seeds, out)


def _require(seeds: Sequence[int], networks: Sequence[str]) -> None:
    """Fail before anything is decoded or computed."""
    if not seeds:
        raise ValueError("found no seed, expected at least one (--seeds 5 gives the seeds 0 to 4)")
    for network in networks:
        recipe_for(network)


def _networks_at_hand(dataset: str | Path | None) -> tuple[Sequence[str], str | Path | None]:
    from captionlab.datasets.errors import DataError
    from captionlab.datasets.store import locate

    if dataset in (None, "hymenoptera"):
        try:
            locate("hymenoptera")
            for network in NETWORKS:
                load_classifier(network)
            return NETWORKS, "hymenoptera"
        except (FileNotFoundError, DataError):
            pass
    return SMALL_NETWORKS, dataset or "embedded"


def _network(name: str) -> tuple[nn.Module, Callable[[], nn.Module], str]:
    """The pretrained network, how to make one with random weights, and where the pretrained weights are from."""
    found = load_classifier(name)
    return found.model, get_network(name).build, found.weights_source


def _measure(
    images: BeesAnts, network: str, methods: Sequence[str], seeds: Sequence[int], recipe: Recipe, progress: bool
) -> list[dict]:
    """The rows of the table for one network."""
    model, fresh, weights = _network(network)
    context = MethodContext(model, images, recipe, fresh, progress)
    rows = []
    for name in methods:
        results = []
        for seed in seeds:
            results.append(METHODS[name](context, seed))
            if progress:
                accuracies = ", ".join(f"{what} {value:.4f}" for what, value in results[-1].accuracy.items())
                logger.info("%s, seed %s: %s", network, seed, accuracies)
        about = {"network": network, "weights": weights} if "raw" not in name else {"network": None, "weights": None}
        rows += [about | row for row in _rows(results)]
    return rows


def _rows(results: list[Result]) -> list[dict]:
    """Mean and standard deviation over the seeds, for each training of a method."""
    rows = []
    for number, name in enumerate(results[0].accuracy):
        accuracies = [result.accuracy[name] for result in results]
        # The second training, on all images, is not validated.
        validations = [result.validation for result in results if result.validation is not None and number == 0]
        rows.append(
            {
                "method": name,
                "test_accuracy": [round(accuracy, 4) for accuracy in accuracies],
                "mean": round(float(np.mean(accuracies)), 4),
                # Sample standard deviation; one seed has none.
                "spread": round(float(np.std(accuracies, ddof=1)), 4) if len(accuracies) > 1 else None,
                "validation_accuracy": [round(value, 4) for value in validations] or None,
                "details": [result.details for result in results] if number == 0 else None,
                "history": [result.history for result in results] if validations and results[0].history else None,
            }
        )
    return rows


PROTOCOL = (
    "Choices and stopping on training images only: C of the SVMs by 5-fold cross-validation on all of them, the best "
    "epoch on a stratified fifth of them that the network was not trained on. 'All images': trained on all training "
    "images for the number of epochs the recipe fixes, without validation. Test images are predicted once per run, "
    "each plain and mirrored (scores or features averaged). Spread: standard deviation over the seeds."
)


def _write(
    name: str,
    rows: list[dict],
    images: BeesAnts,
    recipes: dict[str, Recipe],
    command: str,
    seeds: Sequence[int],
    out: Path,
) -> list[Path]:
    record = {
        "data": images.source,
        "classes": list(images.classes),
        "train_images": len(images.train),
        "test_images": len(images.test),
        "left_out": [{"file": file, "reason": reason} for file, reason in images.left_out],
        "seeds": list(seeds),
        "protocol": PROTOCOL,
        "recipes": {network: asdict(recipe) for network, recipe in recipes.items()},
        "rows": rows,
    }
    name, table = f"{name}_{images.source}", [_table_row(row) for row in rows]
    return write_results(
        out, name, table, _figures(rows, _title(images)), record, command=command, seed=seeds[0], device=device_name()
    )


def _title(images: BeesAnts) -> str:
    what = {"embedded": "drawn bees and ants", "hymenoptera": "bees and ants"}.get(images.source, images.source)
    return f"{what}: {len(images.train)} training images, {len(images.test)} test images"


def _table_row(row: dict) -> dict[str, Any]:
    accuracies, validated = row["test_accuracy"], row["validation_accuracy"]
    return {
        "network": row["network"] or "",
        "method": row["method"],
        "seeds": len(accuracies),
        "mean": f"{row['mean']:.4f}",
        "spread": "" if row["spread"] is None else f"{row['spread']:.4f}",
        "lowest": f"{min(accuracies):.4f}",
        "highest": f"{max(accuracies):.4f}",
        "validation mean": f"{np.mean(validated):.4f}" if validated else "",
    }


def _figures(rows: list[dict], title: str) -> dict[str, Figure]:
    """The accuracies of all methods, and the curves of those that were trained with validation."""
    several = len({row["network"] for row in rows if row["network"]}) > 1

    def label(row: dict) -> str:
        return f"{row['network']}: {row['method']}" if several and row["network"] else row["method"]

    accuracies = {label(row): row["test_accuracy"] for row in rows}
    trained = [row for row in rows if row["history"]]
    best_epochs = {label(row): [details["best_epoch"] for details in row["details"]] for row in trained}
    return {
        "": method_bars(accuracies, title, CHANCE),
        "_curves": seed_curves({label(row): row["history"] for row in trained}, best_epochs, title),
    }
