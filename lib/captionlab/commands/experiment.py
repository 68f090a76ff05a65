"""``captionlab experiment``: the labs' experiments, each a command that writes a table and a figure."""

from __future__ import annotations

from pathlib import Path

import click

OUT = click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("results"), show_default=True
)


@click.group()
def experiment() -> None:
    """Run an experiment of a lab; it writes a table and a figure."""


@experiment.command()
@click.option("--images", "-i", multiple=True, type=click.Path(path_type=Path), help="Image or folder; may be repeated.")
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
    from captionlab.convnets.classify import run

    for path in _run(run, list(images), network, weights, out, limit):
        click.echo(f"wrote {path}")


def _run(function, *arguments) -> list[Path]:
    """Call an experiment; what the user got wrong is a line, not a traceback."""
    try:
        return function(*arguments)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from None
