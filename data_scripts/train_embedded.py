"""Train and measure the two networks that ship with the course, on drawings made on the spot.

    python data_scripts/train_embedded.py                  # both networks, and results/embedded_networks.json
    python data_scripts/train_embedded.py --check          # measure the shipped weights again and compare

The same seed and number of threads on the same machine and library versions give the same weights.
"""

import argparse
import json
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from captionlab.common.files import write_atomically
from captionlab.common.progress import track
from captionlab.common.provenance import collect_provenance, format_json
from captionlab.datasets.drawn_objects import BACKGROUND, make_batch, render_scene
from captionlab.vision.embedded import (
    CATEGORIES,
    PREPROCESSING,
    WEIGHTS_FOLDER,
    TinyResNet,
    TinyVGG,
    load_weights,
    save_weights,
)

NETWORKS = {"vgg": TinyVGG, "resnet": TinyResNet}
LEARNING_RATE = {"vgg": 3e-3, "resnet": 4e-3}
EPOCHS = {"vgg": 6, "resnet": 5}
RESULTS = Path(__file__).parents[1] / "results" / "embedded_networks.json"
# Independent streams of one seed: no test image is a training image.
TRAINING, TEST, SCENES = 0, 1, 2
TEST_IMAGES, TEST_SCENES = 5000, 200


def prepare(images: np.ndarray | Tensor) -> Tensor:
    """Images (n, height, width, 3) uint8 to normalized float32 (n, 3, height, width)."""
    x = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    return (x - torch.tensor(PREPROCESSING.mean).view(3, 1, 1)) / torch.tensor(PREPROCESSING.std).view(3, 1, 1)


def draw(seed: int, stream: int, count: int) -> tuple[Tensor, Tensor]:
    """Images (count, 64, 64, 3) uint8 and labels (count,) of one stream of a seed."""
    images, labels = make_batch(np.random.default_rng([seed, stream]), count, PREPROCESSING.height)
    return torch.from_numpy(images), torch.from_numpy(labels)


