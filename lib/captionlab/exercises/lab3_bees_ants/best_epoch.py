"""Find the bug: a training loop that keeps the wrong epoch. Probe, the code it starts from, other misconceptions."""

from __future__ import annotations

import math

import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_different
from captionlab.exercises.lab3_bees_ants.common import lab, statistics, weights


class _Stopping:
    """A correct `EarlyStopping`: the student may not have solved that exercise yet."""

    def __init__(self, patience: int):
        self.patience, self.epoch, self.best, self.best_epoch, self.improved = patience, 0, -math.inf, 0, False

    def update(self, value: float) -> bool:
        self.epoch += 1
        self.improved = value > self.best
        if self.improved:
            self.best, self.best_epoch = value, self.epoch
        return self.epoch - self.best_epoch >= self.patience


class _Model(nn.Sequential):
    """A linear layer and a batch normalization; it records whether a state was loaded."""

    def __init__(self):
        super().__init__(nn.Linear(2, 2), nn.BatchNorm1d(2))
        self.is_loaded = False

    def load_state_dict(self, *args, **kwargs):
        self.is_loaded = True
        return super().load_state_dict(*args, **kwargs)


class _Run:
    """A training run with given losses and accuracies for each epoch; it records what was called in which order.

    In epoch e the model's weights become e, and its batch statistics e + 0.5.
    """

    def __init__(self, losses: list[float], accuracies: list[float]):
        self.model = _Model()
        self.losses, self.accuracies, self.epoch = losses, accuracies, 0
        self.called: list[str] = []
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
    """A run with accuracies in hundredths; the training loss falls until the last epoch, which is a little higher."""
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
    def result(run, patience, epochs):
        stopping = _Stopping(patience)
        history = train_and_keep_best(run.model, run.train_epoch, run.validate, stopping, epochs)
        return [[float(value) for value in pair] for pair in history]

    level = draw(rng, 40, 60)
    run = _drawn(rng, [level, level + 2])
    history = result(run, 2, 2)
    yield "2 epochs: the history, losses and accuracies", history
    accuracies = [level, level + 3, level + 9, level + 7, level + 8, level + 2]
    run = _drawn(rng, accuracies)
    history = result(run, 10, 6)
    case = f"6 epochs, validation accuracies {', '.join(f'{value / 100:.2f}' for value in accuracies)}: "
    yield case + "the model's weights afterwards are those after", _held(run, 3), 6
    yield case + "its batch statistics (those after epoch e are e + 0.5)", statistics(run.model), 6
    yield case + "the history", history, 3
    yield case + "what was called, in order", run.called, 2
    run = _drawn(rng, [level + 4, level + 6, level + 1, level + 5, level + 9, level + 9])
    history = result(run, 2, 6)
    yield "a patience of 2 that runs out: what was called, in order", run.called, 4
    yield "a patience of 2 that runs out: the history", history, 4
    yield "a patience of 2 that runs out: the model's weights are those after", _held(run, 2), 2
    run = _drawn(rng, [level, level + 5, level + 5, level + 3])
    result(run, 4, 4)
    yield "two epochs that are equally good: the model's weights are those after", _held(run, 2), 3
    run = _drawn(rng, [level, level + 2, level + 4])
    result(run, 3, 3)
    yield "the last epoch is the best: weights and statistics", [weights(run.model), statistics(run.model)]
    run = _drawn(rng, [level])
    yield "no epoch at all: history and weights", [result(run, 3, 0), weights(run.model)]
    run = _Run([0.5, 0.4], [math.nan, math.nan])
    result(run, 3, 2)
    yield (
        "2 epochs without an accuracy (nan), so no improvement: weights and statistics",
        [
            weights(run.model),
            statistics(run.model),
        ],
    )


