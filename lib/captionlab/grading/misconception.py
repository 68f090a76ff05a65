"""Wrong implementations that students really write: written out, or stated as edits of the reference.

Edits say only what a misconception changes::

    lab.misconceptions(
        "conv_output_size",
        padding_counted_once=(
            "Padding is added at both ends of the axis; your padded input is too short.",
            {"2 * padding": "padding"},
        ),
    )

Nothing is loaded or compiled before the implementation is asked for, so a process that runs student code never
holds the reference.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Misconception:
    """A wrong implementation, and the hint that helps a student out of it.

    Attributes:
        name: unique within the exercise.
        hint: what the student is told.
        written_out: the implementation, unless it is stated as edits.
        reference: ``"module:attribute"``, what the edits change.
        edits: see :func:`edit_source`.
        imports: lines of imports that the edited code needs beyond those of the reference's module.
    """

    name: str
    hint: str
    written_out: Callable | None = None
    reference: str = ""
    edits: Mapping[str, str] = field(default_factory=dict)
    imports: str = ""

    @cached_property
    def module(self) -> types.ModuleType:
        """The module whose names the implementation uses."""
        name = self.written_out.__module__ if self.written_out else self.reference.partition(":")[0]
        return importlib.import_module(name)

    @cached_property
    def source(self) -> str:
        """The definition, last, behind the imports it adds."""
        if self.written_out:
            return textwrap.dedent(inspect.getsource(self.written_out)).rstrip()
        reference = getattr(self.module, self.reference.rpartition(":")[2])
        try:
            edited = edit_source(textwrap.dedent(inspect.getsource(reference)), self.edits)
        except ValueError as error:
            raise ValueError(f"misconception {self.name} of {reference.__name__}: {error}") from None
        return f"{self.imports}\n\n\n{edited}" if self.imports else edited

    @cached_property
    def implementation(self) -> Callable:
        """The wrong function or class."""
        if self.written_out:
            return self.written_out
        attribute = self.reference.rpartition(":")[2]
        namespace = {**vars(self.module)}
        exec(compile(self.source, f"<misconception {self.name} of {attribute}>", "exec"), namespace)
        return namespace[attribute]


def edit_source(source: str, edits: Mapping[str, str]) -> str:
    """A definition without its docstrings, in which each piece of text has been replaced by another.

    Args:
        source: a function or class.
        edits: what stands in the source, exactly once (docstrings apart), and what replaces it. An empty replacement
            of the beginning of a statement deletes the whole statement: ``{"if kernel > padded": ""}``.

    Raises:
        ValueError: if a piece of text is not there, or more than once.
    """
    source = _without_docstrings(source.rstrip())
    for old, new in edits.items():
        found = source.count(old)
        if found != 1:
            raise ValueError(f"found {old!r} {found} times in the reference, expected once; give more or other text")
        statement = None if new else _statement_at(source, old)
        source = _without(source, statement) if statement else source.replace(old, new)
    return source


def _without_docstrings(source: str) -> str:
    lines = source.split("\n")
    documented = (ast.FunctionDef, ast.ClassDef)
    found = [
        one.body[0] for one in ast.walk(ast.parse(source)) if isinstance(one, documented) and ast.get_docstring(one)
    ]
    for docstring in sorted(found, key=lambda one: one.lineno, reverse=True):
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    return "\n".join(lines)


def _statement_at(source: str, text: str) -> ast.stmt | None:
    """The statement that begins with the text."""
    lines = source.split("\n")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt) and "\n".join(lines[node.lineno - 1 :])[node.col_offset :].startswith(text):
            return node
    return None


def _without(source: str, statement: ast.stmt) -> str:
    """The source without a statement; a body that would be empty passes."""
    lines = source.split("\n")
    bodies = [getattr(node, "body", []) for node in ast.walk(ast.parse(source))]
    alone = any(isinstance(body, list) and [one.lineno for one in body] == [statement.lineno] for body in bodies)
    lines[statement.lineno - 1 : statement.end_lineno] = [" " * statement.col_offset + "pass"] if alone else []
    return "\n".join(lines)
