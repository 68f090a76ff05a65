"""The rules of the house that a machine can see: pins, sizes, which room may import which, no pickle."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import runpy
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "lib" / "captionlab"
OPENING = re.compile(r"\bImage\.open\(|\b(?:imread|decode_image|default_loader)\(")
SOURCES = sorted(path for folder in ("lib", "bench", "data_scripts") for path in (ROOT / folder).rglob("*.py"))
# What each room may import of the others: arrows point down only. Subject rooms know nothing of grading, grading knows
# nothing of the subjects.
DATA = {"common", "datasets"}
EXERCISES = {"exercises", "grading", "common"}
MAY_IMPORT = {
    "common": {"common"},
    "datasets": DATA,
    "vision": DATA | {"vision"},
    "convnets": DATA | {"vision", "convnets"},
    "transfer": DATA | {"vision", "convnets", "transfer"},
    "captioning": DATA | {"vision", "captioning"},
    "plots": DATA | {"vision", "convnets", "transfer", "captioning", "plots"},
    "experiments": DATA | {"vision", "convnets", "transfer", "captioning", "plots", "experiments"},
    "grading": {"grading", "common"},
    "exercises": EXERCISES,
    "workbook": EXERCISES | {"workbook"},
    "instructor": EXERCISES | {"workbook", "instructor"},
}


def imported_rooms(path: Path) -> set[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("captionlab.")}


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_arrows_point_down(room):
    for path in (PACKAGE / room).rglob("*.py"):
        assert imported_rooms(path) <= MAY_IMPORT[room], path.relative_to(ROOT)


def test_files_and_functions_stay_small():
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400, path.relative_to(ROOT)
        tree = ast.parse(text)
        assert ast.get_docstring(tree), f"{path.relative_to(ROOT)} does not say what it is"
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.body:
                first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
                assert node.end_lineno - first.lineno < 50, f"{path.relative_to(ROOT)}: {node.name}"


def test_no_pickle_is_loaded():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "pickle.load", "pickle.loads"):
                safe = any(word.arg == "weights_only" and ast.unparse(word.value) == "True" for word in node.keywords)
                assert safe, f"{path.relative_to(ROOT)}, line {node.lineno}"
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.load", "numpy.load"):
                assert all(word.arg != "allow_pickle" for word in node.keywords), path.relative_to(ROOT)


def test_images_are_opened_in_one_place():
    """Elsewhere the orientation would be forgotten, and 16 bits clipped; references of exercises stand alone."""
    opening = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if OPENING.search(path.read_text("utf-8"))
    }
    others = {name for name in opening if not name.startswith("exercises/")}
    assert others - {"transfer/augmentation.py"} == {"common/images.py"}


def test_direct_dependencies_are_pinned_and_conda_takes_the_same():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for pin in [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]:
        assert "==" in pin, pin
    conda = (ROOT / "environment.yml").read_text()
    assert "      - -e .\n" in conda  # the project's own pins
    for pin in project["dependency-groups"]["dev"]:
        assert f"      - {pin}\n" in conda


# Needed although nothing imports them.
PROGRAMS = {
    "ipykernel": "the kernel of the notebooks",
    "jupyterlab": "where students open the notebooks",
    "tensorboard": "torch.utils.tensorboard imports it",
    "mypy": "a program",
    "pre-commit": "a program",
    "pytest-timeout": "a plugin of pytest",
    "pytest-xdist": "a plugin of pytest",
    "ruff": "a program",
}
WRITTEN_BY_TESTS = {"lazy_package", "toy_lab"}  # modules that exist while a test runs


def imported_modules(code: str) -> set[str]:
    """The top-level modules that Python code imports."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module.partition(".")[0])
    return modules


def imports_of_lab_text(path: Path) -> set[str]:
    """The top-level modules that the code cells of a lab's text import."""
    cells = re.findall(r"^```python.*?\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for cell in cells for line in cell.splitlines() if not line.startswith(("%", "!"))]
    return imported_modules("\n".join(lines))


def distributions_of(modules: set[str]) -> set[str]:
    """The installed distributions that provide modules, in lower case; the repository's own modules have none."""
    own = {path.stem for folder in ("bench", "data_scripts", "tests") for path in (ROOT / folder).rglob("*.py")}
    foreign = modules - set(sys.stdlib_module_names) - own - WRITTEN_BY_TESTS - {"captionlab"}
    providers = importlib.metadata.packages_distributions()
    return {name.lower() for module in foreign for name in providers.get(module, [f"nothing provides {module}"])}


def test_declared_dependencies_are_those_imported():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    main = {pin.partition("==")[0] for pin in project["project"]["dependencies"]}
    dev = {pin.partition("==")[0] for pin in project["dependency-groups"]["dev"]}
    library, tests = set(), set()
    for path in SOURCES:
        library |= imported_modules(path.read_text(encoding="utf-8"))
    for path in (ROOT / "solutions").glob("*/*.md"):
        library |= imports_of_lab_text(path)
    for path in (ROOT / "tests").rglob("*.py"):
        tests |= imported_modules(path.read_text(encoding="utf-8"))
    needed = distributions_of(library)
    assert main - PROGRAMS.keys() == needed
    assert dev - PROGRAMS.keys() == distributions_of(tests) - needed
    assert PROGRAMS.keys() <= main | dev, "remove from PROGRAMS what is no dependency any more"


def test_pins_are_the_installed_versions():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for pin in [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]:
        name, _, version = pin.partition("==")
        assert importlib.metadata.version(name) == version, f"{name}: run uv sync"


def test_the_results_page_is_that_of_the_results():
    script = runpy.run_path(str(ROOT / "data_scripts" / "make_results_page.py"))
    written = (ROOT / "docs" / "results.md").read_text("utf-8")
    assert script["page"](ROOT / "results") == written, "run data_scripts/make_results_page.py"
