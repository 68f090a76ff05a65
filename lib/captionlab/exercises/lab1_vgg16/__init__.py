"""Lab 1: convolutional networks and VGG16. Importing the files in this order puts the exercises in the text's order."""

from captionlab.exercises.lab1_vgg16 import arithmetic, counts, dissection, images, kernels, larger_inputs
from captionlab.exercises.lab1_vgg16.common import lab

__all__ = ["arithmetic", "counts", "dissection", "images", "kernels", "lab", "larger_inputs"]
