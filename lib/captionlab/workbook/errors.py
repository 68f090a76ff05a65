"""What stops a build."""

from __future__ import annotations

from pathlib import Path


class TextError(ValueError):
    """A lab's text that cannot be built; the message says what was found and what was expected."""


class ModifiedFiles(Exception):
    """Derived files that hold changes no build made: replacing them would destroy somebody's work.

    Attributes:
        paths: the files.
    """

    def __init__(self, paths: list[Path]):
        self.paths = paths
        super().__init__(
            f"changed since they were built: {', '.join(map(str, paths))}. Nothing was written. If the changes are "
            "your answers, copy the lab with `captionlab start` and keep working there; if they belong in the lab, "
            "make them in its text, in the reference or in the exercise. `captionlab build --force` replaces the "
            "files and keeps them as *.bak"
        )
