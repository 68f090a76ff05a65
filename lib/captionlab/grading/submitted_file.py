"""Files that students submitted, read within limits.

They are untrusted: whatever is wrong with one is an :class:`UnreadableSubmission`, never another error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 20_000_000


class UnreadableSubmission(Exception):
    """A submission that cannot be graded at all; the message says what was found and what was expected."""


@dataclass(frozen=True)
class SubmissionFile:
    """Where one student's submission is: a folder with the lab's files, or a single file."""

    student: str
    path: Path


def read_text(path: Path) -> str:
    """The text of a submitted file.

    Raises:
        UnreadableSubmission: too large, unreadable, or not UTF-8.
    """
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
        return path.read_text(encoding="utf-8-sig")  # with or without a byte order mark
    except UnicodeDecodeError as error:
        raise UnreadableSubmission(
            f"{path.name} is not UTF-8 text (byte {error.start} is 0x{error.object[error.start]:02x}); save it as UTF-8"
        ) from None
    except OSError as error:
        raise UnreadableSubmission(f"{path.name} cannot be read: {error.strerror}") from None
