"""What a submitted file is, by its content first and then by its name. Nothing of it is run."""

from __future__ import annotations

import re
import stat
import unicodedata
import zipfile
from pathlib import Path, PurePath
from typing import NamedTuple

from captionlab.common.signatures import is_web_page, kind_of_bytes
from captionlab.common.text import NotText, decode

HEAD_BYTES = 1 << 16
# Also `lab1.ipynb.txt`, `lab1.ipynb (1)` and `lab1.py.download`, as browsers and mail programs save them.
CODE_ENDING = re.compile(r"\.(ipynb|py)(?![^\W_]).*$", re.IGNORECASE | re.DOTALL)
NOTEBOOK_KEYS = re.compile(r'"(?:cell_type|nbformat)"\s*:|"(?:cells|worksheets)"\s*:\s*\[\s*\{')
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a]")  # characters that text does not have
# In words, by its kind (see captionlab.common.signatures).
FOREIGN = {
    "pdf": "a PDF document",
    "rtf": "an RTF document",
    "office": "an Office document",
    "png": "a picture",
    "jpeg": "a picture",
    "gif": "a picture",
    "7z": "a 7z archive: unpack it",
    "rar": "a RAR archive: unpack it",
    "gzip": "a gzip archive: unpack it",
    "bzip2": "a bzip2 archive: unpack it",
    "xz": "an xz archive: unpack it",
    "zstd": "a Zstandard archive: unpack it",
    "tar": "a tar archive: unpack it",
}
IN_OFFICE_FILES = {"[Content_Types].xml", "mimetype"}
SPECIAL_FILES = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
}


class FileKind(NamedTuple):
    """What a file is.

    Attributes:
        reader: which reader can read it: ``"notebook"``, ``"module"`` or ``"zip"``; an empty string for none.
        description: in words, for messages, such as ``"a PDF document"``.
    """

    reader: str
    description: str


NOTEBOOK = FileKind("notebook", "a notebook")
MODULE = FileKind("module", "a Python module")
ZIP = FileKind("zip", "a zip archive")
TEXT = FileKind("", "a text file, neither a notebook nor a module")


def named_kind(name: str) -> FileKind | None:
    """What the name of a file says that it is: a notebook, a module, or None if it says neither.

    Example:
        >>> [kind and kind.reader for kind in map(named_kind, ("a.IPYNB", "a.ipynb (1).txt", "a.py", "a.pyc"))]
        ['notebook', 'notebook', 'module', None]
    """
    match = CODE_ENDING.search(name)
    ending = _ending(name) if _ending(name) in (".ipynb", ".py") else match and f".{match[1].lower()}"
    return {".ipynb": NOTEBOOK, ".py": MODULE}.get(ending or "")


def _ending(name: str) -> str:
    return PurePath(name).suffix.lower()


def bare_name(name: str) -> str:
    """The name of a file without its ending; of several endings all, from ``.ipynb`` or ``.py`` on.

    Example:
        >>> [bare_name(name) for name in ("s1.ipynb.txt", "s2.py", "s3.zip", "s4")]
        ['s1', 's2', 's3', 's4']
    """
    bare = unicodedata.normalize("NFC", CODE_ENDING.sub("", name) if named_kind(name) else PurePath(name).stem)
    return bare.strip() or name


def kind_of(path: Path) -> FileKind:
    """What a file is. At most its first 64 KiB are read; links, pipes and devices are not opened."""
    try:
        mode = stat.S_IFMT(path.lstat().st_mode)
        if mode == stat.S_IFREG:
            with path.open("rb") as file:
                kind = _kind_of_content(path, file.read(HEAD_BYTES))
        else:
            kind = FileKind("", SPECIAL_FILES.get(mode, "not a regular file"))
    except OSError as error:
        kind = FileKind("", f"a file that cannot be opened ({error.strerror})")
    by_name = named_kind(path.name)
    if by_name and not kind.reader and (_ending(path.name) in (".ipynb", ".py") or kind == TEXT):
        return by_name  # its reader says best what is wrong with the content
    return kind


def _kind_of_content(path: Path, head: bytes) -> FileKind:
    kind = kind_of_bytes(head)
    if kind == "zip":
        return _kind_of_zip(path)
    if kind in FOREIGN:
        return FileKind("", FOREIGN[kind])
    if not head:
        return TEXT if named_kind(path.name) else FileKind("", "an empty file")
    try:
        text = decode(head, path.name).lstrip()
    except NotText:
        text = head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if CONTROLS.search(text[:1000]):
        return FileKind("", "a file of an unknown kind")
    if text.startswith("{") and NOTEBOOK_KEYS.search(text):
        return NOTEBOOK
    if is_web_page(text):
        return FileKind("", "a web page (HTML)")
    return TEXT


def _kind_of_zip(path: Path) -> FileKind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return ZIP  # its reader says what is wrong
    if not IN_OFFICE_FILES.isdisjoint(names):
        return FileKind("", "an Office document")
    if path.suffix.lower() == ".zip" or any(named_kind(PurePath(name).name) for name in names):
        return ZIP
    return FileKind("", "a zip archive without a notebook or a module")
