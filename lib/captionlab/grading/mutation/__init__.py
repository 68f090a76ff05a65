"""Mutation testing of exercises: which small changes of a reference a probe does not notice."""

from captionlab.common.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "equivalents": ["EquivalentMutant", "read_equivalents", "stale_entries"],
        "mutants": ["Mutant", "exercise_mutants", "generate_mutants"],
        "report": ["MutationReport", "mutation_report"],
        "running": ["Fate", "MutationResult", "run_mutants", "surviving_mutants"],
    },
)
