"""Lab 4: Show, Attend and Tell."""

from captionlab.exercises import load_exercises
from captionlab.exercises.lab4_captioning.common import lab

load_exercises(lab)

__all__ = ["lab"]
