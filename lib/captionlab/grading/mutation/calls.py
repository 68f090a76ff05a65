"""Operators on calls: arguments, related functions, calls dropped, shared memory, gradients."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from captionlab.grading.mutation.scope import Change, Operator, Scope, edited, replaced, short, swapped

# Functions that are mistaken for each other, or that give something of the same shape.
RELATED: dict[str, str] = {
    **{"sum": "mean", "mean": "sum", "max": "min", "min": "max", "amax": "amin", "amin": "amax", "prod": "sum"},
    **{"argmax": "argmin", "argmin": "argmax", "maximum": "minimum", "minimum": "maximum", "argsort": "sort"},
    **{"floor": "ceil", "ceil": "floor", "round": "int", "isqrt": "sqrt", "square": "sqrt", "exp": "log", "log": "exp"},
    **{"any": "all", "all": "any", "zeros": "ones", "ones": "zeros", "zeros_like": "ones_like", "std": "var"},
    **{"ones_like": "zeros_like", "var": "std", "cumsum": "cumprod", "lower": "upper", "upper": "lower"},
    **{"softmax": "log_softmax", "log_softmax": "softmax", "update": "clear", "hstack": "vstack", "vstack": "hstack"},
    **{"relu": "tanh", "tanh": "sigmoid", "sigmoid": "tanh", "transpose": "view", "permute": "view", "view": "permute"},
    **{"reshape": "flatten", "unsqueeze": "squeeze", "squeeze": "unsqueeze", "deepcopy": "copy", "append": "extend"},
    **{"extend": "append", "startswith": "endswith", "endswith": "startswith", "children": "modules"},
    **{"modules": "children", "parameters": "buffers", "named_parameters": "named_buffers"},
    **{"named_children": "named_modules", "named_modules": "named_children"},
}
# Calls that give something similar to what they are given: `f(x, ...)` and `x.f(...)` become `x`.
SHARING = ("clone", "copy", "deepcopy", "list", "dict", "detach")  # then a change of the one changes the other
DROPPED = frozenset(
    (
        *("sqrt", "exp", "log", "abs", "relu", "tanh", "sigmoid", "softmax", "log_softmax", "clip", "clamp"),
        *("clamp_min", "clamp_max", "floor", "ceil", "round", "int", "float", "astype", "lower", "strip", "cumsum"),
        *("normalize", "set", "tuple", "sorted", "reversed", "squeeze", "unsqueeze", "flatten", "transpose", "permute"),
        *SHARING,
    )
)
# Where the order of two neighboring arguments makes no difference.
SYMMETRIC = frozenset(
    ("transpose", "swapaxes", "max", "min", "maximum", "minimum", "isclose", "allclose", "gcd", "hypot", "add", "mul")
)
# Methods of tensors that have a twin with an underscore.
IN_PLACE = frozenset(
    (
        *("clamp", "clip", "relu", "sigmoid", "tanh", "exp", "log", "sqrt", "abs", "neg", "round", "floor", "ceil"),
        *("add", "sub", "mul", "div", "masked_fill", "unsqueeze", "squeeze", "transpose"),
    )
)
IN_PLACE_OPERATORS: dict[type, str] = {ast.Add: "add_", ast.Sub: "sub_", ast.Mult: "mul_", ast.Div: "div_"}
# Calls whose result has no gradient to lose.
WITHOUT_GRADIENT = frozenset(
    (
        *("argmax", "argmin", "argsort", "tolist", "item", "numel", "size", "len", "int", "float", "round", "isqrt"),
        *("sorted", "list", "dict", "set", "tuple", "range", "zip", "any", "all", "detach", "state_dict"),
        *("deepcopy", "eval", "train", "parameters", "named_parameters", "children", "modules", "named_modules"),
    )
)


def _name(call: ast.Call) -> str:
    """The function's or method's own name."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _renamed(call: ast.Call, name: str) -> ast.Call:
    function = call.func
    field = "attr" if isinstance(function, ast.Attribute) else "id"
    return edited(call, func=edited(function, **{field: name}))


def _receiver(call: ast.Call, scope: Scope) -> ast.expr | None:
    """The object whose method is called; None for a function."""
    function = call.func
    return function.value if isinstance(function, ast.Attribute) and not scope.is_module(function.value) else None


