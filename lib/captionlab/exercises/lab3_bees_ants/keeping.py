"""Find the bug: a training loop that keeps the wrong epoch. Probe, the code it starts from, other misconceptions."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

from captionlab.exercises.lab3_bees_ants.common import draw, draw_different, lab, statistics, weights


class _Stopping:
    """A right `EarlyStopping`: the exercise before it may still be open."""

    def __init__(self, patience: int):
        self.patience, self.epoch, self.best, self.best_epoch, self.improved = patience, 0, -math.inf, 0, False

    def update(self, value: float) -> bool:
        self.epoch += 1
        self.improved = value > self.best
        if self.improved:
            self.best, self.best_epoch = value, self.epoch
        return self.epoch - self.best_epoch >= self.patience


class _Run:
    """A training that was written down beforehand: losses and accuracies, epoch by epoch, and what was called when.

    In epoch e the model's weights become e, and the statistics of its batch normalization e + 0.5.
    """

    def __init__(self, losses: list[float], accuracies: list[float]):
        self.model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        self.losses, self.accuracies, self.epoch, self.called = losses, accuracies, 0, []
        self._fill()

    def _fill(self):
        with torch.no_grad():
            for parameter in self.model.parameters():
                parameter.fill_(self.epoch)
            for buffer in self.model.buffers():
                buffer.fill_(self.epoch + 0.5 if buffer.is_floating_point() else self.epoch)

    def train_epoch(self) -> float:
        self.epoch += 1
        self.called.append("training")
        self._fill()
        return self.losses[self.epoch - 1]

    def validate(self) -> float:
        self.called.append("validation")
        return self.accuracies[self.epoch - 1] if self.epoch else 0.0


def _drawn(rng, accuracies: list[int]) -> _Run:
    """Accuracies in hundredths; the training loss falls, but for the last epoch, after which it is a little higher."""
    losses = sorted(draw_different(rng, 20, 90, len(accuracies)), reverse=True)
    losses[-2:] = losses[:-3:-1]
    return _Run([loss / 100 for loss in losses], [accuracy / 100 for accuracy in accuracies])


@lab.exercise(
    "captionlab.transfer.training:train_and_keep_best",
    points=3,
    minutes=25,
    difficulty=3,
    importance=5,
    starter="leaves_the_last_epoch",
)
def probe_train_and_keep_best(train_and_keep_best, rng):
    def case(run, patience, epochs):
        stopping = _Stopping(patience)
        history = train_and_keep_best(run.model, run.train_epoch, run.validate, stopping, epochs)
        return [[float(value) for value in pair] for pair in history], weights(run.model), statistics(run.model)

    level = draw(rng, 40, 60)
    accuracies = [level, level + 3, level + 9, level + 7, level + 8, level + 2]
    run = _drawn(rng, accuracies)
    history, kept, measured = case(run, 10, 6)
    label = f"6 epochs, validation accuracies {', '.join(f'{value / 100:.2f}' for value in accuracies)}: "
    yield label + "the weights afterwards (those after epoch e are all e)", kept
    yield label + "the statistics of its batch normalization (those after epoch e are e + 0.5)", measured
    yield label + "the history", history
    yield label + "what was called, in order", run.called
    run = _drawn(rng, [level + 4, level + 6, level + 1, level + 5, level + 9, level + 9])
    yield "no better epoch for 2 in a row: history, weights, what was called", [*case(run, 2, 6)[:2], run.called]
    run = _drawn(rng, [level, level + 5, level + 5, level + 3])
    yield "two epochs that are equally good: weights", case(run, 4, 4)[1]
    run = _drawn(rng, [level, level + 2, level + 4])
    yield "the last epoch is the best: weights and statistics", list(case(run, 3, 3)[1:])
    run = _drawn(rng, [level])
    yield "no epoch at all: history and weights", list(case(run, 3, 0)[:2])


def _trained(model, train_epoch, validate, stopping, epochs, keep=copy.deepcopy, worth=None, stops=True):
    """The right loop, in a form that misconceptions change in one place."""
    history, best, top = [], keep(model.state_dict()), -math.inf
    for _ in range(epochs):
        history.append((train_epoch(), validate()))
        stop = stopping.update(history[-1][1])
        value = worth(*history[-1]) if worth else None
        if stopping.improved if value is None else value >= top:
            best, top = keep(model.state_dict()), value
        if stop and stops:
            break
    model.load_state_dict(best, strict=False)
    return history


@lab.misconception(
    "train_and_keep_best",
    hint="The model is left as it was after its last epoch, as by the code you were given. What does `state_dict()` "
    "hold after the next epoch: is it a copy? And which number says that an epoch is the best one: what falls while "
    "the training images are learnt by heart?",
)
def leaves_the_last_epoch(model, train_epoch, validate, stopping, epochs):
    lowest, best, history = math.inf, model.state_dict(), []
    for _ in range(epochs):
        loss, accuracy = train_epoch(), validate()
        history.append((loss, accuracy))
        if loss < lowest:
            lowest, best = loss, model.state_dict()
        if stopping.update(accuracy):
            break
    model.load_state_dict(best)
    return history


@lab.misconception(
    "train_and_keep_best",
    hint="You keep copies, but of the epoch with the lowest training loss. It falls and falls, also where the "
    "network only learns the training images by heart: the validation accuracy decides.",
)
def by_training_loss(model, train_epoch, validate, stopping, epochs):
    return _trained(model, train_epoch, validate, stopping, epochs, worth=lambda loss, accuracy: -loss)


@lab.misconception(
    "train_and_keep_best",
    hint="The parameters are those of the best epoch, but the statistics of batch normalization are those of the last "
    "one. They are buffers, no parameters; `state_dict()` has both.",
)
def parameters_only(model, train_epoch, validate, stopping, epochs):
    def keep(state):
        return {name: state[name].clone() for name, _ in model.named_parameters()}

    return _trained(model, train_epoch, validate, stopping, epochs, keep=keep)


@lab.misconception(
    "train_and_keep_best",
    hint="What `stopping.update` returns is not used: all epochs are run. End the loop where it is True.",
)
def never_stops(model, train_epoch, validate, stopping, epochs):
    return _trained(model, train_epoch, validate, stopping, epochs, stops=False)


@lab.misconception(
    "train_and_keep_best",
    hint="Of two epochs that are equally good you keep the later one. The first one counts: ask `stopping.improved`.",
)
def keeps_the_later_of_two(model, train_epoch, validate, stopping, epochs):
    return _trained(model, train_epoch, validate, stopping, epochs, worth=lambda loss, accuracy: accuracy)


@lab.misconception(
    "train_and_keep_best",
    hint="The epoch after which training stops is missing in the history: it was run, so note it before you stop.",
)
def leaves_the_stopping_epoch_out(model, train_epoch, validate, stopping, epochs):
    history = _trained(model, train_epoch, validate, stopping, epochs)
    return history[:-1] if len(history) < epochs else history


@lab.misconception(
    "train_and_keep_best",
    hint="You validate before the epoch's training, so each accuracy is that of the epoch before. Train first.",
)
def validates_first(model, train_epoch, validate, stopping, epochs):
    accuracies = []

    def train():
        accuracies.append(validate())
        return train_epoch()

    return _trained(model, train, lambda: accuracies[-1], stopping, epochs)
