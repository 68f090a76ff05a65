"""The code of a submission, parsed. None of it is run here; for reading files see :mod:`captionlab.grading.reader`.

A submission consists of :class:`Chunk` objects, one per notebook cell or module. What a worker runs for an exercise
(:meth:`Submission.program`) is what its answer needs: imports, definitions and literal constants, and computed names
and changes that the answer depends on. Experiments are not run again.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypedDict

from captionlab.grading.statements import (
    bound_by,
    changed_by,
    configures,
    defines,
    is_definition,
    is_magic,
    is_unwritten,
    needed_by,
)

IMPORTS = (ast.Import, ast.ImportFrom)
LAB_METADATA = "captionlab"  # key of a notebook's metadata that names the lab


class Step(TypedDict):
    """A statement that a worker runs: its position; whether it binds the answer; whether its time is limited.

    ``ignored`` are names that it must not bind again; with ``"*"`` among them, none that has a value.
    """

    at: int
    binds: bool
    computed: bool
    ignored: list[str]


class ProgramPart(TypedDict):
    """What a worker runs of one chunk."""

    origin: str
    code: str
    module: str | None
    steps: list[Step]


class Place(NamedTuple):
    """A statement of a submission: the position of its chunk, and its own within that."""

    chunk: int
    at: int


@dataclass(frozen=True)
class Chunk:
    """Submitted code that belongs together: a notebook cell, or a module.

    Attributes:
        origin: such as ``"cell 3"`` or ``"module captioning.py"``.
        code, tree: its Python.
        module: name of the module, or None for a cell.
        is_helper: whether it is another module than the lab's; what a cell defines counts before it.
        answers: the exercise whose answer cell this is, if it is one.
    """

    origin: str
    code: str
    tree: ast.Module = field(repr=False, compare=False)
    module: str | None = None
    is_helper: bool = False
    answers: str | None = None
    _needed: dict[int, set[str]] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def bindings(self) -> list[dict[str, ast.stmt]]:
        """For each statement the names that it binds (see :func:`~captionlab.grading.statements.bound_by`)."""
        return [{} if is_magic(statement) else bound_by(statement) for statement in self.tree.body]

    @cached_property
    def definitions(self) -> set[int]:
        """Positions of the statements that are taken whether or not the answer needs them."""
        return {at for at, statement in enumerate(self.tree.body) if is_definition(statement)}

    def needed_by(self, at: int) -> set[str]:
        """Global names that a statement reads (see :func:`~captionlab.grading.statements.needed_by`)."""
        if at not in self._needed:
            self._needed[at] = needed_by(self.tree.body[at])
        return self._needed[at]


@dataclass
class Submission:
    """What a student submitted for one lab.

    Attributes:
        student: name or id.
        chunks: in the order in which they would run.
        notes: remarks for student and instructor, such as cells that are not valid Python.
        stated_lab: the lab that the notebook's metadata names, or None.
        python: version with which the notebook was run, such as (3, 13), or None.
        notebook: the notebook itself, cleaned, if there is one.
        skipped: names that cells which are not valid Python would define, each with the reason.
    """

    student: str
    chunks: list[Chunk] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stated_lab: str | None = None
    python: tuple[int, ...] | None = None
    notebook: Any = field(default=None, repr=False)
    skipped: dict[str, str] = field(default_factory=dict)
    _places: dict[str, list[Place]] = field(default_factory=dict, repr=False)
    _counting: dict[str, Place | None] = field(default_factory=dict, repr=False)
    _made: set[str] = field(default_factory=set, repr=False)

    def add(self, chunk: Chunk) -> None:
        """Append a chunk."""
        self._counting.clear()
        self._made.clear()
        for at, names in enumerate(chunk.bindings):
            for name in names:
                self._places.setdefault(name, []).append(Place(len(self.chunks), at))
        self.chunks.append(chunk)

    def include(self, other: Submission) -> None:
        """Add the code of another of this student's files, and what was noticed of it."""
        for chunk in other.chunks:
            self.add(chunk)
        self.notes += other.notes
        self.skipped |= other.skipped
        self.stated_lab = other.stated_lab or self.stated_lab
        self.python = other.python or self.python
        self.notebook = other.notebook or self.notebook

    def defining(self, name: str) -> Chunk | None:
        """The chunk whose binding of ``name`` counts."""
        place = self.counting(name)
        return self.chunks[place.chunk] if place else None

    def counting(self, name: str) -> Place | None:
        """The statement whose binding of ``name`` counts.

        A module's definition counts before a notebook's, a written one before a stub, that of the exercise's answer
        cell before others, and the last before earlier ones. What is not a definition counts only if there is none.
        """
        if name not in self._counting:
            places = self._places.get(name, [])
            made = [place for place in places if self._makes(name, place)]
            last = places[-1] if places else None
            self._counting[name] = max(made, key=lambda place: self._rank(name, place), default=last)
        return self._counting[name]

    def _rank(self, name: str, place: Place) -> tuple:
        chunk = self.chunks[place.chunk]
        unwritten = is_unwritten(chunk.bindings[place.at][name])
        kind = 0 if chunk.module is None else -1 if chunk.is_helper else 1
        return (kind, not unwritten, chunk.answers == name, place)

    def _statement(self, name: str, place: Place) -> ast.stmt:
        return self.chunks[place.chunk].bindings[place.at][name]

    def _makes(self, name: str, place: Place) -> bool:
        """Whether a statement defines ``name``: by def, class or lambda, as another name of such, or by wrapping it."""
        statement = self._statement(name, place)
        value = getattr(statement, "value", None)
        if defines(statement) or isinstance(value, ast.Lambda):
            return True
        if isinstance(value, ast.Name):
            return value.id != name and value.id in self._made_names()
        return self._wraps(name, value)

    def _wraps(self, name: str, value: ast.expr | None) -> bool:
        """Whether ``name = wrapper(name)`` wraps a definition of that name in the submission."""
        if not isinstance(value, ast.Call) or name not in self._made_names():
            return False
        return name in {getattr(node, "id", "") for node in ast.walk(value)}

    def _made_names(self) -> set[str]:
        """Names that a def, class or lambda of the submission defines, and other names of these."""
        if not self._made:
            aliases: dict[str, list[str]] = {}
            new = []
            for name, places in self._places.items():
                for statement in (self._statement(name, place) for place in places):
                    value = getattr(statement, "value", None)
                    if defines(statement) or isinstance(value, ast.Lambda):
                        new.append(name)
                    elif isinstance(value, ast.Name):
                        aliases.setdefault(value.id, []).append(name)
            while new:
                name = new.pop()
                if name not in self._made:
                    self._made.add(name)
                    new += aliases.get(name, [])
        return self._made

    def binding_notes(self, names: Iterable[str]) -> list[str]:
        """Remarks on names that are bound several times: which binding counts.

        Args:
            names: of the exercises.
        """
        notes = []
        for name in names:
            counts = self.counting(name)
            if counts is None or not self._makes(name, counts):
                continue
            for place in self._places[name]:
                if place.chunk == counts.chunk:
                    continue
                here, there = (self.chunks[one.chunk].origin for one in (place, counts))
                if defines(self._statement(name, place)):
                    last = place < counts
                    first, second = (here, there) if last else (there, here)
                    which = "the last definition counts" if last else f"the one in {there} counts"
                    notes.append(f"{name} is defined in {first} and again in {second}: {which}")
                elif place > counts:
                    notes.append(f"{name} is bound again in {here}: ignored, the definition in {there} counts")
        return notes

    def program(self, name: str) -> list[ProgramPart]:
        """What a worker runs to get ``name``."""
        answer = self.counting(name)
        needed = self._needed(name, answer)
        return [
            {
                "origin": chunk.origin,
                "code": chunk.code,
                "module": chunk.module,
                "steps": list(self._steps(position, name, answer, needed)),
            }
            for position, chunk in enumerate(self.chunks)
        ]

    def _needed(self, name: str, answer: Place | None) -> set[str]:
        """The name, what its binding needs, what that needs, and so on; without names that nothing here binds."""
        needed, left = {name}, [name]
        while left:
            wanted = left.pop()
            for place in self._places.get(wanted, []):
                if self._ignored(place, [wanted], answer):
                    continue
                new = self.chunks[place.chunk].needed_by(place.at) & self._places.keys()
                left += new - needed
                needed |= new
        return needed

    def _steps(self, position: int, name: str, answer: Place | None, needed: set[str]) -> Iterator[Step]:
        """The statements of one chunk that are run for the answer."""
        chunk = self.chunks[position]
        below = answer is not None and position > answer.chunk
        for at, statement in enumerate(chunk.tree.body):
            if is_magic(statement):
                continue
            bound = chunk.bindings[at]
            ignored = self._ignored(Place(position, at), bound, answer)
            computed = at not in chunk.definitions
            wanted = (bound.keys() & needed) - set(ignored)
            if computed and not wanted and not self._changes(statement, name, needed, answer if below else None):
                answers = answer is not None and position == answer.chunk and chunk.module is None
                if not (answers and configures(statement)):
                    continue
            binds = name in wanted and answer is not None and position == answer.chunk
            yield {"at": at, "binds": binds, "computed": computed, "ignored": ignored}

    def _ignored(self, place: Place, bound: Iterable[str], answer: Place | None) -> list[str]:
        """Names that a statement binds and that have their value from another one.

        A definition is not replaced by what is bound below it, and below the answer nothing that was bound above is
        bound again: that is what the check beside the answer saw.
        """
        below = answer is not None and place.chunk > answer.chunk
        ignored = []
        for name in bound:
            if name == "*":
                ignored += ["*"] if below else [one for one in self._places if self._is_replaced(one, place)]
            elif self._is_replaced(name, place) or (below and self._bound_above(name, place, answer)):
                ignored.append(name)
        return ignored

    def _is_replaced(self, name: str, place: Place) -> bool:
        """Whether a definition of ``name`` above ``place`` counts."""
        counts = self.counting(name)
        return counts is not None and counts < place and name in self._made_names() and self._makes(name, counts)

    def _bound_above(self, name: str, place: Place, answer: Place | None) -> bool:
        if hasattr(builtins, name):
            return True
        if answer is None or self._makes(name, place):
            return False
        return self._places[name][0].chunk <= answer.chunk

    def _changes(self, statement: ast.stmt, name: str, needed: set[str], answer: Place | None) -> bool:
        """Whether a statement changes something that the answer needs; below the answer, only what is bound there."""
        assigned, called = changed_by(statement)
        if name in assigned:
            return True
        changed = assigned | {one for one in called if not self._is_imported(one)}  # not plt.plot(x)
        return any(answer is None or self._places[one][0].chunk > answer.chunk for one in changed & needed)

    def _is_imported(self, name: str) -> bool:
        return any(isinstance(self._statement(name, place), IMPORTS) for place in self._places.get(name, ()))

    def rejection_reason(self, name: str) -> str | None:
        """Why what the submission binds to ``name`` is not accepted as an answer, or None if it is.

        An answer must be defined in the submission, neither imported nor assembled from imported functions.
        """
        seen: set[str] = set()
        wanted = name
        while wanted not in seen:
            seen.add(wanted)
            place = self.counting(wanted)
            if place is None:
                return f"{name} is another name for {wanted}, which this submission does not define"
            statement, origin = self._statement(wanted, place), self.chunks[place.chunk].origin
            if defines(statement):
                return None
            if isinstance(statement, IMPORTS):
                return f"{name} is imported ({origin}); write the definition yourself"
            value = getattr(statement, "value", None)
            if isinstance(value, ast.Lambda) or self._wraps(wanted, value):
                return None
            if not isinstance(value, ast.Name):
                return f"{name} is assigned, not defined ({origin}); define it with def or class"
            wanted = value.id
        return f"{name} is defined only by itself; define it with def or class"

    def explain_missing(self, name: str) -> str:
        """Why a name was not defined when the answer ran: the cell that would define it, if there is one."""
        if name in self.skipped:
            return self.skipped[name]
        place = self.counting(name)
        if place is None:
            return f"no cell defines {name}"
        origin, statement = self.chunks[place.chunk].origin, self._statement(name, place)
        if isinstance(statement, IMPORTS):
            return f"the import of {name} in {origin} fails during grading: the answer must work without it"
        return (
            f"{name} is computed in {origin}, which fails or takes too long during grading, where there are no files "
            "and no results of earlier cells: compute it inside the answer, or write its value there"
        )
