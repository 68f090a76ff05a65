"""Lab 2: deep features and linear SVMs."""

from captionlab.exercises import load_exercises
from captionlab.exercises.lab2_scenes.common import lab

load_exercises(lab)

__all__ = ["lab"]
