"""Measure what the embedded networks' features are worth on the embedded image sets: does transfer really help?

    python data_scripts/measure_embedded_transfer.py                      # everything: 25 minutes on one core
    python data_scripts/measure_embedded_transfer.py --dataset insects    # one part; the others are kept

Writes embedded_transfer.json, .csv and .png. A seed draws the images, initializes the networks and orders their
batches, so parts measured one by one give what one run gives. Settings are the same for every row of a kind; no epoch
or layer is chosen on test images. Training from scratch differs from fine-tuning in its start, and gets twice the
epochs. (How hard the drawings are was chosen with seeds 0 and 1, learning rate, batch size and epochs with seeds 100
and 101.)
"""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.svm import LinearSVC
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.feature_extraction import create_feature_extractor

from captionlab.commands.options import output_options, seeds_option
from captionlab.datasets import drawn_bees_ants, drawn_scenes
from captionlab.datasets.drawn_splits import Split
from captionlab.experiments.results import write_results
from captionlab.plots.training import method_panels
from captionlab.vision.embedded import PREPROCESSING, WEIGHTS_FOLDER, tiny_resnet, tiny_vgg

NAME = "embedded_transfer"
SETS = {
    "scenes": (drawn_scenes, {}),
    "scenes, 5 images per class": (drawn_scenes, {"per_class_train": 5}),
    "insects": (drawn_bees_ants, {}),
}
# Scenes are for Lab 2, which is about VGG; fine-tuning both networks is Lab 3.
TRAINED = {"scenes": ("tiny_vgg",), "scenes, 5 images per class": ("tiny_vgg",), "insects": ("tiny_vgg", "tiny_resnet")}
NETWORKS: dict[str, Callable[[bool], nn.Module]] = {"tiny_vgg": tiny_vgg, "tiny_resnet": tiny_resnet}
LAYERS = {  # the layer's name in the module, and what it is called in the table
    "tiny_vgg": {"classifier.4": "relu7", "classifier.1": "relu6", "features": "last maps"},
    "tiny_resnet": {"avgpool": "average pooling", "layer4": "last maps"},
}
EPOCHS = {"fine-tuned": 12, "from scratch": 24}
BATCH_SIZE, LR = 16, 1e-3
CANDIDATES = (0.1, 1.0, 10.0, 100.0)


def prepare(images: np.ndarray) -> Tensor:
    """uint8 images ``(n, h, w)`` or ``(n, h, w, 3)`` to normalized float32 ``(n, 3, h, w)``."""
    x = torch.from_numpy(images)
    x = (x[:, None].expand(-1, 3, -1, -1) if x.ndim == 3 else x.permute(0, 3, 1, 2)).float() / 255
    return (x - torch.tensor(PREPROCESSING.mean).view(3, 1, 1)) / torch.tensor(PREPROCESSING.std).view(3, 1, 1)


def flat(images: np.ndarray) -> np.ndarray:
    """Pixels from 0 to 1 as features, ``(n, h * w * channels)``."""
    return images.reshape(len(images), -1).astype(np.float32) / 255


@torch.inference_mode()
def features(network: nn.Module, layers: dict[str, str], images: Tensor) -> dict[str, np.ndarray]:
    """The output of each layer, flattened to ``(n, features)``, by the layer's name in the table."""
    cut = create_feature_extractor(network.eval(), layers).eval()
    parts = [cut(batch) for batch in images.split(100)]
    return {name: torch.cat([part[name].flatten(1) for part in parts]).numpy() for name in layers.values()}


def svm() -> Pipeline:
    """Lab 2's classifier: rows normalized to length 1, then one linear SVM per class."""
    return make_pipeline(Normalizer(), LinearSVC(C=1.0, random_state=0, max_iter=5000))


def train(network: nn.Module, epochs: int, images: Tensor, labels: Tensor, seed: int) -> None:
    """Train every layer in place: AdamW, one cycle of the learning rate, images mirrored at random."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LR, weight_decay=0.01)
    steps = epochs * -(-len(images) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=steps)
    network.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(images), generator=generator).split(BATCH_SIZE):
            x = images[chosen]
            mirrored = torch.rand(len(x), generator=generator) < 0.5
            x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
            optimizer.zero_grad()
            F.cross_entropy(network(x), labels[chosen]).backward()
            optimizer.step()
            schedule.step()
    network.eval()


@torch.inference_mode()
def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of images classified correctly."""
    predicted = torch.cat([network(batch).argmax(1) for batch in images.split(100)])
    return float((predicted == labels).float().mean())


def trained_rows(name: str, classes: int, data: tuple[Tensor, ...], seed: int) -> dict[str, float]:
    """Test accuracy, fine-tuned and from scratch; from scratch also on the training images: did it learn at all?"""
    x, y, x_test, y_test = data
    rows = {}
    for pretrained, kind in ((True, "fine-tuned"), (False, "from scratch")):
        torch.manual_seed(seed)
        network = NETWORKS[name](pretrained)
        if name == "tiny_vgg":
            network.classifier[-1] = nn.Linear(network.classifier[-1].in_features, classes)
        else:
            network.fc = nn.Linear(network.fc.in_features, classes)
        train(network, EPOCHS[kind], x, y, seed)
        rows[f"{name} {kind}"] = accuracy(network, x_test, y_test)
        if not pretrained:
            rows[f"{name} {kind} (training images)"] = accuracy(network, x, y)
    return rows


