"""Mistakes that show in how a result relates to the expected one, whatever the exercise is.

No misconception has to foresee them: a result that is the expected one transposed, negated or twice as large says
what went wrong. The texts name no expected value, so they may be shown for hidden seeds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from captionlab.grading.comparison import is_error, standard_error
from captionlab.grading.departures import Departures
from captionlab.grading.exercise import Exercise
from captionlab.grading.observation import ProbeResult
from captionlab.grading.watching import ARGUMENTS, CHANGED

MAX_AXES = 5  # permutations of more axes are not tried
MIN_NUMBERS = 3  # that must share a factor or an offset
SMALLEST = 1e-4  # below, numbers are noise whose ratios say nothing
FACTORS = {2: "twice", 0.5: "half", 100: "100 times", 0.01: "a hundredth of", 255: "255 times", 1 / 255: "1/255 of"}

FACTOR_VARIES = (
    "Your values are the expected ones times a number that changes from case to case: look for a sum where a mean is "
    "asked for (or the other way round), or a division too many or too few."
)
CHANGES_ARGUMENTS = (
    "Your function changes one of its arguments in place, so the caller's data are not what they were. Work on a "
    "copy, or use operations that return a new value."
)


@dataclass(frozen=True)
class Pair:
    """What was expected at one place and what came instead, within an exercise's tolerances."""

    expected: Any
    got: Any
    exercise: Exercise

    def is_close(self, one: Any, other: Any) -> bool:
        """Whether two arrays have the same shape and values."""
        one, other = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
        rtol, atol = self.exercise.rtol, self.exercise.atol
        return one.shape == other.shape and bool(np.isclose(one, other, rtol=rtol, atol=atol, equal_nan=True).all())

    @property
    def arrays(self) -> bool:
        """Whether both are arrays of numbers, or lists of numbers."""
        return all(isinstance(one, np.ndarray) and one.size > 1 for one in (self.expected, self.got))

    @property
    def numbers(self) -> bool:
        """Whether both are numbers, or arrays of one shape."""
        scalars = all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in (self.expected, self.got))
        return scalars or (self.arrays and self.expected.shape == self.got.shape)


def hints_from_relations(
    exercise: Exercise, reference: ProbeResult, found: Departures, explained: set[int]
) -> list[str]:
    """Hints for the departures that no misconception explains, the most telling first.

    Args:
        exercise: that is answered.
        reference: what was observed of the right implementation.
        found: where the answer departs from it.
        explained: positions that need no further hint.
    """
    expected = dict(enumerate(reference.observations))
    same_check = [at for at in found.keys() & expected.keys() if found[at].label == expected[at].label]
    left = sorted(at for at in same_check if at not in explained)
    changed = [CHANGES_ARGUMENTS for at in left if str(found[at].value).endswith(CHANGED)]
    left = [at for at in left if expected[at].label != ARGUMENTS]
    pairs = {at: list(_leaves(expected[at].value, found[at].value, exercise)) for at in left}
    errors = list(dict.fromkeys(text for at in pairs for text in _about_errors(pairs[at])))
    plain = {at: inner for at, inner in pairs.items() if not any(is_error(pair.expected) for pair in inner)}
    with np.errstate(all="ignore"):
        related = _about_values(plain) if plain else None
    return [*([related] if related else []), *errors, *changed]


def _leaves(expected: Any, got: Any, exercise: Exercise) -> Iterator[Pair]:
    """The places of two values that differ: lists of one length are compared element by element."""
    expected, got = _as_array(expected), _as_array(got)
    both = (expected, got)
    if all(isinstance(one, (list, tuple)) for one in both) and len(expected) == len(got):
        for one, other in zip(expected, got, strict=True):
            yield from _leaves(one, other, exercise)
    elif any(isinstance(one, np.ndarray) for one in both):
        pair = Pair(expected, got, exercise)
        if not (pair.arrays and pair.is_close(expected, got)):
            yield pair
    elif type(expected) is not type(got) or isinstance(expected, (list, tuple)) or expected != got:
        yield Pair(expected, got, exercise)


def _as_array(value: Any) -> Any:
    """A list of numbers, or of lists of numbers of one length, as an array; anything else as it is."""
    if not isinstance(value, (list, tuple)) or not value or not _holds_numbers(value):
        return value
    try:
        array = np.asarray(value)
    except ValueError:
        return value
    return array if array.dtype.kind in "bif" else value


