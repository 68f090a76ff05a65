"""The script that compares the reports of two versions of the code finds what differs, and only that."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "data_scripts" / "compare_verdicts.py"


def verdict(exercise: str, outcome: str = "right", points: float = 2, *misconceptions: str) -> dict:
    return {
        "exercise": exercise,
        "points": points,
        "max_points": 2,
        "outcome": outcome,
        "misconceptions": list(misconceptions),
        "message": "any words",
    }


def report(folder: Path, **students: list[dict]) -> Path:
    folder.mkdir(parents=True)
    data = [{"student_id": name, "verdicts": verdicts} for name, verdicts in students.items()]
    (folder / "verdicts.json").write_text(json.dumps(data))
    return folder


def compare(*arguments: object) -> tuple[int, str]:
    done = subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_reports_that_differ_in_words_only_are_the_same(tmp_path):
    old = report(tmp_path / "old" / "lab1", ada=[verdict("add", "partial", 1, "minus"), verdict("half")])
    changed = [verdict("add", "partial", 1, "subtracts"), verdict("half")]
    changed[0]["message"] = "other words"
    new = report(tmp_path / "new" / "lab1", ada=changed)
    assert compare(old, new) == (0, "2 verdicts compared, 0 differences\n")
    assert compare(old.parent, new.parent)[0] == 0


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (verdict("add", "partial", 0.5, "minus"), "ada add: points was 1, is 0.5"),
        (verdict("add", "wrong", 1, "minus"), "ada add: outcome was partial, is wrong"),
        (verdict("add", "partial", 1), "ada add: misconception was minus, is None, expected minus"),
        (verdict("plus", "partial", 1, "minus"), "ada plus: only in"),
    ],
)
def test_a_difference_is_named(tmp_path, changed, line):
    old = report(tmp_path / "old", ada=[verdict("add", "partial", 1, "minus")])
    status, output = compare(old, report(tmp_path / "new", ada=[changed]))
    assert status == 1
    assert line in output


def test_a_misconception_must_keep_to_one_name_of_its_own(tmp_path):
    old = report(tmp_path / "old", ada=[verdict("add", "wrong", 0, "minus")], bob=[verdict("add", "wrong", 0, "times")])
    merged = report(tmp_path / "a", ada=[verdict("add", "wrong", 0, "one")], bob=[verdict("add", "wrong", 0, "one")])
    assert "add: several misconceptions are now one" in compare(old, merged)[1]
    split = report(tmp_path / "b", ada=[verdict("add", "wrong", 0, "one")], bob=[verdict("add", "wrong", 0, "minus")])
    assert compare(old, split)[0] == 0  # two names of their own
    assert compare(merged, old)[0] == 1


def test_a_renamed_exercise_may_differ_in_partial_points_only(tmp_path):
    old = report(tmp_path / "old", ada=[verdict("add", "partial", 1, "minus")], bob=[verdict("add")])
    new = report(tmp_path / "new", ada=[verdict("plus", "wrong", 0, "minus")], bob=[verdict("plus")])
    assert compare(old, new)[0] == 1
    assert compare(old, new, "--renamed", "add=plus")[0] == 0
    lost = report(tmp_path / "lost", ada=[verdict("plus", "wrong", 0, "minus")], bob=[verdict("plus", "wrong", 0)])
    assert "bob plus: outcome was right, is wrong" in compare(old, lost, "--renamed", "add=plus")[1]


def test_nothing_compared_is_not_equal(tmp_path):
    (tmp_path / "empty").mkdir()
    old = report(tmp_path / "old", ada=[verdict("add")])
    status, output = compare(old, tmp_path / "empty")
    assert status == 1
    assert "there is no verdicts.json" in output
    assert compare(old, old, "--renamed", "add")[0] == 2