def draw_set(name: str, seed: int) -> tuple[tuple[str, ...], Split]:
    """Class names and images of one of `SETS`."""
    module, options = SETS[name]
    return module.CLASSES, module.make_split(seed, **options)


def measure(name: str, seed: int) -> dict[str, float]:
    """Accuracy on the test images of every row of the table, for one set and one seed."""
    classes, (images, y, test, y_test) = draw_set(name, seed)
    pixels, pixels_test = flat(images), flat(test)
    forest = RandomForestClassifier(300, random_state=seed).fit(pixels, y)
    rows = {
        "raw pixels + SVM": svm().fit(pixels, y).score(pixels_test, y_test),
        "raw pixels + forest": forest.score(pixels_test, y_test),
    }
    x, x_test = prepare(images), prepare(test)
    torch.manual_seed(seed)
    frozen = [("tiny_vgg untrained", tiny_vgg(False), {"features": "last maps"})]
    frozen += [(network, make(True), LAYERS[network]) for network, make in NETWORKS.items()]
    for network, module, layers in frozen:
        for layer, found in features(module, layers, x).items():
            of_test = features(module, layers, x_test)[layer]
            rows[f"{network} {layer} + SVM"] = svm().fit(found, y).score(of_test, y_test)
            if layer == "relu7":
                search = GridSearchCV(svm(), {"linearsvc__C": CANDIDATES}, cv=5).fit(found, y)
                rows[f"{network} relu7 + SVM, C by cross-validation"] = search.score(of_test, y_test)
    for network in TRAINED[name]:
        data = (x, torch.from_numpy(y), x_test, torch.from_numpy(y_test))
        rows |= trained_rows(network, len(classes), data, seed)
    return {row: round(float(value), 4) for row, value in rows.items()}


def weights() -> dict[str, str]:
    """Fingerprints of the weight files that the results belong to."""
    return {
        network: hashlib.sha256((WEIGHTS_FOLDER / f"{network}.safetensors").read_bytes()).hexdigest()[:16]
        for network in NETWORKS
    }


def add_seed(report: dict, name: str, seed: int, rows: dict[str, float]) -> None:
    """Add the rows of one seed to the report, beside what it holds of the others."""
    table = report["sets"].setdefault(name, {"rows": {}})
    names, (images, _, test, _) = draw_set(name, seed)
    about = {
        "classes": len(names),
        "chance": round(1 / len(names), 4),
        "training_images": len(images),
        "test_images": len(test),
    }
    for row, value in rows.items():
        by_seed = {**table["rows"].get(row, {}).get("by_seed", {}), str(seed): value}
        values = [by_seed[key] for key in sorted(by_seed, key=int)]
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        table["rows"][row] = {
            "mean": round(float(np.mean(values)), 4),
            "standard_deviation": None if spread is None else round(spread, 4),
            "by_seed": dict(sorted(by_seed.items(), key=lambda pair: int(pair[0]))),
        }
    report["sets"][name] = {**about, "rows": table["rows"]}


def load_report(path: Path) -> dict:
    """An earlier report of the same weights, or an empty one: results of other weights must not be mixed in."""
    earlier = json.loads(path.read_text()) if path.exists() else {}
    sets = {}
    if earlier.get("weights") == weights():
        sets = {name: found for name, found in earlier["sets"].items() if name in SETS}
    settings = {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "lr": LR, "svm_C": 1.0, "candidates_for_C": CANDIDATES}
    return {"weights": weights(), "sets": sets, "settings": settings}


def write_report(report: dict, out: Path) -> list[Path]:
    """Write the report, a table with one row per set and method, and one panel of bars per set."""
    sets = {name: report["sets"][name] for name in SETS if name in report["sets"]}
    table, panels = [], {}
    for name, found in sets.items():
        rows = sorted(found["rows"].items(), key=lambda pair: -pair[1]["mean"])
        for method, scores in rows:
            numbers = {"mean": scores["mean"], "spread": scores["standard_deviation"], "seeds": len(scores["by_seed"])}
            table.append({"set": name, "method": method, **numbers})
        title = f"{name}, {found['training_images']} training images"
        panels[title] = {row: list(scores["by_seed"].values()) for row, scores in rows if "(training" not in row}
    baselines = {row["method"] for row in table if any(word in row["method"] for word in ("raw", "scratch", "untr"))}
    figure = method_panels(panels, [found["chance"] for found in sets.values()], baselines)
    command = "python data_scripts/measure_embedded_transfer.py"
    return write_results(out, NAME, table, {"": figure}, report, command=command, seed=None)


@click.command(help=__doc__)
@click.option("--dataset", "sets", multiple=True, type=click.Choice(list(SETS)), help="Repeat it for several.")
@seeds_option(5)
@output_options("embedded")
def main(sets: tuple[str, ...], seeds: int, out: Path) -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    report, written = load_report(out / f"{NAME}.json"), []
    for name in sets or SETS:
        for seed in range(seeds):
            start = time.perf_counter()
            rows = measure(name, seed)
            print(f"{name}, seed {seed}, {time.perf_counter() - start:.0f} s: {json.dumps(rows)}", flush=True)
            add_seed(report, name, seed, rows)
            written = write_report(report, out)
    for path in written:
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
