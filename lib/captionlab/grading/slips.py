"""Slips that no misconception foresees: an answer that gives exactly what the reference with one small change gives.

The changes are those of :mod:`captionlab.grading.mutation`. If the answer's observations on the public seed equal those
of one of them, the student is told its kind: a sum for a mean, a comparison that leaves out the boundary, a call
left out. The reference itself is not shown.
"""

from __future__ import annotations

import re
import time
import warnings
from functools import lru_cache

from captionlab.grading.departures import departs
from captionlab.grading.exercise import Exercise
from captionlab.grading.mutation.calls import DROPPED, RELATED
from captionlab.grading.mutation.mutants import Mutant, compiled, exercise_mutants
from captionlab.grading.observation import GLOBAL_LOCK, ProbeResult

MAX_SECONDS = 10  # of processor time, after which nothing is said
OPERATIONS = {
    **{"+": "a plus", "-": "a minus", "*": "a multiplication", "/": "a division", "//": "an integer division (//)"},
    **{"%": "a remainder (%)", "**": "a power", "@": "a matrix product", "&": "an and (&)", "|": "an or (|)"},
}
# What is said of a change, by a pattern of its description; the first that fits counts. Empty: nothing, as the kind of
# change has hints of its own, or tells too little.
TEXTS: tuple[tuple[str, str], ...] = (
    (r"'(<|>)=?' -> '\1=?'", "a comparison treats the boundary wrongly, where both sides are equal: < or <=, > or >="),
    (r"'(==|!=|<|<=|>|>=|in|not in|is|is not)' -> .*", "a comparison the wrong way round"),
    (r"'(and|or)' -> '(and|or)'", "two conditions combined with `{2}` where `{1}` belongs"),
    (r"'.+=' -> '='", "something is overwritten where it should be accumulated"),
    (r"(not|minus) dropped", "a `{1}` is missing"),
    (r"(\w+) in reverse", "sorting the wrong way round, or ties broken the other way"),
    (r"raise .*|(.+) -> return None|(\w+) -> \2_|if .* -> if (True|False)", ""),
    (r".* detached", "a result that is cut off from the gradients (detach, .data, no_grad, item or NumPy)"),
    (r"(train|eval) -> (train|eval)", "`{2}` mode is set where `{1}` mode belongs"),
    (
        r"(clone|copy|deepcopy|list|dict) dropped",
        "what is kept or returned shares memory with the original: it is no copy",
    ),
    (rf"({'|'.join(sorted(RELATED))}) -> (\w+)", "`{2}` where `{1}` belongs"),
    (rf"({'|'.join(sorted(DROPPED))}) dropped", "`{1}`, or what it does, is missing"),
    (r"with .*(no_grad|inference_mode).* dropped", "gradients are recorded where they are not needed"),
    (r"argument (\w+)=.* dropped", "the argument `{1}` of a call is missing, or has its default value"),
    (r"range ends at .*", "a loop or range that ends one step too early or too late"),
    (r"(lower|upper) bound .*", "a slice that begins or ends in the wrong place, perhaps by one"),
    (r".* in the other order", "two steps in the wrong order"),
    (r"(True|False) -> (True|False)", "a flag is {2} where it should be {1}"),
    (r"if .* dropped", "nothing is filtered out where something must be"),
)


def slip_hint(exercise: Exercise, seed: int, got: ProbeResult) -> str | None:
    """What to tell a student whose answer gives what the reference with one small change gives; None if none does.

    Args:
        exercise: that is answered.
        seed: on which it was observed.
        got: what was observed.
    """
    if got.exception:  # its message says more
        return None
    texts: list[str] = []
    start = time.process_time()
    with GLOBAL_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for mutant in _mutants(exercise):
            text = text_of(mutant)
            if text and text not in texts and not departs(exercise, got, compiled(exercise, mutant.source), seed):
                texts.append(text)
            if time.process_time() - start > MAX_SECONDS:
                return None
    if not texts or len(texts) > 2:  # more say nothing
        return None
    return f"Your results are exactly those of a small slip: {', or '.join(texts)}."


@lru_cache(maxsize=128)
def _mutants(exercise: Exercise) -> list[Mutant]:
    """The changes that are tried: a condition of ``while`` is left alone, as the loop might not end."""
    return [one for one in exercise_mutants(exercise) if "while " not in one.source]


def text_of(mutant: Mutant) -> str:
    """What a student is told of a change, or nothing."""
    what = mutant.description.partition(": ")[2]
    operation = re.fullmatch(r"'(\S+)' -> '(\S+)'", what)
    if operation and operation[1] in OPERATIONS and operation[2] in OPERATIONS:
        return f"{OPERATIONS[operation[2]]} where {OPERATIONS[operation[1]]} belongs, or parentheses are missing"
    if re.fullmatch(r"-?[\d.e-]+ -> -?[\d.e-]+", what):
        return _text_of_number(mutant, *map(float, what.split(" -> ")))
    for pattern, text in TEXTS:
        found = re.fullmatch(pattern, what)
        if found:
            return text.format("", *found.groups())
    return ""


def _text_of_number(mutant: Mutant, old: float, new: float) -> str:
    axes = [re.findall(r"\b(?:dim|axis)=\(?[-\d, ]+", line) for line in (mutant.old, mutant.new)]
    if axes[0] != axes[1]:
        return "the wrong axis (dim)"
    return "a number that is off by one: a summand, an index or an end" if abs(old - new) == 1 else ""
