"""Text files as people save them: with a byte order mark or without, in UTF-16, with the line ends of any system."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

# UTF-32's little-endian mark begins with UTF-16's, so it is tried first.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class NotText(ValueError):
    """Bytes that are not text in a known encoding; the message says what was found and what to do."""


def decode(data: bytes, name: str) -> str:
    """Text of a file's bytes: UTF-8, or what its byte order mark names; the mark is removed.

    Args:
        data: the file's content.
        name: of the file, for the message.

    Raises:
        NotText: if the bytes are no text in that encoding.
    """
    mark, encoding = next((one for one in BYTE_ORDER_MARKS if data.startswith(one[0])), (b"", "utf-8"))
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        at = error.start + len(mark)
        raise NotText(
            f"{name} is not {encoding.upper()} text (byte {at} is 0x{data[at]:02x}); save it as UTF-8"
        ) from None


def read_text(path: Path) -> str:
    """Text of a file (see :func:`decode`).

    Raises:
        NotText: if it is not text.
        OSError: if it cannot be read.
    """
    return decode(path.read_bytes(), path.name)


def split_lines(text: str) -> list[str]:
    r"""Lines of a text, without their ends.

    Only ``\n``, ``\r\n`` and ``\r`` end a line. ``str.splitlines`` also splits at U+2028 and other separators, which
    occur within captions and file names.

    Example:
        >>> split_lines("one\u2028still one\r\ntwo\n")
        ['one\u2028still one', 'two']
    """
    lines = re.split("\r\n|\n|\r", text)
    return lines[:-1] if lines[-1] == "" else lines
