"""Measure what the embedded networks' features are worth on the embedded image sets: does transfer really help?

    python data_scripts/measure_embedded_transfer.py          # everything, five seeds: 25 minutes on one core
    python data_scripts/measure_embedded_transfer.py --sets insects --seeds 3  # one part; the others stay

Writes results/embedded_transfer.json and a figure beside it. A seed draws the images, starts the networks and orders
their batches, so parts measured one by one give what one run gives. Settings are the same for every row of a kind; no
epoch or layer is chosen on test images. Training from scratch differs from fine-tuning in its start, and gets twice the
epochs. (How hard the drawings are was set by looking at seeds 0 and 1, rate, batch and epochs by seeds 100 and 101.)
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

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

from captionlab.common.provenance import collect_provenance
from captionlab.datasets import drawn_bees_ants, drawn_scenes
from captionlab.datasets.drawn_splits import Split
from captionlab.vision.embedded import PREPROCESSING, WEIGHTS_FOLDER, tiny_resnet, tiny_vgg

RESULTS = Path(__file__).parents[1] / "results" / "embedded_transfer.json"
SETS = {
    "scenes": (drawn_scenes, {}),
    "scenes, 5 images a class": (drawn_scenes, {"per_class_train": 5}),
    "insects": (drawn_bees_ants, {}),
}
# Scenes are for Lab 2, which is about VGG; fine-tuning both networks is Lab 3.
TRAINED = {"scenes": ("tiny_vgg",), "scenes, 5 images a class": ("tiny_vgg",), "insects": ("tiny_vgg", "tiny_resnet")}
NETWORKS: dict[str, Callable[[bool], nn.Module]] = {"tiny_vgg": tiny_vgg, "tiny_resnet": tiny_resnet}
LAYERS = {  # the layer's name in the module, and what it is called in the table
    "tiny_vgg": {"classifier.4": "relu7", "classifier.1": "relu6", "features": "last maps"},
    "tiny_resnet": {"avgpool": "average pooling", "layer4": "last maps"},
}
EPOCHS = {"fine-tuned": 12, "from scratch": 24}
BATCH, RATE = 16, 1e-3
CANDIDATES = (0.1, 1.0, 10.0, 100.0)


def prepare(images: np.ndarray) -> Tensor:
    """Images uint8 (n, h, w) or (n, h, w, 3) to normalized float32 (n, 3, h, w)."""
    x = torch.from_numpy(images)
    x = (x[:, None].expand(-1, 3, -1, -1) if x.ndim == 3 else x.permute(0, 3, 1, 2)).float() / 255
    return (x - torch.tensor(PREPROCESSING.mean).view(3, 1, 1)) / torch.tensor(PREPROCESSING.std).view(3, 1, 1)


def flat(images: np.ndarray) -> np.ndarray:
    """Pixels in 0..1 as features, (n, h * w * channels)."""
    return images.reshape(len(images), -1).astype(np.float32) / 255


@torch.inference_mode()
def features(network: nn.Module, layers: dict[str, str], images: Tensor) -> dict[str, np.ndarray]:
    """What the layers put out, flattened: by the layer's name in the table, (n, d)."""
    cut = create_feature_extractor(network.eval(), layers).eval()
    parts = [cut(batch) for batch in images.split(100)]
    return {name: torch.cat([part[name].flatten(1) for part in parts]).numpy() for name in layers.values()}


def svm() -> Pipeline:
    """Lab 2's classifier: rows to length 1, then one linear SVM a class."""
    return make_pipeline(Normalizer(), LinearSVC(C=1.0, random_state=0, max_iter=5000))


def train(network: nn.Module, epochs: int, images: Tensor, labels: Tensor, seed: int) -> None:
    """Train every layer in place: AdamW, one cycle of the learning rate, each image mirrored or not at random."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)
    steps = epochs * -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    network.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(images), generator=generator).split(BATCH):
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
    """Share of images whose class the network names."""
    predicted = torch.cat([network(batch).argmax(1) for batch in images.split(100)])
    return float((predicted == labels).float().mean())


def trained_rows(name: str, classes: int, data: tuple[Tensor, ...], seed: int) -> dict[str, float]:
    """Accuracy on the test images, fine-tuned and from scratch; of the latter in training too: did it learn at all?"""
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
    """Fingerprints of the weight files the figures belong to."""
    return {
        network: hashlib.sha256((WEIGHTS_FOLDER / f"{network}.safetensors").read_bytes()).hexdigest()[:16]
        for network in NETWORKS
    }


def record(path: Path, name: str, seed: int, rows: dict[str, float]) -> dict:
    """Put the rows of one seed into the results file beside what it holds of the others; gives back the whole."""
    report = json.loads(path.read_text()) if path.exists() else {}
    if report.get("weights") != weights():
        report = {"weights": weights(), "sets": {}}  # figures of other weights must not be mixed in
    table = report["sets"].setdefault(name, {"rows": {}})
    names, (images, _, test, _) = draw_set(name, seed)
    classes = len(names)
    about = {
        "classes": classes,
        "chance": round(1 / classes, 4),
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
    report["settings"] = {"epochs": EPOCHS, "batch": BATCH, "rate": RATE, "svm_C": 1.0, "candidates_for_C": CANDIDATES}
    report["provenance"] = collect_provenance("python data_scripts/measure_embedded_transfer.py", None)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
    return report


def draw(report: dict, path: Path) -> None:
    """A bar a row, mean over the seeds, with its standard deviation and every seed as a dot; a panel a set."""
    from matplotlib.figure import Figure

    shown = {name: table for name in SETS if (table := report["sets"].get(name))}
    figure = Figure(figsize=(6.4 * len(shown), 4.6), layout="constrained")
    for axes, (name, table) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True):
        rows = {row: found for row, found in table["rows"].items() if "(training" not in row}
        rows = dict(sorted(rows.items(), key=lambda pair: pair[1]["mean"]))
        colors = ["0.65" if any(w in row for w in ("raw", "scratch", "untrained")) else "tab:blue" for row in rows]
        spread = [found["standard_deviation"] or 0 for found in rows.values()]
        axes.barh(list(rows), [found["mean"] for found in rows.values()], xerr=spread, color=colors, ecolor="0.2")
        for y, found in enumerate(rows.values()):
            axes.plot(list(found["by_seed"].values()), [y] * len(found["by_seed"]), "k.", markersize=3)
        axes.axvline(table["chance"], color="tab:red", linestyle=":", label="chance")
        axes.set(xlim=(0, 1), xlabel="accuracy on test images", title=f"{name} ({table['training_images']} to learn)")
        axes.legend(loc="lower right", frameon=False)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main() -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(5)))
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file; the figure lies beside it")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name in args.sets:
        for seed in args.seeds:
            start = time.perf_counter()
            rows = measure(name, seed)
            print(f"{name}, seed {seed}, {time.perf_counter() - start:.0f} s: {json.dumps(rows)}", flush=True)
            report = record(args.out, name, seed, rows)
    draw(report, args.out.with_suffix(".png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
