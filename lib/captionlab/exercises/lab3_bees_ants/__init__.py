"""Lab 3: fine-tuning on bees and ants. Importing the files in this order puts the exercises in the text's order."""

# ruff: noqa: I001
from captionlab.exercises.lab3_bees_ants import splitting, augmentation, datasets
from captionlab.exercises.lab3_bees_ants import pretrained, heads, freezing, rates, blocks
from captionlab.exercises.lab3_bees_ants import steps, evaluation, stopping, keeping
from captionlab.exercises.lab3_bees_ants.common import lab

__all__ = [
    "augmentation",
    "blocks",
    "datasets",
    "evaluation",
    "freezing",
    "heads",
    "keeping",
    "lab",
    "pretrained",
    "rates",
    "splitting",
    "steps",
    "stopping",
]
