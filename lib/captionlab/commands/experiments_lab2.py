"""``captionlab experiment lab2``: deep features and a linear SVM."""

from __future__ import annotations

from pathlib import Path

import click

from captionlab.commands.options import NETWORK, dataset_option, output_options
from captionlab.commands.running import run_experiment

DATASET = dataset_option(
    "scene15|embedded|FOLDER",
    "The images; a FOLDER has train/CLASS/ and test/CLASS/.  [default: scene15 if fetched, else embedded]",
)
# By the command's name: the function of experiments.scenes.runs (not imported here, as it imports torch), and the help.
EXPERIMENTS = {
    "scenes": (
        "run_scenes",
        "The plain recipe: test accuracy and confusion matrix.",
        "Features before the classification layer and a linear SVM. Features are cached below the folder of all data "
        "(CAPTIONLAB_DATA), so a second run takes seconds.",
    ),
    "layers": ("run_layers", "Which layer the features are taken from: accuracy, size, time.", ""),
    "c": ("run_c", "C of the SVM, by cross-validation.", ""),
    "pca": ("run_pca", "Fewer dimensions before the SVM: accuracy against time.", ""),
    "head": (
        "run_heads",
        "An SVM on the features, or a new last layer.",
        "The new layer is trained with the network frozen, and, for embedded networks, with all layers.",
    ),
    "best": (
        "run_best",
        "Step by step to the best accuracy.",
        "Every choice is made on the training images; the test images are used once, at the end.",
    ),
}


@click.group(short_help="Scenes: deep features and a linear SVM.")
def lab2() -> None:
    """Lab 2: scenes, with deep features and a linear SVM."""


def _add_command(name: str, function: str, summary: str, details: str) -> None:
    @lab2.command(name=name, help=f"{summary}\n\n{details}", short_help=summary)
    @DATASET
    @NETWORK
    @output_options("lab2")
    def command(dataset: str | None, network: str | None, out: Path) -> None:
        from captionlab.experiments.scenes import runs

        run_experiment(getattr(runs, function), out, dataset, network)


for _name, _details in EXPERIMENTS.items():
    _add_command(_name, *_details)


@lab2.command(short_help="All networks whose weights are here, and visual words.")
@DATASET
@output_options("lab2")
def networks(dataset: str | None, out: Path) -> None:
    """All networks whose weights are here, and a bag of visual words."""
    from captionlab.experiments.scenes.runs import run_networks

    run_experiment(run_networks, out, dataset)
