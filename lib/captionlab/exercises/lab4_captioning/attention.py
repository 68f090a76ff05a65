"""Soft attention and its gate: probes and misconceptions."""

from __future__ import annotations

import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, draw_weights, run
from captionlab.exercises.lab4_captioning.common import lab


def _cases(rng, attention):
    """Several looks: a batch, one image alone (a second place for a wrong axis), large scores, no scores at all."""
    places, channels, hidden, size = draw_different(rng, 3, 9, 4)
    batch = draw(rng, 2, 3)
    module = draw_weights(rng, attention(channels, hidden, size), scale=1.5)

    def look(images, scale=1.0):
        return run(
            module, draw_tensor(rng, images, places, channels, mean=0.5), draw_tensor(rng, images, hidden) * scale
        )

    context, alpha = look(batch)
    label = f"{batch} images, {places} positions, {channels} channels: "
    yield label + "the weights alpha", alpha
    yield label + "the context", context
    context, alpha = look(1)
    yield "one image alone: alpha, and its sum", [alpha, float(alpha.sum())]
    yield "one image alone: the context", context
    context, alpha = look(2, scale=4)
    yield "two images and a large state: alpha", alpha
    yield "two images and a large state: the context", context
    module = draw_weights(rng, attention(channels=4, hidden=4, size=4), scale=1.5)
    context, alpha = run(module, draw_tensor(rng, 4, 4, 4), draw_tensor(rng, 4, 4))
    yield "4 images, 4 positions, 4 channels: alpha and context", [alpha, context]


@lab.exercise(
    "captionlab.captioning.attention:SoftAttention",
    points=4,
    minutes=35,
    difficulty=4,
    importance=5,
    rtol=1e-3,
    atol=1e-5,
)
def probe_soft_attention(SoftAttention, rng):
    yield from _cases(rng, SoftAttention)


class _Weights(nn.Module):
    """The part of the class that students are given."""

    def __init__(self, channels, hidden, size):
        super().__init__()
        self.from_positions = nn.Linear(channels, size)
        self.from_state = nn.Linear(hidden, size)
        self.score = nn.Linear(size, 1)

    def scores(self, positions, state):
        seen = torch.relu(self.from_positions(positions) + self.from_state(state).unsqueeze(1))
        return self.score(seen).squeeze(2)


def _mean(alpha, positions):
    return (alpha.unsqueeze(2) * positions).sum(dim=1)


@lab.misconception(
    "SoftAttention",
    hint="The softmax runs over the images of the batch, so the weights of one image depend on the others, and"
    " alone it gets 1 everywhere. It belongs over the positions.",
)
class SoftmaxOverTheBatch(_Weights):
    def forward(self, positions, state):
        alpha = torch.softmax(self.scores(positions, state), dim=0)
        return _mean(alpha, positions), alpha


@lab.misconception(
    "SoftAttention",
    hint="All your weights are 1: the softmax runs over the last axis of (batch, positions, 1), which has one element. "
    "Take that axis away first, or use the axis of the positions.",
)
class SoftmaxOverOneElement(_Weights):
    def forward(self, positions, state):
        alpha = torch.softmax(self.scores(positions, state).unsqueeze(2), dim=2).squeeze(2)
        return _mean(alpha, positions), alpha


@lab.misconception(
    "SoftAttention",
    hint="A sigmoid weighs each position for itself, and the weights of an image do not sum to 1. With a "
    "softmax over the positions they compete.",
)
class SigmoidWeights(_Weights):
    def forward(self, positions, state):
        alpha = torch.sigmoid(self.scores(positions, state))
        return _mean(alpha, positions), alpha


@lab.misconception(
    "SoftAttention",
    hint="The scores are used as weights as they are: some are negative, and they sum to anything. A softmax over the "
    "positions makes them weights.",
)
class NoSoftmax(_Weights):
    def forward(self, positions, state):
        alpha = self.scores(positions, state)
        return _mean(alpha, positions), alpha


@lab.misconception(
    "SoftAttention",
    hint="The context is right; what you give beside it are the scores from before the softmax.",
)
class GivesTheScores(_Weights):
    def forward(self, positions, state):
        scores = self.scores(positions, state)
        return _mean(torch.softmax(scores, dim=1), positions), scores


@lab.misconception(
    "SoftAttention",
    hint="The decoder's state has no part in your weights: the model looks at the same place for every word. A"
    " relu of each part by itself does that too, as the state then adds the same to all scores: add "
    "first, then take the relu.",
)
class ForgetsTheState(_Weights):
    def forward(self, positions, state):
        scores = self.score(torch.relu(self.from_positions(positions))).squeeze(2)
        alpha = torch.softmax(scores, dim=1)
        return _mean(alpha, positions), alpha


@lab.misconception(
    "SoftAttention",
    hint="Without the relu the scores are linear, and the state moves all positions by the same amount: the "
    "softmax does not see it. The relu goes around the sum, before the last layer.",
)
class NoRelu(_Weights):
    def forward(self, positions, state):
        seen = self.from_positions(positions) + self.from_state(state).unsqueeze(1)
        alpha = torch.softmax(self.score(seen).squeeze(2), dim=1)
        return _mean(alpha, positions), alpha


@lab.misconception(
    "SoftAttention",
    hint="The weights are right. The context is their weighted sum: dividing by the number of positions as "
    "well makes it too small, because the weights sum to 1 already.",
)
class AveragesTwice(_Weights):
    def forward(self, positions, state):
        alpha = torch.softmax(self.scores(positions, state), dim=1)
        return (alpha.unsqueeze(2) * positions).mean(dim=1), alpha


