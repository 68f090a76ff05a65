"""The cells that were run in this notebook, as a submission: what would be graded of them."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path
from typing import Any

from captionlab.grading.chunks import add_cell
from captionlab.grading.exercise import Exercise, Lab
from captionlab.grading.reader import read_file, read_submission
from captionlab.grading.submission import Submission
from captionlab.grading.submitted_file import SubmissionFile, UnreadableSubmission


class SessionCells:
    """Sources of the cells that were run, in the order in which they were run last; each with its number.

    IPython tells which cell is run again, so that an earlier version of it does not count.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        raw = enumerate(shell.history_manager.input_hist_raw)
        self._sources: dict[object, tuple[int, str]] = {number: (number, source) for number, source in raw if source}
        shell.events.register("pre_run_cell", self._remember)

    def _remember(self, info: Any) -> None:
        if not info.store_history:
            return
        number = len(self.shell.history_manager.input_hist_raw)  # the cell is not among them yet
        key = getattr(info, "cell_id", None) or number
        self._sources.pop(key, None)
        self._sources[key] = (number, info.raw_cell)

    def sources(self) -> list[tuple[int, str]]:
        """(number, source) of each cell."""
        return list(self._sources.values())


_cells: SessionCells | None = None


def watch_session() -> SessionCells | None:
    """Begin to remember the cells of this notebook; None outside of IPython."""
    global _cells
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        return None
    if _cells is None or _cells.shell is not shell:
        _cells = SessionCells(shell)
    return _cells


def session_submission(lab: Lab, module: Path | None) -> Submission | None:
    """What would be submitted now: the cells that were run, and the lab's module.

    Args:
        lab: the lab.
        module: the file of the lab's module, if there is one.

    Returns:
        None outside of notebooks.
    """
    cells = watch_session()
    if cells is None or not cells.sources():
        return None
    submission = Submission("you")
    for number, source in cells.sources():
        add_cell(source, f"cell [{number}]", submission, module=lab.module_filename or "")
    return _with_module(submission, lab, module)


def saved_submission(
    exercise: Exercise, lab: Lab, run: Submission, module: Path | None, here: dict
) -> Submission | None:
    """The submission of the saved notebook, if it is known where it is and it has the answer that was run.

    Args:
        exercise: whose answer must be the one that was run.
        lab, module: as for :func:`session_submission`.
        run: what that gives.
        here: names where the check is called.
    """
    path = Path(str(here.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME") or f"{lab.name}.ipynb"))
    if path.suffix != ".ipynb" or not path.is_file():
        return None
    try:
        saved = _with_module(read_submission(SubmissionFile("you", path), lab), lab, module)
    except (UnreadableSubmission, OSError):
        return None
    ours, theirs = run.defining(exercise.name), saved.defining(exercise.name)
    return saved if ours and theirs and ours.code.strip() == theirs.code.strip() else None


def _with_module(submission: Submission, lab: Lab, module: Path | None) -> Submission:
    if module:
        try:
            read_file(module, lab, submission)
        except UnreadableSubmission as error:
            submission.notes.append(str(error))
    return submission


def is_beside(module: object, folder: Path) -> bool:
    """Whether a module is a file of this folder, or of a package in it, which is not graded."""
    file, name = getattr(module, "__file__", None), str(getattr(module, "__name__", ""))
    return isinstance(file, str) and Path(file).parent in (folder, folder / name.partition(".")[0])


def line_to_add(name: str, value: Any) -> str | None:
    """A line of Python that gives ``name`` this value, if there is a short one: an import or a plain value."""
    kind, module = type(value).__name__, getattr(value, "__module__", None)
    own = getattr(value, "__qualname__", "")
    if is_beside(value if isinstance(value, types.ModuleType) else sys.modules.get(str(module)), Path.cwd()):
        return None
    if isinstance(value, types.ModuleType):
        return f"import {value.__name__}" + (f" as {name}" if value.__name__ != name else "")
    if kind == "device":
        return f"{name} = torch.device({str(value)!r})"
    if kind == "dtype" or value is None or isinstance(value, (bool, int, float, str)):
        text = f"{name} = {value!r}"
        return text if len(text) <= 80 else None
    if not callable(value) or not isinstance(module, str) or not own.isidentifier():
        return None
    if module.startswith(("__main__", "captionlab")):
        return None
    return f"from {module} import {own}" + (f" as {name}" if own != name else "")
