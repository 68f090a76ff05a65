"""Files of word vectors, recognized by their content: GloVe's and word2vec's text, word2vec's binary format.

They may be compressed (zip, gzip, bzip2, xz). Files are read line by line, and only the requested words are kept.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from captionlab.common.files import is_hidden
from captionlab.common.signatures import is_web_page, kind_of_bytes
from captionlab.common.text import detect_encoding

HEAD = 1 << 18  # bytes from which the format is recognized
HEAD_LINES = 50
MAX_WORD, MAX_DIM = 4096, 100_000  # longer words (bytes) and vectors are a sign of another format
HEADER = re.compile(rb"[ \t]*(\d+)[ \t]+(\d+)[ \t]*\r?\n")
NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
VALUE = re.compile(NUMBER.pattern + rb"|[-+]?(?:nan|inf|infinity)", re.IGNORECASE)
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1b]")  # bytes that texts do not have
# What a file is, and what to do, by its kind (see captionlab.common.signatures).
FOREIGN = {
    "numpy": "a NumPy array, which has no words: give text or word2vec's binary format",
    "hdf5": "an HDF5 file: give text or word2vec's binary format",
    "zip": "a zip archive that is damaged or incomplete: fetch it again",
    "tar": "a tar archive: unpack it first",
    "7z": "a 7z archive: unpack it first",
    "rar": "a RAR archive: unpack it first",
    "zstd": "compressed with zstd: unpack it first",
    "git lfs": "a pointer of Git LFS, not the file itself: fetch it with git lfs pull",
}
PICKLE, FASTTEXT = b"\x80", b"\xba\x16\x4f\x2f"
DECOMPRESSORS: dict[str, Callable[[Any], Any]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
}
DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError)


def read_vectors(
    path: Path | str, words: Iterable[str] | None = None, embed_dim: int | None = None
) -> dict[str, np.ndarray]:
    """Read word vectors from a file in any of the formats, compressed or not.

    Of a word that occurs twice the first vector counts. Words that are not UTF-8, such as words cut in the middle of a
    character, are left out. Both are reported with a warning.

    Args:
        path: of the file.
        words: keep only these (and their lower-case forms); None: all.
        embed_dim: of several files in a zip archive, the one with this many numbers per word is read.

    Returns:
        float32 arrays of the same length, by word.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if it has none of the formats or is damaged, a line has another number of values than most, a value
            is not a finite number, or an archive has several files that could be meant.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of word vectors {path}: give GloVe's or word2vec's text or binary")
    wanted = None if words is None else {form for word in words for form in (word, word.lower())}
    try:
        member = _choose_member(path, embed_dim) if zipfile.is_zipfile(path) else None
        name = f"{path.name}/{member}" if member else path.name
        with _opened(path, member) as file:
            return _read(file, _Vectors(name, wanted))
    except DAMAGED as error:
        raise ValueError(
            f"{path.name} cannot be read ({error}): it is damaged or incomplete, fetch it again"
        ) from error


@dataclass
class _Vectors:
    """The vectors that are kept, and what is to be said about the others.

    Attributes:
        name: of the file, for messages.
        wanted: the words to keep; None: all.
    """

    name: str
    wanted: set[str] | None
    kept: dict[str, np.ndarray] = field(default_factory=dict)
    not_utf8: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)

    def wants(self, word: bytes, place: str) -> str | None:
        """The word as text, if its vector is to be kept."""
        try:
            text = word.decode("utf-8")
        except UnicodeDecodeError:
            self.not_utf8.append(place)
            return None
        if self.wanted is not None and text not in self.wanted:
            return None
        if text in self.kept:
            self.repeated.append(f"{text!r} in {place}")
            return None
        return text

    def keep(self, word: str, vector: np.ndarray, place: str) -> None:
        """Keep a vector.

        Raises:
            ValueError: if a number is not finite.
        """
        if not np.isfinite(vector).all():
            bad = vector[~np.isfinite(vector)][0]
            raise ValueError(
                f"{place} of {self.name}: the vector of {word!r} contains {bad}, expected finite numbers; remove it"
            )
        self.kept[word] = vector

    def report(self, found: int, expected: int | None) -> None:
        """Warn of words that were left out, and of a number of words other than the first line says."""
        if expected is not None and found != expected:
            self._warn(f"has {found} words, but its first line says {expected}: it may be incomplete")
        if self.not_utf8:
            self._warn(f"has {len(self.not_utf8)} words that are not UTF-8 and are left out: {self.not_utf8[0]}")
        if self.repeated:
            self._warn(f"has {len(self.repeated)} words again; their first vector counts: {self.repeated[0]}")

    def _warn(self, text: str) -> None:
        warnings.warn(f"{self.name} {text}", stacklevel=5)