def _holds_numbers(value: Any) -> bool:
    """Whether a list holds nothing but numbers and lists of numbers; NumPy would blow up texts and large integers."""
    if isinstance(value, (list, tuple)):
        return all(map(_holds_numbers, value))
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63)


def _about_errors(pairs: Iterable[Pair]) -> Iterator[str]:
    """Hints on errors that are missing or of another type, and on results that are missing."""
    for pair in pairs:
        expected, got = pair.expected, pair.got
        if is_error(expected):
            wanted = expected.removeprefix("raises ").split(":")[0]
            if not is_error(got):
                yield (
                    f"An error is missing: for some arguments your function must raise a {wanted} and returns a value "
                    "instead. Read under Raises in the docstring when, and test for it first."
                )
            elif got != "raises nothing":
                raised = standard_error(got.removeprefix("raises ").split(":")[0])
                raised = _article(raised) if raised else "an exception of its own"
                yield (
                    f"Where the docstring promises a {wanted}, your function raises {raised}. Test for the "
                    f"bad argument yourself, with if, and write raise {wanted}(...) with a message."
                )
        elif got is None or (isinstance(got, str) and got == "returns None"):
            yield "Your function returns None where a value is expected: is a return missing, perhaps on one path only?"


def _article(name: str) -> str:
    return f"an {name}" if name[:1] in "AEIOU" else f"a {name}"


def _about_values(pairs: dict[int, list[Pair]]) -> str | None:
    """The first relation that holds in at least half of the departures, and in all that it can be asked of."""
    for relation in RELATIONS:
        held = [at for at, inner in pairs.items() if inner and all(relation.holds(pair) for pair in inner)]
        if 2 * len(held) >= len(pairs) and held:
            text = relation.text([pair for at in held for pair in pairs[at]])
            if text:
                return text
    return None


@dataclass(frozen=True)
class Relation:
    """A relation between a result and the expected one, and what to say of it (None: too few values to tell)."""

    holds: Callable[[Pair], bool]
    text: Callable[[list[Pair]], str | None]


def _says(text: str) -> Callable[[list[Pair]], str | None]:
    return lambda pairs: text


def _is_permuted(pair: Pair) -> bool:
    if not pair.arrays or not 2 <= pair.got.ndim == pair.expected.ndim <= MAX_AXES:
        return False
    orders = itertools.permutations(range(pair.got.ndim))
    next(orders)  # the one that changes nothing
    return any(pair.is_close(pair.got.transpose(order), pair.expected) for order in orders)


def _is_reshaped(pair: Pair) -> bool:
    same_size = pair.arrays and pair.got.size == pair.expected.size and pair.got.shape != pair.expected.shape
    return same_size and pair.is_close(pair.got.ravel(), pair.expected.ravel())


def _is_reversed(pair: Pair) -> bool:
    if not pair.arrays or pair.got.shape != pair.expected.shape:
        return False
    return any(pair.is_close(np.flip(pair.got, axis), pair.expected) for axis in range(pair.got.ndim))


def _is_reordered(pair: Pair) -> bool:
    if not pair.arrays or pair.got.size != pair.expected.size or np.unique(pair.expected).size < MIN_NUMBERS:
        return False
    return pair.is_close(np.sort(pair.got.ravel()), np.sort(pair.expected.ravel()))


def _reordered_text(pairs: list[Pair]) -> str:
    if all(pair.got.ndim == 1 for pair in pairs):
        return "Your values are right, but in another order: look at the docstring's, or at what you sort by."
    return (
        "Your values are right, but stand in other places. view and reshape keep the order in memory and only cut it "
        "differently; to exchange axes, use transpose or permute."
    )


def _sides(pairs: list[Pair]) -> tuple[np.ndarray, np.ndarray]:
    """All expected numbers, and all that came instead."""
    expected = np.concatenate([np.ravel(pair.expected) for pair in pairs])
    return expected, np.concatenate([np.ravel(pair.got) for pair in pairs])


def _factor(pair: Pair) -> float:
    """What the expected values are multiplied with, as far as they are large enough to tell; NaN if they are not."""
    expected, got = np.ravel(pair.expected).astype(float), np.ravel(pair.got).astype(float)
    largest = float(np.abs(expected).max())
    if largest < SMALLEST or not np.isfinite(got).all():
        return math.nan
    used = np.abs(expected) > max(pair.exercise.atol, 1e-3 * largest)
    return float(np.median(got[used] / expected[used]))


