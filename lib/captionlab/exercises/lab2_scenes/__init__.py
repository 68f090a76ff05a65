"""Lab 2: deep features and linear SVMs. Importing the files in this order puts the exercises in the text's order."""

from captionlab.exercises.lab2_scenes import network, extraction, classifier, scores, layers, choices  # isort: skip
from captionlab.exercises.lab2_scenes.common import lab

__all__ = ["choices", "classifier", "extraction", "lab", "layers", "network", "scores"]
