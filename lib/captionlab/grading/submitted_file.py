"""Files that students submitted, read within limits.

They are untrusted: whatever is wrong with one is an :class:`UnreadableSubmission`, never another error.
"""

from __future__ import annotations

import io
import tokenize
from dataclasses import dataclass
from pathlib import Path

from captionlab.common.signatures import kind_of_bytes
from captionlab.common.text import NotText, decode
from captionlab.grading.file_kinds import FOREIGN, HEAD_BYTES

MAX_BYTES = 50_000_000


class UnreadableSubmission(Exception):
    """A submission that cannot be graded at all; the message says what was found and what was expected."""


@dataclass(frozen=True)
class SubmissionFile:
    """Where one student's submission is: a folder with the lab's files, or a single file."""

    student: str
    path: Path


def read_text(path: Path) -> str:
    """The text of a submitted notebook or module, in any encoding that its first bytes name.

    Raises:
        UnreadableSubmission: too large, unreadable, or no text.
    """
    data = _read_bytes(path)
    kind = kind_of_bytes(data[:HEAD_BYTES])
    if kind == "zip" or kind in FOREIGN:
        description = FOREIGN.get(kind, "a zip archive: unpack it")
        raise UnreadableSubmission(f"{path.name} is neither a notebook nor a module but {description}")
    try:
        return decode(data, path.name)
    except NotText as error:
        text = _in_declared_encoding(data) if path.suffix.lower() == ".py" else None
        if text is None:
            raise UnreadableSubmission(str(error)) from None
        return text


def _read_bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise UnreadableSubmission(
                f"{path.name} is not a regular file; submit a notebook (.ipynb) or a module (.py)"
            )
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UnreadableSubmission(
                f"{path.name} has {size / 1e6:.0f} MB; the limit is {MAX_BYTES / 1e6:.0f} MB. "
                "Clear the outputs (Kernel > Restart and clear output) and submit it again"
            )
        return path.read_bytes()
    except OSError as error:
        raise UnreadableSubmission(f"{path.name} cannot be read: {error.strerror}") from None


def _in_declared_encoding(data: bytes) -> str | None:
    """A module's text in the encoding that its first two lines declare (PEP 263), or None if they declare none."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        return None
    return None if "\0" in text else text
