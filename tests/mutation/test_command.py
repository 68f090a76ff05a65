"""``captionlab mutate``."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from captionlab.cli import main
from captionlab.grading.mutation import EquivalentMutant, MutationReport, generate_mutants

MUTANTS = generate_mutants("def f(x):\n    return x + 1")
ENTRY = EquivalentMutant(MUTANTS[0].old, MUTANTS[0].new, "nobody can tell")


def run(*arguments: str):
    return CliRunner().invoke(main, ["mutate", *arguments])


@pytest.fixture
def report(monkeypatch):
    """Makes the command report these survivors, equivalent mutants and stale entries of every exercise."""

    def set_report(survivors=(), equivalent=(), stale=()):
        monkeypatch.setattr(
            "captionlab.grading.mutation.mutation_report",
            lambda exercise, listed, seeds: MutationReport(
                exercise.lab, exercise.name, len(MUTANTS), list(survivors), list(equivalent), list(stale)
            ),
        )

    return set_report


def test_an_exercise_whose_mutants_are_all_killed(tmp_path):
    file = tmp_path / "mutants.json"
    done = run("receptive_field", "--seeds", "1", "--json", str(file))
    assert done.exit_code == 0, done.output
    (data,) = json.loads(file.read_text())
    assert data["exercise"] == "receptive_field"
    assert data["killed"] == data["mutants"] > 10
    assert f"receptive_field: {data['killed']} of {data['mutants']} mutants killed\n" in done.output


def test_survivors_are_shown_with_their_lines(report):
    report(survivors=MUTANTS[:1])
    done = run("receptive_field")
    assert done.exit_code == 1
    assert f"  survived: {MUTANTS[0].description}\n    - return x + 1\n    + {MUTANTS[0].new}\n" in done.output


def test_equivalent_mutants_are_shown_with_their_reason(report):
    report(equivalent=[(MUTANTS[0], ENTRY)])
    done = run("receptive_field")
    assert done.exit_code == 0
    assert f"  equivalent: {MUTANTS[0].description}: nobody can tell\n" in done.output


def test_stale_entries_fail(report):
    report(stale=[ENTRY])
    done = run("receptive_field")
    assert done.exit_code == 1
    assert "stale" in done.output


def test_a_lab_or_all_of_them(report):
    report()
    assert "receptive_field: " in run("lab1").output
    assert "bleu: " not in run("lab1").output
    assert "bleu: " in run("--all").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name exercises or labs, or give --all"),
        (["lab1", "--all"], "name exercises or labs, or give --all"),
        (["receptive_fields"], "did you mean 'receptive_field'?"),
    ],
)
def test_mistakes(arguments, message):
    done = run(*arguments)
    assert done.exit_code != 0
    assert message in done.output
