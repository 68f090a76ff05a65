"""Lab 3's experiments: every way to tell bees from ants in one table, and one network against another.

Each run writes a JSON file with all numbers and where they come from, a CSV table, and two figures.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from torch import nn

from captionlab.common.provenance import device, provenance, readable
from captionlab.experiments.insects.data import Insects, load_insects
from captionlab.experiments.insects.methods import METHODS, Bench, Result
from captionlab.experiments.insects.recipes import Recipe, recipe_for

OF_NETWORKS = ("fine-tuned", "frozen, new head", "frozen features, SVM", "from scratch")
NETWORKS = ("resnet18", "vgg16")
SMALL_NETWORKS = ("tiny_resnet", "tiny_vgg")


def compare_methods(
    seeds: Sequence[int],
    out: Path,
    data: str | Path | None = None,
    network: str | None = None,
    recipe: Recipe | None = None,
    progress: bool = True,
) -> list[Path]:
    """Train and test all methods on each seed; write ``lab3_insects_DATA.{json,csv,png}`` and the curves' figure.

    Args:
        seeds: of the split, the heads, the order of images and the forests, at least one.
        out: folder for the files, made if missing.
        data: see ``load_insects``.
        network: by default MobileNetV2 (its weights from torch's cache or the mirror) for photographs, else
            ``tiny_resnet``.
        recipe: by default the network's.
        progress: bars and lines on the terminal.

    Returns:
        The files written.

    Raises:
        ValueError, FileNotFoundError, DataError: if there is no seed, or the network or the data are not there.
    """
    _require(seeds, [network] if network and not recipe else [])
    insects = load_insects(data)
    network = network or ("tiny_resnet" if insects.source == "embedded" else "mobilenet_v2")
    recipes = {network: recipe or recipe_for(network)}
    rows = _measure(insects, network, tuple(METHODS), seeds, recipes[network], progress)
    command = _command("insects", seeds, data, [network])
    return _write(f"lab3_insects_{insects.source}", rows, insects, recipes, command, seeds, out)


def compare_networks(
    seeds: Sequence[int],
    out: Path,
    data: str | Path | None = None,
    networks: Sequence[str] = (),
    recipe: Recipe | None = None,
    progress: bool = True,
) -> list[Path]:
    """ResNet against VGG: frozen, fine-tuned and from scratch; writes ``lab3_networks_DATA.*`` (see above).

    Without networks: torchvision's ResNet-18 and VGG16 on the photographs if their weights and the photographs are
    here, else the two small embedded networks on the drawings.
    """
    _require(seeds, [] if recipe else networks)
    if not networks:
        networks, data = _networks_at_hand(data)
    insects = load_insects(data)
    recipes = {network: recipe or recipe_for(network) for network in networks}
    rows = []
    for network in networks:
        rows += _measure(insects, network, OF_NETWORKS, seeds, recipes[network], progress)
    command = _command("insects-networks", seeds, data, networks)
    return _write(f"lab3_networks_{insects.source}", rows, insects, recipes, command, seeds, out)


def _require(seeds: Sequence[int], networks: Sequence[str]) -> None:
    """Fail before anything is decoded or computed."""
    if not seeds:
        raise ValueError("found no seed, expected at least one (--seeds 5 gives the seeds 0 to 4)")
    for network in networks:
        recipe_for(network)


def _networks_at_hand(data: str | Path | None) -> tuple[Sequence[str], str | Path | None]:
    from captionlab.datasets.errors import DataError
    from captionlab.datasets.store import locate
    from captionlab.vision.classifiers import load_classifier

    if data in (None, "hymenoptera"):
        try:
            locate("hymenoptera")
            for network in NETWORKS:
                load_classifier(network)
            return NETWORKS, "hymenoptera"
        except (FileNotFoundError, DataError):
            pass
    return SMALL_NETWORKS, data or "embedded"


def _network(name: str) -> tuple[nn.Module, Callable[[], nn.Module], str]:
    """The pretrained network, how to make a fresh one, and where its weights are from."""
    from torchvision.models import get_model

    from captionlab.vision.classifiers import EMBEDDED, load_classifier

    found = load_classifier(name)
    if name in EMBEDDED:
        return found.model, lambda: EMBEDDED[name](pretrained=False), found.weights_source
    return found.model, lambda: get_model(name, weights=None), found.weights_source


def _measure(
    insects: Insects, network: str, methods: Sequence[str], seeds: Sequence[int], recipe: Recipe, progress: bool
) -> list[dict]:
    """A row a method of the table, for one network."""
    model, fresh, weights = _network(network)
    bench = Bench(model, insects, recipe, fresh, progress)
    rows = []
    for name in methods:
        results = []
        for seed in seeds:
            results.append(METHODS[name](bench, seed))
            if progress:
                reached = ", ".join(f"{what} {value:.4f}" for what, value in results[-1].accuracy.items())
                print(f"{network}, seed {seed}: {reached}", flush=True)
        about = {"network": network, "weights": weights} if "raw" not in name else {"network": None, "weights": None}
        rows += [about | row for row in _rows(results)]
    return rows


def _rows(results: list[Result]) -> list[dict]:
    """Mean and spread over the seeds, for each of the trainings that a method gives."""
    rows = []
    for number, name in enumerate(results[0].accuracy):
        accuracies = [result.accuracy[name] for result in results]
        chosen = number == 0 and results[0].validation is not None  # the second training is not validated
        rows.append(
            {
                "method": name,
                "test_accuracy": [round(accuracy, 4) for accuracy in accuracies],
                "mean": round(float(np.mean(accuracies)), 4),
                # The standard deviation of a sample; of one seed there is none.
                "spread": round(float(np.std(accuracies, ddof=1)), 4) if len(accuracies) > 1 else None,
                "validation_accuracy": [round(result.validation, 4) for result in results] if chosen else None,
                "details": [result.details for result in results] if number == 0 else None,
                "history": [result.history for result in results] if chosen and results[0].history else None,
            }
        )
    return rows


def _write(
    name: str,
    rows: list[dict],
    insects: Insects,
    recipes: dict[str, Recipe],
    command: str,
    seeds: Sequence[int],
    out: Path,
) -> list[Path]:
    from captionlab.plots.insects import draw_curves, draw_table

    out.mkdir(parents=True, exist_ok=True)
    record = {
        "data": insects.source,
        "classes": list(insects.classes),
        "train_images": len(insects.train),
        "test_images": len(insects.test),
        "left_out": [{"file": file, "reason": reason} for file, reason in insects.left_out],
        "seeds": list(seeds),
        "protocol": PROTOCOL,
        "recipes": {network: asdict(recipe) for network, recipe in recipes.items()},
        "rows": rows,
        **provenance(command, seeds[0], device()),
    }
    paths = [out / f"{name}{ending}" for ending in (".json", ".csv", ".png", "_curves.png")]
    paths[0].write_text(readable(record), "utf-8")
    _write_csv(rows, paths[1])
    draw_table(rows, _title(insects), paths[2])
    draw_curves(rows, _title(insects), paths[3])
    return paths


PROTOCOL = (
    "Choices and stopping on training images only: C of the SVMs by 5-fold cross-validation on all of them, the best "
    "epoch on a stratified fifth of them that the network was not trained on. 'All images': trained on all training "
    "images for the number of epochs the recipe fixes, without validation. Test images are looked at once a run, "
    "each plain and mirrored (scores or features averaged). Spread: standard deviation over the seeds."
)


def _title(insects: Insects) -> str:
    what = {"embedded": "drawn bees and ants", "hymenoptera": "bees and ants"}.get(insects.source, insects.source)
    return f"{what}: {len(insects.train)} training images, {len(insects.test)} test images"


def _write_csv(rows: list[dict], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["network", "method", "seeds", "mean", "spread", "lowest", "highest", "validation mean"])
        for row in rows:
            accuracies, validated = row["test_accuracy"], row["validation_accuracy"]
            spread = "" if row["spread"] is None else f"{row['spread']:.4f}"
            chosen = f"{np.mean(validated):.4f}" if validated else ""
            numbers = [f"{row['mean']:.4f}", spread, f"{min(accuracies):.4f}", f"{max(accuracies):.4f}", chosen]
            table.writerow([row["network"] or "", row["method"], len(accuracies), *numbers])


def _command(name: str, seeds: Sequence[int], data: str | Path | None, networks: Sequence[str]) -> str:
    words = ["captionlab", "experiment", name, "--seeds", str(len(seeds))]
    words += ["--data", str(data)] if data else []
    words += [word for network in networks for word in ("--network", network)]
    return " ".join([*words, "--out", "results"])
