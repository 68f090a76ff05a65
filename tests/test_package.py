"""The package itself: its packages are reached as attributes, and nothing heavy is imported before it is used."""

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import captionlab

PACKAGE = Path(captionlab.__file__).parent
WITH_EXAMPLES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text("utf-8"))


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_loads_nothing_heavy_and_a_name_loads_what_it_needs():
    heavy = "print([name for name in ('torch', 'numpy', 'PIL', 'rich', 'nbformat') if name in sys.modules])"
    code = f"import sys, captionlab; {heavy}; print(captionlab.captioning.Captioner.__name__, 'torch' in sys.modules)"
    assert run(code).splitlines() == ["[]", "Captioner True"]


def test_every_package_is_listed_and_documented():
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - {"commands"}
    assert packages <= set(dir(captionlab))
    for name in sorted(packages | {"commands"}):
        assert f"`{name}`" in captionlab.__doc__, name


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=str)
def test_examples_in_docstrings(path, monkeypatch):
    monkeypatch.delenv("CAPTIONLAB_MIRROR", raising=False)  # commands are printed with the mirror they need
    module = importlib.import_module(".".join(("captionlab", *path.with_suffix("").parts)))
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


def test_package_is_marked_as_typed():
    assert (PACKAGE / "py.typed").is_file()
