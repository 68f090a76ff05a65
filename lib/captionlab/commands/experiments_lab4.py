"""``captionlab experiment lab4``: captioning with attention."""

from __future__ import annotations

from pathlib import Path

import click

from captionlab.commands.options import (
    EXTRA_DATA,
    RUNS,
    SET,
    SPLIT,
    dataset_option,
    limit_option,
    output_options,
    parse_settings,
    seeds_option,
)
from captionlab.commands.running import run_experiment

# The names and questions of captionlab.experiments.captions.variants, which is not imported here: it imports torch.
QUESTIONS = {
    "cells": "LSTM, GRU, plain RNN, and a second decoder.",
    "penalty": "With and without doubly stochastic attention.",
    "sampling": "With and without scheduled sampling.",
    "vectors": "Random embeddings, and Word2Vec on the captions.",
    "encoders": "Pretrained encoders whose weights are here.",
    "batch-size": "The batch size.",
    "learning-rate": "The learning rate.",
    "training-images": "The number of training images.",
    "overfitting": "Few images: loss and BLEU-4, and the best epoch.",
}
DATASET = dataset_option(
    "flickr8k|embedded|FOLDER",
    "The captioned images; with embedded, drawn scenes, a run takes minutes.",
    default="flickr8k",
)
SEEDS = seeds_option(None, "Number of seeds of each variant; by default what the experiment says.")
RUN = click.argument("run", type=click.Path(path_type=Path, file_okay=False))


@click.group(short_help="Captioning: decoders, encoders, training, search, attention.")
def lab4() -> None:
    """Lab 4: captioning with attention.

    Settings that an experiment does not compare are those of a short run; --set changes them.
    """


def _add_command(name: str, summary: str) -> None:
    @lab4.command(name=name, help=summary, short_help=summary)
    @DATASET
    @SEEDS
    @SET
    @RUNS
    @output_options("lab4")
    def command(dataset: str, seeds: int | None, settings: tuple[str, ...], runs: Path | None, out: Path) -> None:
        from captionlab.experiments.captions import runs as experiments

        run_experiment(experiments.run_experiment, name, out, dataset, parse_settings(settings), seeds, runs)


for _name, _summary in QUESTIONS.items():
    _add_command(_name, _summary)


@lab4.command(short_help="1, 3, 5 and 10 beams, for a trained model.")
@RUN
@SPLIT
@EXTRA_DATA
@output_options("lab4")
def beams(run: Path, split: str, extra_data: str | None, out: Path) -> None:
    """1, 3, 5 and 10 beams, for the model in the folder RUN."""
    from captionlab.experiments.captions.runs import compare_beams

    run_experiment(compare_beams, run, out, split, extra_data)


@lab4.command(short_help="Noisy photographs, and a denoising autoencoder.")
@DATASET
@SET
@RUNS
@output_options("lab4")
def noise(dataset: str, settings: tuple[str, ...], runs: Path | None, out: Path) -> None:
    """Noisy photographs with and without a denoising autoencoder, before and after retraining the captioner."""
    from captionlab.experiments.captions.noise import compare_noise

    run_experiment(compare_noise, out, dataset, parse_settings(settings), runs)


@lab4.command(short_help="Does a trained model look at what it names?")
@RUN
@limit_option(200)
@output_options("lab4")
def attention(run: Path, limit: int, out: Path) -> None:
    """Does the model in the folder RUN look at what it names?

    Measured on the dev split of the drawn scenes, where the position of each object is known.
    """
    from captionlab.experiments.captions.attention import measure_attention_overlap

    run_experiment(measure_attention_overlap, run, out, limit)
