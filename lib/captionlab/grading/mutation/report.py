"""What the mutants of an exercise came to, and what is left to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from captionlab.grading.exercise import Exercise, public_seed
from captionlab.grading.mutation.equivalents import EquivalentMutant, stale_entries
from captionlab.grading.mutation.mutants import Mutant
from captionlab.grading.mutation.running import HIDDEN_SEEDS, Fate, hidden_seeds, run_mutants


@dataclass(frozen=True)
class MutationReport:
    """What the mutants of an exercise came to.

    Attributes:
        lab, exercise: names.
        total: number of mutants.
        survivors: those the probe does not notice and should.
        equivalent: those that are listed as equivalent, with their entries.
        stale: entries of the list that no surviving mutant matches.
    """

    lab: str
    exercise: str
    total: int
    survivors: list[Mutant]
    equivalent: list[tuple[Mutant, EquivalentMutant]]
    stale: list[EquivalentMutant]

    @property
    def killed(self) -> int:
        """Number of mutants the probe notices."""
        return self.total - len(self.survivors) - len(self.equivalent)

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing to do."""
        return not self.survivors and not self.stale

    def lines(self) -> list[str]:
        """The report as text: the counts, and each mutant that survived with its lines before and after."""
        equivalent = f", {len(self.equivalent)} equivalent" if self.equivalent else ""
        survived = f", {len(self.survivors)} survived" if self.survivors else ""
        lines = [f"{self.exercise}: {self.killed} of {self.total} mutants killed{equivalent}{survived}"]
        for mutant in self.survivors:
            lines += [f"  survived: {mutant.description}", *_changed(mutant)]
        for mutant, entry in self.equivalent:
            lines += [f"  equivalent: {mutant.description}: {entry.reason}", *_changed(mutant)]
        for entry in self.stale:
            lines += ["  stale: killed or no longer made; take it off the list of equivalent mutants", *_changed(entry)]
        return lines

    def as_dict(self) -> dict:
        """The report as data."""
        return {
            **{"lab": self.lab, "exercise": self.exercise, "mutants": self.total, "killed": self.killed},
            "survivors": [{"change": one.description, "old": one.old, "new": one.new} for one in self.survivors],
            "equivalent": [{"old": one.old, "new": one.new, "reason": entry.reason} for one, entry in self.equivalent],
            "stale": [{"old": one.old, "new": one.new} for one in self.stale],
        }


def _changed(change: Mutant | EquivalentMutant) -> list[str]:
    signs = (("-", change.old), ("+", change.new))
    return [f"    {sign} {line}" for sign, text in signs for line in text.splitlines()]


def mutation_report(
    exercise: Exercise, listed: Sequence[EquivalentMutant], hidden: int = HIDDEN_SEEDS
) -> MutationReport:
    """Run the mutants of an exercise on its public seed, then on hidden ones.

    Args:
        exercise: whose probe is tested.
        listed: its equivalent mutants (see :func:`~captionlab.grading.mutation.equivalents.read_equivalents`).
        hidden: number of hidden seeds.
    """
    results = list(run_mutants(exercise, [public_seed(exercise), *hidden_seeds(exercise, hidden)]))
    survivors = [one.mutant for one in results if one.fate is Fate.SURVIVED]
    entries = {entry.key: entry for entry in listed}
    return MutationReport(
        exercise.lab,
        exercise.name,
        len(results),
        [one for one in survivors if one.key not in entries],
        [(one, entries[one.key]) for one in survivors if one.key in entries],
        stale_entries(listed, survivors),
    )
