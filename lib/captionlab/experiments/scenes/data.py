"""The scenes of Lab 2, as image files, and their features: 15-Scene where it has been fetched, else the drawings."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from captionlab.datasets.errors import NotFetched
from captionlab.datasets.folders import list_images, read_split
from captionlab.datasets.paths import data_root
from captionlab.vision.classifiers import EMBEDDED, Classifier, load_classifier
from captionlab.vision.extraction import Recipe, extract
from captionlab.vision.feature_cache import Features

DATA_SEED = 0  # of the drawings: an experiment's seed deals the folds, not the images
# Where the features of each family are worth looking at: the ends of its blocks, and the layers before its last one.
LAYERS = {
    "mobilenet_v2": tuple(f"features.{block}" for block in (3, 6, 10, 13, 14, 15, 16, 17, 18)),
    "vgg16": ("features.4", "features.9", "features.16", "features.23", "features.30", "classifier.1", "classifier.4"),
    "tiny_vgg": ("features.2", "features.5", "features.10", "features.15", "classifier.1", "classifier.4"),
}
RESNET_LAYERS = ("maxpool", "layer1", "layer2", "layer3", "layer4")


@dataclass(frozen=True)
class Scenes:
    """Image files with their classes.

    Attributes:
        source: "scene15", "embedded", or the name of a folder.
        classes: names of the classes.
        files: for "train" and "test" the image files.
        labels: for "train" and "test" the classes, int64 (n,), indices into ``classes``.
    """

    source: str
    classes: tuple[str, ...]
    files: dict[str, list[Path]]
    labels: dict[str, np.ndarray]


def load_scenes(data: str | Path | None = None) -> Scenes:
    """Find the images.

    Args:
        data: "scene15" (the fetched photographs), "embedded" (drawings), or a folder with ``train/CLASS/`` and
            ``test/CLASS/``. None: the photographs where they have been fetched, else the drawings.

    Raises:
        DataError: if the images are not there (NotFetched tells how to fetch them), or no folders of images.
        ValueError: if training and test folder have other classes.
    """
    if data is None:
        try:
            return load_scenes("scene15")
        except NotFetched:
            return load_scenes("embedded")
    if data == "scene15":
        parts = {split: read_split("scene15", split) for split in ("train", "test")}
    else:
        folder = _drawn() if data == "embedded" else Path(data)
        parts = {split: list_images(folder / split) for split in ("train", "test")}
    classes = tuple(parts["train"].classes)
    if classes != tuple(parts["test"].classes):
        raise ValueError(f"train has the classes {classes}, test {parts['test'].classes}: expected the same in both")
    return Scenes(
        Path(data).name,
        classes,
        {split: part.paths for split, part in parts.items()},
        {split: np.array(part.labels) for split, part in parts.items()},
    )


def _drawn() -> Path:
    """The embedded drawings as files, below the folder of all data; drawn once, so that their features stay valid."""
    from captionlab.datasets.scenes import make_split, write_folders

    folder = data_root() / "drawn" / f"scenes-{DATA_SEED}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
        try:
            write_folders(make_split(DATA_SEED), stage)
            stage.chmod(0o755)
            os.rename(stage, folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was faster, with the same drawings
                raise
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    return folder


def scene_network(scenes: Scenes, network: str | None = None) -> Classifier:
    """The network asked for; by default MobileNetV2 for photographs and the embedded ``tiny_resnet`` for drawings.

    Raises:
        FileNotFoundError, ValueError: see :func:`captionlab.vision.classifiers.load_classifier`.
    """
    return load_classifier(network or ("tiny_resnet" if scenes.source == "embedded" else "mobilenet_v2"))


def layers_of(classifier: Classifier) -> tuple[str, ...]:
    """The layers worth comparing, from the first to the last before the classification layer.

    Raises:
        ValueError: if this course has no list for the network.
    """
    if classifier.name in LAYERS:
        return LAYERS[classifier.name]
    if hasattr(classifier.model, "layer4"):
        return RESNET_LAYERS
    raise ValueError(
        f"no layers are listed for {classifier.name}: use mobilenet_v2, vgg16, a ResNet or {', '.join(EMBEDDED)}"
    )


@dataclass
class FeatureBank:
    """Features of the scenes at all listed layers of a network, computed or read from the cache when first asked for.

    Attributes:
        cache: folder of the kept features; by default ``features`` below the folder of all data.
    """

    scenes: Scenes
    classifier: Classifier
    cache: Path | None = None
    progress: bool = True
    _found: dict[Recipe, Features] = field(default_factory=dict)

    def recipe(self, size: int, pooling: str = "average", mirrored: bool = False) -> Recipe:
        """All listed layers, each map pooled to one number or to one a quarter."""
        return Recipe(layers_of(self.classifier), size, pooling, "only" if mirrored else "no")

    def get(self, split: str, size: int, layer: str, pooling: str = "average", mirrored: bool = False) -> np.ndarray:
        """(n, d), float32: the split's features at one layer, for images ``size`` pixels square."""
        recipe = self.recipe(size, pooling, mirrored)
        if (split, recipe) not in self._found:
            folder = self.cache or data_root() / "features"
            self._found[split, recipe] = extract(
                self.classifier.model, self.scenes.files[split], recipe, folder, progress=self.progress
            )
        return self._found[split, recipe][layer]
