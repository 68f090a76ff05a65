"""Word vectors that were trained elsewhere, or on the captions, as the decoder's first embeddings.

Formats: GloVe's text (a word and its numbers a line), word2vec's text (the same below a line with two counts) and
word2vec's binary. Files are read line by line, and only the words that are asked for are kept.

Sources: Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space"; Pennington, Socher and
Manning 2014, "GloVe: Global Vectors for Word Representation".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np


def embedding_matrix(words, vectors, dimension, seed=0):
    """A row for each word: its pretrained vector where there is one.

    ``<pad>`` gets zeros. Of the other words, in order, one whose vector is known (as it is written, or in lower case)
    gets it; all others, special ones among them, get random numbers: normal with mean 0 and the standard deviation
    (``numpy.std``) of all numbers of the known vectors that are used, 0.1 if none is, drawn row after row from
    ``numpy.random.default_rng(seed)``.

    Args:
        words: the vocabulary, a list of str; ``<pad>`` is its first.
        vectors: a dict from words to vectors of ``dimension`` numbers.
        dimension: of the embedding.
        seed: of the random numbers.

    Returns:
        ``(words, dimension)``, a numpy array, float32.

    Raises:
        ValueError: if a vector that is used has another length.

    Example::

        embedding_matrix(["<pad>", "dog", "gnu"], {"dog": [1.0, -1.0]}, 2)[:2]  # [[0, 0], [1, -1]]
    """
    found = {word: vectors.get(word, vectors.get(word.lower())) for word in words[1:]}
    known = {word: np.asarray(vector, dtype=np.float32) for word, vector in found.items() if vector is not None}
    for word, vector in known.items():
        if vector.shape != (dimension,):
            raise ValueError(f"the vector of {word!r} has {vector.size} numbers, expected {dimension}")
    spread = np.stack(list(known.values())).std() if known else 0.1
    draw = np.random.default_rng(seed)
    rows = [np.zeros(dimension)]
    for word in words[1:]:
        rows.append(known[word] if word in known else draw.normal(0, spread, dimension))
    return np.stack(rows).astype(np.float32)


def read_vectors(path: Path | str, words: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Word vectors from a file, in whichever of the three formats it is.

    Args:
        words: keep only these (and their lower-case forms); None: all.

    Returns:
        A dict from words to float32 arrays, all of one length.

    Raises:
        FileNotFoundError: if the file is not there.
        ValueError: if it is none of these formats, or a line has another number of values than those before it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of word vectors {path}: give GloVe's or word2vec's text or binary")
    wanted = None if words is None else {form for word in words for form in (word, word.lower())}
    with path.open("rb") as file:
        first = file.readline(10_000)
        counts = first.split()
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
    """Numbers stored as bytes have some that no text has."""
    try:
        text = data[: data.rfind(b"\n") + 1].decode("utf-8")
    except UnicodeDecodeError:
        return True
    return any(character < " " and character not in "\n\r\t" for character in text) or b"\n" not in data


def _text(file: BinaryIO, dimension: int | None, wanted: set[str] | None, name: str, line: int) -> dict:
    vectors: dict[str, np.ndarray] = {}
    for number, row in enumerate(file, start=line):
        parts = row.decode("utf-8", errors="replace").rstrip().split(" ")
        dimension = dimension or len(parts) - 1
        if len(parts) - 1 > dimension >= 1 and not _is_number(parts[-dimension - 1]):
            parts = [" ".join(parts[:-dimension]), *parts[-dimension:]]  # a word with spaces in it: GloVe has some
        if len(parts) - 1 != dimension or dimension < 1:
            raise ValueError(
                f"line {number} of {name} has {len(parts) - 1} numbers, expected {max(dimension, 1)}: "
                "is it a file of word vectors, whole?"
            )
        if wanted is None or parts[0] in wanted:
            try:
                vectors[parts[0]] = np.array(parts[1:], dtype=np.float32)
            except ValueError as error:
                raise ValueError(f"line {number} of {name} is no word and {dimension} numbers: {error}") from error
    if dimension is None:
        raise ValueError(f"{name} is empty: expected a word and its numbers a line")
    return vectors


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _binary(file: BinaryIO, count: int, dimension: int, wanted: set[str] | None, name: str) -> dict:
    vectors = {}
    for number in range(count):
        word = bytearray()
        while (byte := file.read(1)) not in (b" ", b""):
            if byte != b"\n":
                word += byte
        data = file.read(4 * dimension)
        if len(data) != 4 * dimension:
            raise ValueError(f"{name} ends after {number} of {count} words: it was cut off, fetch it anew")
        key = word.decode("utf-8", errors="replace")
        if wanted is None or key in wanted:
            vectors[key] = np.frombuffer(data, dtype="<f4").astype(np.float32)
    return vectors


def train_word2vec(captions: Sequence[Sequence[str]], size: int, seed: int = 0, epochs: int = 20) -> dict:
    """Word vectors trained on captions alone: Word2Vec's skip-gram, by gensim, on one thread so that they repeat.

    Args:
        captions: as words.
        size: numbers a word.

    Returns:
        A dict from words to float32 arrays (size,).
    """
    from gensim.models import Word2Vec

    model = Word2Vec(
        [list(caption) for caption in captions], vector_size=size, window=5, min_count=1, sg=1, seed=seed, workers=1,
        epochs=epochs,
    )  # fmt: skip
    return {word: model.wv[word] for word in model.wv.index_to_key}
