"""Mutants that no probe can notice, because they give the same: listed by lab, each with the reason."""

from __future__ import annotations

import importlib.resources
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass

from captionlab.grading.exercise import Lab
from captionlab.grading.mutation.mutants import Mutant

FILE = "equivalent_mutants.toml"  # in the lab's package


@dataclass(frozen=True)
class EquivalentMutant:
    """A mutant that is as right as the reference.

    Attributes:
        old, new: the changed lines before and after, as :class:`~captionlab.grading.mutation.mutants.Mutant` has them.
        reason: why nobody could notice it.
    """

    old: str
    new: str
    reason: str

    @property
    def key(self) -> tuple[str, str]:
        """What identifies the mutant."""
        return self.old, self.new


def read_equivalents(lab: Lab) -> dict[str, list[EquivalentMutant]]:
    """The equivalent mutants of a lab's exercises, by exercise; an exercise without any is absent.

    The lab's file has one table per mutant, under the exercise's name::

        [[conv_output_size]]
        old = "if room < 0:"
        new = "if room <= -1:"
        reason = "room is an integer"

    Raises:
        ValueError: if an entry has other fields, or an exercise does not exist.
    """
    file = importlib.resources.files(lab.package) / FILE
    tables = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    unknown = sorted(set(tables) - set(lab.exercises))
    if unknown:
        raise ValueError(f"{FILE} of {lab.name} lists mutants of {', '.join(unknown)}, which {lab.name} does not have")
    return {name: [_entry(lab, name, fields) for fields in entries] for name, entries in tables.items()}


def _entry(lab: Lab, exercise: str, fields: dict) -> EquivalentMutant:
    if set(fields) != {"old", "new", "reason"} or not all(isinstance(one, str) for one in fields.values()):
        raise ValueError(
            f"{FILE} of {lab.name}: an entry of {exercise} has {', '.join(fields)}; expected the texts old, new, reason"
        )
    return EquivalentMutant(**fields)


def stale_entries(listed: Iterable[EquivalentMutant], survivors: Iterable[Mutant]) -> list[EquivalentMutant]:
    """The entries that no surviving mutant matches: it is killed by now, or no longer made."""
    alive = {mutant.key for mutant in survivors}
    return [entry for entry in listed if entry.key not in alive]
