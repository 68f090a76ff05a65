"""Submissions: what a student handed in, read as text. Nothing of it is run here.

A notebook or module is cut into :class:`Chunk` s. Of an answer cell everything is taken; of any other cell
the imports, definitions and literal constants, so that experiments are not run again.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbformat.reader import NotJSONError

from captionlab.grading.exercise import Lab

MAX_BYTES = 20_000_000
MAX_MAGIC_CELL, MAX_MAGICS = 50_000, 50  # IPython reads a cell anew for each magic
LAB_METADATA = "captionlab"  # key of the notebook metadata that names the lab


class UnreadableSubmission(Exception):
    """A submission that cannot be graded at all; the message says what was found and what was expected."""


@dataclass(frozen=True)
class Chunk:
    """A stretch of submitted code: a notebook cell, or a module."""

    origin: str
    code: str
    tree: ast.Module = field(repr=False, compare=False)

    @cached_property
    def bindings(self) -> dict[str, ast.stmt]:
        """Names this chunk binds, each with the statement that binds it last."""
        return {name: by for statement in self.tree.body for name, by in bound_by(statement).items()}

    def statements(self) -> list[int]:
        """Positions of all statements but IPython's magics."""
        return [at for at, statement in enumerate(self.tree.body) if not _is_magic(statement)]

    @cached_property
    def definitions(self) -> list[int]:
        """Positions of the statements that are taken from a cell that is no answer."""
        return [at for at, statement in enumerate(self.tree.body) if _is_definition(statement)]


