"""Room on the disk, checksums, and failures of the file system said in one line."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from captionlab.datasets.errors import DamagedFile, DataError

SPARE = 64 * 1024**2  # bytes left free beside what is written: a disk filled to the brim hurts everything else
_FULL = {errno.ENOSPC, errno.EDQUOT}


def readable(size: float) -> str:
    """A size in bytes as people read it, in decimal units: 17796669 is "17.8 MB"."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("unreachable")


def require_space(folder: Path, size: int, purpose: str) -> None:
    """Raise DataError unless `size` bytes, and a little to spare, are free where `folder` is.

    Args:
        folder: a folder that exists.
        size: bytes that will be written.
        purpose: what for, as in "to download flowers.zip".
    """
    free = shutil.disk_usage(folder).free
    if free < size + SPARE:
        raise DataError(
            f"not enough room {purpose}: {readable(size + SPARE)} needed, {readable(free)} free in {folder}; "
            "free some, or choose another disk with --root"
        )


def write(stream: BinaryIO, chunk: bytes) -> None:
    """Write all of `chunk`; the one place where bytes of data sets reach the disk."""
    stream.write(chunk)


@contextmanager
def said_plainly(doing: str) -> Iterator[None]:
    """Turn an OSError inside the block into a DataError that names what was being done.

    Args:
        doing: as in "writing flowers.zip".
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DataError(
                f"the disk is full ({doing}); free some room, or choose another disk with --root, and run the same "
                "command again: a download goes on where it stopped"
            ) from error
        where = f": {error.filename}" if error.filename else ""
        raise DataError(f"{doing} failed: {error.strerror or error}{where}") from error


def check_sum(path: Path, checksum: str, origin: str) -> None:
    """Raise DamagedFile unless the file has this checksum.

    Args:
        path: the file.
        checksum: algorithm and hexadecimal digest, as in "sha256:9f86..." or "md5:...".
        origin: where the file came from, for the message.
    """
    algorithm, _, expected = checksum.partition(":")
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, algorithm).hexdigest()
    if found != expected.lower():
        raise DamagedFile(
            f"{origin}: the {algorithm} checksum should be {_short(expected)} and is {_short(found)} "
            f"({readable(path.stat().st_size)})"
        )


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it, if it is there; what cannot be removed is left."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        try:
            os.unlink(path)
        except OSError:
            return


def _short(digest: str) -> str:
    """Enough of a digest to tell two apart by eye."""
    return f"{digest[:12]}..."