@contextmanager
def _opened(path: Path, member: str | None = None) -> Iterator[BinaryIO]:
    """A file, or a member of a zip archive, without its compression."""
    with ExitStack() as stack:
        if member is None:
            file = cast(BinaryIO, stack.enter_context(path.open("rb")))
        else:
            archive = stack.enter_context(zipfile.ZipFile(path))
            file = cast(BinaryIO, io.BufferedReader(stack.enter_context(archive.open(member))))
        start = file.read(10)
        file.seek(0)
        kind = kind_of_bytes(start)
        if kind in DECOMPRESSORS and (kind != "bzip2" or start.endswith(b"1AY&SY")):  # a text may begin with BZh
            file = cast(BinaryIO, stack.enter_context(DECOMPRESSORS[kind](file)))
        yield file


def _choose_member(path: Path, embed_dim: int | None) -> str:
    """The file of word vectors in a zip archive."""
    with zipfile.ZipFile(path) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
    found: dict[str, int] = {}
    for name in names:
        if not any(map(is_hidden, name.split("/"))):
            with _opened(path, name) as file:
                dim = _dimension(file.read(HEAD))
            if dim:
                found[name] = dim
    fitting = [name for name, dim in found.items() if dim == embed_dim] or list(found)
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(f"{name} ({dim} numbers per word)" for name, dim in found.items())
    raise ValueError(
        f"{path.name} contains {listed or 'no file of word vectors'}: expected one file"
        + ("; set embed_dim to its size, or unpack the file and give that" if found else "")
    )


def _numbers_at_end(line: bytes) -> int:
    """How many numbers a line ends with; its first part is a word, whatever it looks like."""
    parts, count = line.split(), 0
    for part in reversed(parts if line[:1].isspace() else parts[1:]):
        if not VALUE.fullmatch(part):
            break
        count += 1
    return count


def _lines_of(head: bytes) -> list[bytes]:
    """The first lines, without a last one that is cut off."""
    lines = head.split(b"\n", HEAD_LINES)[:HEAD_LINES]
    return lines if len(head) < HEAD or len(lines) == HEAD_LINES else lines[:-1] or lines


def _dimension(head: bytes) -> int:
    """The numbers per word in a file that begins with `head`; 0 if it has none of the formats."""
    if header := HEADER.match(head):
        return int(header[2])
    counts = Counter(_numbers_at_end(line) for line in _lines_of(head) if line.strip())
    return counts.most_common(1)[0][0] if counts else 0


def _is_binary(body: bytes, dim: int) -> bool:
    """Whether vectors of `dim` numbers below a header are bytes: no line is text, and some bytes are in no text."""
    text = any(_numbers_at_end(line) >= dim for line in _lines_of(body))
    return not text and CONTROL.search(body) is not None


def _read(file: BinaryIO, vectors: _Vectors) -> dict[str, np.ndarray]:
    head = file.read(HEAD)
    lines: Iterable[bytes] = file
    encoding, start = ("utf-8", 0) if HEADER.match(head) else detect_encoding(head)
    file.seek(start)
    if encoding == "utf-8":
        head = head[start:]
    else:
        head = head[start:].decode(encoding, "replace").encode()
        lines = (line.encode() for line in io.TextIOWrapper(file, encoding, errors="replace", newline="\n"))
    _refuse_foreign(head, vectors.name)
    dim, count, first = _dimension(head), None, 1
    if header := HEADER.match(head):
        count, first = int(header[1]), 2
        if not 1 <= dim <= MAX_DIM:
            raise ValueError(f"line 1 of {vectors.name} says {dim} numbers per word, expected 1 to {MAX_DIM}")
        if encoding == "utf-8" and _is_binary(head[header.end() :], dim):
            file.seek(start + header.end())
            return _read_binary(file, count, dim, vectors)
    return _read_text(lines, dim, count, first, vectors)


