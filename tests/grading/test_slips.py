"""An answer that gives what the reference with one small change gives is told the kind of the change."""

from __future__ import annotations

import pytest

from captionlab.grading.exercise import Exercise, Lab, public_seed
from captionlab.grading.mutation import exercise_mutants
from captionlab.grading.observation import observe
from captionlab.grading.pipeline import check_implementation
from captionlab.grading.slips import slip_hint, text_of


def weighted_mean(values, weights, least=0):
    """The reference of these tests."""
    kept = [(value, weight) for value, weight in zip(values, weights, strict=True) if weight > least]
    return sum(value * weight for value, weight in kept) / sum(weight for _, weight in kept)


def probe(f, rng):
    for size in (3, 4):
        values, weights = (rng.integers(2, 40, size).tolist() for _ in range(2))
        yield f"{values} weighted with {weights}", f(values, weights)
        least = sorted(weights)[0]
        yield f"{values} weighted with {weights} above {least}", f(values, weights, least)


@pytest.fixture
def exercise() -> Exercise:
    lab = Lab("x", "x", package="x")
    lab.exercise(f"{__name__}:weighted_mean", points=2, minutes=1)(probe)
    return lab.exercises["weighted_mean"]


def keeps_the_boundary(values, weights, least=0):
    kept = [at for at, weight in enumerate(weights) if weight >= least]
    return sum(values[at] * weights[at] for at in kept) / sum(weights[at] for at in kept)


def multiplies(values, weights, least=0):
    total = sum(weight for weight in weights if weight > least)
    return sum(value * weight for value, weight in zip(values, weights, strict=True) if weight > least) * total


def keeps_all(values, weights, least=0):
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (keeps_the_boundary, "the boundary"),
        (multiplies, "a multiplication where a division belongs"),
        (keeps_all, "nothing is filtered out"),
    ],
)
def test_the_kind_of_the_slip_is_named(exercise, answer, told):
    (hint,) = check_implementation(exercise, answer).hints
    assert told in hint
    assert "kept" not in hint  # nothing of the reference is shown


@pytest.mark.parametrize("answer", [lambda values, weights, least=0: 7.5, lambda *_: 1 / 0, lambda *_: None])
def test_nothing_is_said_of_any_other_answer(exercise, answer):
    result = observe(exercise, answer, public_seed(exercise))
    assert slip_hint(exercise, public_seed(exercise), result) is None


def test_a_misconception_has_its_own_hint_only(exercise):
    lab = Lab("x", "x", package="x")
    lab.exercises["weighted_mean"] = exercise
    lab.misconceptions(
        "weighted_mean", boundary=("Weights equal to least do not count.", {"weight > least": "weight >= least"})
    )
    assert check_implementation(exercise, keeps_the_boundary).hints == ("Weights equal to least do not count.",)


def test_most_changes_have_a_text_and_none_shows_code(exercise):
    texts = [text_of(mutant) for mutant in exercise_mutants(exercise)]
    assert sum(map(bool, texts)) > len(texts) / 2
    for text in filter(None, texts):
        assert "value *" not in text
        assert "zip" not in text
