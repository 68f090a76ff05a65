"""``captionlab experiment scenes`` and its sisters: Lab 2's experiments."""

from __future__ import annotations

from pathlib import Path

import click

from captionlab.commands.running import OUT, run

DATA = click.option(
    "--data",
    metavar="scene15|embedded|FOLDER",
    help="The images; a FOLDER has train/CLASS/ and test/CLASS/.  [default: the photographs if fetched, else drawings]",
)
NETWORK = click.option(
    "--network",
    help="mobilenet_v2, vgg16, a ResNet, tiny_resnet or tiny_vgg.  [default: mobilenet_v2; tiny_resnet for drawings]",
)


@click.command()
@DATA
@NETWORK
@OUT
def scenes(data: str | None, network: str | None, out: Path) -> None:
    """Lab 2: deep features and a linear SVM; test accuracy, confusion matrix, accuracy of each class.

    Features are kept below the folder of all data (CAPTIONLAB_DATA), so the second run takes seconds.
    """
    from captionlab.experiments.scenes.runs import run_scenes

    run(run_scenes, out, data, network)


@click.command(name="scenes-layers")
@DATA
@NETWORK
@OUT
def scenes_layers(data: str | None, network: str | None, out: Path) -> None:
    """Lab 2: the layer the features are taken from; accuracy, size and time."""
    from captionlab.experiments.scenes.runs import run_layers

    run(run_layers, out, data, network)


@click.command(name="scenes-networks")
@DATA
@OUT
def scenes_networks(data: str | None, out: Path) -> None:
    """Lab 2: all networks whose weights are here, and a bag of visual words."""
    from captionlab.experiments.scenes.runs import run_networks

    run(run_networks, out, data)


@click.command(name="scenes-c")
@DATA
@NETWORK
@OUT
def scenes_c(data: str | None, network: str | None, out: Path) -> None:
    """Lab 2: the C of the SVM, by cross-validation."""
    from captionlab.experiments.scenes.runs import run_c

    run(run_c, out, data, network)


@click.command(name="scenes-pca")
@DATA
@NETWORK
@OUT
def scenes_pca(data: str | None, network: str | None, out: Path) -> None:
    """Lab 2: fewer dimensions before the SVM; accuracy against time."""
    from captionlab.experiments.scenes.runs import run_pca

    run(run_pca, out, data, network)


@click.command(name="scenes-head")
@DATA
@NETWORK
@OUT
def scenes_head(data: str | None, network: str | None, out: Path) -> None:
    """Lab 2: an SVM on the features, or a new last layer trained on, the network frozen or not."""
    from captionlab.experiments.scenes.heads import write_heads

    run(write_heads, out, data, network)


@click.command(name="scenes-best")
@DATA
@NETWORK
@OUT
def scenes_best(data: str | None, network: str | None, out: Path) -> None:
    """Lab 2: step by step to the best accuracy; no choice is made on the test images."""
    from captionlab.experiments.scenes.runs import run_best

    run(run_best, out, data, network)


COMMANDS = (scenes, scenes_layers, scenes_networks, scenes_c, scenes_pca, scenes_head, scenes_best)