def batches(images: Tensor, labels: Tensor, size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch in random order; each batch is mirrored or not, its color channels in any order.

    Neither changes the class, so both augment the drawings for free.
    """
    for chosen in torch.randperm(len(images), generator=generator).split(size):
        x = images[chosen][..., torch.randperm(3, generator=generator)]
        if torch.rand((), generator=generator) < 0.5:
            x = x.flip(2)
        yield prepare(x), labels[chosen]


def with_batch_norm(network: TinyVGG) -> TinyVGG:
    """Add batch normalization to a VGG for training: it then learns in a fraction of the steps."""
    layers = []
    for layer in network.features:
        layers += [layer, nn.BatchNorm2d(layer.out_channels)] if isinstance(layer, nn.Conv2d) else [layer]
    network.features = nn.Sequential(*layers)
    return network


def fold_batch_norm(network: TinyVGG) -> TinyVGG:
    """Remove it again: after training it is a fixed scale and shift, which is folded into the convolution before it."""
    layers: list[nn.Module] = []
    for layer in network.eval().features:
        if isinstance(layer, nn.BatchNorm2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
        else:
            layers.append(layer)
    network.features = nn.Sequential(*layers)
    return network


def train(
    network: nn.Module, images: Tensor, labels: Tensor, epochs: int, lr: float, seed: int, batch_size: int = 64
) -> None:
    """Train in place with AdamW and one cycle of the learning rate (Smith & Topin, arXiv:1708.07120)."""
    generator = torch.Generator().manual_seed(seed)
    network.train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=0.02)
    steps = epochs * -(-len(images) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    for epoch in range(epochs):
        total, right = 0.0, 0
        drawn = batches(images, labels, batch_size, generator)
        label = f"epoch {epoch + 1}/{epochs}"
        for x, y in track(drawn, label, total=-(-len(images) // batch_size), unit="batches", log_ends=False):
            optimizer.zero_grad()
            logits = network(x)
            loss = F.cross_entropy(logits, y)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(y)
            right += int((logits.argmax(1) == y).sum())
        print(
            f"epoch {epoch + 1}: loss {total / len(images):.3f}, accuracy {right / len(images):.3f} in training",
            flush=True,
        )
    network.eval().to(memory_format=torch.contiguous_format)


@torch.inference_mode()
def predict(network: nn.Module, images: Tensor) -> Tensor:
    """Predicted classes (n,)."""
    return torch.cat([network(prepare(part)).argmax(1) for part in images.split(250)])


@torch.inference_mode()
def heat_maps(network: TinyVGG, image: np.ndarray) -> Tensor:
    """Class probabilities (classes, rows, columns) of the 64x64 windows of an image, 16 pixels apart.

    The classifier looks at every 4x4 neighborhood of the last maps, as its convolutional form would.
    """
    maps = network.features(prepare(image[None]))
    side = network.avgpool.output_size[0]
    windows = F.unfold(maps, side).transpose(1, 2)  # (1, places, channels * 4 * 4), ordered as flatten orders them
    rows, columns = maps.shape[2] - side + 1, maps.shape[3] - side + 1
    return network.classifier(windows)[0].softmax(1).T.reshape(-1, rows, columns)


def heat_map_hit_rate(network: TinyVGG, seed: int, scenes: int, objects: int = 3) -> float:
    """Share of objects in scenes whose class's heat map peaks inside the object's box."""
    rng = np.random.default_rng([seed, SCENES])
    stride, half, hits = 16, PREPROCESSING.height // 2, 0
    for _ in range(scenes):
        labels = rng.choice(BACKGROUND, objects, replace=False)
        image, boxes = render_scene(rng, labels.tolist())
        maps = heat_maps(network, image)
        for label, (x0, y0, x1, y1) in zip(labels, boxes, strict=True):
            row, column = divmod(int(maps[label].argmax()), maps.shape[2])
            x, y = column * stride + half, row * stride + half  # the middle of the window
            hits += bool(x0 <= x < x1 and y0 <= y < y1)
    return hits / (scenes * objects)


def raw_pixel_accuracy(images: Tensor, labels: Tensor, test: tuple[Tensor, Tensor], seed: int) -> float:
    """Accuracy of softmax regression on raw pixels: how far one gets without features."""
    torch.manual_seed(seed)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(3 * PREPROCESSING.height**2, len(CATEGORIES)))
    train(linear, images, labels, epochs=4, lr=3e-4, seed=seed)
    return accuracy(predict(linear, test[0]), test[1])


def accuracy(predicted: Tensor, labels: Tensor) -> float:
    """Share of labels predicted."""
    return float((predicted == labels).float().mean())


def measure(network: nn.Module, test: tuple[Tensor, Tensor], seed: int) -> dict:
    """Accuracy on the test images, in all and by class; for VGG the hit rate of its heat maps too."""
    network.eval()
    images, labels = test
    predicted = predict(network, images)
    row = {
        "accuracy": round(accuracy(predicted, labels), 4),
        "accuracy_by_class": {
            name: round(accuracy(predicted[labels == i], labels[labels == i]), 3)
            for i, name in enumerate(CATEGORIES)
            if (labels == i).any()
        },
    }
    if isinstance(network, TinyVGG):
        row["heat_map_hit_rate"] = round(heat_map_hit_rate(network, seed, TEST_SCENES), 4)
    return row


def make(name: str, data: tuple[Tensor, Tensor], epochs: int, seed: int) -> tuple[nn.Module, float]:
    """A network trained from scratch, in evaluation mode, and the seconds it took."""
    torch.manual_seed(seed)
    network = NETWORKS[name]()
    start = time.perf_counter()
    if name == "vgg":
        train(with_batch_norm(network), *data, epochs, LEARNING_RATE[name], seed)
        fold_batch_norm(network)
    else:
        train(network, *data, epochs, LEARNING_RATE[name], seed)
    return network.eval(), time.perf_counter() - start


def produce(name: str, data: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], args: argparse.Namespace) -> dict:
    """Train one network, write its weights, and measure what was written, in half precision, not what was trained."""
    epochs = args.epochs or EPOCHS[name]
    network, seconds = make(name, data, epochs, args.seed)
    path = args.out / f"tiny_{name}.safetensors"
    save_weights(network, path, {"seed": args.seed})
    load_weights(network, path)
    row = measure(network, test, args.seed)
    save_weights(network, path, {"seed": args.seed, "accuracy": row["accuracy"], "command": command()})
    return {
        **row,
        "parameters": sum(p.numel() for p in network.parameters()),
        "file_bytes": path.stat().st_size,
        "training_seconds": round(seconds),
        "training_images": args.images,
        "epochs": epochs,
        "threads": args.threads,
        **collect_provenance(command(), args.seed),
    }


def command() -> str:
    """The command that runs now, without the folders it happens to run in."""
    return shlex.join(["python", "data_scripts/train_embedded.py", *sys.argv[1:]])


def record(path: Path, name: str, row: dict, baseline: float) -> None:
    """Put the measurements of one network into the results file, beside those of the other."""
    # Read only now: the other network may have been trained meanwhile.
    networks = json.loads(path.read_text())["networks"] if path.exists() else {}
    networks[name] = row
    report = {
        "task": "captionlab.datasets.drawn_objects, 64x64",
        "classes": len(CATEGORIES),
        "chance": round(1 / len(CATEGORIES), 3),
        "test_images": TEST_IMAGES,
        "test_scenes": TEST_SCENES,
        "raw_pixels_linear_accuracy": baseline,
        "networks": dict(sorted(networks.items())),
    }
    write_atomically(path, format_json(report).encode())


def check(names: list[str], test: tuple[Tensor, Tensor], args: argparse.Namespace) -> int:
    """Measure the shipped weights again.

    Returns:
        1 if a value is more than 0.005 from the recorded one (processors round differently), else 0.
    """
    recorded, wrong = json.loads(args.results.read_text()), 0
    for name in names:
        network = NETWORKS[name]()
        load_weights(network, args.out / f"tiny_{name}.safetensors")
        row = measure(network, test, args.seed)
        for key in ("accuracy", "heat_map_hit_rate"):
            if key in row:
                written = recorded["networks"][f"tiny_{name}"][key]
                agrees = abs(row[key] - written) <= 0.005
                wrong += not agrees
                print(f"tiny_{name} {key}: {row[key]} now, {written} recorded: {'agrees' if agrees else 'DIFFERS'}")
    return int(wrong > 0)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=[*NETWORKS, "all"], default="all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=20_000, help="training images to draw (default %(default)s)")
    parser.add_argument("--epochs", type=int, help=f"default: {EPOCHS}")
    parser.add_argument("--threads", type=int, default=1, help="processor threads; part of what makes the numbers")
    parser.add_argument("--out", type=Path, default=WEIGHTS_FOLDER, help="folder for weights (default: the package)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="JSON file for the measurements")
    parser.add_argument("--check", action="store_true", help="train nothing; measure and compare with the results file")
    return parser.parse_args()


def main() -> int:
    """Train or check, as the command line says."""
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True)
    names = list(NETWORKS) if args.network == "all" else [args.network]
    print(f"drawing {TEST_IMAGES} test images", flush=True)
    test = draw(args.seed, TEST, TEST_IMAGES)
    if args.check:
        return check(names, test, args)
    print(f"drawing {args.images} training images", flush=True)
    data = draw(args.seed, TRAINING, args.images)
    baseline = round(raw_pixel_accuracy(*data, test, args.seed), 4)
    print(f"softmax regression on raw pixels: accuracy {baseline}", flush=True)
    for name in names:
        row = produce(name, data, test, args)
        record(args.results, f"tiny_{name}", row, baseline)
        print(json.dumps(row, indent=2), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
