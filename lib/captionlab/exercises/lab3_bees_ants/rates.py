"""Learning rates by part of the network: probe and misconceptions."""

from __future__ import annotations

import warnings

import torch

from captionlab.exercises.lab3_bees_ants.common import draw, lab
from captionlab.exercises.lab3_bees_ants.networks import small_mobilenet, small_resnet, small_vgg
from captionlab.grading.probe_helpers import outcome_of


def _groups(model, groups):
    """Of each group with anything in it: its rate and the names of its parameters, as an optimizer takes them.

    A group without a rate shows the optimizer's own, 0.5; a parameter in two groups is a ValueError.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a parameter twice in one group, which the names show
        optimizer = torch.optim.SGD(groups, lr=0.5)
    listed = [
        [group["lr"], sorted(names.get(id(each), "not a parameter of the model") for each in group["params"])]
        for group in optimizer.param_groups
    ]
    return [group for group in listed if group[1]]


@lab.exercise("captionlab.transfer.freezing:parameter_groups", points=3, minutes=20, difficulty=3, importance=4)
def probe_parameter_groups(parameter_groups, rng):
    def rates():
        fast = draw(rng, 2, 9) * 1e-2
        return fast, fast / draw(rng, 20, 200)

    asked = "the rate of each group and its parameters"
    resnet = small_resnet(rng)
    yield f"a ResNet: {asked}", outcome_of(_groups, resnet, parameter_groups(resnet, resnet.fc, *rates()))
    vgg = small_vgg(rng)
    fast, slow = rates()
    groups = parameter_groups(model=vgg, head=vgg.classifier[-1], head_rate=fast, backbone_rate=slow)
    yield f"a VGG, the last layer of its classifier the head: {asked}", outcome_of(_groups, vgg, groups)
    vgg.features[0].requires_grad_(False)
    groups = parameter_groups(vgg, vgg.classifier, slow, fast)
    label = f"its first layer frozen, the whole classifier the head, the head slower: {asked}"
    yield label, outcome_of(_groups, vgg, groups)
    mobilenet = small_mobilenet(rng)
    mobilenet.features.requires_grad_(False)
    groups = parameter_groups(mobilenet, mobilenet.classifier, *rates())
    yield f"a MobileNet with all its features frozen: {asked}", outcome_of(_groups, mobilenet, groups)
    mobilenet.features[1].requires_grad_(True)
    mobilenet.classifier[-1].bias.requires_grad_(False)
    groups = parameter_groups(mobilenet, mobilenet.classifier, *rates())
    label = f"the last of its features trained, a bias of the head frozen: {asked}"
    yield label, outcome_of(_groups, mobilenet, groups)


@lab.misconception(
    "parameter_groups",
    hint="The head is in both groups: model.parameters() lists it as well, and an optimizer refuses that. Leave the "
    "head's parameters out of the second group, comparing by identity (`is`, or id()).",
)
def head_in_both_groups(model, head, head_rate, backbone_rate):
    return [
        {"params": [each for each in head.parameters() if each.requires_grad], "lr": head_rate},
        {"params": [each for each in model.parameters() if each.requires_grad], "lr": backbone_rate},
    ]


@lab.misconception("parameter_groups", hint="The parameters are right, the two learning rates are swapped.")
def swaps_the_rates(model, head, head_rate, backbone_rate):
    own = {id(each) for each in head.parameters()}
    trained = [each for each in model.parameters() if each.requires_grad]
    return [
        {"params": [each for each in trained if id(each) in own], "lr": backbone_rate},
        {"params": [each for each in trained if id(each) not in own], "lr": head_rate},
    ]


@lab.misconception(
    "parameter_groups",
    hint="You hand frozen parameters to the optimizer. Without gradients they do nothing there but hide what is "
    "trained: list those that require gradients.",
)
def lists_frozen_parameters(model, head, head_rate, backbone_rate):
    own = {id(each) for each in head.parameters()}
    return [
        {"params": list(head.parameters()), "lr": head_rate},
        {"params": [each for each in model.parameters() if id(each) not in own], "lr": backbone_rate},
    ]


@lab.misconception(
    "parameter_groups",
    hint="The backbone's frozen parameters are left out, the head's are not: the rule is the same for both groups.",
)
def lists_the_heads_frozen(model, head, head_rate, backbone_rate):
    own = {id(each) for each in head.parameters()}
    rest = [each for each in model.parameters() if each.requires_grad and id(each) not in own]
    return [{"params": list(head.parameters()), "lr": head_rate}, {"params": rest, "lr": backbone_rate}]


@lab.misconception(
    "parameter_groups", hint="Only the head is there: where the backbone is trained, it needs a group of its own."
)
def forgets_the_backbone(model, head, head_rate, backbone_rate):
    return [{"params": [each for each in head.parameters() if each.requires_grad], "lr": head_rate}]


@lab.misconception(
    "parameter_groups",
    hint="Both groups get the head's rate. The backbone has a rate of its own, usually a smaller one.",
)
def one_rate_for_all(model, head, head_rate, backbone_rate):
    own = {id(each) for each in head.parameters()}
    trained = [each for each in model.parameters() if each.requires_grad]
    return [
        {"params": [each for each in trained if id(each) in own], "lr": head_rate},
        {"params": [each for each in trained if id(each) not in own], "lr": head_rate},
    ]


@lab.misconception(
    "parameter_groups",
    hint='You tell the head by the name "fc", which only ResNets have. The head is an argument: its parameters are '
    "head.parameters().",
)
def looks_for_fc(model, head, head_rate, backbone_rate):
    trained = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    return [
        {"params": [each for name, each in trained if name.startswith("fc")], "lr": head_rate},
        {"params": [each for name, each in trained if not name.startswith("fc")], "lr": backbone_rate},
    ]


@lab.misconception("parameter_groups", hint="The groups are right, their order is not: the head comes first.")
def backbone_first(model, head, head_rate, backbone_rate):
    own = {id(each) for each in head.parameters()}
    trained = [each for each in model.parameters() if each.requires_grad]
    return [
        {"params": [each for each in trained if id(each) not in own], "lr": backbone_rate},
        {"params": [each for each in trained if id(each) in own], "lr": head_rate},
    ]
