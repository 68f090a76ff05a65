"""Text files as people save them: with a byte order mark or without, in UTF-16, with the line ends of any system."""

from __future__ import annotations

import codecs
import re
import warnings
from pathlib import Path

from captionlab.common.logs import logger

# UTF-32's little-endian mark begins with UTF-16's, so it is tried first.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SAMPLE = 4096  # bytes from which an encoding without a mark is recognized
MIN_ZEROS = 0.6  # share of zero bytes among the upper halves of UTF-16; near 1 for Latin letters


class NotText(ValueError):
    """Bytes that are not text in a known encoding; the message says what was found and what to do."""


def detect_encoding(data: bytes) -> tuple[str, int]:
    r"""The encoding of a text by its first bytes: what a byte order mark names, UTF-16 without a mark, or else UTF-8.

    Args:
        data: the content of a file, or its beginning.

    Returns:
        The name of the encoding, and the length of the mark in bytes.

    Example:
        >>> detect_encoding(b"\xff\xfea\x00"), detect_encoding(b"a\x00b\x00"), detect_encoding(b"ab")
        (('utf-16-le', 2), ('utf-16-le', 0), ('utf-8', 0))
    """
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return encoding, len(mark)
    even, odd = data[:SAMPLE:2], data[1:SAMPLE:2]
    for encoding, upper, lower in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if upper.count(0) > MIN_ZEROS * len(upper) and 0 not in lower:
            return encoding, 0
    return "utf-8", 0


def decode(data: bytes, name: str) -> str:
    """Text of a file's bytes, in the encoding that `detect_encoding` finds; the byte order mark is removed.

    Args:
        data: the file's content.
        name: of the file, for the message.

    Raises:
        NotText: if the bytes are not text in that encoding, or contain a zero character, which no text does.
    """
    encoding, start = detect_encoding(data)
    try:
        text = data[start:].decode(encoding)
    except UnicodeDecodeError as error:
        line = _line_number(data[start : start + error.start].decode(encoding))
        at = error.start + start
        raise NotText(
            f"{name} is not {encoding.upper()} text (byte {at} is 0x{data[at]:02x}, in line {line}); save it as UTF-8"
        ) from None
    if "\0" in text:
        line = _line_number(text[: text.index("\0")])
        raise NotText(f"{name} is not text (line {line} contains a zero byte); save it as UTF-8 text")
    return text.lstrip("\ufeff")  # joined files may have several marks


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


def read_lines(path: Path) -> list[str]:
    """Lines of a text file of data, such as a list of images or captions; byte order marks are removed.

    Lines that are not UTF-8 are read as Windows-1252, with a warning: they come from a program that saves text in the
    encoding of Windows, and often stand between lines in UTF-8.

    Raises:
        NotText: if it is not text.
        OSError: if it cannot be read.
    """
    data = path.read_bytes()
    encoding, start = detect_encoding(data)
    if encoding != "utf-8":
        logger.info("%s is %s text and read as such; UTF-8 is more common", path.name, encoding.upper())
    try:
        lines = split_lines(decode(data, path.name))
    except NotText:
        if encoding != "utf-8" or b"\0" in data:
            raise
        lines = _mixed_lines(data[start:], path.name)
    return [line.lstrip("\ufeff") for line in lines]


def _mixed_lines(data: bytes, name: str) -> list[str]:
    """Lines of which some are UTF-8 and some Windows-1252."""
    lines, foreign = split_lines(data.decode("utf-8", "surrogateescape")), []
    for index, line in enumerate(lines):
        raw = line.encode("utf-8", "surrogateescape")
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            foreign.append(index + 1)
            try:
                lines[index] = raw.decode("cp1252")
            except UnicodeDecodeError as error:
                raise NotText(
                    f"{name} is neither UTF-8 nor Windows-1252 text (line {index + 1} has byte "
                    f"0x{raw[error.start]:02x}); save it as UTF-8"
                ) from None
    warnings.warn(
        f"{len(foreign)} of {len(lines)} lines of {name} are not UTF-8, the first is line {foreign[0]}; they are read "
        "as Windows-1252: save the file as UTF-8 if letters are wrong",
        stacklevel=3,
    )
    return lines


def _line_number(before: str) -> int:
    """The number of the line, counted from 1, that follows some text."""
    return len(re.findall("\r\n|\n|\r", before)) + 1
