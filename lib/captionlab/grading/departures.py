"""Where an answer departs from the reference, and which known mistakes explain it.

Real answers seldom hold one mistake alone: a first draft also lacks its error handling, or mixes two slips. So a
misconception is recognized by what it explains, not only where every observation equals its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import Any

import numpy as np

from captionlab.grading.comparison import compare, is_error
from captionlab.grading.exercise import Exercise
from captionlab.grading.observation import GLOBAL_LOCK, Observation, ProbeResult, cases, plain

Departures = dict[int, Observation]  # by the position of the check: what the implementation gave instead

MIN_OVERLAP = 0.6  # share of the departures of an answer or a misconception in which both agree
MIN_EXPLAINED = 0.5  # share of an answer's departures that the misconceptions named must explain
MAX_NAMED = 3


def find_departures(exercise: Exercise, reference: ProbeResult, result: ProbeResult) -> Departures:
    """The checks in which a result differs from the reference's; an exception stands at the check it ended."""
    pairs = enumerate(zip(reference.observations, result.observations, strict=False))
    found = {at: other for at, (one, other) in pairs if compare(exercise, one, other)}
    end = len(result.observations)
    if end < len(reference.observations):
        kind = result.exception.type_name if result.exception else "nothing"
        unusable = result.exception.unusable if result.exception else ""
        value = f"returns {unusable}" if unusable else f"raises {kind}"
        found[end] = Observation(reference.observations[end].label, value)
    elif end > len(reference.observations):
        found[len(reference.observations)] = result.observations[len(reference.observations)]
    return found


def explaining(
    exercise: Exercise, reference: ProbeResult, known: Iterable[tuple[str, Departures]], found: Departures, end: int
) -> tuple[list[str], set[int]]:
    """The misconceptions that explain an answer.

    A misconception applies if the answer shares all of its departures that were observed, or at least 0.6 of the
    departures of both. Those that apply must explain at least half of the answer's departures together.

    Args:
        exercise: that is answered.
        reference: what was observed of the right implementation.
        known: name and departures of each misconception; a name may occur more than once.
        found: the answer's departures.
        end: number of checks observed of the answer.

    Returns:
        names, the one that explains most first, and the positions that they explain.
    """
    applying: list[tuple[float, str, set[int]]] = []
    for name, departures in known:
        if not departures:
            continue
        shared = {at for at in found.keys() & departures.keys() if _agree(exercise, reference, at, departures, found)}
        seen = [at for at in departures if at <= end]
        is_whole = len(shared) == len(seen) and 2 * len(seen) >= len(departures)
        overlap = len(shared) / len(found.keys() | set(seen))
        if shared and (overlap >= MIN_OVERLAP or is_whole) and _is_telling(reference, departures, shared, overlap):
            applying.append((overlap, name, shared))
    names: list[str] = []
    explained: set[int] = set()
    for _, name, shared in sorted(applying, key=lambda one: -one[0]):
        if shared - explained and len(names) < MAX_NAMED:
            names.append(name)
            explained |= shared
    return (names, explained) if len(explained) >= MIN_EXPLAINED * len(found) else ([], set())


def _agree(exercise: Exercise, reference: ProbeResult, at: int, one: Departures, other: Departures) -> bool:
    """Whether two answers depart in the same way; where an error is expected, returning any value is one way."""
    wants_error = at < len(reference.observations) and is_error(reference.observations[at].value)
    if wants_error and not is_error(one[at].value) and not is_error(other[at].value):
        return True
    return compare(exercise, one[at], other[at]) is None


def _is_telling(reference: ProbeResult, departures: Departures, shared: set[int], overlap: float) -> bool:
    """Whether the agreement is no coincidence: a single boolean or small number is shared by many mistakes."""
    expected = reference.observations
    lacks_error = any(at < len(expected) and is_error(expected[at].value) for at in shared)
    return overlap == 1 or len(shared) > 2 or lacks_error or any(_is_rich(departures[at].value) for at in shared)


def _is_rich(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.size > 1
    if isinstance(value, (list, tuple)):
        return len(value) > 2 or any(map(_is_rich, value))
    if isinstance(value, float):
        return not value.is_integer()
    return isinstance(value, int) and abs(value) > 9 and not isinstance(value, bool)


def departs(exercise: Exercise, expected: ProbeResult, implementation: Any, seed: int) -> bool:
    """Whether an implementation is not right; its probe runs no further than to the first difference.

    Args:
        exercise: whose probe is run.
        expected: what it observes of the reference, or of another implementation, on the same seed.
        implementation: what the probe calls, in this process and without a time limit.
        seed: of the generator the probe draws inputs from.
    """
    try:
        with GLOBAL_LOCK, closing(cases(exercise, implementation, seed)) as observed:
            for one in expected.observations:
                label, value, *_ = next(observed)
                if compare(exercise, one, Observation(str(label), plain(value))):
                    return True
            return next(observed, None) is not None
    except KeyboardInterrupt:
        raise
    except BaseException:  # what observing it would have ended with, exit() among it
        return True
