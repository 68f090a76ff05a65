"""Lab 1: convolutional networks and VGG16. Importing the files in this order puts the exercises in the text's order."""

# ruff: noqa: I001
from captionlab.exercises.lab1_vgg16 import arithmetic, pooling, counts, layers, images, kernels, larger_inputs
from captionlab.exercises.lab1_vgg16.common import lab

__all__ = ["arithmetic", "counts", "images", "kernels", "lab", "larger_inputs", "layers", "pooling"]