def arguments(node: Any, parent: ast.AST, scope: Scope) -> Iterator[Change]:
    """Keyword arguments dropped, neighboring positional ones swapped, ranges longer or shorter by one."""
    if not isinstance(node, ast.Call):
        return
    for keyword in node.keywords:
        if keyword.arg != "strict":
            rest = [one for one in node.keywords if one is not keyword]
            yield f"argument {short(keyword)} dropped", edited(node, keywords=rest)
    if _name(node) == "range" and not isinstance(node.args[-1], ast.Constant):
        for operator in (ast.Add(), ast.Sub()):
            end = ast.BinOp(node.args[-1], operator, ast.Constant(1))
            yield f"range ends at {short(end)}", edited(node, args=[*node.args[:-1], end])
    if _name(node) not in SYMMETRIC:
        for what, elements in swapped(node.args):
            yield what, edited(node, args=elements)


def related(node: Any, parent: ast.AST, scope: Scope) -> Iterator[Change]:
    """Another function of the same kind: the maximum for the minimum, and so on."""
    if not isinstance(node, ast.Call):
        return
    name = _name(node)
    if name in RELATED:
        yield f"{name} -> {RELATED[name]}", _renamed(node, RELATED[name])
    if name in ("sorted", "sort") and not any(one.arg == "reverse" for one in node.keywords):
        reverse = ast.keyword("reverse", ast.Constant(True))
        yield f"{name} in reverse", edited(node, keywords=[*node.keywords, reverse])
    if name == "append" and _receiver(node, scope) is not None:
        yield "append -> insert(0, ...)", _renamed(edited(node, args=[ast.Constant(0), *node.args]), "insert")
    if name in ("train", "eval") and not node.args and not node.keywords:
        yield replaced(node, _renamed(node, "eval" if name == "train" else "train"))


def dropped(node: Any, parent: ast.AST, scope: Scope) -> Iterator[Change]:
    """Calls dropped: what they are given takes their place. A copy becomes the original itself."""
    if not isinstance(node, ast.Call) or _name(node) not in DROPPED or isinstance(parent, ast.Expr):
        return
    receiver = _receiver(node, scope)
    given = receiver if receiver is not None else node.args[0] if node.args else None
    if given is not None and not isinstance(given, (ast.Starred, ast.GeneratorExp)):
        yield f"{_name(node)} dropped", given


def in_place(node: Any, parent: ast.AST, scope: Scope) -> Iterator[Change]:
    """Changes of a parameter itself, where the reference computes something new."""
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp) and len(node.targets) == 1:
        target, value = node.targets[0], node.value
        if isinstance(target, ast.Name) and scope.is_parameter(target) and short(target) == short(value.left):
            yield replaced(node, ast.AugAssign(target, value.op, value.right))
    if isinstance(node, ast.BinOp) and scope.uses_torch and scope.is_parameter(node.left):
        method = IN_PLACE_OPERATORS.get(type(node.op))
        if method:
            yield replaced(node, ast.Call(ast.Attribute(node.left, method, ast.Load()), [node.right], []))
    if isinstance(node, ast.Call):
        yield from _in_place_call(node, scope)


def _in_place_call(node: ast.Call, scope: Scope) -> Iterator[Change]:
    name, receiver = _name(node), _receiver(node, scope)
    if scope.uses_torch and name in IN_PLACE and receiver is not None and scope.is_parameter(receiver):
        yield f"{name} -> {name}_", _renamed(node, f"{name}_")
    if name == "sorted" and scope.is_parameter(node.args[0]):
        sort = ast.Call(ast.Attribute(node.args[0], "sort", ast.Load()), [], node.keywords)
        yield f"{short(node)} -> sorted in place", ast.BoolOp(ast.Or(), [sort, node.args[0]])


def detached(node: Any, parent: ast.AST, scope: Scope) -> Iterator[Change]:
    """Returned or assigned tensors cut from the graph of gradients."""
    if not isinstance(node, (ast.Return, ast.Assign)) or not scope.uses_torch or not scope.computes_gradient(node):
        return
    if node.value is None:
        return
    if isinstance(node.value, ast.Tuple):
        for at, element in enumerate(node.value.elts):
            if _may_have_gradient(element):
                elements = [*node.value.elts[:at], _detach(element), *node.value.elts[at + 1 :]]
                yield f"{short(element)} detached", edited(node, value=edited(node.value, elts=elements))
    elif _may_have_gradient(node.value):
        yield f"{short(node.value)} detached", edited(node, value=_detach(node.value))


def _detach(node: ast.expr) -> ast.Call:
    return ast.Call(ast.Attribute(node, "detach", ast.Load()), [], [])


def _may_have_gradient(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return _name(node) not in WITHOUT_GRADIENT
    if isinstance(node, ast.BinOp):
        integers = isinstance(node.op, (ast.FloorDiv, ast.Mod))
        return not integers and (_may_have_gradient(node.left) or _may_have_gradient(node.right))
    return isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.UnaryOp, ast.IfExp))


CALL_OPERATORS: tuple[Operator, ...] = (arguments, related, dropped, in_place, detached)
