"""Sources of implementations: references with the part that is cut for students, and definitions that stand alone."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import types
from collections.abc import Iterable

from captionlab.grading.exercise import Exercise
from captionlab.grading.submission import bound_by

Definition = ast.FunctionDef | ast.ClassDef
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"  # nbgrader's markers
STUB = "# YOUR CODE HERE\nraise NotImplementedError()"  # and what it leaves in their place
BUG = "# There is a bug below: find it, explain it, repair it."


def solution_source(exercise: Exercise) -> str:
    """Source of the reference with the part students write between nbgrader's markers.

    Signature and docstring stay outside. Of a class, the methods in ``exercise.student_methods`` are marked.
    """
    source = textwrap.dedent(inspect.getsource(exercise.load_reference())).rstrip()
    definition = _definition(source)
    marked = student_functions(exercise, definition)
    absent = set(exercise.student_methods) - {one.name for one in marked}
    if isinstance(definition, ast.ClassDef) and absent:
        raise ValueError(f"{exercise.name} has no method {', '.join(sorted(absent))} for students to write")
    lines = source.split("\n")
    for function in reversed(marked):
        _mark(lines, function)
    return "\n".join(lines)


def _definition(source: str) -> Definition:
    """The function or class that a source ends with."""
    definition = ast.parse(source).body[-1]
    if not isinstance(definition, Definition):
        raise ValueError(f"expected a function or class, found: {ast.unparse(definition)[:80]}")
    return definition


def student_functions(exercise: Exercise, definition: Definition) -> list[ast.FunctionDef]:
    """What students write of an exercise's definition: the function, or of a class some methods, in its order."""
    if isinstance(definition, ast.FunctionDef):
        return [definition]
    methods = [one for one in definition.body if isinstance(one, ast.FunctionDef)]
    return [method for method in methods if method.name in exercise.student_methods]


def _mark(lines: list[str], function: ast.FunctionDef) -> None:
    """Put the markers around the body, docstring apart; comments above the first statement go with it."""
    if ast.get_docstring(function) is not None and len(function.body) == 1:
        raise ValueError(f"{function.name} has a docstring and no body: there is nothing for students to write")
    indent = " " * function.body[0].col_offset
    lines.insert(_end(function), indent + END)
    lines.insert(_body_start(function), indent + BEGIN)


def _body_start(function: ast.FunctionDef) -> int:
    """Index of the first line of a function's body, docstring apart."""
    has_docstring = ast.get_docstring(function) is not None
    return _end(function.body[0]) if has_docstring else function.body[0].lineno - 1


def _end(statement: ast.stmt) -> int:
    """Index of the line behind a statement."""
    assert statement.end_lineno is not None  # always known of parsed source
    return statement.end_lineno


def stub_source(exercise: Exercise) -> str:
    """What students receive: the solution cut out, or the code that a find-the-bug exercise starts from."""
    return starter_source(exercise) if exercise.starter else cut(solution_source(exercise))


def cut(source: str) -> str:
    """Source with each marked part replaced by the line students overwrite; as nbgrader cuts a notebook's cells."""
    return _replace_marked(source, [STUB] * source.count(BEGIN))


def starter_source(exercise: Exercise) -> str:
    """What students receive of a find-the-bug exercise: its misconception under the reference's docstrings."""
    if exercise.starter not in exercise.misconceptions:
        known = ", ".join(exercise.misconceptions)
        raise ValueError(
            f"{exercise.name} starts from a misconception {exercise.starter!r} it does not have; it has {known}"
        )
    wrong = exercise.misconceptions[exercise.starter].source
    solution = solution_source(exercise)
    functions = {one.name: one for one in student_functions(exercise, _definition(wrong))}
    if isinstance(_definition(solution), ast.ClassDef):  # the marked parts come in the reference's order
        bodies = [functions[one.name] for one in student_functions(exercise, _definition(solution))]
    else:
        bodies = list(functions.values())
    parts = [textwrap.dedent("\n".join(wrong.split("\n")[_body_start(one) : _end(one)])) for one in bodies]
    return _replace_marked(solution, [f"{BUG}\n{parts[0]}", *parts[1:]])


def _replace_marked(source: str, texts: Iterable[str]) -> str:
    """Put the n-th text, indented, in the place of the n-th marked part."""
    lines, remaining = [], iter(texts)
    within = False
    for line in source.split("\n"):
        if line.strip() == BEGIN:
            within = True
            lines.append(textwrap.indent(next(remaining), line[: -len(line.lstrip())]))
        elif line.strip() == END:
            within = False
        elif not within:
            lines.append(line)
    return "\n".join(lines)


def reference_source(exercise: Exercise) -> str:
    """The right implementation with the imports, constants and helpers it uses."""
    reference = exercise.load_reference()
    return inline_source(inspect.getsource(reference), sys.modules[reference.__module__], exercise.name)


def inline_source(source: str, module: types.ModuleType, name: str) -> str:
    """A definition under another name, behind the imports, constants and helpers of its module that it uses.

    What made it a misconception, the lab's decorator, is dropped. The library's constants come as values, because
    the library cannot be imported where answers are graded.

    Args:
        source: of a function or class, perhaps behind imports of its own.
        module: where it was written.
        name: what it is called from now on.
    """
    source = textwrap.dedent(source)
    imports, definition = ast.parse(source).body[:-1], _definition(source)
    body = [part for one in ast.parse(inspect.getsource(module)).body for part in _with_values(one, module)]
    makers = {bound: at for at, statement in enumerate(body) for bound in bound_by(statement)}
    makers.pop(definition.name, None)
    needed: set[int] = set()
    open_ends = [_undecorated(definition)]
    while open_ends:
        used = {node.id for node in ast.walk(open_ends.pop()) if isinstance(node, ast.Name)}
        new = {makers[one] for one in used if one in makers} - needed
        needed |= new
        open_ends += [_undecorated(body[at]) for at in new]
    definition.name = name
    return "\n\n".join(map(ast.unparse, [*(body[at] for at in sorted(needed)), *imports, definition]))


def _with_values(statement: ast.stmt, module: types.ModuleType) -> list[ast.stmt]:
    """An import from the library as assignments of what is imported, as far as that is numbers, words, or such."""
    if not isinstance(statement, ast.ImportFrom) or not (statement.module or "").startswith("captionlab."):
        return [statement]
    values = {one.asname or one.name: getattr(module, one.asname or one.name) for one in statement.names}
    plain = {name: value for name, value in values.items() if isinstance(value, (int, float, str, tuple))}
    statement.names = [one for one in statement.names if (one.asname or one.name) not in plain]
    made = [ast.parse(f"{name} = {value!r}").body[0] for name, value in plain.items()]
    return [*made, *([statement] if statement.names else [])]


def _undecorated(statement: ast.stmt) -> ast.stmt:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        kept = [one for one in statement.decorator_list if not ast.unparse(one).startswith("lab.")]
        statement.decorator_list = kept
    return statement
