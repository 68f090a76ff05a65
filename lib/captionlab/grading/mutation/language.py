"""Operators of the language: arithmetic, comparisons, constants, control flow, statements, tuples and slices."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from typing import Any

from captionlab.grading.mutation.scope import Change, Operator, Scope, edited, replaced, short, swapped

ARITHMETIC: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult, ast.FloorDiv),
    ast.FloorDiv: (ast.Div, ast.Mult),
    ast.Mod: (ast.FloorDiv, ast.Mult),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
}
COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
SYMBOLS: dict[type, str] = {
    **{ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**"},
    **{ast.MatMult: "@", ast.BitAnd: "&", ast.BitOr: "|", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="},
    **{ast.Eq: "==", ast.NotEq: "!=", ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in"},
}


def arithmetic(node: Any, parent: ast.AST, scope: Scope) -> Iterator[Change]:
    """``+`` to ``-`` and so on; ``+=`` also to ``=``."""
    if isinstance(node, (ast.BinOp, ast.AugAssign)):
        assigns = "=" if isinstance(node, ast.AugAssign) else ""
        for other in ARITHMETIC.get(type(node.op), ()):
            what = f"'{SYMBOLS[type(node.op)]}{assigns}' -> '{SYMBOLS[other]}{assigns}'"
            yield what, edited(node, op=other())
    if isinstance(node, ast.AugAssign):
        what = f"'{SYMBOLS.get(type(node.op), '?')}=' -> '='"
        yield what, ast.Assign([node.target], node.value, lineno=node.lineno)


def comparison(node: Any, parent: ast.AST, scope: Scope) -> Iterator[Change]:
    """``<`` to ``<=`` and so on."""
    if isinstance(node, ast.Compare):
        for at, old in enumerate(node.ops):
            for other in COMPARISONS[type(old)]:
                ops = [*node.ops[:at], other(), *node.ops[at + 1 :]]
                yield f"'{SYMBOLS[type(old)]}' -> '{SYMBOLS[other]}'", edited(node, ops=ops)


def boolean(node: Any, parent: ast.AST, scope: Scope) -> Iterator[Change]:
    """``and`` to ``or``, operands, ``not`` and unary minus dropped."""
    if isinstance(node, ast.BoolOp):
        is_and = isinstance(node.op, ast.And)
        what = "'and' -> 'or'" if is_and else "'or' -> 'and'"
        yield what, edited(node, op=ast.Or() if is_and else ast.And())
        for at, value in enumerate(node.values):
            rest = node.values[:at] + node.values[at + 1 :]
            yield f"{short(value)} dropped", edited(node, values=rest) if len(rest) > 1 else rest[0]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        yield f"{'not' if isinstance(node.op, ast.Not) else 'minus'} dropped", node.operand


# --- constants ---

WORDS = {"sum": "mean", "mean": "sum", "max": "average", "average": "max", "bilinear": "nearest", "ignore": "always"}


def constant(node: Any, parent: ast.AST, scope: Scope) -> Iterator[Change]:
    """Other numbers, truth values and texts; None stays."""
    if _is_negative_number(node):
        value = -node.operand.value
    elif isinstance(node, ast.Constant) and not (_is_negative_number(parent) or _is_strict(parent)):
        value = node.value
    else:
        return
    for other in _other_values(value):
        yield f"{value!r} -> {other!r}", ast.Constant(other)


def _is_negative_number(node: Any) -> bool:
    return (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
        and isinstance(node.operand.value, (int, float))
    )


def _is_strict(node: ast.AST) -> bool:
    """Whether a node is the argument ``strict`` of ``zip``, which matters only if something else is wrong."""
    return isinstance(node, ast.keyword) and node.arg == "strict"


def _other_values(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return list(dict.fromkeys(other for other in (value + 1, value - 1, 0) if other != value))
    if isinstance(value, float):
        return [value + 1, 0.0] if value else [1.0]
    if isinstance(value, str):
        return [WORDS.get(value, f"{value}X")]
    return []


# --- control flow and statements ---


def condition(node: Any, parent: ast.AST, scope: Scope) -> Iterator[Change]:
    """Conditions that are always true or never."""
    if isinstance(node, ast.If):
        for value in (True, False):
            if value or not is_guard(node):  # a guard is deleted altogether instead
                yield f"if {short(node.test)} -> if {value}", edited(node, test=ast.Constant(value))
    if isinstance(node, ast.While):
        yield f"while {short(node.test)} -> while False", edited(node, test=ast.Constant(False))
    if isinstance(node, ast.IfExp):
        yield replaced(node, node.body)
        yield replaced(node, node.orelse)
    if hasattr(node, "generators"):
        yield from _without_filters(node)


def _without_filters(node: Any) -> Iterator[Change]:
    for at, generator in enumerate(node.generators):
        for test in generator.ifs:
            rest = edited(generator, ifs=[one for one in generator.ifs if one is not test])
            generators = [*node.generators[:at], rest, *node.generators[at + 1 :]]
            yield f"if {short(test)} dropped", edited(node, generators=generators)


def is_guard(node: ast.AST) -> bool:
    """Whether a statement is an ``if`` that only raises."""
    return isinstance(node, ast.If) and not node.orelse and all(isinstance(one, ast.Raise) for one in node.body)


def statement(node: Any, parent: ast.AST, scope: Scope) -> Iterator[Change]:
    """Statements deleted, ``return x`` to ``return None``, ``with`` blocks without their context."""
    if isinstance(node, ast.With):
        yield f"with {short(node.items[0].context_expr)} dropped", node.body
    if isinstance(node, ast.Return) and node.value is not None:
        yield f"{short(node)} -> return None", edited(node, value=ast.Constant(None))
    if isinstance(node, (ast.Break, ast.Continue)):
        other = ast.Continue() if isinstance(node, ast.Break) else ast.Break()
        yield replaced(node, other)
    only_raises = is_guard(node) or (isinstance(node, ast.Raise) and not is_guard(parent))
    if isinstance(node, (ast.Expr, ast.Break, ast.Continue)) or only_raises or _is_spare(node, scope):
        yield f"{short(node)} deleted", []


def _is_spare(node: Any, scope: Scope) -> bool:
    """Whether a statement is an assignment whose targets are defined without it."""
    if isinstance(node, ast.AugAssign):
        return True
    if not isinstance(node, (ast.Assign, ast.AnnAssign)):
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    names = [one for target in targets for one in ast.walk(target)]
    return all(
        scope.first_bound.get(one.id, node.lineno) < node.lineno
        for one in names
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
    )


def exception(node: Any, parent: ast.AST, scope: Scope) -> Iterator[Change]:
    """Another type of exception."""
    if isinstance(node, ast.Raise) and node.exc is not None:
        kind = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        name = "AssertionError" if short(kind) != "AssertionError" else "ValueError"
        new = ast.Name(name, ast.Load())
        exc = edited(node.exc, func=new) if isinstance(node.exc, ast.Call) else new
        yield f"raise {short(kind)} -> raise {name}", edited(node, exc=exc)


def order(node: Any, parent: ast.AST, scope: Scope) -> Iterator[Change]:
    """Neighbors swapped in a returned or assigned tuple, or in what a tuple is assigned to."""
    if isinstance(node, (ast.Return, ast.Assign)) and isinstance(node.value, ast.Tuple):
        for what, elements in swapped(node.value.elts):
            yield what, edited(node, value=edited(node.value, elts=elements))
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
        for what, elements in swapped(node.targets[0].elts):
            yield what, edited(node, targets=[edited(node.targets[0], elts=elements)])
    elif isinstance(node, ast.For) and isinstance(node.target, ast.Tuple):
        for what, elements in swapped(node.target.elts):
            yield what, edited(node, target=edited(node.target, elts=elements))


def slices(node: Any, parent: ast.AST, scope: Scope) -> Iterator[Change]:
    """Bounds of slices dropped or shifted by one."""
    if not isinstance(node, ast.Slice):
        return
    for field, operator, sign in (("lower", ast.Add, "+"), ("upper", ast.Sub, "-"), ("step", None, "")):
        bound = getattr(node, field)
        if bound is None:
            continue
        yield f"{field} bound {short(bound)} dropped", edited(node, **{field: None})
        if operator and not isinstance(bound.operand if isinstance(bound, ast.UnaryOp) else bound, ast.Constant):
            shifted = ast.BinOp(bound, operator(), ast.Constant(1))
            yield f"{field} bound {short(bound)} -> {short(bound)} {sign} 1", edited(node, **{field: shifted})


def sequence(node: Any, parent: ast.AST, scope: Scope) -> Iterator[Change]:
    """Two statements in the other order, if one uses what the other sets, or both are calls."""
    for field in ("body", "orelse"):
        statements = getattr(node, field, [])
        if not isinstance(statements, list):  # of a lambda, or a conditional expression
            continue
        for at, (one, other) in enumerate(itertools.pairwise(statements)):
            if _depend(one, other):
                changed = [*statements[:at], other, one, *statements[at + 2 :]]
                yield f"{short(one, 30)} and {short(other, 30)} in the other order", edited(node, **{field: changed})


def _depend(one: ast.stmt, other: ast.stmt) -> bool:
    if isinstance(one, ast.Expr) and isinstance(other, ast.Expr):
        return not all(short(call).partition("(")[0].endswith(".append") for call in (one, other))
    simple = (ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign)
    if not isinstance(one, simple) or not isinstance(other, simple):
        return False
    return bool(_stored(one) & _names(other) or _stored(other) & _names(one))


def _stored(statement: Any) -> set[str]:
    """What a statement assigns to, as text."""
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return {
        ast.unparse(node)
        for target in targets
        if target is not None
        for node in ast.walk(target)
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store)
    }


def _names(statement: ast.AST) -> set[str]:
    """The names in a statement, as text, without those that only its comprehensions know."""
    nodes = list(ast.walk(statement))
    own = {ast.unparse(node) for one in nodes if isinstance(one, ast.comprehension) for node in ast.walk(one.target)}
    return {ast.unparse(node) for node in nodes if isinstance(node, (ast.Name, ast.Attribute))} - own


LANGUAGE_OPERATORS: tuple[Operator, ...] = (
    *(arithmetic, comparison, boolean, constant, condition, statement, sequence, exception, order, slices),
)
