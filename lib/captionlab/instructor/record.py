"""The record of a graded class: plain data with a version, from which every exporter makes its files.

It contains what instructors and students may read: no hidden seeds and no hidden values. Fields are only added while
:data:`RECORD_VERSION` stays the same; it grows when a field is removed, renamed or gets another meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from captionlab.grading.exercise import Lab
from captionlab.grading.finding import UnreadFile
from captionlab.grading.observation import sanitize
from captionlab.grading.pipeline import GradeReport
from captionlab.grading.verdict import Verdict

RECORD_VERSION = 2


@dataclass(frozen=True)
class ExerciseRecord:
    """An exercise of the lab.

    Attributes:
        name: such as ``"conv_output_size"``; unique within the lab.
        max_points: of a right answer.
    """

    name: str
    max_points: float


@dataclass(frozen=True)
class StudentRecord:
    """How one student did.

    Attributes:
        student_id: name of the submitted file or folder; unique within the class.
        score, max_score: points earned for code, and points possible.
        problem: why the submission could not be read at all, or None.
        notes: remarks, such as cells that are not valid Python.
        verdicts: one per exercise, in the order of the class record's exercises (see
            :class:`~captionlab.grading.verdict.Verdict`).
    """

    student_id: str
    score: float
    max_score: float
    problem: str | None
    notes: tuple[str, ...]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class UnreadRecord:
    """A file among the submissions that was not read.

    Attributes:
        name: of the file.
        reason: what it is.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class ClassRecord:
    """Everything that grading one lab of a class gives.

    Attributes:
        version: :data:`RECORD_VERSION`.
        lab, title: name and title of the lab.
        max_points: of all automatically graded exercises; written answers are not included.
        exercises: in the order of the lab's text.
        students: in the order in which the submissions were found.
        unread: files among the submissions that were not read.
    """

    version: int
    lab: str
    title: str
    max_points: float
    exercises: tuple[ExerciseRecord, ...]
    students: tuple[StudentRecord, ...]
    unread: tuple[UnreadRecord, ...] = ()


def class_record(lab: Lab, reports: Sequence[GradeReport], unread: Sequence[UnreadFile] = ()) -> ClassRecord:
    """The record of a class.

    Args:
        lab: what was graded.
        reports: one per student, with a verdict on every exercise of the lab.
        unread: files among the submissions that were not read.

    Raises:
        ValueError: a report does not have a verdict on each exercise.
    """
    names = list(lab.exercises)
    for report in reports:
        graded = [verdict.exercise for verdict in report.verdicts]
        if graded != names:
            raise ValueError(f"the report on {report.student} has verdicts on {graded}, expected {names}")
    return ClassRecord(
        version=RECORD_VERSION,
        lab=lab.name,
        title=lab.title,
        max_points=lab.max_points,
        exercises=tuple(ExerciseRecord(one.name, one.points) for one in lab.exercises.values()),
        students=tuple(map(_student_record, reports)),
        unread=tuple(UnreadRecord(sanitize(file.path.name), file.reason) for file in unread),
    )


def _student_record(report: GradeReport) -> StudentRecord:
    return StudentRecord(
        student_id=report.student,
        score=report.score,
        max_score=report.max_score,
        problem=report.problem,
        notes=tuple(report.notes),
        verdicts=tuple(report.verdicts),
    )
