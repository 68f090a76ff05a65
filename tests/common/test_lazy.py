"""Lazy exports: nothing is imported before it is used, and every promised name is there."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from captionlab.common.lazy import lazy_exports


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with two modules; ``heavy`` says on import that it was imported."""
    folder = tmp_path / "lazy_package"
    folder.mkdir()
    (folder / "light.py").write_text("def add(a, b):\n    return a + b\n")
    (folder / "heavy.py").write_text("imported = True\nWEIGHT = 7\n")
    (folder / "__init__.py").write_text(
        "from captionlab.common.lazy import lazy_exports\n"
        "__getattr__, __dir__, __all__ = lazy_exports(__name__, {'light': ['add'], 'heavy': ['WEIGHT']})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("lazy_package")
    for name in [name for name in sys.modules if name.partition(".")[0] == "lazy_package"]:
        del sys.modules[name]


def test_a_name_imports_its_own_module_only(package):
    assert "lazy_package.light" not in sys.modules
    assert package.add(1, 2) == 3
    assert "lazy_package.light" in sys.modules
    assert "lazy_package.heavy" not in sys.modules


def test_the_usual_forms_of_import_work(package):
    from lazy_package import WEIGHT
    from lazy_package.light import add

    names: dict[str, object] = {}
    exec("from lazy_package import *", names)
    assert (WEIGHT, names["WEIGHT"], names["add"]) == (7, 7, add)
    assert package.heavy.WEIGHT == 7


def test_dir_lists_names_and_modules(package):
    assert package.__all__ == ["WEIGHT", "add"]
    assert {"WEIGHT", "add", "light", "heavy", "__name__"} <= set(dir(package))


def test_an_unknown_name_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match="'lazy_package' has no attribute 'sub'"):
        package.sub  # noqa: B018
    with pytest.raises(ImportError, match="sub"):
        exec("from lazy_package import sub")


@pytest.mark.parametrize("exports", [{"a": ["f"], "b": ["f"]}, {"a": ["b"], "b": ["f"]}, {"a": ["a"]}])
def test_a_name_with_two_meanings_is_refused(exports):
    with pytest.raises(ValueError, match="rename one of them"):
        lazy_exports("package", exports)


def test_every_exported_name_exists_and_importing_the_rooms_loads_no_torch():
    script = (
        "import sys\n"
        "from captionlab import common, transfer, vision\n"
        "assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)\n"
        "for room in (common, transfer, vision):\n"
        "    assert room.__all__\n"
        "    for name in room.__all__: getattr(room, name)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
