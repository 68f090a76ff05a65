"""One learning rate for each part of the network: probe and misconceptions."""

from __future__ import annotations

import warnings

import torch

from captionlab.exercises.drawing import draw
from captionlab.exercises.lab3_bees_ants.common import lab
from captionlab.exercises.lab3_bees_ants.networks import small_mobilenet, small_resnet, small_vgg
from captionlab.grading.probe_helpers import outcome_of


def _groups(model, groups):
    """For each group that is not empty: its learning rate and the names of its parameters, as an optimizer sees them.

    A group without a learning rate has the optimizer's own, 0.5; a parameter in two groups is a ValueError.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a parameter twice in one group, which the names show
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

    observed = "the learning rate of each group and its parameters"
    resnet = small_resnet(rng)
    yield f"a ResNet: {observed}", outcome_of(_groups, resnet, parameter_groups(resnet, resnet.fc, *rates()))
    vgg = small_vgg(rng)
    fast, slow = rates()
    groups = parameter_groups(model=vgg, head=vgg.classifier[-1], head_lr=fast, backbone_lr=slow)
    yield f"a VGG, with the last layer of its classifier as the head: {observed}", outcome_of(_groups, vgg, groups)
    vgg.features[0].requires_grad_(False)
    groups = parameter_groups(vgg, vgg.classifier, slow, fast)
    label = f"its first layer frozen, the whole classifier as the head, which is slower: {observed}"
    yield label, outcome_of(_groups, vgg, groups)
    mobilenet = small_mobilenet(rng)
    mobilenet.features.requires_grad_(False)
    groups = parameter_groups(mobilenet, mobilenet.classifier, *rates())
    yield f"a MobileNet with all its features frozen: {observed}", outcome_of(_groups, mobilenet, groups)
    mobilenet.features[1].requires_grad_(True)
    mobilenet.classifier[-1].bias.requires_grad_(False)
    groups = parameter_groups(mobilenet, mobilenet.classifier, *rates())
    label = f"the last of its features trainable, a bias of the head frozen: {observed}"
    yield label, outcome_of(_groups, mobilenet, groups)


lab.misconceptions(
    "parameter_groups",
    head_in_both_groups=(
        "The head is in both groups: model.parameters() includes it, and an optimizer refuses that. Leave the head's "
        "parameters out of the second group; compare by identity (`is`, or id()).",
        {" if id(one) not in in_head": ""},
    ),
    swaps_the_rates=(
        "The parameters are right, but the two learning rates are swapped.",
        {
            'in trained if id(one) in in_head], "lr": head_lr': 'in trained if id(one) in in_head], "lr": backbone_lr',
            'not in in_head], "lr": backbone_lr': 'not in in_head], "lr": head_lr',
        },
    ),
    lists_frozen_parameters=(
        "You pass frozen parameters to the optimizer. They have no gradients, so they only obscure what is trained: "
        "list those that require gradients.",
        {" if parameter.requires_grad": ""},
    ),
    lists_the_heads_frozen=(
        "The backbone's frozen parameters are left out, but the head's are not: the same rule holds for both groups.",
        {"[one for one in trained if id(one) in in_head]": "list(head.parameters())"},
    ),
    forgets_the_backbone=(
        "Only the head is there: if the backbone is trained, it needs a group of its own.",
        {"(head_group, backbone_group)": "(head_group,)"},
    ),
    one_rate_for_all=(
        "Both groups have the head's learning rate. The backbone has its own, usually a smaller one.",
        {'"lr": backbone_lr': '"lr": head_lr'},
    ),
    looks_for_fc=(
        'You recognize the head by the name "fc", which only ResNets have. The head is an argument: its parameters are '
        "head.parameters().",
        {"for parameter in head.parameters()": 'for name, parameter in model.named_parameters() if name[:2] == "fc"'},
    ),
    backbone_first=(
        "The groups are right, but not their order: the head comes first.",
        {"(head_group, backbone_group)": "(backbone_group, head_group)"},
    ),
)
