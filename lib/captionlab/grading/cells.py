"""A cell's Python: IPython's magics are understood, not run."""

from __future__ import annotations

import ast
import re
import warnings
from typing import NamedTuple

from IPython.core.inputtransformer2 import TransformerManager

MAX_MAGIC_CELL, MAX_MAGICS = 50_000, 50  # IPython parses a cell again for each magic
RUNS_HERE = r"[ \t]*%%(time|capture|prun|memit|mprun|lprun|debug|snakeviz|pyinstrument|scalene|wandb)\b"
WRITES_FILE = r"[ \t]*%%(?:writefile|file)[ \t]+(?:-a[ \t]+)?(['\"]?)(?P<file>.+?)\1[ \t]*$"
DEFINED = r"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)|^(\w+)[ \t]*(?::[^=\n]*)?=(?!=)"


class ParsedCell(NamedTuple):
    """A cell's Python as text and as a tree; and the name of the file that it writes, if it is that file's text."""

    code: str
    tree: ast.Module
    file: str | None = None


def parse(code: str) -> ast.Module:
    """The tree of Python code.

    Raises:
        SyntaxError: not Python, or nested too deeply to be parsed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\\d" in a string and the like
            return ast.parse(code)
    except (RecursionError, MemoryError, ValueError) as error:
        raise SyntaxError(f"cannot be parsed ({type(error).__name__})") from None


def parse_cell(source: str) -> ParsedCell:
    """A cell's Python, with IPython's magics and shell commands turned into calls; line numbers stay.

    Cell magics that run the cell as it is (``%%time``) are taken away, also several of them; the text of a
    ``%%writefile`` cell is that of a file.

    Raises:
        SyntaxError: not Python, or a cell in another language.
    """
    code = re.sub("\r\n|\r", "\n", source)
    blank = re.compile(r"\s*\n|")
    at = blank.match(code).end()  # type: ignore[union-attr]
    while match := re.compile(RUNS_HERE + r".*").match(code, at):
        code = code[:at] + code[match.end() :]
        at = blank.match(code, at).end()  # type: ignore[union-attr]
    first = code[at:].partition("\n")[0]
    if match := re.match(WRITES_FILE, first):
        code = code[:at] + code[at + len(first) :]
        return ParsedCell(code, parse(code), match["file"])
    if first.lstrip().startswith("%%"):
        raise SyntaxError(f"it begins with {first.split()[0]}", (None, 1 + code[:at].count("\n"), None, None))
    try:
        return ParsedCell(code, parse(code))
    except SyntaxError:
        if len(code) > MAX_MAGIC_CELL or sum(line.lstrip()[:1] in ("!", "%") for line in code.split("\n")) > MAX_MAGICS:
            raise
        return _without_magics(code)


def _without_magics(code: str) -> ParsedCell:
    try:
        plain = TransformerManager().transform_cell(code)
    except SyntaxError:
        raise
    except Exception as error:  # IPython's own, on text that is not Python at all
        raise SyntaxError(str(error)[:100]) from None
    return ParsedCell(plain, parse(plain))


def names_defined(source: str) -> set[str]:
    """Names that code seems to define, which may not be valid Python."""
    return {name for match in re.finditer(DEFINED, source, re.MULTILINE) for name in match.groups() if name}
