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
    """For each epoch: whether to stop, the best value, its epoch, whether it improved, and the number of epochs."""
    seen = []
    for value in values:
        stop = stopping.update(value)
        seen.append((stop, stopping.best, stopping.best_epoch, stopping.improved, stopping.epoch))
    return [list(each) for each in zip(*seen, strict=True)]


@lab.exercise(
    "captionlab.transfer.training:EarlyStopping",
    points=2,
    minutes=20,
    difficulty=2,
    importance=4,
    student_methods=("update",),
)
def probe_early_stopping(EarlyStopping, rng):
    values = _values(rng, [1, *[0] * draw(rng, 3, 5)])
    stops, bests, epochs, improved, _ = _run(EarlyStopping(patience=2), values)
    case = f"patience 2, {values[0]:.2f} {len(values)} times: "
    yield case + "whether to stop, epoch by epoch", stops, 3
    yield case + "best_epoch", epochs
    yield case + "improved", improved, 2
    patience = draw(rng, 3, 4)
    rise = [draw(rng, 1, 5) for _ in range(draw(rng, 2, 3))]
    # A dip and a tie, both shorter than the patience, a new best, then no improvement any more.
    steps = [*rise, -draw(rng, 2, 3), 1, 4, 0, -2, 5, *[-1] * patience, -1]
    values = _values(rng, steps)
    stops, bests, epochs, improved, counts = _run(EarlyStopping(patience), values)
    case = f"patience {patience}, values {', '.join(f'{value:.2f}' for value in values)}: "
    yield case + "whether to stop, epoch by epoch", stops, 6
    yield case + "best", bests, 3
    yield case + "best_epoch", epochs, 6
    yield case + "improved", improved, 6
    yield case + "epoch", counts
    values = [-value for value in _values(rng, [2, 3, -4, 2, -1, 5, 4])]
    stops, bests, epochs, *_ = _run(EarlyStopping(3), values)
    case = f"patience 3, values {', '.join(f'{value:.2f}' for value in values)}: "
    yield case + "whether to stop, epoch by epoch", stops, 3
    yield case + "best", bests
    yield case + "best_epoch", epochs
    values = [math.nan, *_values(rng, [3, -2, 4])]
    stops, bests, epochs, improved, _ = _run(EarlyStopping(1), values)
    case = f"patience 1, a value that is not a number, then {', '.join(f'{value:.2f}' for value in values[1:])}: "
    yield case + "whether to stop, best_epoch, improved", [stops, epochs, improved]


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
    stops_early=(
        "You stop one epoch too early: with a patience of 2, the second consecutive epoch without improvement is the "
        "last, not the first.",
        {">= self.patience": ">= self.patience - 1"},
    ),
    best_epoch_stays=(
        "You do not record the epoch of the best value: best_epoch must change together with best.",
        {"self.best, self.best_epoch = value, self.epoch": "self.best = value"},
    ),
    says_to_go_on=(
        "Your result is inverted: True means that training should stop.",
        {"self.epoch - self.best_epoch >= self.patience": "self.epoch - self.best_epoch < self.patience"},
    ),
    stops_without_improvement=(
        "You stop at the first epoch without improvement, whatever the patience is.",
        {"self.epoch - self.best_epoch >= self.patience": "not self.improved"},
    ),
    first_epoch_always_improves=(
        "A value that is not a number (nan) is never an improvement, not even in the first epoch: afterwards no value "
        "would be higher than nan.",
        {"value > self.best": "self.epoch == 1 or value > self.best"},
    ),
    never_improved=(
        "`improved` never becomes True: it says whether the last epoch was an improvement.",
        {"self.improved = value": "improved = value", "if self.improved": "if improved"},
    ),
    counts_exactly=(
        "You stop only in the one epoch in which the patience runs out: one epoch later your result is False "
        "again. It must stay True.",
        {">= self.patience": "== self.patience"},
    ),
)

lab.other_spellings(
    "EarlyStopping",
    counts_in_total=[
        {
            **COUNTER,
            "self.improved = value > self.best": "improved = value > self.best",
            "if self.improved": "if improved",
            "self.best, self.best_epoch = value, self.epoch": "self.improved = True\n"
            "            self.best, self.best_epoch = value, self.epoch\n"
            "        else:\n"
            "            self.waited += 1",
            "return self.epoch - self.best_epoch": "return self.waited",
        }
    ],
    stays_improved=[
        {
            "self.improved = value > self.best": "",
            "if self.improved": "if value > self.best",
            "self.best, self.best_epoch = value, self.epoch": "self.improved = True\n"
            "            self.best, self.best_epoch = value, self.epoch",
        }
    ],
    best_is_the_last=[
        {
            "self.improved = value > self.best": "self.improved = value > getattr(self, 'last', -math.inf)\n"
            "        self.last = value"
        }
    ],
)
