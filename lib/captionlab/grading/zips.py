"""Zip archives that students submit, unpacked within limits. They are untrusted."""

from __future__ import annotations

import contextlib
import lzma
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from captionlab.common.files import is_hidden
from captionlab.grading.file_kinds import named_kind
from captionlab.grading.submitted_file import MAX_BYTES, UnreadableSubmission

MAX_ARCHIVE_BYTES, MAX_UNPACKED_BYTES, MAX_ENTRIES = 200_000_000, 100_000_000, 5000
MAYBE_CODE = {"", ".json", ".txt", ".zip"}  # endings, besides those of notebooks and modules
# What zipfile raises for archives that are cut off, damaged, protected, or made by a method that it does not know.
ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    EOFError,
    RuntimeError,  # NotImplementedError among it
    ValueError,
    OverflowError,
)


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """Unpack what may be code of an archive into a temporary folder, which is removed at the end.

    Yields:
        the folder, and the entries that were not unpacked, each with the reason if it is not that they are no code.

    Raises:
        UnreadableSubmission: too large, damaged, or protected by a password.
    """
    with tempfile.TemporaryDirectory(prefix="captionlab-") as folder:
        try:
            if path.stat().st_size > MAX_ARCHIVE_BYTES:
                raise UnreadableSubmission(
                    f"{path.name} is larger than {MAX_ARCHIVE_BYTES // 10**6} MB; submit only notebook and module"
                )
            with zipfile.ZipFile(path) as archive:
                left_out = _unpack(archive, Path(folder), path.name)
        except ERRORS:
            raise UnreadableSubmission(
                f"{path.name} is a zip archive that is damaged or cut off; create it again, or submit the files in it"
            ) from None
        yield Path(folder), left_out


def holds_class(path: Path) -> bool:
    """Whether an archive holds the submissions of several students, as Moodle gives them to instructors."""
    try:
        with zipfile.ZipFile(path) as archive:
            tops = {name.replace("\\", "/").partition("/")[0] for name in archive.namelist()}
    except ERRORS:
        return False
    return sum("_assignsubmission_" in top for top in tops) > 1


def _unpack(archive: zipfile.ZipFile, folder: Path, name: str) -> list[str]:
    """Unpack entries, notebooks and modules first; those left out are returned."""
    entries = [(entry, _parts(entry)) for entry in archive.infolist() if not entry.is_dir()]
    visible = [(entry, parts) for entry, parts in entries if ".." in parts or not any(map(is_hidden, parts))]
    visible.sort(key=lambda one: named_kind(one[1][-1]) is None)
    left_out, budget, protected = [], MAX_UNPACKED_BYTES, 0
    for entry, parts in visible[:MAX_ENTRIES]:
        reason = _why_not(entry, parts, budget)
        if reason is None:
            try:
                budget -= _write(archive, entry, folder.joinpath(*parts))
                continue
            except ERRORS as error:
                reason = f"cannot be unpacked: {getattr(error, 'strerror', None) or error}"
        protected += bool(entry.flag_bits & 1)
        left_out.append("/".join(parts) + (f" ({reason})" if reason else ""))
    if protected and protected == len(left_out) == len(visible):
        raise UnreadableSubmission(f"{name} is protected by a password; submit it without one")
    if len(visible) > MAX_ENTRIES:
        left_out.append(f"{len(visible) - MAX_ENTRIES} more entries (only {MAX_ENTRIES} are looked at)")
    return left_out


def _parts(entry: zipfile.ZipInfo) -> tuple[str, ...]:
    return tuple(part for part in PurePosixPath(entry.filename.replace("\\", "/")).parts if part != ".") or ("",)


def _why_not(entry: zipfile.ZipInfo, parts: tuple[str, ...], budget: int) -> str | None:
    """Why an entry is not unpacked: an empty string if it is no code, None if it is unpacked."""
    suffix = PurePosixPath(parts[-1]).suffix.lower()
    if named_kind(parts[-1]) is None and suffix not in MAYBE_CODE:
        return ""
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "a symbolic link"
    if entry.filename.startswith(("/", "\\")) or ".." in parts:
        return "its path leads out of the archive"
    if entry.flag_bits & 1:
        return "protected by a password"
    if entry.file_size > MAX_BYTES:
        return f"larger than {MAX_BYTES // 10**6} MB"
    if entry.file_size > budget:
        return f"beyond {MAX_UNPACKED_BYTES // 10**6} MB in all"
    return None


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> int:
    """Write one entry; its stated size is not trusted.

    Returns:
        its size in bytes.
    """
    with archive.open(entry) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES // 10**6} MB")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return len(data)
