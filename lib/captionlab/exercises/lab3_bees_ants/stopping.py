"""When to stop: probe and misconceptions."""

from __future__ import annotations

import math

from captionlab.exercises.lab3_bees_ants.common import draw, lab


def _values(rng, steps):
    """Accuracies from steps of 0.01: 0 is the same value again, to the last bit."""
    level = draw(rng, 40, 60)
    values = []
    for step in steps:
        level += step
        values.append(level / 100)
    return values


def _run(stopping, values):
    """Per epoch: whether to stop, the best value, its epoch, whether it improved."""
    stops, bests, epochs, improved = [], [], [], []
    for value in values:
        stops.append(stopping.update(value))
        bests.append(stopping.best)
        epochs.append(stopping.best_epoch)
        improved.append(stopping.improved)
    return stops, bests, epochs, improved


@lab.exercise(
    "captionlab.transfer.training:EarlyStopping",
    points=2,
    minutes=20,
    difficulty=2,
    importance=4,
    student_methods=("update",),
)
def probe_early_stopping(EarlyStopping, rng):
    patience = draw(rng, 3, 4)
    rise = [draw(rng, 1, 5) for _ in range(draw(rng, 2, 3))]
    # A dip and a tie, both shorter than the patience, a new best, then nothing more.
    steps = [*rise, -draw(rng, 2, 3), 1, 4, 0, -2, 5, *[-1] * patience, -1]
    values = _values(rng, steps)
    stops, bests, epochs, improved = _run(EarlyStopping(patience), values)
    label = f"patience {patience}, values {', '.join(f'{value:.2f}' for value in values)}: "
    yield label + "whether to stop, epoch by epoch", stops
    yield label + "best", bests
    yield label + "best_epoch", epochs
    yield label + "improved", improved
    values = _values(rng, [1, *[0] * draw(rng, 3, 5)])
    stops, bests, epochs, improved = _run(EarlyStopping(patience=2), values)
    label = f"patience 2, {values[0]:.2f} {len(values)} times: whether to stop, best_epoch, improved"
    yield label, [stops, epochs, improved]
    values = [-value for value in _values(rng, [2, 3, -4, 2, -1, 5, 4])]
    label = f"patience 3, values {', '.join(f'{value:.2f}' for value in values)}: whether to stop, best, best_epoch"
    yield label, list(_run(EarlyStopping(3), values)[:3])
    values = [math.nan, *_values(rng, [3, -2, 4])]
    stops, bests, epochs, improved = _run(EarlyStopping(1), values)
    label = f"patience 1, a value that is not a number, then {', '.join(f'{value:.2f}' for value in values[1:])}: "
    yield label + "whether to stop, best_epoch, improved", [stops, epochs, improved]


@lab.misconception(
    "EarlyStopping",
    hint="A value equal to the best counts as an improvement with you, and a plateau never ends. It must be strictly "
    "higher.",
)
class AcceptsTies:
    def __init__(self, patience):
        self.patience, self.epoch, self.best, self.best_epoch, self.improved = patience, 0, -math.inf, 0, False

    def update(self, value):
        self.epoch += 1
        self.improved = value >= self.best
        if self.improved:
            self.best, self.best_epoch = value, self.epoch
        return self.epoch - self.best_epoch >= self.patience


@lab.misconception(
    "EarlyStopping",
    hint="You stop one epoch late: with a patience of 2, the second epoch in a row without improvement is the last.",
)
class StopsLate:
    def __init__(self, patience):
        self.patience, self.epoch, self.best, self.best_epoch, self.improved = patience, 0, -math.inf, 0, False

    def update(self, value):
        self.epoch += 1
        self.improved = value > self.best
        if self.improved:
            self.best, self.best_epoch = value, self.epoch
        return self.epoch - self.best_epoch > self.patience


@lab.misconception(
    "EarlyStopping",
    hint="You count all epochs without improvement; those in a row are meant. A new best starts the count again.",
)
class CountsInAll:
    def __init__(self, patience):
        self.patience, self.epoch, self.best, self.best_epoch, self.improved = patience, 0, -math.inf, 0, False
        self.without = 0

    def update(self, value):
        self.epoch += 1
        self.improved = value > self.best
        if self.improved:
            self.best, self.best_epoch = value, self.epoch
        else:
            self.without += 1
        return self.without >= self.patience


@lab.misconception(
    "EarlyStopping",
    hint="You compare with the epoch before, and the last value becomes the best. Compare with the best so far, and "
    "keep that where there is no improvement.",
)
class BestIsTheLast:
    def __init__(self, patience):
        self.patience, self.epoch, self.best, self.best_epoch, self.improved = patience, 0, -math.inf, 0, False
        self.without = 0

    def update(self, value):
        self.epoch += 1
        self.improved = value > self.best
        self.best = value
        if self.improved:
            self.best_epoch, self.without = self.epoch, 0
        else:
            self.without += 1
        return self.without >= self.patience


@lab.misconception(
    "EarlyStopping",
    hint="You treat the value as a loss: the lowest is your best. Here it is an accuracy, and higher is better.",
)
class LowerIsBetter:
    def __init__(self, patience):
        self.patience, self.epoch, self.best, self.best_epoch, self.improved = patience, 0, -math.inf, 0, False

    def update(self, value):
        self.epoch += 1
        self.improved = self.best_epoch == 0 or value < self.best
        if self.improved:
            self.best, self.best_epoch = value, self.epoch
        return self.epoch - self.best_epoch >= self.patience


@lab.misconception(
    "EarlyStopping",
    hint="`improved` stays True after the first improvement; it says whether the last epoch was one. A checkpoint "
    "would be overwritten with worse weights.",
)
class StaysImproved:
    def __init__(self, patience):
        self.patience, self.epoch, self.best, self.best_epoch, self.improved = patience, 0, -math.inf, 0, False

    def update(self, value):
        self.epoch += 1
        if value > self.best:
            self.best, self.best_epoch, self.improved = value, self.epoch, True
        return self.epoch - self.best_epoch >= self.patience


@lab.misconception(
    "EarlyStopping",
    hint="Your epochs start with 0: the first call of update is epoch 1. Count first, compare then.",
)
class CountsFromZero:
    def __init__(self, patience):
        self.patience, self.epoch, self.best, self.best_epoch, self.improved = patience, 0, -math.inf, 0, False
        self.without = 0

    def update(self, value):
        self.improved = value > self.best
        if self.improved:
            self.best, self.best_epoch, self.without = value, self.epoch, 0
        else:
            self.without += 1
        self.epoch += 1
        return self.without >= self.patience
