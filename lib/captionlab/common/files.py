"""Files that are replaced atomically."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file beside the old one and put it in its place when it is whole and on the disk.

    Raises:
        OSError: if it cannot be written; the old file is left as it was.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # else the new name could outlive a power cut, and the bytes not
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OSError(
            error.errno,
            f"{path.name} cannot be saved ({error.strerror or error}), the one saved before it is whole: make room on "
            "the disk and run the same command again, which goes on from there",
        ) from error
