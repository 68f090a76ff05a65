"""The experiment of Lab 1: what does a pretrained network see in these images?

``captionlab experiment lab1 classify --images PATH --network NAME --weights PATH`` calls :func:`run`.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from captionlab.common.files import is_hidden
from captionlab.common.images import UnreadableImage, read_image
from captionlab.common.logs import logger
from captionlab.convnets.predictions import top_predictions
from captionlab.datasets.drawn_objects import CLASSES, render
from captionlab.datasets.folders import find_images, has_image_extension
from captionlab.datasets.paths import MIRROR_VARIABLE
from captionlab.experiments.results import command_line, write_results
from captionlab.plots.convnets import prediction_grid
from captionlab.vision.classifiers import Classifier, load_classifier

NAME = "lab1_classify"
SEED = 0
THUMBNAIL = 128  # pixels: enough to see what it is, too small to stand in for the data set
ARCHIVE, ARCHIVE_FOLDER = "hymenoptera_data.zip", "hymenoptera_data/val"

Prediction = list[tuple[str, float]]  # categories and probabilities, most probable first
Entry = tuple[str, Path | BinaryIO, str | None]  # name in the table, file, label


@dataclass(frozen=True)
class Sample:
    """An image to classify: its name in the table, its pixels (RGB), and its right class if known."""

    name: str
    image: Image.Image
    label: str | None = None


@dataclass
class Samples:
    """The images that could be read, and ``(name, reason)`` of those that could not."""

    good: list[Sample]
    left_out: list[tuple[str, str]]


# --- images -----------------------------------------------------------------------------------------------------------


def read_samples(paths: Iterable[Path], limit: int) -> Samples:
    """Read image files, and the images in folders and their subfolders, in the order of their names.

    An image in a subfolder of a folder that was given has that subfolder's name as its label, the layout
    ``torchvision.datasets.ImageFolder`` knows: ``val/bees/1.jpg`` is labeled "bees" if ``val`` was given. Files that
    hold no readable image are left out and named; hidden files are no images.

    Args:
        paths: files and folders.
        limit: maximum number of images.

    Raises:
        FileNotFoundError: if a path does not exist.
    """
    entries: list[Entry] = []
    others: list[tuple[str, str]] = []
    for path in map(Path, paths):
        if path.is_dir():
            images, foreign = find_images(path)
            inside = [file.relative_to(path) for file in images]
            entries += [(at.as_posix(), path / at, at.parent.name or None) for at in inside]
            others += [(file.relative_to(path).as_posix(), reason) for file, reason in foreign]
        elif path.exists():
            entries.append((path.name, path, None))
        else:
            raise FileNotFoundError(f"no image or folder {path}: give existing paths (--images PATH)")
    samples = _open_all(entries, limit)
    samples.left_out.extend(others)
    return samples


def mirror_samples(folder: Path, limit: int, seed: int = SEED) -> Samples:
    """Draw bees and ants at random, as many of each, from the archive in a mirror folder; nothing is unpacked to disk.

    Raises:
        FileNotFoundError: if the folder has no such archive.
        ValueError: if the archive is damaged or has no validation images.
    """
    archive = folder / ARCHIVE
    if not archive.is_file():
        raise FileNotFoundError(
            f"the mirror that {MIRROR_VARIABLE} names is no folder with {ARCHIVE} in it: give --images PATH"
        )
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _draw_members(opened.namelist(), limit, np.random.default_rng(seed))
            entries = ((m.partition("val/")[2], io.BytesIO(opened.read(m)), m.split("/")[-2]) for m in members)
            return _open_all(entries, limit)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{ARCHIVE} is damaged ({error}): fetch it again") from error


def _draw_members(names: list[str], limit: int, rng: np.random.Generator) -> list[str]:
    visible = (name for name in names if not any(map(is_hidden, name.split("/"))))
    images = sorted(name for name in visible if name.startswith(ARCHIVE_FOLDER) and has_image_extension(name))
    classes = sorted({name.split("/")[-2] for name in images})
    if not images:
        raise ValueError(f"{ARCHIVE} holds no images under {ARCHIVE_FOLDER}: fetch it again")
    drawn = [rng.permutation([name for name in images if name.split("/")[-2] == one]).tolist() for one in classes]
    # One of each class in turn, so that any limit gives both classes.
    turns = [members[turn] for turn in range(max(map(len, drawn))) for members in drawn if turn < len(members)]
    return sorted(turns[:limit])


def rendered_samples(limit: int, seed: int = SEED) -> Samples:
    """Draw synthetic images, each of another class until all classes have one."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(CLASSES)).tolist()
    labels = [CLASSES[order[at % len(order)]] for at in range(limit)]
    images = [Image.fromarray(render(label, rng)) for label in labels]
    return Samples(
        [Sample(f"{label} {at}", i, label) for at, (i, label) in enumerate(zip(images, labels, strict=True))], []
    )


def _open_all(entries: Iterable[Entry], limit: int) -> Samples:
    samples = Samples([], [])
    for name, file, label in entries:
        if len(samples.good) == limit:
            break
        try:
            samples.good.append(Sample(name, read_image(file).convert("RGB"), label))
        except UnreadableImage as error:
            samples.left_out.append((name, str(error)))
    return samples


