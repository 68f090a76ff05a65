"""``pytest tests/autograder --submission PATH`` grades a submission, a test an exercise.

Without ``--submission`` it grades the course's own solutions. ``-m lab1_vgg16`` or ``-m conv_output_size``
selects a lab or an exercise; ``--hidden STUDENT`` grades on that student's hidden seeds.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from captionlab.exercises import LABS, load_lab


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("captionlab")
    group.addoption("--submission", type=Path, help="notebook, module or folder to grade")
    group.addoption("--hidden", metavar="STUDENT", help="grade on this student's hidden seeds, not on the public one")


def pytest_configure(config: pytest.Config) -> None:
    for name in LABS:
        config.addinivalue_line("markers", f"{name}: exercises of {name}")
        for exercise in load_lab(name).exercises:
            config.addinivalue_line("markers", f"{exercise}: the exercise {exercise}")


def pytest_report_header(config: pytest.Config) -> str | None:
    if _option(config, "--submission"):
        return f"submission: {_option(config, '--submission')}"
    return "no --submission PATH given: tests/autograder grades the course's own solutions"


def _option(config: pytest.Config, name: str):
    return config.getoption(name, default=None)  # None in a run that did not start in this folder


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "exercise" not in metafunc.fixturenames:
        return
    given = _option(metafunc.config, "--submission")
    cases = [
        pytest.param(exercise, id=f"{name}-{exercise.name}", marks=[_mark(name), _mark(exercise.name)])
        for name in LABS
        for exercise in load_lab(name).exercises.values()
        if given is None or name in _labs_answered(given)
    ]
    metafunc.parametrize("exercise", cases)


def _mark(name: str) -> pytest.MarkDecorator:
    return getattr(pytest.mark, name)


def _labs_answered(path: Path) -> set[str]:
    """The labs that a submission answers an exercise of; all of them where it answers none."""
    from captionlab.grading.pipeline import SubmissionFile, read_submission
    from captionlab.grading.submission import UnreadableSubmission

    answered = set()
    for name in LABS:
        lab = load_lab(name)
        try:
            submission = read_submission(SubmissionFile(path.stem, path), lab)
        except (UnreadableSubmission, OSError):
            continue
        if any(submission.defining(exercise) for exercise in lab.exercises):
            answered.add(name)
    return answered or set(LABS)
