"""Frozen parts, and the modes of the rest: probes and misconceptions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import nn

from captionlab.exercises.lab3_bees_ants.common import (
    draw_images,
    draw_labels,
    lab,
    modes,
    run,
    statistics,
    torch_seed,
    trainable,
)
from captionlab.exercises.lab3_bees_ants.networks import normed_head, small_mobilenet, small_resnet, small_vgg


@lab.exercise("captionlab.transfer.freezing:freeze", points=2, minutes=15, difficulty=2, importance=5)
def probe_freeze(freeze, rng):
    resnet, images = small_resnet(rng), draw_images(rng, 6)
    freeze(resnet.layer1)
    yield "layer1 of a ResNet is frozen: which parameters of the ResNet require gradients", trainable(resnet)
    yield "the modes of its layers", modes(resnet)
    run(resnet, images)
    yield "all batch statistics after a batch (those of bn1 move)", statistics(resnet)
    yield "scores for the next batch", run(resnet, images.flip(0))

    mobilenet = small_mobilenet(rng)
    freeze(module=mobilenet.features)
    with torch_seed(0):
        loss = F.cross_entropy(mobilenet(images), draw_labels(rng, 6, 10))
    loss.backward()
    label = "features of a MobileNet are frozen: the loss, and which parameters received a gradient"
    yield label, [loss, [parameter.grad is not None for parameter in mobilenet.parameters()]]
    yield "its batch statistics afterwards", statistics(mobilenet)
    vgg = small_vgg(rng)
    freeze(vgg)
    yield "a whole VGG is frozen: modes, and which parameters require gradients", [modes(vgg), trainable(vgg)]
    yield "scores for an image, three times", [run(vgg, images[:1], seed) for seed in range(3)]


@lab.misconception(
    "freeze",
    hint="The parameters are frozen, the module is still in training mode: its batch statistics move with every batch, "
    "and dropout drops. Which method of a module switches that off?",
)
def leaves_training_mode(module):
    for parameter in module.parameters():
        parameter.requires_grad = False


@lab.misconception(
    "freeze",
    hint="Evaluation mode does not stop gradients. Set requires_grad (mind the spelling) of every parameter: on a "
    "layer or a module, such an assignment only adds an attribute that nobody reads.",
)
def evaluation_mode_only(module):
    for layer in module.modules():
        layer.requires_grad = False
    module.eval()


@lab.misconception(
    "freeze", hint="Weights are frozen, biases are still trained: go through all of module.parameters()."
)
def freezes_weights_only(module):
    for layer in module.modules():
        if isinstance(getattr(layer, "weight", None), nn.Parameter):
            layer.weight.requires_grad = False
    module.eval()


@lab.misconception(
    "freeze",
    hint="Convolutions and linear layers are frozen; batch normalizations have parameters too, a scale and a shift, "
    "and yours are still trained.",
)
def forgets_batch_norm_parameters(module):
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            for parameter in layer.parameters():
                parameter.requires_grad = False
    module.eval()


@lab.misconception(
    "freeze",
    hint="The batch statistics are held, but dropout is still active: put every layer in evaluation mode, not the "
    "batch normalizations alone.",
)
def evaluates_batch_norm_only(module):
    for parameter in module.parameters():
        parameter.requires_grad = False
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()


@lab.misconception(
    "freeze",
    hint="With a momentum of 0 the statistics stay, but in training mode they are not used: the layer normalizes by "
    "the batch at hand. Put the module in evaluation mode.",
)
def sets_momentum_to_zero(module):
    for parameter in module.parameters():
        parameter.requires_grad = False
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 0.0


@lab.exercise("captionlab.transfer.freezing:training_mode", points=1, minutes=10, difficulty=2, importance=5)
def probe_training_mode(training_mode, rng):
    images = draw_images(rng, 6)
    resnet = small_resnet(rng).train()
    training_mode(resnet, resnet.fc)
    yield "a ResNet in training mode, its fc the head: the modes afterwards", modes(resnet)
    label = "its batch statistics after a batch"
    run(resnet, images)
    yield label, [modes(resnet), statistics(resnet)]
    vgg = small_vgg(rng).eval()
    vgg.features.requires_grad_(False)
    training_mode(vgg, vgg.classifier)
    label = "a VGG in evaluation mode, its classifier the head: the modes, and which parameters require gradients"
    yield label, [modes(vgg), trainable(vgg)]
    mobilenet = small_mobilenet(rng)
    head = normed_head(rng, mobilenet).eval()
    mobilenet.requires_grad_(False)
    training_mode(model=mobilenet, head=head)
    label = "a MobileNet, its head in evaluation mode and the rest in training mode before: "
    yield label + "modes, and which parameters require gradients", [modes(mobilenet), trainable(mobilenet)]
    run(mobilenet, images)
    yield label + "batch statistics after a batch (only those of the head move)", statistics(mobilenet)


@lab.misconception(
    "training_mode",
    hint="model.train() puts the whole network in training mode: the batch statistics of the backbone will drift. Only "
    "the head should train.",
)
def everything_in_training(model, head):
    model.train()


@lab.misconception(
    "training_mode",
    hint="Everything ends up in evaluation mode, the head too. If you set both, mind the order: model.eval() reaches "
    "the head as well.",
)
def everything_in_evaluation(model, head):
    head.train()
    model.eval()


@lab.misconception(
    "training_mode",
    hint="The head is set, the rest stays as it was. A backbone that comes in training mode must be put in evaluation "
    "mode.",
)
def sets_the_head_only(model, head):
    head.train()


@lab.misconception(
    "training_mode", hint="It is the other way round: the head trains, the rest is held in evaluation mode."
)
def swaps_the_modes(model, head):
    model.train()
    head.eval()


@lab.misconception(
    "training_mode",
    hint="You set the head's own `training` flag; a head of several layers has more of them. The method train() "
    "reaches all layers inside.",
)
def sets_one_flag(model, head):
    model.eval()
    head.training = True


@lab.misconception(
    "training_mode",
    hint="All batch normalizations are held, those of the head too, and the backbone's other layers train. Decide by "
    "whether a layer is in the head, not by its type.",
)
def holds_batch_norm_only(model, head):
    model.train()
    for layer in model.modules():
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            layer.eval()


@lab.misconception(
    "training_mode",
    hint="The modes are right, but you also change which parameters require gradients. A mode is one thing, frozen "
    "parameters are another.",
)
def changes_gradients_too(model, head):
    model.eval()
    head.train()
    for parameter in model.parameters():
        parameter.requires_grad = False
    for parameter in head.parameters():
        parameter.requires_grad = True
