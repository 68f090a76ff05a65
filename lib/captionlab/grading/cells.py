"""A cell's Python: IPython's magics are understood, not run."""

from __future__ import annotations

import ast
import re
import warnings

from IPython.core.inputtransformer2 import TransformerManager

MAX_MAGIC_CELL, MAX_MAGICS = 50_000, 50  # IPython parses a cell again for each magic


def parse(code: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in a string and the like
            return ast.parse(code)
    except (RecursionError, MemoryError, ValueError) as error:
        raise SyntaxError(f"cannot be parsed ({type(error).__name__})") from None


def parse_cell(code: str) -> tuple[str, ast.Module]:
    """A cell's Python, with IPython's magics and shell commands turned into calls; line numbers stay.

    Raises:
        SyntaxError: not Python, or a cell in another language.
    """
    first, _, _ = code.lstrip("\n").partition("\n")
    if re.match(r"%%(time|timeit|capture|prun)\b", first):
        code = code.replace(first, "", 1)
    elif first.startswith("%%"):
        raise SyntaxError(f"it begins with {first.split()[0]}", (None, 1, None, None))
    try:
        return code, parse(code)
    except SyntaxError:
        if len(code) > MAX_MAGIC_CELL or sum(line.lstrip()[:1] in ("!", "%") for line in code.split("\n")) > MAX_MAGICS:
            raise
        try:
            plain = TransformerManager().transform_cell(code)
        except Exception as error:  # IPython's own, on text that is not Python at all
            raise SyntaxError(str(error)[:100]) from None
        return plain, parse(plain)
