"""Pretrained word vectors: probe and misconceptions."""

from __future__ import annotations

import numpy as np

from captionlab.exercises.drawing import draw, draw_different, on_copies
from captionlab.exercises.lab4_captioning.common import COLORS, NOUNS, SPECIALS, draw_words, lab
from captionlab.exercises.observing import GlobalGenerators, dtype_of
from captionlab.grading.probe_helpers import outcome_of


@lab.exercise(
    "captionlab.captioning.embeddings:embedding_matrix",
    points=2,
    minutes=20,
    difficulty=3,
    importance=3,
    rtol=1e-4,
    atol=1e-6,
)
def probe_embedding_matrix(embedding_matrix, rng):
    embedding_matrix = on_copies(embedding_matrix)
    generators = GlobalGenerators()
    matrix = generators.call(embedding_matrix, ["<pad>", "dog", "gnu"], {"dog": [1.0, -1.0]}, embed_dim=2)
    yield "3 words: <pad>, dog and gnu, of which dog has the vector [1, -1]", np.asarray(matrix)
    yield "3 words: the dtype of the matrix", dtype_of(matrix), 0.25
    embed_dim, other = draw_different(rng, 3, 7, 2)
    known, strange = draw_words(rng, NOUNS, 5), draw_words(rng, COLORS, 3)
    vectors = {word: (rng.standard_normal(embed_dim) + 1).tolist() for word in [*known, "never", "used"]}
    vectors["never"] = [9.0] * embed_dim  # not in the vocabulary: its numbers do not count
    vectors["<pad>"] = [5.0] * embed_dim  # its row is zeros all the same
    vectors["<end>"] = (rng.standard_normal(embed_dim) - 1).tolist()
    mixed = [*known, *strange]
    words = [*SPECIALS, *(mixed[at] for at in rng.permutation(8))]
    seed = draw(rng, 1, 1000)
    label = f"{len(words)} words, 6 of them with vectors of {embed_dim} numbers, seed {seed}: "
    matrix = np.asarray(embedding_matrix(words, vectors, embed_dim, seed))
    yield label + "the rows of words with a vector", matrix[[words.index(word) for word in known]]
    yield label + "the whole matrix", matrix, 2
    capital = [*SPECIALS, known[0].title(), strange[0], known[1].upper(), known[2]]
    matrix = embedding_matrix(words=capital, vectors=vectors, embed_dim=embed_dim, seed=seed)
    yield "capitalized words whose vectors are known in lower case", np.asarray(matrix), 2
    arrays = {word: np.array(vector, dtype=np.float32) for word, vector in vectors.items()}
    arrays[known[0].title()] = np.arange(embed_dim, dtype=np.float32)
    yield (
        "vectors as arrays, one of them for a capitalized word, and the default seed",
        np.asarray(embedding_matrix(capital, arrays, embed_dim)),
    )
    del vectors["<end>"], vectors["<pad>"]
    matrix = outcome_of(embedding_matrix, [*SPECIALS, *strange], vectors, other, seed)
    yield "no word with a vector", matrix
    short = {**vectors, known[0]: vectors[known[0]][:2]}
    yield "one of the vectors has two numbers only", outcome_of(embedding_matrix, words, short, embed_dim, seed), 0.5
    yield "all vectors are too short", outcome_of(embedding_matrix, words, vectors, embed_dim + 1, seed), 0.5
    strangers = {**vectors, "never": [1.0]}
    matrix = outcome_of(embedding_matrix, words, strangers, embed_dim, seed)
    yield "a vector of another length that is not used", matrix, 0.5
    yield "global random generators that were used", generators.used, 0.5


