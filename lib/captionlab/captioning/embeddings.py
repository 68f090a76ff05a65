"""Pretrained word vectors, or vectors trained on the captions, as the decoder's initial embeddings.

Formats (:mod:`captionlab.captioning.vector_files`): GloVe's text (one word with its numbers per line), word2vec's text
(the same below a line with two counts) and word2vec's binary format.

Sources: Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space"; Pennington, Socher and
Manning 2014, "GloVe: Global Vectors for Word Representation".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from captionlab.captioning.vector_files import read_vectors

__all__ = ["embedding_matrix", "read_vectors", "train_word2vec"]


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
