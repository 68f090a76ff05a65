"""The record of a class, and the exporters that write it."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
import types
from pathlib import Path

import pytest

from captionlab.grading.exercise import Lab
from captionlab.grading.pipeline import GradeReport
from captionlab.grading.verdict import Difference, Verdict
from captionlab.instructor import EXPORTERS, ClassRecord, class_record, export, exporters, load_exporter
from captionlab.instructor.record import RECORD_VERSION


@pytest.fixture
def lab() -> Lab:
    lab = Lab("toy", "A toy lab", package="x")
    for name, points in (("add", 2), ("half", 1.5)):
        lab.exercise(f"x:{name}", points=points, minutes=1)(lambda answer, rng: iter(()))
    return lab


@pytest.fixture
def record(lab) -> ClassRecord:
    example = Difference("a = <1>", "value differs", "3", "<script>alert(1)</script>")
    wrong = Verdict(
        "add", 0.0, 2, "wrong", "0 of 4 checks are right", ("subtracts",), ("Look at the sign & add.",), example
    )
    partial = Verdict("half", 0.75, 1.5, "partial", "2 of 4 checks are right")
    missing = [Verdict(name, 0.0, lab.exercises[name].points, "missing", "it is empty") for name in lab.exercises]
    reports = [
        GradeReport("=ada", "toy", [wrong, partial], ["cell 1 is not valid Python"]),
        GradeReport("Bob", "toy", missing, problem="it is empty"),
        GradeReport("bob", "toy", missing, problem="it is empty"),
    ]
    return class_record(lab, reports)


def test_the_record_says_what_was_graded_and_how_each_did(record):
    assert (record.version, record.lab, record.title, record.max_points) == (RECORD_VERSION, "toy", "A toy lab", 3.5)
    assert [(one.name, one.max_points) for one in record.exercises] == [("add", 2), ("half", 1.5)]
    ada, bob, _ = record.students
    assert (ada.student_id, ada.score, ada.max_score, ada.problem) == ("=ada", 0.75, 3.5, None)
    assert ada.notes == ("cell 1 is not valid Python",)
    assert [verdict.outcome for verdict in ada.verdicts] == ["wrong", "partial"]
    assert bob.problem == "it is empty"
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.version = 2


def test_fields_of_the_record_are_not_changed_without_a_new_version(record):
    """Exporters outside of this repository rely on them: whoever removes or renames one raises RECORD_VERSION."""
    fields = [
        [field.name for field in dataclasses.fields(one)]
        for one in (record, record.exercises[0], record.students[0], record.students[0].verdicts[0])
    ]
    verdict = ["exercise", "points", "max_points", "outcome", "message", "misconceptions", "hints", "example"]
    assert (RECORD_VERSION, fields) == (
        2,
        [
            ["version", "lab", "title", "max_points", "exercises", "students", "unread"],
            ["name", "max_points"],
            ["student_id", "score", "max_score", "problem", "notes", "verdicts"],
            verdict,
        ],
    )


def test_a_report_without_a_verdict_on_each_exercise_is_refused(lab):
    with pytest.raises(ValueError, match="the report on ada has verdicts on"):
        class_record(lab, [GradeReport("ada", "toy", [])])


def test_csv_has_one_row_per_student_and_no_formulas(record, tmp_path):
    assert export(record, tmp_path, ["csv"]) == [tmp_path / "grades.csv"]
    rows = list(csv.reader((tmp_path / "grades.csv").open()))
    assert rows[0] == ["student_id", "lab", "score", "max_score", "add", "half"]
    assert rows[1] == ["'=ada", "toy", "0.75", "3.5", "0", "0.75"]
    assert len(rows) == 4


def test_json_has_every_verdict(record, tmp_path):
    export(record, tmp_path / "new folder", ["json"])
    students = json.loads((tmp_path / "new folder" / "verdicts.json").read_text())
    assert list(students[0]) == ["student_id", "lab", "score", "max_score", "problem", "notes", "verdicts"]
    assert students[0]["verdicts"][0] == {
        "exercise": "add",
        "points": 0.0,
        "max_points": 2,
        "outcome": "wrong",
        "misconceptions": ["subtracts"],
        "message": "0 of 4 checks are right",
    }


def test_html_has_one_page_per_student_and_everything_is_escaped(record, tmp_path):
    names = [path.name for path in export(record, tmp_path, ["html"])]
    assert names == ["_ada.html", "Bob.html", "bob-2.html"]
    page = (tmp_path / "feedback" / "_ada.html").read_text()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>" not in page
    assert "Look at the sign &amp; add." in page
    assert "0.75 of 3.5 points" in page
    assert "it is empty" in (tmp_path / "feedback" / "Bob.html").read_text()


def test_all_exporters_give_the_same_bytes_again(record, tmp_path):
    paths = export(record, tmp_path)
    first = [path.read_bytes() for path in paths]
    assert export(record, tmp_path) == paths
    assert [path.read_bytes() for path in paths] == first
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(paths)


def test_an_exporter_is_added_in_one_place(record, tmp_path, monkeypatch):
    monkeypatch.setitem(EXPORTERS, "names", "other_exporters:export_names")
    monkeypatch.setitem(sys.modules, "other_exporters", types.SimpleNamespace(export_names=export_names))
    assert export(record, tmp_path, ["names"]) == [tmp_path / "names.txt"]
    assert (tmp_path / "names.txt").read_text() == "=ada\nBob\nbob\n"
    for name in exporters.EXPORTERS:
        assert callable(load_exporter(name))
    with pytest.raises(KeyError, match="known: csv, json, html"):
        export(record, tmp_path, ["pdf"])


def export_names(record: ClassRecord, folder: Path) -> list[Path]:
    """An exporter."""
    path = folder / "names.txt"
    path.write_text("".join(f"{student.student_id}\n" for student in record.students))
    return [path]
