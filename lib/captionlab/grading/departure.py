"""Whether an implementation departs from the reference: the answer only, as soon as it is known."""

from __future__ import annotations

from typing import Any

from captionlab.grading.comparison import compare
from captionlab.grading.exercise import Exercise
from captionlab.grading.observation import Observation, ProbeResult, cases, plain


def departs(exercise: Exercise, expected: ProbeResult, implementation: Any, seed: int) -> bool:
    """Whether an implementation is not right; its probe runs no further than to the first difference.

    Args:
        exercise: whose probe is run.
        expected: what it observes of the reference on the same seed.
        implementation: what the probe calls, in this process and without a time limit.
        seed: of the generator the probe draws inputs from.
    """
    observed = cases(exercise, implementation, seed)
    try:
        for one in expected.observations:
            label, value, *_ = next(observed)
            if compare(exercise, one, Observation(str(label), plain(value))):
                return True
        return next(observed, None) is not None
    except KeyboardInterrupt:
        raise
    except BaseException:  # what observing it would have ended with, exit() among it
        return True
