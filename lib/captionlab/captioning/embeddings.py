"""Pretrained word vectors, or vectors trained on the captions, as the decoder's initial embeddings.

Formats: GloVe's text (one word with its numbers per line), word2vec's text (the same below a line with two counts) and
word2vec's binary format. Files are read line by line, and only the requested words are kept.

Sources: Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space"; Pennington, Socher and
Manning 2014, "GloVe: Global Vectors for Word Representation".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np


def embedding_matrix(
    words: Sequence[str], vectors: Mapping[str, Sequence[float] | np.ndarray], embed_dim: int, seed: int = 0
) -> np.ndarray:
    """Build an embedding matrix: the pretrained vector of each word that has one, random numbers for the others.

    ``<pad>`` gets zeros. Of the other words, in order, one with a pretrained vector (as it is written, or else in lower
    case) gets that vector. All others, special words included, get random numbers: normally distributed with mean 0
    and the standard deviation (``numpy.std``) of all numbers of the pretrained vectors that are used, or 0.1 if none
    is, drawn row by row from ``numpy.random.default_rng(seed)``.

    Args:
        words: the vocabulary; its first word is ``<pad>``.
        vectors: pretrained vectors of ``embed_dim`` numbers, by word.
        embed_dim: size of an embedding.
        seed: of the random numbers.

    Returns:
        ``(vocab_size, embed_dim)``, float32.

    Raises:
        ValueError: if a vector that is used has another length.

    Example:
        >>> embedding_matrix(["<pad>", "dog", "gnu"], {"dog": [1.0, -1.0]}, embed_dim=2)[:2]
        array([[ 0.,  0.],
               [ 1., -1.]], dtype=float32)
    """
    found = {word: vectors.get(word, vectors.get(word.lower())) for word in words[1:]}
    known = {word: np.asarray(vector, dtype=np.float32) for word, vector in found.items() if vector is not None}
    for word, vector in known.items():
        if vector.shape != (embed_dim,):
            raise ValueError(f"the vector of {word!r} has {vector.size} numbers, expected embed_dim = {embed_dim}")
    std = np.stack(list(known.values())).std() if known else 0.1
    rng = np.random.default_rng(seed)
    rows: list[np.ndarray] = [np.zeros(embed_dim)]
    for word in words[1:]:
        rows.append(known[word] if word in known else rng.normal(0, std, embed_dim))
    return np.stack(rows).astype(np.float32)  # (vocab_size, embed_dim)


def read_vectors(path: Path | str, words: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Read word vectors from a file in any of the three formats.

    Args:
        path: of the file.
        words: keep only these (and their lower-case forms); None: all.

    Returns:
        float32 arrays of the same length, by word.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if it has none of the formats, or a line has another number of values than those before it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of word vectors {path}: give GloVe's or word2vec's text or binary")
    wanted = None if words is None else {form for word in words for form in (word, word.lower())}
    with path.open("rb") as file:
        counts = file.readline(10_000).split()
        if len(counts) == 2 and all(part.isdigit() for part in counts):
            dimension = int(counts[1])
            start = file.tell()
            if _looks_binary(file.read(10_000)):
                file.seek(start)
                return _binary(file, int(counts[0]), dimension, wanted, path.name)
            file.seek(start)
            return _text(file, dimension, wanted, path.name, 2)
        file.seek(0)
        return _text(file, None, wanted, path.name, 1)


def _looks_binary(data: bytes) -> bool:
    """Whether there are bytes that no text has."""
    try:
        text = data[: data.rfind(b"\n") + 1].decode("utf-8")
    except UnicodeDecodeError:
        return True
    return any(character < " " and character not in "\n\r\t" for character in text) or b"\n" not in data


def _text(
    file: BinaryIO, dimension: int | None, wanted: set[str] | None, name: str, line: int
) -> dict[str, np.ndarray]:
    vectors: dict[str, np.ndarray] = {}
    for number, row in enumerate(file, start=line):
        parts = row.decode("utf-8", errors="replace").rstrip().split(" ")
        dimension = dimension or len(parts) - 1
        if len(parts) - 1 > dimension >= 1 and not _is_number(parts[-dimension - 1]):
            parts = [" ".join(parts[:-dimension]), *parts[-dimension:]]  # a word with spaces in it: GloVe has some
        if len(parts) - 1 != dimension or dimension < 1:
            raise ValueError(
                f"line {number} of {name} has {len(parts) - 1} numbers, expected {max(dimension, 1)}: "
                "is it a complete file of word vectors?"
            )
        if wanted is None or parts[0] in wanted:
            try:
                vectors[parts[0]] = np.array(parts[1:], dtype=np.float32)
            except ValueError as error:
                raise ValueError(f"line {number} of {name} is not a word and {dimension} numbers: {error}") from error
    if dimension is None:
        raise ValueError(f"{name} is empty: expected one word with its numbers per line")
    return vectors


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _binary(file: BinaryIO, count: int, dimension: int, wanted: set[str] | None, name: str) -> dict[str, np.ndarray]:
    vectors: dict[str, np.ndarray] = {}
    for number in range(count):
        word = bytearray()
        while (byte := file.read(1)) not in (b" ", b""):
            if byte != b"\n":
                word += byte
        data = file.read(4 * dimension)
        if len(data) != 4 * dimension:
            raise ValueError(f"{name} ends after {number} of {count} words: it is truncated, fetch it again")
        key = word.decode("utf-8", errors="replace")
        if wanted is None or key in wanted:
            vectors[key] = np.frombuffer(data, dtype="<f4").astype(np.float32)
    return vectors


def train_word2vec(
    captions: Sequence[Sequence[str]], size: int, seed: int = 0, epochs: int = 20
) -> dict[str, np.ndarray]:
    """Train word vectors on captions alone: gensim's Word2Vec with skip-gram, on one thread to be reproducible.

    Args:
        captions: as words.
        size: of a vector.
        seed: of the initial vectors.
        epochs: of the training.

    Returns:
        float32 arrays (size,), by word.
    """
    from gensim.models import Word2Vec

    model = Word2Vec(
        [list(caption) for caption in captions], vector_size=size, window=5, min_count=1, sg=1, seed=seed, workers=1,
        epochs=epochs,
    )  # fmt: skip
    return {word: model.wv[word] for word in model.wv.index_to_key}