def _held(run: _Run, best: int) -> str:
    """After which epoch the model had the weights that it has now, and if it is not the best, whether any were loaded.

    An answer may also copy the weights by itself, so a right one says nothing of how.
    """
    values = sorted(set(weights(run.model).tolist()))
    held = f"epoch {values[0]:g}" if len(values) == 1 else "no epoch"
    return held + ("" if held == f"epoch {best}" or run.model.is_loaded else "; load_state_dict was never called")


@lab.misconception(
    "train_and_keep_best",
    hint="The model is left as it was after its last epoch, as with the code you were given. What does "
    "`state_dict()` hold after the next epoch: is it a copy? And which number says which epoch is best: "
    "what keeps falling while the network memorizes the training images?",
)
def leaves_the_last_epoch(model, train_epoch, validate, early_stopping, max_epochs):
    lowest, best, history = math.inf, model.state_dict(), []
    for _ in range(max_epochs):
        loss, accuracy = train_epoch(), validate()
        history.append((loss, accuracy))
        if loss < lowest:
            lowest, best = loss, model.state_dict()
        if early_stopping.update(accuracy):
            break
    model.load_state_dict(best)
    return history


lab.misconceptions(
    "train_and_keep_best",
    by_training_loss=(
        "You keep the epoch with the lowest training loss. It keeps falling even when the network only "
        "memorizes the training images: the validation accuracy decides.",
        {"if early_stopping.improved": "if loss == min(history)[0]"},
    ),
    parameters_only=(
        "The batch normalization statistics are those of the last epoch, not of the best one. They are "
        "buffers, not parameters; `state_dict()` has both.",
        {
            "model.load_state_dict(best)": "best = {name: best[name] for name, _ in model.named_parameters()}\n"
            "    model.load_state_dict(best, strict=False)"
        },
    ),
    never_stops=(
        "You do not use what `early_stopping.update` returns: all epochs are run. End the loop when it is True.",
        {"if stop:": ""},
    ),
    keeps_the_later_of_two=(
        "Of two equally good epochs you keep the later one. The first one counts: check `early_stopping.improved`.",
        {"early_stopping.improved": "accuracy == early_stopping.best"},
    ),
    leaves_the_stopping_epoch_out=(
        "The epoch after which training stops is missing from the history: it was run, so append it before you stop.",
        {"history.append": "", "break": "break\n        history.append((loss, accuracy))"},
    ),
    validates_first=(
        "You validate before the epoch's training, so each accuracy is that of the previous epoch. Train first.",
        {"loss = train_epoch()": "", "accuracy = validate()": "accuracy = validate()\n        loss = train_epoch()"},
    ),
    never_restores=(
        "The model is left as it was after its last epoch, because nothing is loaded into it: assigning to "
        "the name `model` or `best` changes no weights. Which method of a module takes a state_dict?",
        {"model.load_state_dict(best)": ""},
    ),
    accuracy_first=(
        "The pairs of your history are the wrong way round: the training loss comes first, then the accuracy.",
        {"history.append((loss, accuracy))": "history.append((accuracy, loss))"},
    ),
    start_not_copied=(
        "If no epoch is an improvement, the model should be as it was at the start; your first `best` is not "
        "a copy, so training changes it. Copy it too.",
        {"copy.deepcopy(model.state_dict())  # state_dict() itself": "model.state_dict()  # state_dict() itself"},
    ),
    stops_by_the_loss=(
        "You pass the training loss to `early_stopping`; the validation accuracy decides.",
        {"early_stopping.update(accuracy)": "early_stopping.update(loss)"},
    ),
    keeps_the_first_epoch=(
        "The model is set back to its start: you keep only the copy made before training. Copy again after each "
        "improvement.",
        {"if early_stopping.improved": ""},
    ),
)

lab.other_spellings(
    "train_and_keep_best",
    never_stops=[{"stop = early_stopping.update(accuracy)": "stop, _ = False, early_stopping.update(accuracy)"}],
    never_restores=[{"model.load_state_dict(best)": "model = best"}],
)
