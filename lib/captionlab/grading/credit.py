"""Partial credit: the share of an exercise's points that a partly right answer earns.

A policy is any function of :class:`CheckResults`. A lab sets the default of its exercises, an exercise its own::

    lab = Lab("lab1_vgg16", title="VGG16", package=__name__, credit=all_or_nothing)

    @lab.exercise("captionlab.convnets.arithmetic:conv_output_size", points=2, minutes=10, credit=squared_share)
    def probe_conv_output_size(conv_output_size, rng): ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class CheckResults:
    """How an answer did on the checks of an exercise.

    Attributes:
        labels: the checks, in the order of the probe.
        correct: for each check, whether the answer is right.
        free: the weight of the checks that an answer without any work gets right (None, a constant, its first
            argument, the code that a find-the-bug exercise starts from).
        weights: of the checks; by default 1 each.
    """

    labels: tuple[str, ...]
    correct: tuple[bool, ...]
    free: float
    weights: tuple[float, ...] = ()

    @property
    def total(self) -> float:
        """Weight of all checks."""
        return sum(self.weights) if self.weights else len(self.labels)

    @property
    def earned(self) -> float:
        """Weight of the checks that are right."""
        weights = self.weights or (1,) * len(self.correct)
        return sum(weight for weight, is_correct in zip(weights, self.correct, strict=True) if is_correct)


CreditPolicy = Callable[[CheckResults], float]


def beyond_free_credit(results: CheckResults) -> float:
    """Share of the checks that are right, not counting as many as an answer without any work gets right.

    >>> beyond_free_credit(CheckResults(("a", "b", "c", "d"), (True, True, True, False), free=2))
    0.5
    >>> beyond_free_credit(CheckResults(("shape", "values"), (True, False), free=0, weights=(1, 3)))
    0.25
    """
    counted = results.total - results.free
    return max(0.0, results.earned - results.free) / counted if counted > 0 else 0.0


def squared_share(results: CheckResults) -> float:
    """The square of that share, the default: an edge costs little, and half of the checks are no half of the task.

    >>> squared_share(CheckResults(("a", "b", "c", "d"), (True, True, True, False), free=2))
    0.25
    >>> share = squared_share(CheckResults(("the point", "an edge"), (True, False), free=0, weights=(9, 1)))
    >>> round(share, 2)
    0.81
    """
    return beyond_free_credit(results) ** 2


def all_or_nothing(results: CheckResults) -> float:
    """No partial credit.

    >>> all_or_nothing(CheckResults(("a", "b"), (True, False), free=0))
    0.0
    """
    return 0.0
