"""The toy lab, importable here and in the workers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook, writes

from captionlab.grading.pipeline import Grader
from captionlab.grading.reader import add_cells
from captionlab.grading.sandbox import Limits, Sandbox
from captionlab.grading.submission import Submission

HERE = str(Path(__file__).parent)


@pytest.fixture(scope="session")
def toy():
    sys.path.insert(0, HERE)
    import toy_lab

    return toy_lab.lab


@pytest.fixture(scope="session")
def sandbox(toy):
    """A worker with tight limits, so that endless loops end soon."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", HERE)
        made = Sandbox(toy, Limits(wall_seconds=5, cpu_seconds=2, memory_bytes=300_000_000, output_bytes=2_000_000))
        made.run(toy.exercises["add"], _submission("def add(a, b): ..."), [1])
        yield made
        made.close()


@pytest.fixture
def grader(toy, sandbox):
    """A grader with hidden seeds that uses this worker."""
    return Grader(toy, secret=b"secret", make_sandbox=lambda lab, limits: sandbox)


def _submission(*cells: str):
    submission = Submission("someone")
    add_cells(new_notebook(cells=[new_code_cell(cell) for cell in cells]), submission)
    return submission


@pytest.fixture
def submit():
    """A submission from the sources of its cells."""
    return _submission


@pytest.fixture
def notebook_text():
    """A notebook file's text from the sources of its cells."""
    return lambda *cells: writes(new_notebook(cells=[new_code_cell(cell) for cell in cells]))
