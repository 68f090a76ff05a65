"""One test per exercise: right passes, anything else fails with what the student needs to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from captionlab.exercises import load_lab
from captionlab.grading import Exercise, Grader, GradeReport, SubmissionFile, course_secret

SOLUTIONS = Path(__file__).parents[2] / "solutions"


@pytest.fixture(scope="session")
def grade(request: pytest.FixtureRequest) -> Iterator[Callable[[Exercise], GradeReport]]:
    """Grades an exercise of the submission; each lab has one worker for the session."""
    given = request.config.getoption("--submission", default=None)
    student = request.config.getoption("--hidden", default=None)
    secret = course_secret() if student else None
    graders: dict[str, Grader] = {}

    def grade(exercise: Exercise) -> GradeReport:
        if exercise.lab not in graders:
            graders[exercise.lab] = Grader(load_lab(exercise.lab), secret=secret)
        path = given or SOLUTIONS / exercise.lab
        if not path.exists():
            pytest.exit(f"{path} not found: --submission expects a notebook, a module or a folder", returncode=4)
        return graders[exercise.lab].grade_file(SubmissionFile(student or path.stem, path), [exercise.name])

    yield grade
    for grader in graders.values():
        grader.close()


def test_exercise(exercise: Exercise, grade: Callable[[Exercise], GradeReport]) -> None:
    report = grade(exercise)
    verdict = report.verdicts[0]
    if verdict.outcome != "right":
        head = f"{verdict.exercise}: {verdict.outcome}, {verdict.points:g} of {verdict.max_points:g} points"
        pytest.fail("\n".join([head, verdict.message, *verdict.help_lines(), *report.notes]), pytrace=False)
