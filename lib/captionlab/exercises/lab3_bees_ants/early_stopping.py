"""When to stop: probe and misconceptions."""

from __future__ import annotations

import math

from captionlab.exercises.drawing import draw
from captionlab.exercises.lab3_bees_ants.common import lab


def _values(rng, steps):
    """Accuracies that change by steps of 0.01: after a step of 0 the value is the same to the last bit."""
    level = draw(rng, 40, 60)
    values = []
    for step in steps:
        level += step
        values.append(level / 100)
    return values


def _run(stopping, values):
    """For each epoch: whether to stop, the best value, its epoch, whether it improved."""
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
    # A dip and a tie, both shorter than the patience, a new best, then no improvement any more.
    steps = [*rise, -draw(rng, 2, 3), 1, 4, 0, -2, 5, *[-1] * patience, -1]
    values = _values(rng, steps)
    stops, bests, epochs, improved = _run(EarlyStopping(patience), values)
    case = f"patience {patience}, values {', '.join(f'{value:.2f}' for value in values)}: "
    yield case + "whether to stop, epoch by epoch", stops
    yield case + "best", bests
    yield case + "best_epoch", epochs
    yield case + "improved", improved
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


COUNTER = {"self.improved = False": "self.improved = False\n        self.waited = 0"}

lab.misconceptions(
    "EarlyStopping",
    accepts_ties=(
        "You count a value equal to the best as an improvement, so training never stops on a plateau. It must be "
        "strictly higher.",
        {"value > self.best": "value >= self.best"},
    ),
    stops_late=(
        "You stop one epoch late: with a patience of 2, the second consecutive epoch without improvement is the last.",
        {">= self.patience": "> self.patience"},
    ),
    counts_in_total=(
        "You count all epochs without improvement; only consecutive ones matter. A new best restarts the count.",
        {
            **COUNTER,
            "return self.epoch - self.best_epoch": "self.waited += not self.improved\n        return self.waited",
        },
    ),
    best_is_the_last=(
        "You compare with the previous epoch: the last value becomes the best. Compare with the best so far, and keep "
        "that if there is no improvement.",
        {"self.best, self.best_epoch = value, self.epoch": "self.best_epoch = self.epoch\n        self.best = value"},
    ),
    lower_is_better=(
        "You treat the value as a loss: your best is the lowest. Here it is an accuracy, and higher is better.",
        {"value > self.best": "self.best_epoch == 0 or value < self.best"},
    ),
    stays_improved=(
        "`improved` stays True after the first improvement; it should say whether the last epoch was one. A checkpoint "
        "would be overwritten with worse weights.",
        {"self.improved = value": "self.improved = self.improved or value", "if self.improved": "if value > self.best"},
    ),
    counts_from_zero=(
        "Your epochs start at 0: the first call of update is epoch 1. Count first, then compare.",
        {
            **COUNTER,
            "self.epoch += 1": "",
            "return self.epoch - self.best_epoch": "self.waited = 0 if self.improved else self.waited + 1\n"
            "        self.epoch += 1\n"
            "        return self.waited",
        },
    ),
)
