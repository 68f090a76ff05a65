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
        optimizer = torch.optim.SGD([dict(group) for group in groups], lr=0.5)
    listed = [
        [group["lr"], sorted(names.get(id(each), "not a parameter of the model") for each in group["params"])]
        for group in optimizer.param_groups
    ]
    return [group for group in listed if group[1]]


def _in_order(model, groups):
    """The names of all parameters, group by group."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [[names.get(id(each), "not a parameter of the model") for each in group["params"]] for group in groups]


def _count(groups):
    return f"{len(groups)} group{'s' * (len(groups) != 1)}"


def _form(groups):
    """The types of the groups, their keys, and the type of their parameters."""
    keys = [f"{type(group).__name__} with {' and '.join(sorted(map(str, group)))}" for group in groups]
    return [type(groups).__name__, *keys, *(type(group["params"]).__name__ for group in groups)]


@lab.exercise("captionlab.transfer.freezing:parameter_groups", points=3, minutes=20, difficulty=3, importance=4)
def probe_parameter_groups(parameter_groups, rng):
    def rates():
        fast = draw(rng, 2, 9) * 1e-2
        return fast, fast / draw(rng, 20, 200)

    def case(model, head, *rates):
        groups = outcome_of(parameter_groups, model, head, *rates)
        return groups if isinstance(groups, str) else list(groups)

    def observe(look, *seen):
        return seen[-1] if isinstance(seen[-1], str) else outcome_of(look, *seen)

    observed = "the learning rate of each group and its parameters"
    resnet, (fast, slow) = small_resnet(rng), rates()
    groups = case(resnet, resnet.fc, fast, slow)
    label = f"a ResNet, head_lr {fast:g}, backbone_lr {slow:.6g}: "
    yield label + observed, observe(_groups, resnet, groups), 4
    yield label + "the parameters of each group, in order", observe(_in_order, resnet, groups)
    yield label + "the groups, their keys, and what the parameters are in", observe(_form, groups), 0.5
    mobilenet = small_mobilenet(rng)
    mobilenet.features.requires_grad_(False)
    groups = case(mobilenet, mobilenet.classifier, *rates())
    yield f"a MobileNet with all its features frozen: {observed}", observe(_groups, mobilenet, groups), 3
    yield "a MobileNet with all its features frozen: number of groups", observe(_count, groups), 2
    mobilenet.features[1].requires_grad_(True)
    mobilenet.classifier[-1].bias.requires_grad_(False)
    groups = case(mobilenet, mobilenet.classifier, *rates())
    label = f"the last of its features trainable, a bias of the head frozen: {observed}"
    yield label, observe(_groups, mobilenet, groups), 4
    mobilenet.classifier.requires_grad_(False)
    groups = case(mobilenet, mobilenet.classifier, *rates())
    yield f"then with its whole head frozen: {observed}", observe(_groups, mobilenet, groups)
    yield "then with its whole head frozen: number of groups", observe(_count, groups)
    vgg = small_vgg(rng)
    fast, slow = rates()
    groups = parameter_groups(model=vgg, head=vgg.classifier[-1], head_lr=fast, backbone_lr=slow)
    yield f"a VGG, with the last layer of its classifier as the head: {observed}", outcome_of(_groups, vgg, groups), 4
    vgg.features[0].requires_grad_(False)
    groups = case(vgg, vgg.classifier, slow, fast)
    label = f"its first layer frozen, the whole classifier as the head, which is slower: {observed}"
    yield label, observe(_groups, vgg, groups), 3


lab.misconceptions(
    "parameter_groups",
    head_in_both_groups=(
        "The head is in both groups: model.parameters() includes it, and an optimizer refuses that. Leave the head's "
        "parameters out of the second group; compare by identity (`is`, or id()).",
        {" if id(one) not in in_head": ""},
    ),
    swaps_the_rates=(
        "The two learning rates are swapped.",
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
        "You list the head's frozen parameters. Leave frozen parameters out of both groups.",
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
        "The groups are in the wrong order: the head comes first.",
        {"(head_group, backbone_group)": "(backbone_group, head_group)"},
    ),
    keeps_empty_groups=(
        "A group without parameters is listed. With a frozen backbone there is only one group: leave empty ones out.",
        {' if group["params"]': ""},
    ),
    loses_the_order=(
        "The parameters in the groups are not in the order of model.parameters(): a set has no "
        "order. Go through model.parameters() and ask for each whether it is in the head.",
        {
            "trained = [parameter for parameter in model.parameters() if parameter.requires_grad]": "trained = "
            "[parameter for parameter in model.parameters() if parameter.requires_grad][::-1]"
        },
    ),
    other_key_for_the_rate=(
        'An optimizer looks for the learning rate of a group under the key "lr"; under another name it is ignored.',
        {'"lr": head_lr': '"learning_rate": head_lr', '"lr": backbone_lr': '"learning_rate": backbone_lr'},
    ),
    everything_in_the_head=(
        "The head's group holds all trainable parameters of the network: only those of `head` belong to it.",
        {"{id(parameter) for parameter in head.parameters()}": "{id(parameter) for parameter in model.parameters()}"},
    ),
)

lab.other_spellings(
    "parameter_groups",
    swaps_the_rates=[
        {
            'in trained if id(one) in in_head], "lr": head_lr': 'in trained if id(one) in in_head], "lr": backbone_lr',
            'not in in_head], "lr": backbone_lr': 'not in in_head], "lr": head_lr',
            "(head_group, backbone_group)": "(backbone_group, head_group)",
        }
    ],
)
