"""Find the bug: an encoder that is called frozen. Probe, the code it starts from, other misconceptions."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from captionlab.exercises.drawing import draw_different, draw_tensor, draw_weights, run
from captionlab.exercises.lab4_captioning.common import lab, modes


class _Blocks(nn.Module):
    """The part of the class that students are given."""

    def forward(self, images):
        return self.network(images).flatten(2).transpose(1, 2)


def _network(rng) -> nn.Sequential:
    sizes = [3, *draw_different(rng, 4, 8, 3)]
    blocks = [
        nn.Sequential(nn.Conv2d(one, other, 1), nn.BatchNorm2d(other), nn.Dropout(0.3), nn.Tanh())
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
    starter="CalledFrozen",
)
def probe_grid_encoder(GridEncoder, rng):
    network = _network(rng)
    images = draw_tensor(rng, 3, 3, 2, 3)
    encoder = GridEncoder(network.train())
    yield "a new encoder, of a network that was in training mode: which layers are in which mode", modes(encoder)
    encoder.train()
    yield "a new encoder in training: which layers are in which mode", modes(encoder)
    label = "its positions for three images, and its batch statistics after them"
    yield label, [run(encoder, images), *(block[1].running_mean for block in network)]
    yield "another new encoder: which of its parameters are trained", _trained(GridEncoder(_network(rng)))
    encoder.fine_tune(1)
    label = "after fine_tune(1): parameters that are trained; its layers' modes at once, in training, in evaluation"
    yield label, [_trained(encoder), modes(encoder), modes(encoder.train()), modes(encoder.eval())]
    encoder = GridEncoder(network=_network(rng))
    encoder.fine_tune(blocks=2)
    model = nn.ModuleDict({"encoder": encoder, "decoder": nn.Dropout(0.5)})
    model.train()
    label = "after fine_tune(2), as a part of a model in training: modes, what is trained, positions with dropout, "
    yield (
        label + "whether train() gives the module back",
        [
            modes(model),
            _trained(encoder),
            run(encoder, images),
            encoder.train() is encoder,
        ],
    )
    encoder.fine_tune(1)
    again = _trained(encoder)
    encoder.fine_tune(0)
    label = "the same after fine_tune(1), then after fine_tune(0): what is trained; the modes at the end"
    yield label, [again, _trained(encoder), modes(encoder.train())]


def _free_last(encoder, blocks):
    children = list(encoder.network.children())
    encoder.trained = children[len(children) - blocks :]
    for parameter in encoder.network.parameters():
        parameter.requires_grad = False
    for block in encoder.trained:
        for parameter in block.parameters():
            parameter.requires_grad = True


def _hold(encoder, mode, held=(nn.BatchNorm2d,)):
    nn.Module.train(encoder, False)
    encoder.training = mode
    for block in encoder.trained:
        for layer in block.modules():
            layer.training = mode and not isinstance(layer, held)
    return encoder


@lab.misconception(
    "GridEncoder",
    hint="This is the code you were given; it has two bugs. What does the constructor call, and what is the default "
    "of the number of blocks that learn? And what do batch normalization and dropout of a frozen network do in "
    "training mode?",
)
class CalledFrozen(_Blocks):
    def __init__(self, network):
        super().__init__()
        self.network = network
        self.fine_tune()

    def fine_tune(self, blocks=1):
        children = list(self.network.children())
        for parameter in self.network.parameters():
            parameter.requires_grad = False
        for block in children[len(children) - blocks :]:
            for parameter in block.parameters():
                parameter.requires_grad = True

    def train(self, mode=True):
        return super().train(mode)


class _Right(_Blocks):
    """A right encoder, in a form that misconceptions change in one place."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.fine_tune(0)

    def fine_tune(self, blocks):
        _free_last(self, blocks)
        self.train(self.training)

    def train(self, mode=True):
        return _hold(self, mode)


@lab.misconception(
    "GridEncoder",
    hint="The modes are right now. But which parameters of a new encoder are trained? The constructor calls "
    "fine_tune() with its default, which lets the last block learn.",
)
class FineTunedFromTheStart(_Right):
    def __init__(self, network):
        super().__init__(network)
        self.fine_tune(1)


@lab.misconception(
    "GridEncoder",
    hint="Frozen by requires_grad alone: in training mode the batch normalizations of a frozen network use the"
    " statistics of each batch and move their own, and dropout drops. Everything that is not trained "
    "stays in evaluation mode.",
)
class LeftInTrainingMode(_Right):
    def train(self, mode=True):
        return nn.Module.train(self, mode)


@lab.misconception(
    "GridEncoder",
    hint="The batch normalizations of the trained blocks go into training mode. They keep the statistics of the "
    "pretraining: those of a small batch are too noisy.",
)
class TrainsBatchNorm(_Right):
    def train(self, mode=True):
        return _hold(self, mode, held=())


@lab.misconception(
    "GridEncoder",
    hint="A block that was freed once stays free: fine_tune(1) after fine_tune(2) must freeze the other one again.",
)
class NeverFreezesAgain(_Right):
    def __init__(self, network):
        for parameter in network.parameters():
            parameter.requires_grad = False
        super().__init__(network)

    def fine_tune(self, blocks):
        children = list(self.network.children())
        self.trained = children[len(children) - blocks :]
        for block in self.trained:
            for parameter in block.parameters():
                parameter.requires_grad = True
        self.train(self.training)


@lab.misconception(
    "GridEncoder",
    hint="You free the first blocks. They see edges and colors, which serve any task; the last ones are to be trained.",
)
class FreesTheFirst(_Right):
    def fine_tune(self, blocks):
        _free_last(self, 0)
        self.trained = list(self.network.children())[:blocks]
        for block in self.trained:
            for parameter in block.parameters():
                parameter.requires_grad = True
        self.train(self.training)


@lab.misconception(
    "GridEncoder",
    hint="fine_tune(0) frees all: the slice [-0:] is the whole list. Count from the front: children[len(children) - "
    "blocks:].",
)
class MinusZero(_Right):
    def fine_tune(self, blocks):
        children = list(self.network.children())
        _free_last(self, len(children[-blocks:]))
        self.train(self.training)


@lab.misconception(
    "GridEncoder",
    hint="The trained blocks stay in evaluation mode too, so their dropout never drops. Only what is frozen, and batch "
    "normalization, is held.",
)
class AlwaysInEvaluation(_Right):
    def train(self, mode=True):
        return nn.Module.train(self, False)


@lab.misconception(
    "GridEncoder",
    hint="train() is right, but fine_tune() leaves the modes as they were until train() is called next: let it set "
    "them.",
)
class ModesComeLater(_Right):
    def __init__(self, network):
        super().__init__(network)
        self.train()

    def fine_tune(self, blocks):
        _free_last(self, blocks)


@lab.misconception(
    "GridEncoder",
    hint="Batch normalization is held, but dropout of the frozen blocks still drops in training. Everything that is "
    "not trained stays in evaluation mode.",
)
class HoldsBatchNormOnly(_Right):
    def train(self, mode=True):
        nn.Module.train(self, mode)
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.training = False
        return self


@lab.misconception(
    "GridEncoder",
    hint="train() gives nothing back. nn.Module's returns the module, so that `encoder.train()` can be written in an "
    "expression: return self.",
)
class GivesNothingBack(_Right):
    def train(self, mode=True):
        _hold(self, mode)
