"""Frozen parts, and the modes of the rest: probes and misconceptions."""

from __future__ import annotations

import torch.nn.functional as F

from captionlab.exercises.drawing import run, torch_seed
from captionlab.exercises.lab3_bees_ants.common import (
    draw_images,
    draw_labels,
    lab,
    modes,
    statistics,
    trainable,
    weights,
)
from captionlab.exercises.lab3_bees_ants.networks import normed_head, small_mobilenet, small_resnet, small_vgg


@lab.exercise("captionlab.transfer.freezing:freeze", points=2, minutes=15, difficulty=2, importance=5)
def probe_freeze(freeze, rng):
    resnet, images = small_resnet(rng), draw_images(rng, 6)
    before = weights(resnet), statistics(resnet)
    freeze(resnet.layer1)
    case = "layer1 of a ResNet is frozen: "
    yield case + "which parameters of the ResNet require gradients", trainable(resnet), 5
    yield case + "the modes of its layers", modes(resnet), 5
    same = [
        bool((one == other).all()) for one, other in zip(before, (weights(resnet), statistics(resnet)), strict=True)
    ]
    yield case + "its weights and batch statistics", [f"{'as before' if one else 'changed'} by freeze" for one in same]
    run(resnet, images)
    yield case + "all batch statistics after a batch (those of bn1 move)", statistics(resnet)
    yield case + "logits for the next batch", run(resnet, images.flip(0))

    mobilenet = small_mobilenet(rng)
    freeze(module=mobilenet.features)
    with torch_seed(0):
        loss = F.cross_entropy(mobilenet(images), draw_labels(rng, 6, 10))
    loss.backward()
    case = "features of a MobileNet are frozen: "
    received = [
        f"{name} {'none' if parameter.grad is None else 'received'}" for name, parameter in mobilenet.named_parameters()
    ]
    yield case + "which parameters receive a gradient", received, 4
    yield case + "the loss of a batch", loss
    yield case + "its batch statistics afterwards", statistics(mobilenet), 2
    vgg = small_vgg(rng)
    freeze(vgg)
    case = "a whole VGG is frozen: "
    yield case + "which parameters require gradients", trainable(vgg), 3
    itself = f"the VGG itself {'training' if vgg.training else 'evaluation'}"
    yield case + "the modes of its layers, and its own", [*modes(vgg), itself], 5
    yield case + "logits for an image, three times", [run(vgg, images[:1], seed=seed) for seed in range(3)]


lab.misconceptions(
    "freeze",
    leaves_training_mode=(
        "The module is still in training mode: its batch statistics move with every "
        "batch, and dropout is active. Which method of a module switches that off?",
        {"module.eval()": ""},
    ),
    evaluation_mode_only=(
        "Evaluation mode does not stop gradients. Set requires_grad (check the spelling) of every parameter: assigned "
        "to a layer or a module, it is just a new attribute that nothing reads.",
        {
            "for parameter in module.parameters()": "for layer in module.modules()",
            "parameter.requires_grad_(False)": "layer.requires_grad = False",
        },
    ),
    freezes_weights_only=(
        "Biases are still trained: loop over all of module.parameters().",
        {
            "for parameter in module.parameters()": "for name, parameter in module.named_parameters()",
            "parameter.requires_grad_(False)": 'parameter.requires_grad_(not name.endswith("weight"))',
        },
    ),
    forgets_batch_norm_parameters=(
        "Batch normalization layers have parameters too, a scale and a shift, and yours are still trained.",
        {
            "for parameter in module.parameters()": "for layer in module.modules()",
            "parameter.requires_grad_(False)": "layer.requires_grad_(isinstance(layer, nn.BatchNorm2d))",
        },
    ),
    evaluates_batch_norm_only=(
        "Dropout is still active: put every layer in evaluation mode, not only batch normalization.",
        {
            "module.eval()": "for layer in module.modules():\n"
            "        if isinstance(layer, nn.BatchNorm2d):\n"
            "            layer.eval()"
        },
    ),
    sets_momentum_to_zero=(
        "With a momentum of 0 the statistics do not move, but in training mode they are not used either: the layer "
        "normalizes by the current batch. Put the module in evaluation mode.",
        {
            "module.eval()": "for layer in module.modules():\n"
            "        if isinstance(layer, nn.BatchNorm2d):\n"
            "            layer.momentum = 0.0"
        },
    ),
    sets_one_flag=(
        "You set the `training` flag of the module itself, but each layer in it has its own. The method eval() reaches "
        "all of them.",
        {"module.eval()": "module.training = False"},
    ),
    direct_layers_only=(
        "Only the layers directly inside the module are in evaluation mode, not those deeper in it. module.modules() "
        "reaches every depth, and so does eval().",
        {"module.eval()": "for layer in module.children():\n        layer.training = False"},
    ),
)