def _refuse_foreign(head: bytes, name: str) -> None:
    """Raise ValueError for a file that is empty, or that is known to be something else."""
    if not head.strip():
        raise ValueError(f"{name} is empty: expected one word with its numbers per line")
    if what := FOREIGN.get(kind_of_bytes(head) or ""):
        raise ValueError(f"{name} is {what}")
    if is_web_page(head):
        raise ValueError(f"{name} is a web page: download the file itself")
    if head.startswith(PICKLE):
        raise ValueError(
            f"{name} is a pickle, which could run code and is not loaded: save the vectors with save_word2vec_format"
        )
    if head.startswith(FASTTEXT):
        raise ValueError(f"{name} is a fastText model: give the .vec file that belongs to it")
    if CONTROL.search(head) and not _dimension(head):
        raise ValueError(f"{name} is not a file of word vectors: it starts with {head[:20]!r}")


def _read_text(
    lines: Iterable[bytes], dim: int, count: int | None, first: int, vectors: _Vectors
) -> dict[str, np.ndarray]:
    """The vectors in lines of a word and its numbers; the first line is a header if `first` is 2."""
    found = 0
    for number, row in enumerate(lines, start=1):
        line = row.strip()
        if number < first or not line:
            continue
        found += 1
        # Most words are not wanted; their numbers are counted, not split.
        if 0 < dim == line.count(b" ") and vectors.wants(line.partition(b" ")[0], f"line {number}") is None:
            continue
        parts = row.rsplit(None, dim) if dim else []
        if len(parts) == dim and row[:1].isspace() and VALUE.fullmatch(parts[0]):
            parts.insert(0, b"")  # the word is a space
        in_word = parts[0].split() if parts else []
        numbers = [part for part in in_word[1:] if NUMBER.fullmatch(part)]
        joined = numbers and (len(numbers) >= dim or NUMBER.fullmatch(in_word[-1]))  # a word may contain spaces
        if len(parts) != dim + 1 or dim < 1 or joined:
            amount = dim + len(numbers) if joined else max(len(row.split()) - 1, 0)
            raise ValueError(
                f"line {number} of {vectors.name} has {amount} numbers, expected {max(dim, 1)} after a word: it begins "
                f"with {row[:40].decode('utf-8', 'replace').strip()!r}; is it a complete file of word vectors?"
            )
        if (word := vectors.wants(parts[0].strip(), f"line {number}")) is not None:
            try:
                vector = np.array(parts[1:], dtype=np.float32)
            except ValueError as error:
                raise ValueError(f"line {number} of {vectors.name} is not a word and {dim} numbers: {error}") from error
            vectors.keep(word, vector, f"line {number}")
    vectors.report(found, count)
    return vectors.kept


def _read_binary(file: BinaryIO, count: int, dim: int, vectors: _Vectors) -> dict[str, np.ndarray]:
    """The vectors behind a header: each is a word, a space, and `dim` numbers as little-endian float32."""
    for number in range(1, count + 1):
        word = bytearray()
        while (byte := file.read(1)) not in (b" ", b""):
            word += byte
            if len(word) > MAX_WORD:
                raise ValueError(
                    f"word {number} of {vectors.name} has more than {MAX_WORD} bytes: expected word2vec's binary format"
                )
        data = file.read(4 * dim)
        if len(data) != 4 * dim:
            raise ValueError(
                f"{vectors.name} ends after {number - 1} of {count} words: it is truncated, fetch it again"
            )
        text = vectors.wants(bytes(word.lstrip(b"\n")), f"word {number}")
        if text is not None:
            vectors.keep(text, np.frombuffer(data, dtype="<f4").astype(np.float32), f"word {number}")
    rest = len(file.read(4 * dim).strip())
    vectors.report(count + (rest > 0), count)
    return vectors.kept