# --- the experiment ---------------------------------------------------------------------------------------------------


def classify(samples: Samples, classifier: Classifier, out: Path, command: str, seed: int | None = None) -> list[Path]:
    """Predict the five most probable categories of every image; write them as a JSON file, a CSV table and a figure.

    The files are ``lab1_classify.json``, ``.csv`` and ``.png`` in the folder ``out``, which is made if it is missing.

    Args:
        samples: the images.
        classifier: the network.
        out: the folder.
        command: the command line that gives this result.
        seed: the seed the images were drawn with, None if they were given.

    Returns:
        The files written.

    Raises:
        ValueError: if no image could be read.
    """
    if not samples.good:
        bad = "; ".join(f"{name}: {reason}" for name, reason in samples.left_out) or "none was found"
        raise ValueError(f"no image to classify ({bad}): give image files, or folders with some")
    batch = classifier.preprocessing.batch(sample.image for sample in samples.good)
    predictions = [top_predictions(row, list(classifier.categories), k=5) for row in classifier.logits(batch)]
    rows = [_table_row(sample, prediction) for sample, prediction in zip(samples.good, predictions, strict=True)]
    record = _record(samples, predictions, classifier)
    figures = {"": _draw(samples.good, predictions, classifier)}
    return write_results(out, NAME, rows, figures, record, command=command, seed=seed)


def _draw(samples: list[Sample], predictions: list[Prediction], classifier: Classifier) -> Figure:
    thumbnails = []
    for sample in samples:
        thumbnail = sample.image.copy()
        thumbnail.thumbnail((THUMBNAIL, THUMBNAIL))
        thumbnails.append(np.asarray(thumbnail))
    titles = [sample.label or Path(sample.name).name[:24] for sample in samples]
    labels = [_category(sample.label, classifier.categories) for sample in samples]
    title = classifier.describe().replace("), ", ")\n", 1)
    return prediction_grid(thumbnails, predictions, titles, labels, title=title)


def _category(label: str | None, categories: tuple[str, ...]) -> str | None:
    """The category a label names, also as a plural: folders are named "bees", categories "bee"."""
    return next((name for name in (label, (label or "").removesuffix("s")) if name in categories), None)


def _record(samples: Samples, predictions: list[Prediction], classifier: Classifier) -> dict:
    images = [
        {
            "file": sample.name,
            "label": sample.label,
            "top5": [{"category": name, "probability": round(p, 4)} for name, p in prediction],
        }
        for sample, prediction in zip(samples.good, predictions, strict=True)
    ]
    left_out = [{"file": name, "reason": reason} for name, reason in samples.left_out]
    about = {"network": classifier.name, "weights": classifier.weights_source, "input_size": classifier.input_size}
    return {**about, "images": images, "left_out": left_out}


def _table_row(sample: Sample, prediction: Prediction) -> dict[str, str]:
    row = {"file": sample.name, "label": sample.label or ""}
    for rank, (category, probability) in enumerate(prediction, start=1):
        row |= {f"category {rank}": category, f"probability {rank}": f"{probability:.4f}"}
    return row


def run(
    images: list[Path], network: str | None, weights: Path | None, out: Path, limit: int = 8, seed: int = SEED
) -> list[Path]:
    """The experiment as the command line calls it (see :func:`classify`).

    Args:
        images: files and folders. Without any: bees and ants from the folder ``CAPTIONLAB_MIRROR`` names, or else, for
            the embedded networks, synthetic images.
        network, weights: see :func:`captionlab.vision.classifiers.load_classifier`.
        out: folder for the files, made if missing.
        limit: maximum number of images.
        seed: of the images that are drawn.

    Returns:
        The files written.

    Raises:
        FileNotFoundError, ValueError: see :func:`read_samples`, :func:`mirror_samples`,
            :func:`captionlab.vision.classifiers.load_classifier`; and if the limit is below 1, or an ImageNet
            network is asked for without images.
    """
    if limit < 1:
        raise ValueError(f"the limit is {limit}: give at least 1 image")
    mirror = os.environ.get(MIRROR_VARIABLE)
    drawn = not images
    if drawn and network is None and weights is None and not mirror:
        network = "tiny_vgg"  # an ImageNet network has never seen the synthetic classes
    classifier = load_classifier(network, weights)
    if not drawn:
        samples = read_samples(images, limit)
    elif classifier.is_embedded:
        samples = rendered_samples(limit, seed)
    elif mirror:
        samples = mirror_samples(Path(mirror), limit, seed)
    else:
        raise ValueError(f"{classifier.name} knows ImageNet's classes: give photographs (--images PATH)")
    logger.info("%s", classifier.describe())
    for name, reason in samples.left_out:
        logger.warning("left out %s: %s", name, reason)
    paths = [Path(path).name or "." for path in images]
    file = Path(weights).name if weights else None
    command = command_line("lab1", "classify", images=paths, network=network, weights=file, limit=limit)
    return classify(samples, classifier, out, command, seed if drawn else None)
