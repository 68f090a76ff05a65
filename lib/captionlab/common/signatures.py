"""What a file is by its first bytes, whatever it is called. What that means for a reader, the reader says."""

from __future__ import annotations

import re

GIT_LFS = "version https://git-lfs"
# (kind, offset, bytes that a file of the kind has there)
SIGNATURES = (
    ("git lfs", 0, GIT_LFS.encode()),
    ("gzip", 0, b"\x1f\x8b"),
    ("bzip2", 0, b"BZh"),
    ("xz", 0, b"\xfd7zXZ\x00"),
    ("zstd", 0, b"\x28\xb5\x2f\xfd"),
    ("7z", 0, b"7z\xbc\xaf\x27\x1c"),
    ("rar", 0, b"Rar!"),
    ("tar", 257, b"ustar"),
    ("zip", 0, b"PK\x03\x04"),
    ("zip", 0, b"PK\x05\x06"),  # an empty one
    ("pdf", 0, b"%PDF"),
    ("rtf", 0, b"{\\rtf"),
    ("office", 0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    ("png", 0, b"\x89PNG"),
    ("jpeg", 0, b"\xff\xd8\xff"),
    ("gif", 0, b"GIF8"),
    ("hdf5", 0, b"\x89HDF"),
    ("numpy", 0, b"\x93NUMPY"),
    ("matlab", 0, b"MATLAB"),
    ("tflite", 4, b"TFL3"),
    ("gguf", 0, b"GGUF"),
)
MARKS = ("\ufeff", "\xef\xbb\xbf", "\xff\xfe", "\xfe\xff")  # byte order marks, also read as Latin-1
WEB_PAGE = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype|html|head|body)\b", re.IGNORECASE | re.DOTALL
)


def kind_of_bytes(head: bytes) -> str | None:
    """The kind of a file in the words of :data:`SIGNATURES`, such as ``"gzip"``; None if it is none of these.

    Args:
        head: its first bytes, at least 262 of them to recognize all kinds.
    """
    return next((kind for kind, offset, mark in SIGNATURES if head.startswith(mark, offset)), None)


def is_web_page(head: bytes | str) -> bool:
    """Whether a file is HTML, as servers send it instead of the file that was asked for.

    Args:
        head: its beginning, as bytes of any encoding or as text.
    """
    text = head.replace(b"\0", b"").decode("latin-1") if isinstance(head, bytes) else head  # UTF-16 has zero bytes
    for mark in MARKS:
        text = text.removeprefix(mark)
    return bool(WEB_PAGE.match(text[:4096]))
