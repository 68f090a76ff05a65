"""``captionlab experiment``: the labs' experiments, each a command that writes a table and a figure."""

from __future__ import annotations

from pathlib import Path

import click

from captionlab.commands.caption_experiments import COMMANDS as CAPTIONS
from captionlab.commands.insects import insects, insects_networks
from captionlab.commands.running import OUT, run
from captionlab.commands.scenes import COMMANDS as SCENES


@click.group()
def experiment() -> None:
    """Run an experiment of a lab; it writes a table and a figure."""


@experiment.command()
@click.option("--images", "-i", multiple=True, type=click.Path(path_type=Path), help="File or folder; may be repeated.")
@click.option("--network", help="A torchvision network, such as vgg16, or tiny_vgg or tiny_resnet (embedded).")
@click.option("--weights", type=click.Path(path_type=Path), help="Weights file (.pth or .safetensors) of the network.")
@click.option("--limit", type=click.IntRange(1), default=8, show_default=True, help="Images at most.")
@OUT
def classify(images: tuple[Path, ...], network: str | None, weights: Path | None, limit: int, out: Path) -> None:
    """Lab 1: what a pretrained network sees in images (top five classes, with their probabilities).

    Without --weights it takes VGG16's from torch's cache, else a network of the mirror that
    CAPTIONLAB_MIRROR names, else the embedded one; it says which. Without --images it takes
    photographs of the mirror, else rendered images.
    """
    from captionlab.experiments.classify import run as run_classify

    run(run_classify, list(images), network, weights, out, limit)


for command in (*SCENES, insects, insects_networks, *CAPTIONS):
    experiment.add_command(command)
