"""Lab 3: fine-tuning on bees and ants. Importing the files in this order puts the exercises in the text's order."""

# ruff: noqa: I001
from captionlab.exercises.lab3_bees_ants import splitting, augmentation, datasets
from captionlab.exercises.lab3_bees_ants import heads, freezing, rates, blocks
from captionlab.exercises.lab3_bees_ants import steps, evaluation, stopping
from captionlab.exercises.lab3_bees_ants.common import lab

__all__ = [
    "augmentation",
    "blocks",
    "datasets",
    "evaluation",
    "freezing",
    "heads",
    "lab",
    "rates",
    "splitting",
    "steps",
    "stopping",
]
