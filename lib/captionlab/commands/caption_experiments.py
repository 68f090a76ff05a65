"""``captionlab experiment cells`` and its sisters: Lab 4's experiments."""

from __future__ import annotations

import tomllib
from pathlib import Path

import click

from captionlab.commands.running import OUT, run

# The names and questions are those of captioning.experiments, which is not imported here: it imports torch.
QUESTIONS = {
    "cells": "LSTM, GRU, plain RNN, and a second published decoder.",
    "penalty": "with and without doubly stochastic attention.",
    "sampling": "with and without scheduled sampling.",
    "vectors": "random embeddings, and Word2Vec trained on the captions.",
    "encoders": "VGG16, ResNet-101, ResNet-50, Inception v3, MobileNetV2, and the embedded networks.",
    "batch-size": "images a batch.",
    "learning-rate": "the learning rate.",
    "training-images": "the number of training images.",
    "overfitting": "learning by heart: loss and BLEU-4 of too few images; the best epoch by either.",
}
CORPUS = click.option(
    "--corpus",
    metavar="flickr8k|embedded|FOLDER",
    default="flickr8k",
    show_default=True,
    help="The captioned images; embedded: drawn scenes, a few minutes a run rather than ten.",
)
SEEDS = click.option("--seeds", type=click.IntRange(1), help="Of each variant; by default what the experiment says.")
RUNS = click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the runs.  [default: below CAPTIONLAB_DATA]",
)
SET = click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="A setting of all runs, as epochs=3.")


def _values(given: tuple[str, ...]) -> dict:
    """``NAME=VALUE`` as a configuration file would have it."""
    values = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise click.BadParameter(f"found {each!r}, expected NAME=VALUE, such as epochs=3", param_hint="--set")
        try:
            values[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            values[name.strip()] = value.strip()
    return values


def _command(name: str, text: str) -> click.Command:
    @click.command(name=name, help=f"Lab 4: {text}")
    @CORPUS
    @SEEDS
    @SET
    @RUNS
    @OUT
    def command(corpus: str, seeds: int | None, given: tuple[str, ...], runs: Path | None, out: Path) -> None:
        def work() -> list[Path]:
            from captionlab.experiments.captions.runs import run_experiment

            return run_experiment(name, out, corpus, _values(given), seeds, runs, click.echo)

        run(work)

    return command


@click.command()
@click.argument("trained", metavar="RUN", type=click.Path(path_type=Path, file_okay=False))
@click.option("--split", type=click.Choice(["train", "dev", "test"]), default="dev", show_default=True)
@click.option("--extra", help="Second folder or zip archive whose lists, captions and images are added.")
@OUT
def beams(trained: Path, split: str, extra: str | None, out: Path) -> None:
    """Lab 4: 1, 3, 5 and 10 beams, of the model in the folder RUN."""

    def work() -> list[Path]:
        from captionlab.experiments.captions.runs import compare_beams

        return compare_beams(trained, out, split=split, extra=extra)

    run(work)


@click.command()
@CORPUS
@SET
@RUNS
@OUT
def noise(corpus: str, given: tuple[str, ...], runs: Path | None, out: Path) -> None:
    """Lab 4: noisy photographs, with and without a denoising autoencoder, the captioner trained anew or not."""

    def work() -> list[Path]:
        from captionlab.experiments.captions.noise import compare_noise

        return compare_noise(out, corpus, _values(given), runs, click.echo)

    run(work)


@click.command()
@click.argument("trained", metavar="RUN", type=click.Path(path_type=Path, file_okay=False))
@click.option("--images", type=click.IntRange(1), default=10, show_default=True, help="Images of the dev split.")
@OUT
def attention(trained: Path, images: int, out: Path) -> None:
    """Lab 4: where the model in the folder RUN looks, word by word, in images of the dev split."""

    def work() -> list[Path]:
        from captionlab.experiments.captions.attention import show_attention

        return show_attention(trained, out, images)

    run(work)


COMMANDS = (*(_command(name, text) for name, text in QUESTIONS.items()), beams, noise, attention)
