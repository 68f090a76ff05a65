"""Unpacking untrusted zip archives: nothing is written outside the folder or beyond a size limit."""

from __future__ import annotations

import stat
import zipfile
import zlib
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from captionlab.common.files import is_hidden
from captionlab.common.progress import NullProgress, Progress, format_size
from captionlab.datasets.disk import CHUNK, as_data_error, require_space, write
from captionlab.datasets.errors import DamagedFile, UnsafeArchive

MAX_FILES = 400_000
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError)


def unpack(
    archive: Path, folder: Path, *, max_size: int, include: tuple[str, ...] = (), progress: Progress | None = None
) -> list[str]:
    """Unpack a zip archive into a folder; all members are checked before the first one is written.

    Args:
        archive: the zip archive.
        folder: created if necessary; it must not contain files of the same names.
        max_size: maximum number of bytes to unpack.
        include: patterns (`fnmatch`) of the members to unpack, all if empty. Hidden files and those that macOS or
            Windows has added are always skipped (`captionlab.common.files.is_hidden`).
        progress: counts bytes.

    Returns:
        The names of the unpacked files, relative to `folder`.

    Raises:
        UnsafeArchive: if a member has an absolute path or one with "..", is a link, a device or encrypted, or occurs
            twice, or if the members exceed `max_size`.
        DamagedFile: if the archive cannot be read or a member's checksum (CRC-32) is wrong.
        DataError: if there is not enough disk space.
    """
    progress = progress or NullProgress()
    members = _check_members(archive, max_size, include)
    total = sum(member.file_size for member in members)
    with as_data_error(f"unpacking {archive.name}"):
        folder.mkdir(parents=True, exist_ok=True)
        require_space(folder, total, f"to unpack {archive.name}")
        progress.start(f"unpacking {archive.name}", total, unit="bytes")
        try:
            with zipfile.ZipFile(archive) as opened:
                for member in members:
                    _extract(opened, member, folder, progress)
        finally:
            progress.stop()
    return [member.filename for member in members]


def check_structure(path: Path, origin: str) -> None:
    """Raise DamagedFile if a .zip or .parquet file is incomplete, judging by its beginning and end.

    Args:
        path: the file; if it is of another type, only an empty file is damaged.
        origin: where the file is from, for the message.
    """
    with path.open("rb") as stream:
        head = stream.read(16)
        stream.seek(max(0, path.stat().st_size - 4))
        tail = stream.read(4)
    file_type = path.suffix.removeprefix(".")
    if file_type == "zip":
        complete = zipfile.is_zipfile(path)
    elif file_type == "parquet":
        complete = head[:4] == tail == b"PAR1"
    else:
        complete = bool(head)
    if not complete:
        size = format_size(path.stat().st_size)
        raise DamagedFile(f"{origin}: expected a complete .{file_type} file, found {size} starting with {head!r}")


def _check_members(archive: Path, max_size: int, include: tuple[str, ...]) -> list[zipfile.ZipInfo]:
    """The files to unpack; raises if any member of the archive, to be unpacked or not, is unsafe."""
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
    except _ZIP_ERRORS as error:
        raise DamagedFile(f"{archive.name} cannot be read as a zip archive: {error}") from error
    for member in members:
        _refuse_unsafe(archive, member)
    if len(members) > MAX_FILES:
        raise UnsafeArchive(f"{archive.name} has {len(members)} members; at most {MAX_FILES} are allowed")
    selected = [member for member in members if not member.is_dir() and _is_included(member.filename, include)]
    # On a case-insensitive file system, names that differ in case only would overwrite each other.
    if len({member.filename.casefold() for member in selected}) != len(selected):
        raise UnsafeArchive(f"{archive.name} contains a file twice; it was not unpacked")
    total = sum(member.file_size for member in selected)
    if total > max_size:
        raise UnsafeArchive(
            f"{archive.name} would unpack to {format_size(total)}, expected at most {format_size(max_size)}; it was "
            "not unpacked"
        )
    return selected


def _is_included(name: str, include: tuple[str, ...]) -> bool:
    if any(map(is_hidden, PurePosixPath(name).parts)):
        return False
    return not include or any(fnmatchcase(name, pattern) for pattern in include)


def _refuse_unsafe(archive: Path, member: zipfile.ZipInfo) -> None:
    """Raise UnsafeArchive unless the member is a regular file or folder with a safe relative path."""
    name = member.orig_filename
    path = PurePosixPath(name)
    kind = stat.S_IFMT(member.external_attr >> 16)
    reason = None
    if not path.parts or "\0" in name or "\\" in name or ":" in name:
        reason = "has a name that is not portable"
    elif path.is_absolute():
        reason = "has an absolute path"
    elif ".." in path.parts:
        reason = "has a path that leaves the folder"
    elif kind == stat.S_IFLNK:
        reason = "is a link"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        reason = "is a device or another special file"
    elif member.flag_bits & 0x1:
        reason = "is encrypted"
    if reason:
        raise UnsafeArchive(f"{archive.name}: member {name!r} {reason}; the archive was not unpacked, use another copy")


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, progress: Progress) -> None:
    """Write one member, but not more than its declared size, so that a wrong header cannot fill the disk."""
    target = folder / member.filename
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    try:
        with opened.open(member) as source, target.open("xb") as out:
            while chunk := source.read(CHUNK):
                written += len(chunk)
                if written > member.file_size:
                    raise UnsafeArchive(
                        f"member {member.filename!r} is larger than its declared size; unpacking was stopped"
                    )
                write(out, chunk)
                progress.advance(len(chunk))
    except _ZIP_ERRORS as error:
        raise DamagedFile(f"member {member.filename!r} of the archive is damaged: {error}") from error
    if written != member.file_size:
        raise DamagedFile(f"member {member.filename!r} has {written} bytes, expected {member.file_size}")