@dataclass
class Submission:
    """What a student handed in for one lab."""

    student: str
    chunks: list[Chunk] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _last: dict[str, Chunk] = field(default_factory=dict)

    def add(self, chunk: Chunk) -> None:
        """Add a chunk behind the others; a definition that is there already is noted."""
        for name, statement in chunk.bindings.items():
            earlier = self.defining(name)
            if earlier and _defines(statement) and _defines(earlier.bindings[name]):
                self.notes.append(f"{name} is defined in {earlier.origin} and again in {chunk.origin}: the last counts")
            self._last[name] = chunk
        self.chunks.append(chunk)

    def defining(self, name: str) -> Chunk | None:
        """The last chunk that binds ``name`` at top level."""
        return self._last.get(name)

    def program(self, name: str) -> list[dict]:
        """What a worker runs to get ``name``: per chunk its code, the statements to run, and those that bind it.

        The cell that answers is taken whole, unless it is a module.
        """
        answer = self.defining(name)
        program = []
        for chunk in self.chunks:
            whole = chunk is answer and chunk.origin.startswith("cell ")
            keep = chunk.statements() if whole else chunk.definitions
            binds = [at for at in keep if chunk is answer and name in bound_by(chunk.tree.body[at])]
            program.append({"origin": chunk.origin, "code": chunk.code, "keep": keep, "binds": binds})
        return program

    def rejection_reason(self, name: str) -> str | None:
        """Why what the submission binds to ``name`` is no answer: it must be written there, not imported."""
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
                return f"{name} is imported ({chunk.origin}); write the definition itself"
            value = getattr(statement, "value", None)
            if isinstance(value, ast.Lambda):
                return None
            if self._wraps(wanted, value):
                return None
            if not isinstance(value, ast.Name):
                return f"{name} is assigned, not defined ({chunk.origin}); write it with def or class"
            wanted = value.id
        return f"{name} is defined only by itself; write it with def or class"

    def _wraps(self, name: str, value: ast.expr | None) -> bool:
        """Whether ``name = wrapper(name)`` wraps a definition of that name in the submission."""
        if not isinstance(value, ast.Call) or name not in {getattr(node, "id", "") for node in ast.walk(value)}:
            return False
        return any(_defines(one) and one.name == name for chunk in self.chunks for one in chunk.tree.body)

    def explain_missing(self, name: str) -> str:
        """For a name that was missing when run: the cell that makes it, if there is one."""
        chunk = self.defining(name)
        if chunk is None:
            return f"no cell defines {name}"
        if isinstance(chunk.bindings[name], (ast.Import, ast.ImportFrom)):
            return f"the import of {name} in {chunk.origin} fails where it is graded: the answer must do without it"
        return (
            f"{name} is computed in {chunk.origin}, which is not run: only imports, definitions and literal constants "
            f"are taken from modules and from cells that do not answer; move it into the answer"
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
    """The statements inside a compound one, whichever branch they are in."""
    handled = [inner for handler in getattr(statement, "handlers", []) for inner in handler.body]
    parts = [getattr(statement, part, []) for part in ("body", "orelse", "finalbody")]
    return [*parts[0], *handled, *parts[1], *parts[2]]


def _defines(statement: ast.stmt) -> bool:
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
    """Whether a value is another name, such as ``torch.Tensor``: reading it runs nothing to speak of."""
    while isinstance(value, ast.Attribute):
        value = value.value
    return isinstance(value, ast.Name)


def _is_literal(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, ArithmeticError, MemoryError, RecursionError):
        return False
    return True


def read_text(path: Path) -> str:
    """The text of a submitted file.

    Raises:
        UnreadableSubmission: too large, unreadable, or not UTF-8.
    """
    try:
        if not path.is_file():
            raise UnreadableSubmission(
                f"{path.name} is not a regular file; hand in a notebook (.ipynb) or a module (.py)"
            )
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UnreadableSubmission(
                f"{path.name} has {size / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} MB are read. "
                "Clear the outputs (Kernel > Restart and clear output) and hand it in again"
            )
        return path.read_text(encoding="utf-8-sig")  # with or without a byte order mark
    except UnicodeDecodeError as error:
        raise UnreadableSubmission(
            f"{path.name} is not UTF-8 text (byte {error.start} is 0x{error.object[error.start]:02x}); save it as UTF-8"
        ) from None
    except OSError as error:
        raise UnreadableSubmission(f"{path.name} cannot be read: {error.strerror}") from None


def read_module(path: Path, submission: Submission) -> None:
    """Add a Python module to a submission."""
    text = read_text(path)
    if "\0" in text:
        raise UnreadableSubmission(f"{path.name} holds null bytes; it is not a Python file")
    try:
        tree = _parse(text)
    except SyntaxError as error:
        submission.notes.append(f"module {path.name} is not valid Python (line {error.lineno}: {error.msg}); left out")
        return
    submission.add(Chunk(f"module {path.name}", text, tree))


def read_notebook(path: Path, lab: Lab, submission: Submission) -> None:
    """Add a notebook file's code cells to a submission.

    Raises:
        UnreadableSubmission: not a notebook, or the notebook of another lab.
    """
    notebook = load_notebook(path)
    add_cells(notebook, submission)
    stated = notebook.metadata.get(LAB_METADATA, {})
    stated = stated.get("lab") if isinstance(stated, dict) else None
    if isinstance(stated, str) and stated != lab.name and not any(map(submission.defining, lab.exercises)):
        raise UnreadableSubmission(f"{path.name} is the notebook of {stated[:80]}, not of {lab.name}")


def add_cells(notebook: nbformat.NotebookNode, submission: Submission) -> None:
    """Add a notebook's code cells; one that is not valid Python is named and left out."""
    for position, cell in enumerate(notebook.cells, start=1):
        if cell.get("cell_type") != "code":
            continue
        origin = f"cell {position}"
        try:
            code, tree = _parse_cell(str(cell.get("source", "")))
        except SyntaxError as error:
            submission.notes.append(f"{origin} is not valid Python (line {error.lineno}: {error.msg}); left out")
            continue
        submission.add(Chunk(origin, code, tree))


def load_notebook(path: Path) -> nbformat.NotebookNode:
    """A notebook file, brought to the current format (old formats are converted).

    Raises:
        UnreadableSubmission: with what was found instead of a notebook.
    """
    text = read_text(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # missing cell ids and the like are no fault of the student's
            notebook = nbformat.reads(text, as_version=4)
    except NotJSONError:
        start = text.strip()[:30]
        found = f"it starts with {start!r}" if start else "it is empty"
        raise UnreadableSubmission(f"{path.name} is not a notebook: {found}, where JSON was expected") from None
    except Exception as error:  # nbformat raises many kinds on malformed notebooks
        raise UnreadableSubmission(
            f"{path.name} is not a notebook that can be read ({type(error).__name__}: {str(error)[:120]})"
        ) from None
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise UnreadableSubmission(f"{path.name} is JSON but not a notebook: it has no list of cells")
    if not isinstance(notebook.get("metadata"), dict):
        notebook.metadata = nbformat.from_dict({})
    return notebook


def _parse(code: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in a string and the like
            return ast.parse(code)
    except (RecursionError, MemoryError, ValueError) as error:
        raise SyntaxError(f"cannot be parsed ({type(error).__name__})") from None


def _parse_cell(code: str) -> tuple[str, ast.Module]:
    """A cell's Python, with IPython's magics and shell commands made calls; line numbers stay.

    Raises:
        SyntaxError: not Python, or a cell in another language.
    """
    first, _, _ = code.lstrip("\n").partition("\n")
    if re.match(r"%%(time|timeit|capture|prun)\b", first):
        code = code.replace(first, "", 1)
    elif first.startswith("%%"):
        raise SyntaxError(f"it begins with {first.split()[0]}", (None, 1, None, None))
    try:
        return code, _parse(code)
    except SyntaxError:
        if len(code) > MAX_MAGIC_CELL or sum(line.lstrip()[:1] in ("!", "%") for line in code.split("\n")) > MAX_MAGICS:
            raise
        try:
            plain = TransformerManager().transform_cell(code)
        except Exception as error:  # IPython's own, on text that is no Python at all
            raise SyntaxError(str(error)[:100]) from None
        return plain, _parse(plain)


def _is_magic(statement: ast.stmt) -> bool:
    call = getattr(statement, "value", None)  # get_ipython().run_line_magic(...), by itself or assigned
    method = call.func if isinstance(call, ast.Call) else None
    maker = method.value if isinstance(method, ast.Attribute) else None
    return isinstance(maker, ast.Call) and isinstance(maker.func, ast.Name) and maker.func.id == "get_ipython"


def is_notebook_of(path: Path, lab: Lab) -> bool:
    """Whether the notebook's metadata names this lab (False where it cannot be told)."""
    try:
        metadata = json.loads(read_text(path)).get("metadata", {})
        return metadata.get(LAB_METADATA, {}).get("lab") == lab.name
    except (UnreadableSubmission, ValueError, AttributeError, RecursionError):
        return False
