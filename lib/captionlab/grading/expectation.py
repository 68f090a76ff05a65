"""What an exercise's probe observes of the right implementation, of the misconceptions and of trivial answers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import cached_property, lru_cache
from typing import Any

from captionlab.grading.comparison import compare, matches
from captionlab.grading.departures import Departures, find_departures
from captionlab.grading.exercise import Exercise
from captionlab.grading.observation import GLOBAL_LOCK, Observation, ProbeResult, observe

TRIVIAL_ANSWERS: tuple[Callable, ...] = (
    lambda *args, **kwargs: None,
    lambda *args, **kwargs: 0,
    lambda *args, **kwargs: 1,
    lambda *args, **kwargs: True,
    lambda *args, **kwargs: (args or tuple(kwargs.values()))[0],
)


class Expectation:
    """Results of an exercise's probe on one seed; each is computed when it is first needed."""

    def __init__(self, exercise: Exercise, seed: int) -> None:
        self.exercise = exercise
        self.seed = seed

    def _observe(self, implementation: Any) -> ProbeResult:
        with GLOBAL_LOCK, warnings.catch_warnings():  # those of misconceptions are nobody's concern
            warnings.simplefilter("ignore")
            return observe(self.exercise, implementation, self.seed)

    @cached_property
    def reference(self) -> ProbeResult:
        """Of the right implementation.

        Raises:
            RuntimeError: if it fails its own probe, a mistake in the exercise.
        """
        result = self._observe(self.exercise.load_reference())
        if result.exception or not result.observations:
            raise RuntimeError(f"the reference of {self.exercise.name} fails its own probe: {result.exception}")
        return result

    @cached_property
    def misconceptions(self) -> dict[str, ProbeResult]:
        """Of each misconception, by its name."""
        known = self.exercise.misconceptions
        return {name: self._observe(known[name].implementation) for name in known}

    @cached_property
    def other_spellings(self) -> dict[str, ProbeResult]:
        """Of each other spelling of a misconception, by its name."""
        known = self.exercise.other_spellings
        return {name: self._observe(known[name][1].implementation) for name in known}

    @cached_property
    def departures(self) -> list[tuple[str, Departures]]:
        """Name of each misconception, and where it departs from the reference; once for each of its spellings."""
        spelled = [(name, result) for name, result in self.misconceptions.items()]
        spelled += [(self.exercise.other_spellings[name][0], one) for name, one in self.other_spellings.items()]
        return [
            (name, find_departures(self.exercise, self.reference, one)) for name, one in spelled if one.observations
        ]

    @cached_property
    def free_checks(self) -> tuple[int, ...]:
        """Positions of the checks that the best answer without any work gets right."""
        answers = [self._observe(trivial) for trivial in TRIVIAL_ANSWERS]
        if self.exercise.starter:
            answers.append(self.misconceptions[self.exercise.starter])
        answers.append(self._best_constant())
        return max((tuple(matches(self.exercise, self.reference, one)) for one in answers), key=self.weight)

    def weight(self, positions: Iterable[int]) -> float:
        """Weight of some checks."""
        return sum(self.reference.observations[position].weight for position in positions)

    def _best_constant(self) -> ProbeResult:
        """The best constant answer: the most frequent expected value, given everywhere; it changes no argument."""
        *expected, arguments = self.reference.observations

        def gain(value: Any) -> float:
            same = [one for one in expected if compare(self.exercise, one, Observation(one.label, value)) is None]
            return sum(one.weight for one in same)

        best = max((one.value for one in expected), key=gain)
        return ProbeResult((*(Observation(one.label, best) for one in expected), arguments))


@lru_cache(maxsize=512)
def expect(exercise: Exercise, seed: int) -> Expectation:
    """The expectation of an exercise on a seed; cached, as the public seed serves every student."""
    return Expectation(exercise, seed)
