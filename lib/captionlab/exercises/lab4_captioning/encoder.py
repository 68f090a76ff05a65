"""Find the bug: an encoder that only claims to be frozen. Probe and misconceptions."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from captionlab.exercises.drawing import draw_different, draw_tensor, draw_weights, run
from captionlab.exercises.lab4_captioning.common import lab, modes


def _network(rng):
    sizes = [3, *draw_different(rng, 4, 8, 3)]
    blocks = [
        nn.Sequential(nn.Conv2d(one, other, 1), nn.BatchNorm2d(other), nn.Sequential(nn.Dropout(0.3), nn.Tanh()))
        for one, other in pairwise(sizes)
    ]
    network = draw_weights(rng, nn.Sequential(*blocks))
    for block in network:
        block[1].running_mean += 1
    return network


def _trained(encoder) -> list[str]:
    return [name for name, parameter in encoder.named_parameters() if parameter.requires_grad]


@lab.exercise(
    "captionlab.captioning.encoders:GridEncoder",
    points=3,
    minutes=25,
    difficulty=3,
    importance=5,
    rtol=1e-3,
    atol=1e-5,
    student_methods=("__init__", "fine_tune", "train"),
    starter="OnlyClaimsToBeFrozen",
)
def probe_grid_encoder(GridEncoder, rng):
    network = _network(rng)
    images = draw_tensor(rng, 3, 3, 2, 3)
    encoder = GridEncoder(network.train())
    yield "a new encoder: the parameters that are trained", _trained(encoder), 6
    yield "a new encoder of a network that was in training mode: the modes of its layers", modes(encoder)
    encoder.train()
    yield "a new encoder after train(): the modes of its layers", modes(encoder), 3
    yield "its output for three images", run(encoder, images)
    label = "the batch statistics after these images, block "
    yield from ((f"{label}{at}", block[1].running_mean) for at, block in enumerate(network))
    own = _mode(encoder)
    encoder.eval()
    yield "the encoder's own mode after train() and after eval()", [own, _mode(encoder)], 0.25
    yield from _fine_tuned(GridEncoder(_network(rng)))
    encoder = GridEncoder(network=_network(rng).eval())
    encoder.fine_tune(num_blocks=2)
    model = nn.ModuleDict({"encoder": encoder, "decoder": nn.Dropout(0.5)})
    model.train()
    label = "after fine_tune(2), as part of a model in training mode: the "
    yield label + "modes", modes(model), 4
    yield label + "parameters that are trained", _trained(encoder), 3
    yield label + "output with dropout", run(encoder, images)
    yield "train() returns", "the encoder" if encoder.train() is encoder else "something else", 0.5
    encoder.fine_tune(1)
    yield "after fine_tune(2), then fine_tune(1): parameters that are trained", _trained(encoder), 4
    encoder.fine_tune(0)
    yield "then after fine_tune(0): parameters that are trained", _trained(encoder), 5
    encoder.train()
    yield "then after train(): the modes", modes(encoder)
    encoder.fine_tune()
    yield "after fine_tune(), whose default is 1: parameters that are trained", _trained(encoder)


def _mode(module) -> str:
    return "training" if module.training else "evaluation"


def _fine_tuned(encoder):
    encoder.train()
    encoder.fine_tune(1)
    yield "after fine_tune(1): the parameters that are trained", _trained(encoder), 4
    yield "after fine_tune(1): the modes immediately afterwards", modes(encoder), 2
    encoder.train()
    yield "after fine_tune(1) and train(): the modes", modes(encoder), 5
    encoder.eval()
    yield "after fine_tune(1) and eval(): the modes", modes(encoder)
    encoder.train(mode=False)
    yield "after fine_tune(1) and train(mode=False): the modes", modes(encoder), 0.5
    encoder.fine_tune(2)
    yield "after fine_tune(2) in evaluation mode: the modes", modes(encoder), 0.5


@lab.misconception(
    "GridEncoder",
    hint="This does the same as the code you were given; it has two bugs. What does the constructor call, "
    "and how many blocks are trained by default? And what do batch normalization and dropout of a frozen "
    "network do in training mode?",
)
class OnlyClaimsToBeFrozen(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network
        self.fine_tune()

    def fine_tune(self, num_blocks=1):
        children = list(self.network.children())
        for parameter in self.network.parameters():
            parameter.requires_grad = False
        for block in children[len(children) - num_blocks :]:
            for parameter in block.parameters():
                parameter.requires_grad = True

    def train(self, mode=True):
        return super().train(mode)

    def forward(self, images):
        return self.network(images).flatten(2).transpose(1, 2)


# The body of the reference's train().
TRAIN = """super().train(False)
        self.training = mode
        for block in self.trained_blocks:
            for layer in block.modules():
                layer.training = mode and not isinstance(layer, nn.BatchNorm2d)
        return self
