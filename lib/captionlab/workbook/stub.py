"""Sources of implementations: references with the part that is cut for students, and definitions that stand alone."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import types

from captionlab.grading.exercise import Exercise
from captionlab.grading.submission import bound_by

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"  # nbgrader's markers
STUB = "# YOUR CODE HERE\nraise NotImplementedError()"  # and what it leaves in their place
BUG = "# There is a bug below: find it, explain it, repair it."


def solution_source(exercise: Exercise) -> str:
    """Source of the reference with the part students write between nbgrader's markers.

    Signature and docstring stay outside. Of a class, the methods in ``exercise.student_methods`` are marked.
    """
    source = textwrap.dedent(inspect.getsource(exercise.load_reference())).rstrip()
    definition = ast.parse(source).body[0]
    marked = written_functions(exercise, definition)
    absent = set(exercise.student_methods) - {one.name for one in marked}
    if isinstance(definition, ast.ClassDef) and absent:
        raise ValueError(f"{exercise.name} has no method {', '.join(sorted(absent))} for students to write")
    lines = source.split("\n")
    for function in reversed(marked):
        _mark(lines, function)
    return "\n".join(lines)


def written_functions(exercise: Exercise, definition: ast.stmt) -> list[ast.FunctionDef]:
    """What students write of an exercise's definition: the function, or of a class some methods, in its order."""
    if not isinstance(definition, ast.ClassDef):
        return [definition]
    return [one for one in definition.body if getattr(one, "name", None) in exercise.student_methods]


def _mark(lines: list[str], function: ast.FunctionDef) -> None:
    """Put the markers around the body, docstring apart; comments above the first statement go with it."""
    has_docstring = ast.get_docstring(function) is not None
    if has_docstring and len(function.body) == 1:
        raise ValueError(f"{function.name} has a docstring and no body: there is nothing for students to write")
    start = function.body[0].end_lineno if has_docstring else function.body[0].lineno - 1
    indent = " " * function.body[0].col_offset
    lines.insert(function.end_lineno, indent + END)
    lines.insert(start, indent + BEGIN)


def stub_source(exercise: Exercise) -> str:
    """What students receive: the solution cut out, or the code that a find-the-bug exercise starts from."""
    return start_source(exercise) if exercise.starter else cut(solution_source(exercise))


def cut(source: str) -> str:
    """Source with each marked part replaced by the line students overwrite; as nbgrader cuts a notebook's cells."""
    return _replace_marked(source, [STUB] * source.count(BEGIN))


def start_source(exercise: Exercise) -> str:
    """What students receive of a find-the-bug exercise: its misconception under the reference's docstrings."""
    wrong = textwrap.dedent(inspect.getsource(exercise.misconceptions[exercise.starter].implementation)).rstrip()
    definition = ast.parse(wrong).body[0]
    bodies = [definition]
    if isinstance(definition, ast.ClassDef):
        methods = {one.name: one for one in definition.body if isinstance(one, ast.FunctionDef)}
        reference = ast.parse(solution_source(exercise)).body[0]  # the marked parts come in its order
        bodies = [methods[one.name] for one in written_functions(exercise, reference)]
    parts = [textwrap.dedent(_body(wrong, one)) for one in bodies]
    return _replace_marked(solution_source(exercise), [f"{BUG}\n{parts[0]}", *parts[1:]])


def _body(source: str, function: ast.FunctionDef) -> str:
    """Lines of a function's body, its docstring apart."""
    lines = source.split("\n")[: function.end_lineno]
    has_docstring = ast.get_docstring(function) is not None
    return "\n".join(lines[function.body[0].end_lineno if has_docstring else function.body[0].lineno - 1 :])


def _replace_marked(source: str, texts: list[str]) -> str:
    """Put the n-th text, indented, in the place of the n-th marked part."""
    lines, texts = [], iter(texts)
    within = False
    for line in source.split("\n"):
        if line.strip() == BEGIN:
            within = True
            lines.append(textwrap.indent(next(texts), line[: -len(line.lstrip())]))
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
    *imports, definition = ast.parse(textwrap.dedent(source)).body
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
