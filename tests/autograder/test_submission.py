"""One test per exercise: right passes, anything else fails with what the student needs to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from captionlab.exercises import load_lab
from captionlab.grading.exercise import Exercise
from captionlab.grading.pipeline import GradeReport, SubmissionFile, course_secret, grade_submission
from captionlab.grading.sandbox import Sandbox

SOLUTIONS = Path(__file__).parents[2] / "solutions"


@pytest.fixture(scope="session")
def verdict_of(request: pytest.FixtureRequest):
    """Grades an exercise of the submission; each lab has a worker of its own for the session."""
    given = request.config.getoption("--submission", default=None)
    student = request.config.getoption("--hidden", default=None)
    secret = course_secret() if student else None
    sandboxes: dict[str, Sandbox] = {}

    def grade(exercise: Exercise) -> GradeReport:
        lab = load_lab(exercise.lab)
        sandbox = sandboxes.setdefault(lab.name, Sandbox(lab))
        path = given or SOLUTIONS / lab.name
        if not path.exists():
            pytest.exit(f"there is no {path}", returncode=4)
        return grade_submission(SubmissionFile(student or path.stem, path), lab, sandbox, secret, [exercise.name])

    yield grade
    for sandbox in sandboxes.values():
        sandbox.close()


def test_exercise(exercise: Exercise, verdict_of) -> None:
    graded = verdict_of(exercise)
    verdict = graded.verdicts[0]
    if verdict.outcome != "right":
        head = f"{verdict.exercise}: {verdict.outcome}, {verdict.points:g} of {verdict.max_points:g} points"
        pytest.fail("\n".join([head, verdict.message, *verdict.help_lines(), *graded.notes]), pytrace=False)
