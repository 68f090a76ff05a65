"""Lab 3: fine-tuning on bees and ants."""

from captionlab.exercises import load_exercises
from captionlab.exercises.lab3_bees_ants.common import lab

load_exercises(lab)

__all__ = ["lab"]