lab.misconceptions(
    "embedding_matrix",
    vector_for_padding=(
        "If there is a vector for <pad> you use it, or count it for the standard deviation. Its row is zeros whatever "
        "the vectors are.",
        {
            "for word in words[1:]}": "for word in words}",
            "[np.zeros(embed_dim)]": "[known.get(words[0], np.zeros(embed_dim))]",
        },
    ),
    unknown_words_are_zeros=(
        "Words without a vector get zeros, so all of them look the same to the model. Give them random numbers.",
        {"rng.normal(0, std, embed_dim)": "np.zeros(embed_dim)"},
    ),
    padding_is_drawn=(
        "<pad> gets random numbers. It stands for nothing, so its row is zeros.",
        {"rows: list[np.ndarray] = [np.zeros(embed_dim)]": "rows = []", "words[1:]:": "words:"},
    ),
    drawn_with_one=(
        "The random rows have a standard deviation of 1. They should be on the scale of the known ones: take the "
        "standard deviation of all their numbers.",
        {"normal(0, std,": "normal(0, 1,"},
    ),
    exact_words_only=(
        "A capitalized word is not found although its lowercase form has a vector: look that up if the word "
        "itself has none.",
        {"vectors.get(word, vectors.get(word.lower()))": "vectors.get(word)"},
    ),
    always_in_lower_case=(
        "You always look up the lowercase word. A word that has a vector as written gets that one.",
        {"vectors.get(word, vectors.get(word.lower()))": "vectors.get(word.lower())"},
    ),
    all_special_words_are_zeros=(
        "All special words are zeros. Only <pad> is: <start>, <end> and <unk> are words the model reads.",
        {"rows.append(": 'rows.append(np.zeros(embed_dim) if word.startswith("<") else '},
    ),
    std_of_the_whole_file=(
        "You take the standard deviation of all vectors in the file. Only those of words in the vocabulary count.",
        {"np.stack(list(known.values())).std() if known else 0.1": "np.stack(list(vectors.values())).std()"},
    ),
    std_of_a_sample=(
        "You divide by n - 1 (statistics.stdev, ddof=1, torch.std). numpy.std divides by n.",
        {".std() if known": ".std(ddof=1) if known"},
    ),
    mean_of_the_stds=(
        "You take the standard deviation of each vector or each column and average. Take one of all numbers together.",
        {".std() if known": ".std(axis=1).mean() if known"},
    ),
    std_per_column=(
        "Each column has a standard deviation of its own. Take one of all numbers together.",
        {".std() if known": ".std(axis=0) if known"},
    ),
    same_row_for_all=(
        "All words without a vector get the same numbers: you make a new generator for each of them. Make one, before "
        "the loop.",
        {"rng.normal(": "np.random.default_rng(seed).normal("},
    ),
    global_generator=(
        "You use NumPy's global generator. It gives different numbers from numpy.random.default_rng(seed), "
        "and seeding it affects all other code.",
        {"rng = np.random.default_rng(seed)": "np.random.seed(seed)", "rng.normal(": "np.random.normal("},
    ),
    uniform_numbers=(
        "Your random numbers are uniformly distributed. Draw normally distributed ones.",
        {"rng.normal(0, std, embed_dim)": "rng.uniform(-std, std, embed_dim)"},
    ),
    fixed_std=(
        "The standard deviation is always 0.1. That is only for the case without any vector: take that of all numbers "
        "of the vectors that are used.",
        {"np.stack(list(known.values())).std() if known else 0.1": "0.1"},
    ),
    accepts_any_length=(
        "A vector whose length is not embed_dim leads to a NumPy error or a wrong matrix. Raise a ValueError "
        "if such a vector is used.",
        {
            "if vector.shape != (embed_dim,)": "",
            "np.stack(rows)": "np.array([np.resize(row, embed_dim) for row in rows])",
        },
    ),
    checks_all_vectors=(
        "You check the length of all vectors. Only those of words in the vocabulary count.",
        {"for word, vector in known.items():": "for word, vector in [(w, np.asarray(v)) for w, v in vectors.items()]:"},
    ),
    draws_for_known_words_too=(
        "You draw numbers for every word and then overwrite the known ones. Draw only for the words without a "
        "vector, one after the other: otherwise the same seed gives different rows.",
        {
            "rows.append(": "drawn = rng.normal(0, std, embed_dim)\n        rows.append(",
            "else rng.normal(0, std, embed_dim)": "else drawn",
        },
    ),
    draws_the_whole_matrix=(
        "You draw a row for every word, <pad> and known words included, and then overwrite some. Rows are "
        "drawn one after the other, and only for words without a vector, so your numbers differ.",
        {
            "rows: list[np.ndarray] = ": "drawn = rng.normal(0, std, (len(words), embed_dim))\n    rows = ",
            "for word in words[1:]:": "for word, row in zip(words[1:], drawn[1:]):",
            "else rng.normal(0, std, embed_dim)": "else row",
        },
    ),
)
