"""``captionlab experiment insects`` and ``insects-networks``: Lab 3's experiments."""

from __future__ import annotations

from pathlib import Path

import click

from captionlab.commands.running import OUT, run

SEEDS = click.option(
    "--seeds", type=click.IntRange(1), default=5, show_default=True, help="How many; seeds 0, 1, ... are run."
)
DATA = click.option(
    "--data",
    metavar="hymenoptera|embedded|FOLDER",
    help="The images; a FOLDER has train/CLASS/ and val/CLASS/.  [default: the photographs if fetched, else drawings]",
)


@click.command()
@SEEDS
@DATA
@click.option("--network", help="mobilenet_v2, resnet18, vgg16, tiny_resnet or tiny_vgg.")
@OUT
def insects(seeds: int, data: str | None, network: str | None, out: Path) -> None:
    """Lab 3: bees against ants by seven methods, from raw pixels to fine-tuning, in one table.

    Without --network: MobileNetV2 for photographs (weights from torch's cache or the folder CAPTIONLAB_MIRROR names),
    the embedded tiny_resnet for drawings. Choices are made on training images; the validation folder is the test.
    """
    from captionlab.experiments.insects.runs import compare_methods

    run(compare_methods, range(seeds), out, data, network)


@click.command(name="insects-networks")
@SEEDS
@DATA
@click.option("--network", "networks", multiple=True, help="One of those to compare; may be given again.")
@OUT
def insects_networks(seeds: int, data: str | None, networks: tuple[str, ...], out: Path) -> None:
    """Lab 3: ResNet against VGG, frozen, fine-tuned and from scratch.

    Without --network: torchvision's ResNet-18 and VGG16 where their weights and the photographs are here, else the two
    small embedded networks on drawings.
    """
    from captionlab.experiments.insects.runs import compare_networks

    run(compare_networks, range(seeds), out, data, networks)
