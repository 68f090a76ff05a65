"""Labs and exercises are added as CONTRIBUTING.md says, in a copy of the course, and every command knows them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from captionlab.workbook.stub import BEGIN

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("a new lab")]
LAB = "lab9_doubling"
FILES = {
    "lib/captionlab/convnets/doubling.py": '''"""Doubling."""


def double(number: int) -> int:
    """Twice a number."""
    return 2 * number


def double_all(numbers: list[int]) -> list[int]:
    """Twice each number."""
    return [double(number) for number in numbers]
''',
    f"lib/captionlab/exercises/{LAB}/__init__.py": f'''"""Lab 9: doubling."""

from captionlab.exercises import load_exercises
from captionlab.exercises.{LAB}.common import lab

load_exercises(lab)
''',
    f"lib/captionlab/exercises/{LAB}/common.py": f'''"""The lab itself."""

from captionlab.grading.exercise import Lab

lab = Lab("{LAB}", title="Doubling", package=__package__)
''',
    f"lib/captionlab/exercises/{LAB}/numbers.py": f'''"""Numbers: probes and misconceptions."""

from captionlab.exercises.{LAB}.common import lab


@lab.exercise("captionlab.convnets.doubling:double", points=1, minutes=5)
def probe_double(double, rng):
    for number in rng.integers(3, 99, 3).tolist():
        yield f"number {{number}}", double(number)


lab.misconceptions("double", squares=("You square the number.", {{"2 * number": "number * number"}}))


@lab.misconception("double", hint="You add two to the number instead.")
def adds_two(number):
    return number + 2
''',
    f"solutions/{LAB}/{LAB}.md": """# Lab 9: doubling

You write {number_of_exercises} function.

```python
from captionlab.workbook import check
```

```python exercise="double"
```
""",
}
SECOND = f'''"""A second exercise, sorted before the first."""

from captionlab.exercises.{LAB}.common import lab


@lab.exercise("captionlab.convnets.doubling:double_all", points=2, minutes=5)
def probe_double_all(double_all, rng):
    numbers = rng.integers(3, 99, 3).tolist()
    yield f"numbers {{numbers}}", double_all(numbers)
'''


@pytest.fixture(scope="module")
def course(request, tmp_path_factory) -> Path:
    """A copy of the course with one lab more."""
    course = tmp_path_factory.mktemp("course")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(request.config.rootpath / "lib", course / "lib", ignore=ignored)
    shutil.copytree(request.config.rootpath / "solutions", course / "solutions")
    for path, text in FILES.items():
        (course / path).parent.mkdir(parents=True, exist_ok=True)
        (course / path).write_text(text)
    return course


def captionlab(course: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the copy, in its folder."""
    environment = {**os.environ, "PYTHONPATH": str(course / "lib"), "CAPTIONLAB_SECRET": "of the test"}
    code = "from captionlab.cli import main; main()"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=course, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def built(course) -> Path:
    done = captionlab(course, "build", "lab9")
    assert done.returncode == 0, done.stdout + done.stderr
    return course


def test_build_makes_notebooks_and_the_order(built):
    assert captionlab(built, "build", "lab9", "--check").returncode == 0
    solved = nbformat.read(built / "solutions" / LAB / f"{LAB}.ipynb", as_version=4)
    released = nbformat.read(built / "labs" / LAB / f"{LAB}.ipynb", as_version=4)
    assert "You write one function." in released.cells[0].source
    assert any(BEGIN in cell.source for cell in solved.cells)
    assert not any("return 2" in cell.source for cell in released.cells)
    order = built / "lib" / "captionlab" / "exercises" / LAB / "order.txt"
    assert order.read_text().splitlines()[1:] == ["double"]


def test_the_lab_is_listed_started_and_checked(built):
    assert "Doubling (1 points)" in captionlab(built, "labs").stdout
    assert captionlab(built, "start", "9").returncode == 0
    done = captionlab(built, "check", "lab9")
    assert "0 of 1 points" in done.stdout, done.stdout + done.stderr
    (built / "answers.py").write_text("def double(number):\n    return number * number\n")
    assert "You square the number." in captionlab(built, "check", "lab9", "answers.py").stdout


def test_its_solutions_are_graded(built):
    done = captionlab(built, "grade", f"solutions/{LAB}", "--lab", "lab9", "--out", "grades")
    assert done.returncode == 0, done.stdout + done.stderr
    graded = json.loads(next((built / "grades").rglob("verdicts.json")).read_text())
    assert [one["score"] for one in graded] == [1]


def test_an_exercise_without_a_marker_stops_the_build_and_a_marker_gives_it_its_place(built):
    """In a file that nothing lists, with a name that sorts first."""
    (built / "lib" / "captionlab" / "exercises" / LAB / "all_numbers.py").write_text(SECOND)
    done = captionlab(built, "build", "lab9")
    assert done.returncode == 1
    assert f"solutions/{LAB}/{LAB}.md does not mark: ['double_all']" in done.stderr
    text = built / "solutions" / LAB / f"{LAB}.md"
    text.write_text(text.read_text() + '\n```python exercise="double_all"\n```\n')
    assert captionlab(built, "build", "lab9").returncode == 0
    listed = captionlab(built, "labs").stdout
    listed = listed[listed.index("Doubling") :]
    assert listed.index("double ") < listed.index("double_all")


def test_the_exercise_of_the_guide_passes_the_tests_of_the_exercises(course, root):
    """The code in CONTRIBUTING.md, put where it says."""
    blocks = re.findall(r"```python\n(.*?)```", (root / "CONTRIBUTING.md").read_text(), re.DOTALL)
    reference = next(block for block in blocks if block.startswith("def stride_of("))
    exercise = next(block for block in blocks if "@lab.exercise(" in block)
    arithmetic = course / "lib" / "captionlab" / "convnets" / "arithmetic.py"
    arithmetic.write_text(f"{arithmetic.read_text()}\n\n{reference}")
    (course / "lib" / "captionlab" / "exercises" / "lab1_vgg16" / "strides.py").write_text(exercise)
    assert "does not mark: ['stride_of']" in captionlab(course, "build", "lab1").stderr
    text = course / "solutions" / "lab1_vgg16" / "lab1_vgg16.md"
    text.write_text(text.read_text() + '\n```python exercise="stride_of"\n```\n')
    done = captionlab(course, "build", "lab1", "--force")
    assert done.returncode == 0, done.stderr
    tests = root / "tests" / "exercises" / "test_exercises.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests), "-k", "stride_of"]
    environment = {**os.environ, "PYTHONPATH": str(course / "lib")}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
