"""Unpacking zip archives that strangers made: nothing leaves its folder, nothing grows beyond its limit."""

from __future__ import annotations

import stat
import zipfile
import zlib
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from captionlab.common.progress import NullProgress, Progress
from captionlab.datasets.disk import readable, require_space, said_plainly, write
from captionlab.datasets.errors import DamagedFile, UnsafeArchive

CHUNK = 1 << 20
MAX_FILES = 400_000
# Left by the machine an archive was made on; no data set's own.
_LITTER = {".DS_Store", "Thumbs.db", "desktop.ini"}
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError)


def unpack(
    archive: Path, folder: Path, *, limit: int, keep: tuple[str, ...] = (), progress: Progress | None = None
) -> list[str]:
    """Unpack a zip archive into a folder; every member is looked at before the first one is written.

    Args:
        archive: the zip archive.
        folder: a folder, made if it is not there; its files must not be those of the archive.
        limit: the most bytes that may come out.
        keep: patterns (`fnmatch`) of the members wanted, all if empty; what macOS and Windows leave is never wanted.
        progress: counts bytes.

    Returns:
        the names of the files written, below `folder`.

    Raises:
        UnsafeArchive: a member has an absolute path, climbs out with "..", is a link or a device or encrypted, comes
            twice, or there is more of it than `limit`.
        DamagedFile: the archive cannot be read or a member's own checksum (CRC-32) is wrong.
        DataError: the disk is or would be full.
    """
    progress = progress or NullProgress()
    members = _members(archive, limit, keep)
    total = sum(member.file_size for member in members)
    with said_plainly(f"unpacking {archive.name}"):
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
    """Raise DamagedFile unless a .zip or .parquet file is whole, as far as its beginning and its end tell.

    Args:
        path: the file; of any other kind it is only asked not to be empty.
        origin: where the file came from, for the message.
    """
    with path.open("rb") as stream:
        head = stream.read(16)
        stream.seek(max(0, path.stat().st_size - 4))
        tail = stream.read(4)
    kind = path.suffix.removeprefix(".")
    if kind == "zip":
        whole = zipfile.is_zipfile(path)
    elif kind == "parquet":
        whole = head[:4] == tail == b"PAR1"
    else:
        whole = bool(head)
    if not whole:
        raise DamagedFile(
            f"{origin}: expected a whole .{kind} file, found {readable(path.stat().st_size)} that begin with {head!r}"
        )


def _members(archive: Path, limit: int, keep: tuple[str, ...]) -> list[zipfile.ZipInfo]:
    """The files to unpack; raises if any member of the archive, wanted or not, must not be trusted."""
    try:
        with zipfile.ZipFile(archive) as opened:
            everything = opened.infolist()
    except _UNREADABLE as error:
        raise DamagedFile(f"{archive.name} cannot be read as a zip archive: {error}") from error
    for member in everything:
        _refuse_unsafe(archive, member)
    if len(everything) > MAX_FILES:
        raise UnsafeArchive(f"{archive.name} holds {len(everything)} members; at most {MAX_FILES} are unpacked")
    wanted = [member for member in everything if not member.is_dir() and _is_wanted(member.filename, keep)]
    # Folded: on a disk that tells no case apart the second of two such names would overwrite the first.
    if len({member.filename.casefold() for member in wanted}) != len(wanted):
        raise UnsafeArchive(f"{archive.name} holds a file twice; it was not unpacked")
    total = sum(member.file_size for member in wanted)
    if total > limit:
        raise UnsafeArchive(
            f"{archive.name} would unpack to {readable(total)}, and at most {readable(limit)} are expected of it; "
            "it was not unpacked"
        )
    return wanted


def _is_wanted(name: str, keep: tuple[str, ...]) -> bool:
    path = PurePosixPath(name)
    if path.parts[0] == "__MACOSX" or path.name in _LITTER:
        return False
    return not keep or any(fnmatchcase(name, pattern) for pattern in keep)


def _refuse_unsafe(archive: Path, member: zipfile.ZipInfo) -> None:
    """Raise UnsafeArchive if the member is anything but a plain file or folder below the archive's own."""
    name = member.orig_filename
    path = PurePosixPath(name)
    kind = stat.S_IFMT(member.external_attr >> 16)
    reason = None
    if not path.parts or "\0" in name or "\\" in name or ":" in name:
        reason = "has a name that is not portable"
    elif path.is_absolute():
        reason = "has an absolute path"
    elif ".." in path.parts:
        reason = "climbs out of its folder"
    elif kind == stat.S_IFLNK:
        reason = "is a link"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        reason = "is a device or another special file"
    elif member.flag_bits & 0x1:
        reason = "is encrypted"
    if reason:
        raise UnsafeArchive(
            f"{archive.name}: member {name!r} {reason}; the archive was not unpacked, take another copy"
        )


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, progress: Progress) -> None:
    """Write one member; no more than the size it declared, so a lying header cannot fill the disk."""
    target = folder / member.filename
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    try:
        with opened.open(member) as source, target.open("xb") as out:
            while chunk := source.read(CHUNK):
                written += len(chunk)
                if written > member.file_size:
                    raise UnsafeArchive(f"member {member.filename!r} is larger than it says; unpacking was stopped")
                write(out, chunk)
                progress.advance(len(chunk))
    except _UNREADABLE as error:
        raise DamagedFile(f"member {member.filename!r} of the archive is damaged: {error}") from error
    if written != member.file_size:
        raise DamagedFile(f"member {member.filename!r} has {written} bytes; its archive promises {member.file_size}")
