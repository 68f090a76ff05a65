"""The student's module, where a lab has one: found beside the notebook, and run as it is on disk.

A module that was imported earlier may be out of date; what is graded is the file.
"""

from __future__ import annotations

import linecache
import sys
import types
from pathlib import Path


class BrokenModule(Exception):
    """A module that does not run; the message says where."""


def find_module(name: str) -> Path | None:
    """The file of the module ``name`` (such as ``captioning.py``): the imported one's, or that of this folder."""
    imported = getattr(sys.modules.get(Path(name).stem), "__file__", None)
    candidates = [Path(imported)] if imported else []
    return next((path for path in (*candidates, Path(name)) if path.is_file()), None)


def run_module(path: Path) -> dict:
    """Run a module's file; what it defines.

    Raises:
        BrokenModule: with the line it stops at.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenModule(f"{path} cannot be read: {error}") from None
    origin = f"module {path.name}"  # as graders call it: messages name its lines
    lines = text.splitlines(keepends=True)
    linecache.cache[origin] = (len(text), None, lines, origin)
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    try:
        exec(compile(text, origin, "exec"), module.__dict__)
    except SyntaxError as error:
        raise BrokenModule(f"{path.name} is not valid Python (line {error.lineno}: {error.msg})") from None
    except Exception as error:
        line = _line_of(error, origin)
        where = f" in line {line}: {lines[line - 1].strip()}" if line else ""
        raise BrokenModule(f"{path.name} stops{where} ({type(error).__name__}: {error})") from None
    return {name: value for name, value in vars(module).items() if not name.startswith("__")}


def _line_of(error: BaseException, origin: str) -> int | None:
    found, frame = None, error.__traceback__
    while frame:
        if frame.tb_frame.f_code.co_filename == origin:
            found = frame.tb_lineno
        frame = frame.tb_next
    return found