"""

lab.misconceptions(
    "GridEncoder",
    fine_tuned_from_the_start=(
        "Which parameters of a new encoder are trained? The constructor calls fine_tune() with its default, "
        "so the last block is trained.",
        {"self.fine_tune(0)": "self.fine_tune()"},
    ),
    left_in_training_mode=(
        "requires_grad alone does not freeze an encoder: in training mode the batch normalization of a frozen "
        "network uses the statistics of each batch and updates its own, and dropout drops values. Whatever is not "
        "trained stays in evaluation mode.",
        {TRAIN: "return super().train(mode)\n"},
    ),
    trains_batch_norm=(
        "Batch normalization in the trained blocks goes into training mode. It must keep the pretraining "
        "statistics: those of a small batch are too noisy.",
        {" and not isinstance(layer, nn.BatchNorm2d)": ""},
    ),
    never_freezes_again=(
        "A block that was trained once stays trainable: fine_tune(1) after fine_tune(2) must freeze all but "
        "the last block again.",
        {
            "for parameter in self.network.parameters()": "",
            "self.network = network": "self.network = network.requires_grad_(False)",
        },
    ),
    trains_the_first=(
        "You train the first blocks. They detect edges and colors, which are useful for any task; train the last ones.",
        {"[len(children) - num_blocks :]": "[:num_blocks]"},
    ),
    minus_zero=(
        "fine_tune(0) trains everything: the slice [-0:] is the whole list. Count from the front, or treat 0 "
        "separately.",
        {"[len(children) - num_blocks :]": "[-num_blocks:]"},
    ),
    always_in_evaluation=(
        "The trained blocks stay in evaluation mode, too, so their dropout never drops anything. Only frozen blocks "
        "and batch normalization should.",
        {TRAIN: "return super().train(False)\n"},
    ),
    modes_come_later=(
        "fine_tune() leaves the modes unchanged until the next call of train(): it should set them itself.",
        {"self.train(self.training)": "", "self.fine_tune(0)": "self.fine_tune(0)\n        self.train()"},
    ),
    holds_batch_norm_only=(
        "Dropout in the frozen blocks still drops values in training. Whatever is not trained stays in "
        "evaluation mode.",
        {
            TRAIN: """super().train(mode)
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.training = False
        return self
"""
        },
    ),
    eval_has_no_effect=(
        "`train(False)`, which is what `eval()` calls, leaves the trained blocks in training mode: use the "
        "argument `mode`.",
        {"layer.training = mode and not": "layer.training = not"},
    ),
    freezes_batch_norm_parameters=(
        "The parameters of batch normalization in the trained blocks are frozen. Only its statistics are kept, by its "
        "mode; its weight and bias are trained like all others.",
        {
            "for parameter in block.parameters():\n                parameter.requires_grad = True": "for layer in "
            "block.modules():\n                for parameter in layer.parameters(recurse=False):\n"
            "                    parameter.requires_grad = not isinstance(layer, nn.BatchNorm2d)"
        },
    ),
    direct_children_only=(
        "Only the direct children of a trained block change their mode. Layers may lie deeper, as in the blocks of a "
        "ResNet.",
        {"block.modules()": "block.children()"},
    ),
    returns_nothing=(
        "train() returns nothing. nn.Module's returns the module, so that `encoder.train()` can be part of an "
        "expression: return self.",
        {"return self\n": ""},
    ),
)

lab.other_spellings(
    "GridEncoder",
    modes_come_later=[{"self.train(self.training)": ""}],
    holds_batch_norm_only=[
        {
            "self.train(self.training)": "",
            TRAIN: """super().train(mode)
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
        return self
""",
        }
    ],
    trains_batch_norm=[
        {"self.train(self.training)": "", " and not isinstance(layer, nn.BatchNorm2d)": ""},
    ],
)
