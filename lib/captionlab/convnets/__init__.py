"""Convolutional networks, with VGG16 as the example that runs through everything.

arithmetic           sizes, parameters and receptive fields, on paper: no tensor is needed
pooling              max and average pooling, written out
counting             parameters of a real model, layer by layer
images               from a picture to the tensor an ImageNet network expects
predictions          from scores to named, most probable classes
fully_convolutional  fully connected layers as convolutions, for images of any size

Nothing is imported here: the arithmetic works without torch.
"""