@lab.misconception(
    "SoftAttention",
    hint="The weights are right. The context is made of the features themselves, not of what from_positions makes of "
    "them for comparing.",
)
class SumsTheProjection(_Weights):
    def forward(self, positions, state):
        alpha = torch.softmax(self.scores(positions, state), dim=1)
        return _mean(alpha, self.from_positions(positions)), alpha


@lab.misconception(
    "SoftAttention",
    hint="The weights are right. The sum for the context runs over the channels; it should run over the positions, and "
    "leave one number a channel.",
)
class SumsOverTheChannels(_Weights):
    def forward(self, positions, state):
        alpha = torch.softmax(self.scores(positions, state), dim=1)
        return (alpha.unsqueeze(2) * positions).sum(dim=2), alpha


@lab.exercise(
    "captionlab.captioning.attention:AdditiveAttention",
    points=1,
    minutes=8,
    difficulty=2,
    importance=3,
    rtol=1e-3,
    atol=1e-5,
)
def probe_additive_attention(AdditiveAttention, rng):
    yield from _cases(rng, AdditiveAttention)


def _attend(self, seen, positions):
    alpha = torch.softmax(self.score(seen).squeeze(2), dim=1)
    return _mean(alpha, positions), alpha


@lab.misconception("AdditiveAttention", hint="That is still the form with relu. Bahdanau's has tanh in its place.")
class StillRelu(_Weights):
    def forward(self, positions, state):
        seen = torch.relu(self.from_positions(positions) + self.from_state(state).unsqueeze(1))
        return _attend(self, seen, positions)


@lab.misconception(
    "AdditiveAttention", hint="The tanh comes after the last layer. It goes before it, where the relu was."
)
class TanhOfTheScore(_Weights):
    def forward(self, positions, state):
        seen = self.from_positions(positions) + self.from_state(state).unsqueeze(1)
        alpha = torch.softmax(torch.tanh(self.score(seen).squeeze(2)), dim=1)
        return _mean(alpha, positions), alpha


@lab.misconception(
    "AdditiveAttention",
    hint="The decoder's state has no part in your weights: the model looks at the same place for every word. A"
    " tanh of each part by itself does that too, as the state then adds the same to all scores: add "
    "first, then take the tanh.",
)
class TanhWithoutTheState(_Weights):
    def forward(self, positions, state):
        return _attend(self, torch.tanh(self.from_positions(positions)), positions)


@lab.misconception(
    "AdditiveAttention",
    hint="The softmax runs over the images of the batch. It belongs over the positions.",
)
class TanhSoftmaxOverTheBatch(_Weights):
    def forward(self, positions, state):
        seen = torch.tanh(self.from_positions(positions) + self.from_state(state).unsqueeze(1))
        alpha = torch.softmax(self.score(seen).squeeze(2), dim=0)
        return _mean(alpha, positions), alpha


@lab.exercise(
    "captionlab.captioning.attention:Gate", points=1, minutes=10, difficulty=2, importance=4, rtol=1e-3, atol=1e-5
)
def probe_gate(Gate, rng):
    hidden, channels = draw_different(rng, 3, 8, 2)
    gate = draw_weights(rng, Gate(hidden, channels), scale=2.0)
    batch = draw(rng, 2, 4)
    context, state = draw_tensor(rng, batch, channels), draw_tensor(rng, batch, hidden)
    yield f"{batch} images, {channels} channels, a state of {hidden}", run(gate, context, state)
    yield "the same context, another state", run(gate, context, draw_tensor(rng, batch, hidden))
    yield (
        "a context of zeros, then of ones",
        [run(gate, torch.zeros(1, channels), state[:1]), run(gate, torch.ones(1, channels), state[:1])],
    )
    gate = draw_weights(rng, Gate(hidden=5, channels=5), scale=2.0)
    yield "as many channels as numbers in the state", run(gate, draw_tensor(rng, 2, 5), draw_tensor(rng, 2, 5))


class _GivenGate(nn.Module):
    def __init__(self, hidden, channels):
        super().__init__()
        self.linear = nn.Linear(hidden, channels)


@lab.misconception(
    "Gate",
    hint="The context comes out as it went in: the gate is left out. It is to be multiplied by the sigmoid of "
    "the layer.",
)
class LeavesTheGateOut(_GivenGate):
    def forward(self, context, state):
        return context


@lab.misconception(
    "Gate",
    hint="The gate is not between 0 and 1: without the sigmoid it can turn the features round and make them larger.",
)
class NoSigmoid(_GivenGate):
    def forward(self, context, state):
        return self.linear(state) * context


@lab.misconception("Gate", hint="You give the gate itself. It is there to be multiplied with the context.")
class GateAlone(_GivenGate):
    def forward(self, context, state):
        return torch.sigmoid(self.linear(state))


@lab.misconception("Gate", hint="A tanh goes from -1 to 1. A gate is open (1) or closed (0) or in between: sigmoid.")
class TanhGate(_GivenGate):
    def forward(self, context, state):
        return torch.tanh(self.linear(state)) * context


@lab.misconception(
    "Gate",
    hint="The sigmoid is taken of the product. It belongs around the layer only; the context itself is not squashed.",
)
class SigmoidOfTheProduct(_GivenGate):
    def forward(self, context, state):
        return torch.sigmoid(self.linear(state) * context)


@lab.misconception(
    "Gate",
    hint="With a softmax the channels compete for a sum of 1, and each comes out tiny. Each channel has a gate of its "
    "own: sigmoid.",
)
class SoftmaxGate(_GivenGate):
    def forward(self, context, state):
        return torch.softmax(self.linear(state), dim=1) * context
