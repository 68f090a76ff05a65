"""``captionlab experiment lab1``."""

from __future__ import annotations

from pathlib import Path

import click

from captionlab.commands.options import NETWORK, limit_option, output_options
from captionlab.commands.running import run_experiment


@click.group(short_help="What a pretrained network sees.")
def lab1() -> None:
    """Lab 1: what a pretrained network sees in images."""


@lab1.command(short_help="The top five classes of images, with their probabilities.")
@click.option("--images", "-i", multiple=True, type=click.Path(path_type=Path), help="File or folder; may be repeated.")
@NETWORK
@click.option("--weights", type=click.Path(path_type=Path), help="Weights file (.pth or .safetensors) of the network.")
@limit_option(8)
@output_options("lab1")
def classify(images: tuple[Path, ...], network: str | None, weights: Path | None, limit: int, out: Path) -> None:
    """The top five classes of images, with their probabilities.

    Without --weights, the weights of VGG16 are taken from torch's cache, else those of a network in the mirror that
    CAPTIONLAB_MIRROR names, else the embedded ones; the command says which. Without --images it takes photographs from
    the mirror, else rendered images.
    """
    from captionlab.experiments.classify import run

    run_experiment(run, list(images), network, weights, out, limit)