def _is_scaled(pair: Pair) -> bool:
    if not pair.numbers:
        return False
    factor = _factor(pair)
    return (
        factor not in (0, 1) and math.isfinite(factor) and pair.is_close(pair.got, factor * np.asarray(pair.expected))
    )


def _scaled_text(pairs: list[Pair]) -> str | None:
    factors = [_factor(pair) for pair in pairs]
    factor = factors[0]
    if np.unique(_sides(pairs)[0]).size < MIN_NUMBERS:
        return None
    if not all(math.isclose(one, factor, rel_tol=1e-3) for one in factors):
        return FACTOR_VARIES if all(isinstance(pair.expected, np.ndarray) for pair in pairs) else None
    if math.isclose(factor, -1, rel_tol=1e-3):
        return "Your values have the wrong sign throughout."
    known = next((text for number, text in FACTORS.items() if math.isclose(number, factor, rel_tol=5e-3)), None)
    size = f"{known} the expected ones" if known else f"the expected ones times {factor:.3g}"
    return f"Your values are {size} throughout: look for a factor or a division too many or too few."


def _is_shifted(pair: Pair) -> bool:
    if not pair.numbers:
        return False
    offset = float(np.median(np.ravel(pair.got).astype(float) - np.ravel(pair.expected).astype(float)))
    return offset != 0 and math.isfinite(offset) and pair.is_close(pair.got, np.asarray(pair.expected) + offset)


def _shifted_text(pairs: list[Pair]) -> str | None:
    expected, got = _sides(pairs)
    offsets = got.astype(float) - expected.astype(float)
    offset = float(np.median(offsets))
    if np.unique(expected).size < MIN_NUMBERS or not np.allclose(offsets, offset, rtol=1e-2):
        return None
    size = "large" if offset > 0 else "small"
    if abs(offset) == 1 and all(side.dtype.kind == "i" for side in (expected, got)):
        return f"Each of your values is one too {size}: look where counting begins and ends."
    return f"Each of your values is too {size} by the same amount."


def _is_function(transform: Callable[[Any], Any]) -> Callable[[Pair], bool]:
    """Whether a result is a function of the expected values."""

    def holds(pair: Pair) -> bool:
        if not pair.numbers or np.size(pair.expected) < 2:
            return False
        with np.errstate(all="ignore"):
            return pair.is_close(pair.got, transform(np.asarray(pair.expected, dtype=float)))

    return holds


def _is_opposite(pair: Pair) -> bool:
    if not pair.arrays or pair.expected.shape != pair.got.shape or pair.expected.size < MIN_NUMBERS:
        return False
    return pair.expected.dtype == pair.got.dtype == bool and bool((pair.expected == ~pair.got).all())


RELATIONS = (
    Relation(
        _is_reshaped,
        _says(
            "Your values are right and in the right order, but the shape is another: an axis too many or too few "
            "(keepdim, squeeze, unsqueeze, flatten)."
        ),
    ),
    Relation(
        _is_permuted,
        _says("Your values are right, but their axes are in another order: transpose or permute them."),
    ),
    Relation(_is_reversed, _says("Your values are right, but they run the other way along one axis: check the order.")),
    Relation(_is_reordered, _reordered_text),
    Relation(_is_scaled, _scaled_text),
    Relation(_is_shifted, _shifted_text),
    Relation(_is_function(np.log), _says("Your values are the logarithms of the expected ones.")),
    Relation(
        _is_function(np.exp), _says("Your values are the exponentials of the expected ones: a logarithm is missing.")
    ),
    Relation(
        _is_function(np.square), _says("Your values are the squares of the expected ones: a square root is missing.")
    ),
    Relation(_is_function(np.sqrt), _says("Your values are the square roots of the expected ones.")),
    Relation(_is_function(np.abs), _says("Your values have lost their signs.")),
    Relation(_is_function(np.round), _says("Your values are rounded; the exact ones are expected.")),
    Relation(_is_function(np.floor), _says("Your values are cut to whole numbers; the exact ones are expected.")),
    Relation(_is_opposite, _says("Your true and false are the wrong way round.")),
)
