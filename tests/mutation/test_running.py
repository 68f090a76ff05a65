"""Running mutants: what is noticed, and that no mutant harms the process that runs it."""

from __future__ import annotations

import pytest

from captionlab.grading.exercise import public_seed
from captionlab.grading.expectation import expect
from captionlab.grading.mutation import EquivalentMutant, Fate, generate_mutants, mutation_report, surviving_mutants
from captionlab.grading.mutation.equivalents import read_equivalents, stale_entries
from captionlab.grading.mutation.running import fate_of, run_mutants

SOURCES = {
    "return a + b": Fate.SURVIVED,
    "return a - b": Fate.KILLED,
    "return a + b if a < b else 0": Fate.KILLED,
    "raise SystemExit": Fate.KILLED,
    "exit(41)": Fate.KILLED,
    "while True: pass": Fate.HUNG,
    "while True:\n        try:\n            while True: pass\n        except BaseException: pass": Fate.HUNG,
    "import time; time.sleep(1000)": Fate.HUNG,
    "import os; os._exit(0)": Fate.CRASHED,
    "import os; os.kill(os.getpid(), 9)": Fate.CRASHED,
    "return len(bytearray(1 << 36)) and a + b": Fate.KILLED,
    "print('noise'); return a + b": Fate.SURVIVED,
}


@pytest.mark.parametrize("body", SOURCES)
def test_what_becomes_of_a_mutant(toy, body, capfd):
    exercise = toy.exercises["add"]
    expectations = [expect(exercise, seed) for seed in (public_seed(exercise), 1)]
    assert fate_of(exercise, f"def add(a, b):\n    {body}", expectations, seconds=0.2) is SOURCES[body]
    assert capfd.readouterr() == ("", "")


def test_a_mutant_that_cannot_be_defined_is_killed(toy):
    exercise = toy.exercises["add"]
    assert fate_of(exercise, "def add(a, b=nothing): return a + b", [expect(exercise, 1)], 1) is Fate.KILLED


def test_survivors_are_what_a_probe_does_not_check(toy):
    exercise = toy.exercises["halves"]
    survivors = surviving_mutants(exercise, [public_seed(exercise), 1])
    assert [one.key for one in survivors] == [("return number // 2", "return number / 2")]  # 7.0 counts as 7


def test_a_reference_that_its_own_source_does_not_give_is_a_mistake(toy, monkeypatch):
    exercise = toy.exercises["add"]
    monkeypatch.setattr("captionlab.grading.mutation.running.unchanged", lambda _: "def add(a, b): return 0")
    with pytest.raises(RuntimeError, match="compiled again from its source, is killed"):
        list(run_mutants(exercise, [1]))


def test_a_report_sets_equivalent_mutants_apart(toy):
    exercise = toy.exercises["center"]
    plain = mutation_report(exercise, [], hidden=1)
    assert plain.killed == plain.total - len(plain.survivors)
    listed = [EquivalentMutant(one.old, one.new, "nobody can tell") for one in plain.survivors]
    gone = EquivalentMutant("return a line that is gone", "return None", "as before")
    report = mutation_report(exercise, [*listed, gone], hidden=1)
    assert not report.survivors
    assert [one.key for one, _ in report.equivalent] == [one.key for one in plain.survivors]
    assert report.stale == [gone]
    assert not report.is_clean


def test_an_entry_is_stale_if_its_mutant_is_killed_or_no_longer_made():
    alive = generate_mutants("def f(x):\n    return x + 1")
    entries = [EquivalentMutant(*one.key, "r") for one in alive]
    assert stale_entries(entries, alive) == []
    assert stale_entries(entries, alive[1:]) == entries[:1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[subtract]]\nold = 'a'\nnew = 'b'\nreason = 'c'", "lists mutants of subtract, which toy does not have"),
        ("[[add]]\nold = 'a'\nnew = 'b'", "an entry of add has old, new; expected the texts old, new, reason"),
    ],
)
def test_a_list_with_mistakes_is_refused(toy, tmp_path, monkeypatch, text, message):
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
    assert read_equivalents(toy) == {}
    (tmp_path / "equivalent_mutants.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_equivalents(toy)
