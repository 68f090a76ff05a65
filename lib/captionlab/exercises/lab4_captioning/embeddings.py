"""Word vectors that were trained elsewhere: probe and misconceptions."""

from __future__ import annotations

import numpy as np

from captionlab.exercises.drawing import draw, draw_different, on_copies
from captionlab.exercises.lab4_captioning.common import COLORS, NOUNS, SPECIALS, draw_words, lab
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise(
    "captionlab.captioning.embeddings:embedding_matrix",
    points=2,
    minutes=20,
    difficulty=3,
    importance=3,
    rtol=1e-4,
    atol=1e-6,
    check_dtype=True,
)
def probe_embedding_matrix(embedding_matrix, rng):
    embedding_matrix = on_copies(embedding_matrix)
    dimension, other = draw_different(rng, 3, 7, 2)
    known, strange = draw_words(rng, NOUNS, 5), draw_words(rng, COLORS, 3)
    vectors = {word: (rng.standard_normal(dimension) + 1).tolist() for word in [*known, "never", "used"]}
    vectors["never"] = [9.0] * dimension  # not in the vocabulary: its numbers do not count
    vectors["<end>"] = (rng.standard_normal(dimension) - 1).tolist()
    mixed = [*known, *strange]
    words = [*SPECIALS, *(mixed[at] for at in rng.permutation(8))]
    seed = draw(rng, 1, 1000)
    label = f"{len(words)} words, 6 of them with vectors of {dimension} numbers, seed {seed}: "
    matrix = np.asarray(embedding_matrix(words, vectors, dimension, seed))
    yield label + "the rows of known words", matrix[[words.index(word) for word in known]]
    yield label + "the whole matrix", matrix
    capital = [*SPECIALS, known[0].title(), strange[0], known[1].upper(), known[2]]
    matrix = embedding_matrix(words=capital, vectors=vectors, dimension=dimension, seed=seed)
    yield "words with capitals, whose vectors are known in lower case", np.asarray(matrix)
    arrays = {word: np.array(vector, dtype=np.float32) for word, vector in vectors.items()}
    arrays[known[0].title()] = np.arange(dimension, dtype=np.float32)
    yield (
        "vectors as arrays, one with a capital too; no seed given",
        np.asarray(embedding_matrix(capital, arrays, dimension)),
    )
    del vectors["<end>"]
    yield "no word known", np.asarray(embedding_matrix([*SPECIALS, *strange], vectors, other, seed))
    yield (
        "vectors of another length",
        [
            str(outcome_of(embedding_matrix, words, vectors, dimension + 1, seed))[:17],
            np.asarray(embedding_matrix(words[:6], {words[5]: vectors[known[0]]}, dimension, seed + 1)),
        ],
    )


def _matrix(words, vectors, dimension, seed, *, find=None, spread=None, zeros=("<pad>",), draw_for=None):
    """The right matrix, in a form that misconceptions change in one place.

    Rows are drawn for unknown words, and for those that ``draw_for`` is true of.
    """
    find = find or (lambda word: vectors.get(word, vectors.get(word.lower())))
    known = {word: np.asarray(find(word), dtype=np.float32) for word in words[1:] if find(word) is not None}
    if any(vector.shape != (dimension,) for vector in known.values()):
        raise ValueError("a vector of another length")
    if spread is None:
        spread = np.stack(list(known.values())).std() if known else 0.1
    draw_from = np.random.default_rng(seed)
    rows = []
    for word in words:
        unknown = word not in zeros and word not in known
        drawn = draw_from.normal(0, spread, dimension) if unknown or (draw_for and draw_for(word)) else None
        rows.append(np.zeros(dimension) if word in zeros else known.get(word, drawn))
    return np.stack(rows).astype(np.float32)


@lab.misconception(
    "embedding_matrix",
    hint="Words without a vector get zeros, so all of them look alike to the model. Draw them at random.",
)
def unknown_words_are_zeros(words, vectors, dimension, seed=0):
    return _matrix(words, vectors, dimension, seed, spread=0.0)


@lab.misconception(
    "embedding_matrix",
    hint="<pad> gets random numbers. It stands for nothing, and its row is zeros.",
)
def padding_is_drawn(words, vectors, dimension, seed=0):
    return _matrix(words, vectors, dimension, seed, zeros=())


@lab.misconception(
    "embedding_matrix",
    hint="The random rows have a standard deviation of 1. They should be as large as the known ones: take the standard "
    "deviation of all their numbers.",
)
def drawn_with_one(words, vectors, dimension, seed=0):
    return _matrix(words, vectors, dimension, seed, spread=1.0)


@lab.misconception(
    "embedding_matrix",
    hint="A word with a capital is not found though its vector is there in lower case: look for that where the"
    " word itself has none.",
)
def exact_words_only(words, vectors, dimension, seed=0):
    return _matrix(words, vectors, dimension, seed, find=vectors.get)


@lab.misconception(
    "embedding_matrix",
    hint="You look for the lower case at once. A word that has a vector as it is written keeps that.",
)
def always_in_lower_case(words, vectors, dimension, seed=0):
    return _matrix(words, vectors, dimension, seed, find=lambda word: vectors.get(word.lower()))


@lab.misconception(
    "embedding_matrix",
    hint="The special words are zeros. That is for <pad> alone: <start>, <end> and <unk> are words the model reads.",
)
def all_special_words_are_zeros(words, vectors, dimension, seed=0):
    return _matrix(words, vectors, dimension, seed, zeros=("<pad>", "<start>", "<end>", "<unk>"))


@lab.misconception(
    "embedding_matrix",
    hint="The standard deviation is that of all vectors of the file. Only those of words in the vocabulary count.",
)
def spread_of_the_whole_file(words, vectors, dimension, seed=0):
    return _matrix(words, vectors, dimension, seed, spread=float(np.stack(list(vectors.values())).std()))


@lab.misconception(
    "embedding_matrix",
    hint="You draw numbers for every word and then overwrite the known ones. Draw for the words without a vector "
    "alone, one after the other: else the same seed gives other rows.",
)
def draws_for_known_words_too(words, vectors, dimension, seed=0):
    return _matrix(words, vectors, dimension, seed, draw_for=lambda word: word != "<pad>")


@lab.misconception(
    "embedding_matrix",
    hint="You draw a row for every word, <pad> and known words among them, and then overwrite. Rows are drawn one "
    "after the other for the words that have no vector alone, so yours have other numbers.",
)
def draws_the_whole_matrix(words, vectors, dimension, seed=0):
    return _matrix(words, vectors, dimension, seed, draw_for=lambda word: True)
