"""What an operator knows of the function it changes, and how it states a change.

An operator takes a node, its parent and the scope, and yields what it changes, in a few words, with the new node (or
a list of statements; an empty one deletes). It never changes the tree itself.
"""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Change = tuple[str, Any]
Operator = Callable[[Any, ast.AST, "Scope"], Iterator[Change]]


@dataclass(frozen=True)
class Scope:
    """The function around a node.

    Attributes:
        parameters: names of its parameters.
        modules: names that stand for modules, such as ``"torch"``.
        uses_torch: whether tensors may occur in it.
        first_bound: for each name, the line that binds it first.
        without_gradient: first and last lines of the blocks, or of the whole function, that compute no gradients.
    """

    parameters: frozenset[str]
    modules: frozenset[str]
    uses_torch: bool
    first_bound: dict[str, int]
    without_gradient: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, function: ast.FunctionDef, source: str, modules: frozenset[str]) -> Scope:
        """The scope of a function that stands in ``source``."""
        arguments = function.args
        parameters = {one.arg for one in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
        first_bound: dict[str, int] = dict.fromkeys(parameters, 0)
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                first_bound[node.id] = min(node.lineno, first_bound.get(node.id, node.lineno))
        names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
        return cls(
            frozenset(parameters - {"self"}),
            modules,
            bool(names & {"torch", "nn", "F"}),
            first_bound,
            _without_gradient(function),
        )

    def computes_gradient(self, node: Any) -> bool:
        """Whether gradients are computed where a node stands."""
        return not any(first <= node.lineno <= last for first, last in self.without_gradient)

    def is_module(self, node: ast.AST) -> bool:
        """Whether an expression such as ``torch.nn`` is a module, as far as names tell."""
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id in self.modules

    def is_parameter(self, node: ast.AST) -> bool:
        """Whether an expression is a parameter of the function."""
        return isinstance(node, ast.Name) and node.id in self.parameters


def _without_gradient(function: ast.FunctionDef) -> tuple[tuple[int, int], ...]:
    contexts: list[tuple[Any, list[ast.expr]]] = [(function, function.decorator_list)]
    contexts += [
        (node, [one.context_expr for one in node.items]) for node in ast.walk(function) if isinstance(node, ast.With)
    ]
    names = ("torch.no_grad", "torch.inference_mode")
    return tuple(
        (node.lineno, node.end_lineno or node.lineno)
        for node, expressions in contexts
        if any(short(one).startswith(names) for one in expressions)
    )


def edited(node: Any, **fields: Any) -> Any:
    """A shallow copy of a node with other fields."""
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def short(node: ast.AST | list, limit: int = 60) -> str:
    """A node as one line of text."""
    nodes = node if isinstance(node, list) else [node]
    text = "; ".join(ast.unparse(one).replace("\n", " ") for one in nodes)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def replaced(old: ast.AST, new: ast.AST | list) -> Change:
    """A change that is described by the code before and after."""
    return f"{short(old)} -> {short(new)}", new


def swapped(elements: list) -> Iterator[tuple[str, list]]:
    """The list with each pair of different neighbors exchanged."""
    for at, (one, other) in enumerate(itertools.pairwise(elements)):
        if not isinstance(one, ast.Starred) and not isinstance(other, ast.Starred) and not _equal(one, other):
            yield f"{short(one, 30)} and {short(other, 30)} swapped", [*elements[:at], other, one, *elements[at + 2 :]]


def _equal(one: ast.expr, other: ast.expr) -> bool:
    if isinstance(one, ast.Constant) and isinstance(other, ast.Constant):
        return bool(one.value == other.value)  # 0 and 0.0, too
    return short(one) == short(other)
