"""Statements of submitted Python: which names they bind, need and change. Nothing is run."""

from __future__ import annotations

import ast
import dis
import warnings
from collections.abc import Iterator
from types import CodeType
from typing import TypeGuard

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
COMPOUND = (ast.If, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.For, ast.AsyncFor, ast.While, ast.Match)
LOADS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}


def bound_by(statement: ast.stmt) -> dict[str, ast.stmt]:
    """Names a top-level statement binds, each with the statement that does it (also inside ``if``, ``try``, loops).

    A star import binds ``"*"``.
    """
    if defines(statement):
        return {statement.name: statement}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0]: statement for alias in statement.names}
    found = {name: statement for node in [*_targets(statement), *_expressions(statement)] for name in _stored(node)}
    if isinstance(statement, COMPOUND):
        found |= {name: by for inner in inner_statements(statement) for name, by in bound_by(inner).items()}
    return found


def _targets(statement: ast.stmt) -> Iterator[ast.expr]:
    """What a statement assigns to."""
    if isinstance(statement, (ast.Assign, ast.Delete)):
        yield from statement.targets
    elif isinstance(statement, (ast.AnnAssign, ast.AugAssign, ast.For, ast.AsyncFor)):
        yield statement.target
    elif isinstance(statement, (ast.With, ast.AsyncWith)):
        yield from (item.optional_vars for item in statement.items if item.optional_vars)


def _expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    """The expressions of a statement itself, in which ``:=`` may bind a name."""
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.expr):
            yield from (node.target for node in ast.walk(child) if isinstance(node, ast.NamedExpr))


def _stored(target: ast.expr) -> Iterator[str]:
    for node in ast.walk(target):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def inner_statements(statement: ast.stmt) -> list[ast.stmt]:
    """The statements directly inside a compound one, in all of its branches, in the order of the text."""
    branches = [*getattr(statement, "handlers", []), *getattr(statement, "cases", [])]
    parts = [getattr(statement, part, []) for part in ("body", "orelse", "finalbody")]
    return [*parts[0], *(inner for branch in branches for inner in branch.body), *parts[1], *parts[2]]


def changed_by(statement: ast.stmt) -> tuple[set[str], set[str]]:
    """Names whose objects a statement changes: ``(by assignment to a part of them, by calling their methods)``.

    ``TABLE[0] = 1`` and ``Net.forward = forward`` change by assignment, ``TABLE.update(x)`` by a call.
    """
    assigned, called = set(), set()
    for target in _targets(statement):
        for part in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
            if isinstance(part, (ast.Attribute, ast.Subscript)) and (root := _root(part)):
                assigned.add(root)
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        function = statement.value.func
        if isinstance(function, ast.Name) and function.id == "setattr" and statement.value.args:
            assigned |= {root for root in [_root(statement.value.args[0])] if root}
        elif isinstance(function, ast.Attribute) and (root := _root(function)):
            called.add(root)
    if isinstance(statement, COMPOUND):
        for inner in inner_statements(statement):
            more_assigned, more_called = changed_by(inner)
            assigned |= more_assigned
            called |= more_called
    return assigned, called


def _root(node: ast.expr) -> str | None:
    """The name at the beginning of ``a.b[0].c``."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def configures(statement: ast.stmt) -> bool:
    """Whether a statement sets what other calls depend on, as ``torch.manual_seed(0)`` does."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    name = call.func.attr if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else ""
    return name.startswith("set") or "seed" in name


def needed_by(statement: ast.stmt) -> set[str]:
    """Global names that a statement, and the functions and classes in it, read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(ast.Module([statement], []), "submission", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    return set(_loaded(code))


def _loaded(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in LOADS:
            yield str(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _loaded(constant)


def defines(statement: ast.stmt) -> TypeGuard[Definition]:
    """Whether a statement is a function's or a class's definition."""
    return isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))


def is_unwritten(statement: ast.stmt) -> bool:
    """Whether a definition is still the stub that students receive, which raises NotImplementedError."""
    return defines(statement) and any(
        isinstance(node, ast.Raise) and "NotImplementedError" in ast.dump(node) for node in ast.walk(statement)
    )


def is_definition(statement: ast.stmt) -> bool:
    """Whether running a statement is cheap and has no effects but the names it binds.

    That is: a definition, an import, a literal constant, another name for something, or a choice between these.
    """
    if defines(statement) or isinstance(statement, (ast.Import, ast.ImportFrom)):
        return True
    if isinstance(statement, (ast.Try, ast.If)):  # `try: import x / except ImportError: x = None`
        inner = inner_statements(statement)
        return all(is_definition(one) or isinstance(one, ast.Pass) or is_magic(one) for one in inner)
    if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
        if not all(isinstance(target, (ast.Name, ast.Tuple)) for target in _targets(statement)):
            return False
        return _is_literal(statement.value) or isinstance(statement.value, ast.Lambda) or _is_dotted(statement.value)
    return False


def _is_dotted(value: ast.expr) -> bool:
    """Whether a value is another name, such as ``torch.Tensor``: evaluating it is cheap and has no effects."""
    while isinstance(value, ast.Attribute):
        value = value.value
    return isinstance(value, ast.Name)


def _is_literal(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, ArithmeticError, MemoryError, RecursionError):
        return False
    return True


def is_magic(statement: ast.stmt) -> bool:
    """Whether a statement is one of IPython's magics or shell commands, by itself or assigned."""
    call = getattr(statement, "value", None)  # get_ipython().run_line_magic(...)
    method = call.func if isinstance(call, ast.Call) else None
    maker = method.value if isinstance(method, ast.Attribute) else None
    return isinstance(maker, ast.Call) and isinstance(maker.func, ast.Name) and maker.func.id == "get_ipython"
