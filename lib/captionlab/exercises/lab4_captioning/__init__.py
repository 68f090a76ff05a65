"""Lab 4: Show, Attend and Tell. Importing the files in this order puts the exercises in the text's order."""

# ruff: noqa: I001
from captionlab.exercises.lab4_captioning import tokens, vocabulary, splitting, embeddings
from captionlab.exercises.lab4_captioning import pixels, images, encoder
from captionlab.exercises.lab4_captioning import attention, decoder
from captionlab.exercises.lab4_captioning import batches, loss, steps
from captionlab.exercises.lab4_captioning import search, beams, scores, free_running, pictures
from captionlab.exercises.lab4_captioning.common import lab

__all__ = [
    "attention",
    "batches",
    "beams",
    "decoder",
    "embeddings",
    "encoder",
    "free_running",
    "images",
    "lab",
    "loss",
    "pictures",
    "pixels",
    "scores",
    "search",
    "splitting",
    "steps",
    "tokens",
    "vocabulary",
]