@lab.exercise("captionlab.transfer.freezing:set_train_mode", points=1, minutes=10, difficulty=2, importance=5)
def probe_set_train_mode(set_train_mode, rng):
    images = draw_images(rng, 6)
    resnet = small_resnet(rng).train()
    set_train_mode(resnet, resnet.fc)
    case = "a ResNet in training mode, with fc as its head: "
    yield case + "the modes afterwards", modes(resnet), 2
    run(resnet, images)
    yield case + "modes, and batch statistics after a batch", [modes(resnet), statistics(resnet)]
    vgg = small_vgg(rng).eval()
    vgg.features.requires_grad_(False)
    set_train_mode(vgg, vgg.classifier)
    label = "a VGG in evaluation mode, with classifier as its head: "
    yield label + "modes", modes(vgg), 2
    yield label + "the mode of the head as a whole", "training mode" if vgg.classifier.training else "evaluation mode"
    yield label + "modes, and which parameters require gradients", [modes(vgg), trainable(vgg)], 3
    vgg.train()
    set_train_mode(vgg, vgg.classifier[-1])
    yield "a VGG in training mode, with the last layer of its classifier as its head: modes", modes(vgg), 2
    mobilenet = small_mobilenet(rng)
    head = normed_head(rng, mobilenet).eval()
    mobilenet.requires_grad_(False)
    set_train_mode(model=mobilenet, head=head)
    case = "a MobileNet, first with its head in evaluation mode and the rest in training mode: "
    yield case + "modes", modes(mobilenet), 2
    yield case + "modes, and which parameters require gradients", [modes(mobilenet), trainable(mobilenet)], 3
    run(mobilenet, images)
    yield case + "batch statistics after a batch (only those of the head move)", statistics(mobilenet)


lab.misconceptions(
    "set_train_mode",
    goes_through_the_children=(
        "A head deeper in the network, such as the last layer of a classifier, gets the mode of the part that holds "
        "it. Set the whole network first, then the head.",
        {
            "model.eval()\n    head.train()": "head.train()\n    for child in model.children():\n"
            "        if child is not head:\n            child.eval()"
        },
    ),
    everything_in_training=(
        "model.train() puts the whole network in training mode: the batch statistics of the backbone will drift. Only "
        "the head should be in training mode.",
        {"model.eval()": "model.train()"},
    ),
    everything_in_evaluation=(
        "Everything ends up in evaluation mode, including the head. The order matters: model.eval() reaches the head "
        "as well.",
        {"model.eval()\n    head.train()": "head.train()\n    model.eval()"},
    ),
    sets_the_head_only=(
        "You leave the rest of the network in the mode it was in. If the backbone was in training mode, it "
        "must be put in evaluation mode.",
        {"model.eval()": ""},
    ),
    swaps_the_modes=(
        "The modes are swapped: training mode for the head, evaluation mode for the rest.",
        {"model.eval()": "model.train()", "head.train()": "head.eval()"},
    ),
    sets_one_flag=(
        "You set the `training` flag of the head itself; a head with several layers has several flags. The method "
        "train() reaches all layers in it.",
        {"head.train()": "head.training = True"},
    ),
    holds_batch_norm_only=(
        "All batch normalization layers are in evaluation mode, including those of the head, and all other "
        "layers are in training mode. What counts is whether a layer is in the head, not its type.",
        {
            "model.eval()": "model.train()",
            "head.train()": "for layer in model.modules():\n"
            "        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):\n"
            "            layer.eval()",
        },
    ),
    changes_gradients_too=(
        "You also change which parameters require gradients. Modes and frozen parameters are different things.",
        {"head.train()": "head.train()\n    model.requires_grad_(False)\n    head.requires_grad_(True)"},
    ),
    holds_the_backbones_batch_norm_only=(
        "Outside the head only batch normalization is in evaluation mode. All layers there must be: a dropout in the "
        "backbone, too, acts only in training mode.",
        {
            "model.eval()": "model.train()",
            "head.train()": "for layer in model.modules():\n"
            "        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)) and layer not in list(head.modules()):\n"
            "            layer.eval()",
        },
    ),
    trains_the_heads_children_only=(
        "You set the layers directly inside the head, but not the head itself: if it is a single layer, such as fc, it "
        "stays in evaluation mode. head.train() sets both.",
        {"head.train()": "for layer in head.children():\n        layer.train()"},
    ),
    leaves_the_head=(
        "You leave the head in the mode it was in. If it was in evaluation mode, it must be put in training mode.",
        {
            "model.eval()": "for layer in model.modules():\n"
            "        if layer not in list(head.modules()):\n"
            "            layer.training = False",
            "head.train()": "",
        },
    ),
)
