"""Disk space, checksums, and file system errors as one-line messages."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from captionlab.common.progress import format_size
from captionlab.datasets.errors import DamagedFile, DataError

CHUNK = 1 << 20  # bytes read and written at a time
RESERVE = 64 * 1024**2  # bytes that are left free, since other programs fail on a full disk
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


def require_space(folder: Path, size: int, purpose: str) -> None:
    """Raise DataError unless `size` bytes plus a reserve are free on the disk of `folder`.

    Args:
        folder: an existing folder.
        size: number of bytes that will be written.
        purpose: completes the message, such as "to download flowers.zip".
    """
    free = shutil.disk_usage(folder).free
    if free < size + RESERVE:
        raise DataError(
            f"not enough disk space {purpose}: {format_size(size + RESERVE)} needed, {format_size(free)} free in "
            f"{folder}; free some space, or set CAPTIONLAB_DATA to a folder on another disk"
        )


def write(stream: BinaryIO, chunk: bytes) -> None:
    """Write all of `chunk`; all bytes of data sets are written here."""
    stream.write(chunk)


@contextmanager
def as_data_error(action: str) -> Iterator[None]:
    """Turn an OSError inside the block into a DataError.

    Args:
        action: what the block does, such as "writing flowers.zip".
    """
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise DataError(
                f"{action} failed: the disk is full; free some space, or set CAPTIONLAB_DATA to a folder on another "
                "disk, and run the same command again: downloads resume where they stopped"
            ) from error
        path = f": {error.filename}" if error.filename else ""
        raise DataError(f"{action} failed: {error.strerror or error}{path}") from error


def verify_checksum(path: Path, checksum: str, origin: str) -> None:
    """Raise DamagedFile unless the file has the given checksum.

    Args:
        path: the file.
        checksum: algorithm and hexadecimal digest, such as "sha256:9f86..." or "md5:...".
        origin: where the file is from, for the message.
    """
    algorithm, _, expected = checksum.partition(":")
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, algorithm).hexdigest()
    if found != expected.lower():
        raise DamagedFile(
            f"{origin}: expected {algorithm} checksum {_abbreviate(expected)}, found {_abbreviate(found)} "
            f"({format_size(path.stat().st_size)})"
        )


def remove(path: Path) -> None:
    """Remove a file, or a folder with its contents; ignores what does not exist or cannot be removed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        try:
            os.unlink(path)
        except OSError:
            return


def _abbreviate(digest: str) -> str:
    return f"{digest[:12]}..."
