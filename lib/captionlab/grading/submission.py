"""The code of a submission, parsed. None of it is run here; for reading files see :mod:`captionlab.grading.reader`.

A submission consists of :class:`Chunk` objects, one per notebook cell or module. Of the cell that answers an exercise
everything is taken; of other cells and of modules only imports, definitions and literal constants, so that experiments
are not run again.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypedDict, TypeGuard

LAB_METADATA = "captionlab"  # key of a notebook's metadata that names the lab
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class ProgramPart(TypedDict):
    """What a worker runs of one chunk: positions of its statements, and which of those bind the answer."""

    origin: str
    code: str
    keep: list[int]
    binds: list[int]


@dataclass(frozen=True)
class Chunk:
    """Submitted code that belongs together: a notebook cell, or a module.

    Attributes:
        origin: such as ``"cell 3"`` or ``"module captioning.py"``.
        code, tree: its Python.
    """

    origin: str
    code: str
    tree: ast.Module = field(repr=False, compare=False)

    @cached_property
    def bindings(self) -> dict[str, ast.stmt]:
        """Names this chunk binds, each with the statement that binds it last."""
        return {name: by for statement in self.tree.body for name, by in bound_by(statement).items()}

    def statements(self) -> list[int]:
        """Positions of all statements except IPython's magics."""
        return [at for at, statement in enumerate(self.tree.body) if not _is_magic(statement)]

    @cached_property
    def definitions(self) -> list[int]:
        """Positions of the statements that are taken if the chunk is not the answer."""
        return [at for at, statement in enumerate(self.tree.body) if _is_definition(statement)]


@dataclass
class Submission:
    """What a student submitted for one lab.

    Attributes:
        student: name or id.
        chunks: in the order in which they would run.
        notes: remarks for student and instructor, such as cells that are not valid Python.
        stated_lab: the lab that the notebook's metadata names, or None.
    """

    student: str
    chunks: list[Chunk] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stated_lab: str | None = None
    _last: dict[str, Chunk] = field(default_factory=dict)

    def add(self, chunk: Chunk) -> None:
        """Append a chunk; a second definition of a name is noted."""
        for name, statement in chunk.bindings.items():
            earlier = self.defining(name)
            if earlier and _defines(statement) and _defines(earlier.bindings[name]):
                self.notes.append(
                    f"{name} is defined in {earlier.origin} and again in {chunk.origin}: the last definition counts"
                )
            self._last[name] = chunk
        self.chunks.append(chunk)

    def defining(self, name: str) -> Chunk | None:
        """The last chunk that binds ``name`` at top level."""
        return self._last.get(name)

    def program(self, name: str) -> list[ProgramPart]:
        """What a worker runs to get ``name``. The cell that answers is taken whole, unless it is a module."""
        answer = self.defining(name)
        program: list[ProgramPart] = []
        for chunk in self.chunks:
            whole = chunk is answer and chunk.origin.startswith("cell ")
            keep = chunk.statements() if whole else chunk.definitions
            binds = [at for at in keep if chunk is answer and name in bound_by(chunk.tree.body[at])]
            program.append({"origin": chunk.origin, "code": chunk.code, "keep": keep, "binds": binds})
        return program

    def rejection_reason(self, name: str) -> str | None:
        """Why what the submission binds to ``name`` is not accepted as an answer, or None if it is.

        An answer must be defined in the submission, neither imported nor assembled from imported functions.
        """
        seen: set[str] = set()
        wanted = name
        while wanted not in seen:
            seen.add(wanted)
            chunk = self.defining(wanted)
            if chunk is None:
                return f"{name} is another name for {wanted}, which this submission does not define"
            statement = chunk.bindings[wanted]
            if _defines(statement):
                return None
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                return f"{name} is imported ({chunk.origin}); write the definition yourself"
            value = getattr(statement, "value", None)
            if isinstance(value, ast.Lambda):
                return None
            if self._wraps(wanted, value):
                return None
            if not isinstance(value, ast.Name):
                return f"{name} is assigned, not defined ({chunk.origin}); define it with def or class"
            wanted = value.id
        return f"{name} is defined only by itself; define it with def or class"

    def _wraps(self, name: str, value: ast.expr | None) -> bool:
        """Whether ``name = wrapper(name)`` wraps a definition of that name in the submission."""
        if not isinstance(value, ast.Call) or name not in {getattr(node, "id", "") for node in ast.walk(value)}:
            return False
        return any(_defines(one) and one.name == name for chunk in self.chunks for one in chunk.tree.body)

    def explain_missing(self, name: str) -> str:
        """Why a name was not defined when the answer ran: the cell that would define it, if there is one."""
        chunk = self.defining(name)
        if chunk is None:
            return f"no cell defines {name}"
        if isinstance(chunk.bindings[name], (ast.Import, ast.ImportFrom)):
            return f"the import of {name} in {chunk.origin} fails during grading: the answer must work without it"
        return (
            f"{name} is computed in {chunk.origin}, which is not run: only imports, definitions and literal constants "
            f"are taken from modules and from cells that do not contain the answer; move it into the answer"
        )


def bound_by(statement: ast.stmt) -> dict[str, ast.stmt]:
    """Names a top-level statement binds, each with the statement that does it (also inside ``if`` or ``try``)."""
    if _defines(statement):
        return {statement.name: statement}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0]: statement for alias in statement.names}
    if isinstance(statement, (ast.If, ast.Try, ast.With, ast.For)):
        return {name: by for inner in _inner(statement) for name, by in bound_by(inner).items()}
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    nodes = [node for target in targets if target is not None for node in ast.walk(target)]
    return {node.id: statement for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _inner(statement: ast.stmt) -> list[ast.stmt]:
    """The statements inside a compound one, in all of its branches."""
    handled = [inner for handler in getattr(statement, "handlers", []) for inner in handler.body]
    parts = [getattr(statement, part, []) for part in ("body", "orelse", "finalbody")]
    return [*parts[0], *handled, *parts[1], *parts[2]]


def _defines(statement: ast.stmt) -> TypeGuard[Definition]:
    return isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))


def _is_definition(statement: ast.stmt) -> bool:
    if _defines(statement) or isinstance(statement, (ast.Import, ast.ImportFrom)):
        return True
    if isinstance(statement, (ast.Try, ast.If)):  # `try: import x / except ImportError: x = None`
        return all(_is_definition(one) or isinstance(one, ast.Pass) or _is_magic(one) for one in _inner(statement))
    if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
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


def _is_magic(statement: ast.stmt) -> bool:
    call = getattr(statement, "value", None)  # get_ipython().run_line_magic(...), by itself or assigned
    method = call.func if isinstance(call, ast.Call) else None
    maker = method.value if isinstance(method, ast.Attribute) else None
    return isinstance(maker, ast.Call) and isinstance(maker.func, ast.Name) and maker.func.id == "get_ipython"
