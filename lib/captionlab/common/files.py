"""Files: replaced atomically, and told apart from those that systems and editors leave beside them."""

from __future__ import annotations

import os
from pathlib import Path

# Of macOS's archives, Python, and Windows, in lower case; other such names begin with a dot.
LITTER = {"__macosx", "__pycache__", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin"}


def is_hidden(name: str) -> bool:
    """Whether a file or folder of that name is not the user's: ``._photo.jpg``, ``.ipynb_checkpoints``, ``Thumbs.db``.

    Example:
        >>> is_hidden("._photo.jpg"), is_hidden("__MACOSX"), is_hidden("photo.jpg")
        (True, True, False)
    """
    return name.startswith(".") or name.lower() in LITTER


def find_visible(folder: Path, pattern: str) -> list[Path]:
    """The files and folders below a folder whose names match a pattern, sorted, without hidden ones.

    Args:
        folder: is searched with its subfolders, except hidden ones.
        pattern: of a name, as in `Path.rglob`.
    """
    found = folder.rglob(pattern)
    return sorted(path for path in found if not any(map(is_hidden, path.relative_to(folder).parts)))


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that at any moment it is either the old or the new one, complete.

    The data goes to a temporary file in the same folder, which replaces the old one once it is on the disk. Several
    processes may write the same file; the last one wins.

    Args:
        path: the file; its folder is created if it is missing.
        data: its content.

    Raises:
        OSError: if it cannot be written; the old file is left as it was.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # otherwise the new name could survive a power failure, and the data not
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OSError(
            error.errno,
            f"{path.name} cannot be saved ({error.strerror or error}); the previous version is intact: free some disk "
            "space and run the same command again, which resumes from there",
        ) from error
