"""``pytest tests/autograder --submission PATH`` grades a submission, one test per exercise.

Without ``--submission`` it grades the course's own solutions. ``-m lab1_vgg16`` or ``-m conv_output_size`` selects a
lab or an exercise; ``--hidden STUDENT`` grades on that student's hidden seeds.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from captionlab.exercises import LABS, load_lab


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("captionlab")
    group.addoption("--submission", type=Path, help="notebook, module or folder to grade")
    group.addoption(
        "--hidden", metavar="STUDENT", help="grade on this student's hidden seeds instead of the public one"
    )


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
    labs = LABS if given is None else [name for name in LABS if name in _labs_answered(given)]
    cases = [
        pytest.param(exercise, id=f"{name}-{exercise.name}", marks=[_mark(name), _mark(exercise.name)])
        for name in labs
        for exercise in load_lab(name).exercises.values()
    ]
    metafunc.parametrize("exercise", cases)


def _mark(name: str) -> pytest.MarkDecorator:
    return getattr(pytest.mark, name)


def _labs_answered(path: Path) -> set[str]:
    """The labs of which a submission answers an exercise; all labs if it answers none."""
    from captionlab.grading.reader import answered_labs

    return {lab.name for lab in answered_labs(path, map(load_lab, LABS))} or set(LABS)
