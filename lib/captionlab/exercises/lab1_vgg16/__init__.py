"""Lab 1: convolutional networks and VGG16."""

from captionlab.exercises import load_exercises
from captionlab.exercises.lab1_vgg16.common import lab

load_exercises(lab)

__all__ = ["lab"]
