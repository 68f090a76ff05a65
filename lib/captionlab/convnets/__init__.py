"""Convolutional networks, with VGG16 as the running example.

arithmetic           sizes, parameters and receptive fields, without any tensors
pooling              max and average pooling, written out
counting             parameters of a real model, layer by layer
predictions          from logits to the names of the most probable classes
fully_convolutional  fully connected layers as convolutions, for images of any size

Nothing is imported here: the arithmetic works without torch.
"""
