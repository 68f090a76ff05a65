"""Lab 1: convolutional networks and VGG16. Importing the files in this order puts the exercises in the text's order."""

from captionlab.exercises.lab1_vgg16 import arithmetic, counts, dissection, images, larger_inputs
from captionlab.exercises.lab1_vgg16.common import lab

__all__ = ["arithmetic", "counts", "dissection", "images", "lab", "larger_inputs"]
