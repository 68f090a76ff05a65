"""Building all that is derived from a lab: notebooks in ``solutions/<lab>/`` and ``labs/<lab>/``, and its module."""

from __future__ import annotations

from pathlib import Path

from captionlab.exercises import LABS, load_lab
from captionlab.workbook.errors import TextError
from captionlab.workbook.module import release_module, source_module
from captionlab.workbook.notebook import source_notebook, text_cells, to_text
from captionlab.workbook.release import release_notebook


def built_files(root: Path, lab_name: str) -> dict[Path, str]:
    """Text of each built file of a lab, by path below ``root``.

    Raises:
        TextError: the lab's text is not there or cannot be built.
    """
    lab = load_lab(lab_name)
    text = root / "solutions" / lab.name / f"{lab.name}.md"
    if not text.is_file():
        raise TextError(f"there is no {text}: run this in the course's folder, or name it with --root")
    written = text.read_text(encoding="utf-8")
    source = source_notebook(lab, written)
    files = {
        Path("solutions", lab.name, f"{lab.name}.ipynb"): to_text(source),
        Path("labs", lab.name, f"{lab.name}.ipynb"): to_text(release_notebook(source)),
    }
    if lab.module_filename:
        module = source_module(lab, text_cells(written))
        files[Path("solutions", lab.name, lab.module_filename)] = module
        files[Path("labs", lab.name, lab.module_filename)] = release_module(lab, module)
    return files


def build(root: Path, labs: tuple[str, ...] = LABS) -> list[Path]:
    """Write the built files that are not up to date; returns those written."""
    written = []
    for path, text in _all_files(root, labs).items():
        if _current(root / path) != text:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8", newline="\n")
            written.append(path)
    return written


def outdated(root: Path, labs: tuple[str, ...] = LABS) -> list[Path]:
    """Built files that are not what a build gives."""
    return [path for path, text in _all_files(root, labs).items() if _current(root / path) != text]


def _all_files(root: Path, labs: tuple[str, ...]) -> dict[Path, str]:
    return {path: text for lab in labs for path, text in built_files(root, lab).items()}


def _current(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None
