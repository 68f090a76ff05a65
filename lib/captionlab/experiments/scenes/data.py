"""The scenes of Lab 2 as image files, and their features: 15-Scene if it has been fetched, else drawings."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from captionlab.datasets.paths import data_root
from captionlab.experiments.image_folders import choose_dataset, list_splits
from captionlab.vision.classifiers import Classifier, load_classifier
from captionlab.vision.extraction import ExtractionConfig, extract
from captionlab.vision.feature_cache import Features
from captionlab.vision.networks import ENTRIES, get_network

DATA_SEED = 0  # of the drawings: an experiment's seed splits the folds and never changes the images


@dataclass(frozen=True)
class Scenes:
    """Image files with their classes.

    Attributes:
        source: "scene15", "embedded", or the name of a folder.
        classes: names of the classes.
        files: for "train" and "test" the image files.
        labels: for "train" and "test" the classes, int64 ``(n,)``, indices into ``classes``.
    """

    source: str
    classes: tuple[str, ...]
    files: dict[str, list[Path]]
    labels: dict[str, np.ndarray]


def load_scenes(dataset: str | Path | None = None) -> Scenes:
    """Find the images.

    Args:
        dataset: "scene15" (the fetched photographs), "embedded" (drawings), or a folder with ``train/CLASS/`` and
            ``test/CLASS/``. None: the photographs if they have been fetched, else the drawings.

    Raises:
        DataError, ValueError: see :func:`captionlab.experiments.image_folders.list_splits`.
    """
    dataset = choose_dataset(dataset, "scene15")
    splits = ("train", "test")
    lists = list_splits(_drawn() if dataset == "embedded" else dataset, "scene15", splits)
    return Scenes(
        Path(dataset).name,
        tuple(lists[0].classes),
        {split: images.paths for split, images in zip(splits, lists, strict=True)},
        {split: np.array(images.labels) for split, images in zip(splits, lists, strict=True)},
    )


def _drawn() -> Path:
    """The embedded drawings as files below the folder of all data, drawn once, so that cached features stay valid."""
    from captionlab.datasets.drawn_scenes import make_split, write_folders

    folder = data_root() / "drawn" / f"scenes-{DATA_SEED}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
        try:
            write_folders(make_split(DATA_SEED), stage)
            stage.chmod(0o755)
            os.rename(stage, folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster, with the same drawings
                raise
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    return folder


def scene_network(scenes: Scenes, network: str | None = None) -> Classifier:
    """The network of that name; by default MobileNetV2 for photographs and the embedded ``tiny_resnet`` for drawings.

    Raises:
        FileNotFoundError, ValueError: see :func:`captionlab.vision.classifiers.load_classifier`.
    """
    return load_classifier(network or ("tiny_resnet" if scenes.source == "embedded" else "mobilenet_v2"))


def layers_of(classifier: Classifier) -> tuple[str, ...]:
    """The layers to compare, from the first to the last before the classification layer.

    Raises:
        ValueError: if no layers are listed for the network.
    """
    layers = get_network(classifier.name).feature_layers
    if not layers:
        listed = ", ".join(name for name, entry in ENTRIES.items() if entry.feature_layers)
        raise ValueError(
            f"no layers are listed for {classifier.name}: use one of {listed}, or add its feature_layers to "
            "captionlab.vision.networks.ENTRIES"
        )
    return layers


@dataclass
class FeatureBank:
    """Features of the scenes at all listed layers of a network, computed or read from the cache on first use.

    Attributes:
        scenes: the images.
        classifier: the network.
        cache: folder of the cached features; by default ``features`` below the folder of all data.
        progress: show how far the computation has come.
    """

    scenes: Scenes
    classifier: Classifier
    cache: Path | None = None
    progress: bool = True
    _found: dict[tuple[str, ExtractionConfig], Features] = field(default_factory=dict)

    def config(self, size: int, pooling: str = "average", hflip: bool = False) -> ExtractionConfig:
        """All listed layers, each map pooled to one number, or to one per quarter of the image."""
        preprocessing = self.classifier.preprocessing.with_size(size)
        return ExtractionConfig(layers_of(self.classifier), preprocessing, pooling, "only" if hflip else "no")

    def get(self, split: str, size: int, layer: str, pooling: str = "average", hflip: bool = False) -> np.ndarray:
        """Features of a split at one layer, for images ``size`` pixels square.

        Returns:
            ``(n, features)``, float32.
        """
        config = self.config(size, pooling, hflip)
        if (split, config) not in self._found:
            folder = self.cache or data_root() / "features"
            self._found[split, config] = extract(
                self.classifier.model, self.scenes.files[split], config, folder, progress=self.progress
            )
        return self._found[split, config][layer]

    def last_layer(self, split: str) -> np.ndarray:
        """Features before the classification layer, for images of the network's own input size."""
        return self.get(split, self.classifier.input_size, layers_of(self.classifier)[-1])
