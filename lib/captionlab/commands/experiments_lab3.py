"""``captionlab experiment lab3``: bees against ants."""

from __future__ import annotations

from pathlib import Path

import click

from captionlab.commands.options import NETWORK, NETWORKS, dataset_option, output_options, seeds_option
from captionlab.commands.running import run_experiment

SEEDS = seeds_option(default=5)
DATASET = dataset_option(
    "hymenoptera|embedded|FOLDER",
    "The images; a FOLDER has train/CLASS/ and val/CLASS/.  [default: hymenoptera if fetched, else embedded]",
)


@click.group(short_help="Bees and ants: frozen features, fine-tuning, from scratch.")
def lab3() -> None:
    """Lab 3: bees and ants, with frozen features, by fine-tuning and from scratch."""


@lab3.command(short_help="Seven methods in one table.")
@SEEDS
@DATASET
@NETWORK
@output_options("lab3")
def methods(seeds: int, dataset: str | None, network: str | None, out: Path) -> None:
    """Seven methods in one table, from raw pixels to fine-tuning.

    The default network is MobileNetV2 for photographs (weights from torch's cache or the mirror that
    CAPTIONLAB_MIRROR names) and the embedded tiny_resnet for drawings. Choices are made on training images; the
    validation folder is the test set.
    """
    from captionlab.experiments.bees_ants.runs import compare_methods

    run_experiment(compare_methods, range(seeds), out, dataset, network)


@lab3.command(short_help="ResNet against VGG.")
@SEEDS
@DATASET
@NETWORKS
@output_options("lab3")
def networks(seeds: int, dataset: str | None, networks: tuple[str, ...], out: Path) -> None:
    """ResNet against VGG: frozen, fine-tuned and from scratch.

    The default networks are torchvision's ResNet-18 and VGG16 if their weights and the photographs are here, else the
    two small embedded networks on drawings.
    """
    from captionlab.experiments.bees_ants.runs import compare_networks

    run_experiment(compare_networks, range(seeds), out, dataset, networks)
