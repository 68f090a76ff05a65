"""Labs and exercise files are found without a list; the order of the exercises is the lab text's."""

from __future__ import annotations

import importlib
import sys

import pytest

from captionlab.exercises import LABS, AmbiguousName, UnknownName, lab_name

LAB_FILE = """
from captionlab.grading.exercise import Lab
lab = Lab("found", "Found", package=__package__)
"""
EXERCISE_FILE = """
from found_lab.common import lab

@lab.exercise("anywhere:{name}", points=1, minutes=1)
def probe({name}, rng):
    yield "x", {name}(1)
"""
PACKAGE_FILE = """
from captionlab.exercises import load_exercises
from found_lab.common import lab
load_exercises(lab)
"""


@pytest.fixture
def make_lab(tmp_path, monkeypatch):
    """Write a lab's package with a file per exercise, and load it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(*names: str, order: str | None = None):
        for loaded in [name for name in sys.modules if name.split(".")[0] == "found_lab"]:
            monkeypatch.delitem(sys.modules, loaded)
        folder = tmp_path / "found_lab"
        folder.mkdir(exist_ok=True)
        (folder / "common.py").write_text(LAB_FILE)
        (folder / "__init__.py").write_text(PACKAGE_FILE)
        for name in names:
            (folder / f"{name}_file.py").write_text(EXERCISE_FILE.format(name=name))
        if order is not None:
            (folder / "order.txt").write_text(order)
        importlib.invalidate_caches()
        return importlib.import_module("found_lab").lab

    yield make
    for loaded in [name for name in sys.modules if name.split(".")[0] == "found_lab"]:
        del sys.modules[loaded]


def test_exercises_come_in_the_order_of_the_text(make_lab):
    assert list(make_lab("a", "b", "c", order="# made by the build\nc\na\nb\n").exercises) == ["c", "a", "b"]


def test_a_new_exercise_is_found_and_comes_last_until_the_next_build(make_lab):
    assert list(make_lab("b", "c", order="c\nb\n").exercises) == ["c", "b"]
    assert list(make_lab("a", order="c\nb\n").exercises) == ["c", "b", "a"]


def test_a_lab_that_was_never_built_has_exercises(make_lab):
    assert set(make_lab("a", "b").exercises) == {"a", "b"}


def test_an_order_may_name_an_exercise_that_is_gone(make_lab):
    assert list(make_lab("a", order="gone\na\n").exercises) == ["a"]


def test_an_error_in_a_file_is_the_same_at_every_import(make_lab, tmp_path):
    """Else all tests but the first that is collected fail for another reason."""
    make_lab("a")
    (tmp_path / "found_lab" / "b_file.py").write_text("1 / 0")
    for loaded in [name for name in sys.modules if name.split(".")[0] == "found_lab"]:
        del sys.modules[loaded]
    importlib.invalidate_caches()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            importlib.import_module("found_lab")


def test_labs_are_the_packages_of_the_folder(root):
    folder = root / "lib" / "captionlab" / "exercises"
    assert list(LABS) == sorted(path.parent.name for path in folder.glob("*/__init__.py"))
    assert all(name.startswith("lab") for name in LABS)


@pytest.mark.parametrize("short", ["lab1_vgg16", "lab1", "LAB1", "1", "vgg", "Lab1_V", "vgg16"])
def test_short_names_of_a_lab(short):
    assert lab_name(short) == "lab1_vgg16"


@pytest.mark.parametrize(
    ("short", "said"), [("lab", "could be any of"), ("", "there is no lab"), ("lab9", "did you mean"), ("gg", "no lab")]
)
def test_names_of_no_lab(short, said):
    with pytest.raises(UnknownName, match=said):
        lab_name(short)


def test_a_name_of_several_labs_has_an_error_of_its_own():
    with pytest.raises(AmbiguousName):
        lab_name("lab")
