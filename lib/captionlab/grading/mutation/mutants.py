"""Mutants of a reference: copies that differ at a single point, to find out what a probe does not notice.

A mutation library such as mutmut or cosmic-ray cannot do this instead: they run a test suite on a changed source tree,
where ours runs a probe on one function, and they know nothing of what students get wrong in this field (in-place
changes, shared memory, detached gradients, dimensions, reductions).
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import textwrap
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from captionlab.grading.exercise import Exercise
from captionlab.grading.mutation.calls import CALL_OPERATORS
from captionlab.grading.mutation.language import LANGUAGE_OPERATORS
from captionlab.grading.mutation.scope import Scope

Definition = ast.FunctionDef | ast.ClassDef
Holder = ast.Module | ast.ClassDef
OPERATORS = (*LANGUAGE_OPERATORS, *CALL_OPERATORS)


@dataclass(frozen=True)
class Mutant:
    """A reference with one change.

    Attributes:
        line: number of the changed line in the reference's file.
        description: what was changed, such as ``"line 12: '+' -> '-'"``.
        old, new: the changed lines before and after, without indentation, as :func:`ast.unparse` writes them; they
            identify the mutant.
        source: the whole definition.
    """

    line: int
    description: str
    old: str
    new: str
    source: str

    @property
    def key(self) -> tuple[str, str]:
        """What identifies the mutant, wherever its line is."""
        return self.old, self.new


def compiled(exercise: Exercise, source: str) -> Callable:
    """The function or class that a source defines, with the names of the module of an exercise's reference."""
    namespace = {**vars(_module(exercise))}
    exec(compile(source, f"<mutant of {exercise.name}>", "exec"), namespace)
    implementation: Callable = namespace[exercise.name]
    return implementation


def unchanged(exercise: Exercise) -> str:
    """The source that the mutants change: the reference without docstrings, annotations, and such."""
    return ast.unparse(simplified(inspect.getsource(exercise.load_reference()))[0])


def _module(exercise: Exercise) -> types.ModuleType:
    return importlib.import_module(exercise.reference.partition(":")[0])


def exercise_mutants(exercise: Exercise) -> list[Mutant]:
    """All mutants of an exercise's reference: of what students write, if it is a class."""
    module = _module(exercise)
    lines, first = inspect.getsourcelines(exercise.load_reference())
    modules = frozenset(name for name, value in vars(module).items() if isinstance(value, types.ModuleType))
    return generate_mutants("".join(lines), first_line=first, methods=exercise.student_methods, modules=modules)


def generate_mutants(
    source: str, *, first_line: int = 1, methods: Sequence[str] | None = None, modules: frozenset[str] = frozenset()
) -> list[Mutant]:
    """All copies of a function or class with a single change, each once.

    Docstrings, annotations, decorators and what is said in exceptions are left alone.

    Args:
        source: the definition.
        first_line: number of its first line in its file.
        methods: if it is a class, the methods to change; None: all of them.
        modules: the names that stand for modules in it, such as ``"torch"``.
    """
    tree, definition = simplified(source)
    original = ast.unparse(tree)
    found: dict[str, Mutant] = {}
    for holder, function in _functions(tree, definition, methods):
        for lineno, what in _changes(holder, function, Scope.of(function, original, modules)):
            changed = ast.unparse(tree)
            if changed != original and changed not in found and _compiles(changed):
                line = first_line + lineno - 1
                old, new = changed_lines(original, changed)
                found[changed] = Mutant(line, f"line {line}: {what}", old, new, changed)
    return list(found.values())


def simplified(source: str) -> tuple[ast.Module, Definition]:
    """The tree of a source that ends with a function or class, without what no mutant changes, and that definition."""
    tree = ast.parse(textwrap.dedent(source))
    definition = tree.body[-1]
    if not isinstance(definition, Definition):
        raise ValueError(f"expected a function or class, found: {ast.unparse(definition)[:80]}")
    _simplify(tree)
    return tree, definition


def _simplify(tree: ast.AST) -> None:
    """Delete what no mutant changes: docstrings, annotations of functions, what exceptions say."""
    for node in ast.walk(tree):
        if isinstance(node, Definition) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            node.exc.args, node.exc.keywords = [ast.Constant(...)], []


def changed_lines(original: str, changed: str) -> tuple[str, str]:
    """The lines that differ between two sources, before and after, without indentation.

    >>> changed_lines("def f(x):\\n    return x + 1", "def f(x):\\n    return x - 1")
    ('return x + 1', 'return x - 1')
    """
    before, after = ([line.strip() for line in source.split("\n")] for source in (original, changed))
    start = _equal_lines(before, after)
    before, after = before[start:], after[start:]
    end = _equal_lines(before[::-1], after[::-1])
    return "\n".join(before[: len(before) - end]), "\n".join(after[: len(after) - end])


def _equal_lines(one: list[str], other: list[str]) -> int:
    """How many lines are equal before the first that differs."""
    equal = (left == right for left, right in zip(one, other, strict=False))
    return sum(itertools.takewhile(bool, equal))


def _functions(
    tree: ast.Module, definition: Definition, methods: Sequence[str] | None
) -> list[tuple[Holder, ast.FunctionDef]]:
    """What is to be changed, each with what holds it."""
    if isinstance(definition, ast.FunctionDef):
        return [(tree, definition)]
    own = [one for one in definition.body if isinstance(one, ast.FunctionDef)]
    return [(definition, one) for one in own if methods is None or one.name in methods]


def _changes(holder: Holder, function: ast.FunctionDef, scope: Scope) -> Iterator[tuple[int, str]]:
    """Make each change in the function's tree, yield its line and what it is, and take it back."""
    whole = (holder, "body", holder.body.index(function), function)
    for parent, field, index, node in [whole, *_places(function)]:
        for operator in OPERATORS:
            for what, replacement in operator(node, parent, scope):
                with _replaced(parent, field, index, replacement):
                    yield _line(node, replacement), what


def _line(node: Any, replacement: Any) -> int:
    """The line of a change: the node's, or that of the first statement inside it that is another one."""
    for field in ("body", "orelse"):
        old, new = getattr(node, field, None), getattr(replacement, field, None)
        if isinstance(old, list) and isinstance(new, list):
            moved = [one.lineno for one, other in zip(old, new, strict=False) if one is not other]
            if moved:
                return int(moved[0])
    return int(node.lineno)


@contextmanager
def _replaced(parent: ast.AST, field: str, index: int | None, replacement: Any) -> Iterator[None]:
    """Let something else hang in a place of the tree; where a body would be empty, ``pass``."""
    value = getattr(parent, field)
    if index is None:
        setattr(parent, field, replacement)
    else:
        new = replacement if isinstance(replacement, list) else [replacement]
        setattr(parent, field, value[:index] + new + value[index + 1 :] or [ast.Pass()])
    try:
        yield
    finally:
        setattr(parent, field, value)


def _places(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, Any]]:
    """Each node that may be changed, and where it hangs: parent, field and position in the field's list."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "type_params") or isinstance(node, ast.Raise):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                if hasattr(child, "lineno"):
                    yield node, field, index, child
                yield from _places(child)


def _compiles(source: str) -> bool:
    try:
        compile(source, "<mutant>", "exec")
    except SyntaxError:
        return False
    return True
