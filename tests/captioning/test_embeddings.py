"""Word vectors: three formats, wrong files, and the matrix they become."""

import numpy as np
import pytest

from captionlab.captioning.embeddings import embedding_matrix, read_vectors, train_word2vec

VECTORS = {"dog": [1.0, -2.0, 0.5], "Katze": [0.0, 3.0, 1.0], "été": [0.25, 0.5, 0.75]}


def as_text(head: str = "") -> bytes:
    return (head + "".join(f"{word} {' '.join(map(str, values))}\n" for word, values in VECTORS.items())).encode()


def as_binary(count: int = 3) -> bytes:
    rows = [word.encode() + b" " + np.array(values, "<f4").tobytes() + b"\n" for word, values in VECTORS.items()]
    return f"{count} 3\n".encode() + b"".join(rows)


@pytest.mark.parametrize("data", [as_text(), as_text("3 3\n"), as_binary()], ids=["glove", "word2vec", "binary"])
def test_all_three_formats(tmp_path, data):
    path = tmp_path / "vectors"
    path.write_bytes(data)
    found = read_vectors(path)
    assert {word: values.tolist() for word, values in found.items()} == VECTORS
    assert list(read_vectors(path, ["dog", "cow"])) == ["dog"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (as_text() + b"cow 1 2\n", "line 4 of vectors has 2 numbers, expected 3"),
        (b"", "is empty"),
        (as_text() + b"cow 1 2 x\n", "line 4 of vectors is not a word and 3 numbers"),
        (as_binary(5), "ends after 3 of 5 words"),
        (b"word\n", "line 1 of vectors has 0 numbers"),
    ],
)
def test_wrong_files_are_named_with_the_line(tmp_path, data, message):
    (tmp_path / "vectors").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_vectors(tmp_path / "vectors")


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file of word vectors"):
        read_vectors(tmp_path / "none.txt")


def test_matrix_has_known_vectors_zeros_for_padding_and_random_rows_of_their_standard_deviation():
    words = ["<pad>", "<start>", "dog", "Dog", *[f"unknown{n}" for n in range(500)]]
    matrix = embedding_matrix(words, {"dog": [1.0, -2.0, 0.5]}, 3)
    assert matrix.dtype == np.float32
    assert not matrix[0].any()
    assert matrix[2].tolist() == matrix[3].tolist() == [1, -2, 0.5]
    assert matrix[4:].std() == pytest.approx(np.std([1, -2, 0.5]), rel=0.1)
    assert (matrix == embedding_matrix(words, {"dog": [1.0, -2.0, 0.5]}, 3)).all()
    assert embedding_matrix(words, {}, 3).std() == pytest.approx(0.1, rel=0.1)
    with pytest.raises(ValueError, match="'dog' has 3 numbers, expected embed_dim = 4"):
        embedding_matrix(words, VECTORS, 4)


def test_vectors_trained_on_captions_put_words_of_like_use_together():
    captions = [["a", color, thing, "runs"] for color in ("red", "blue") for thing in ("dog", "cat")] * 100
    captions += [["the", number, "of", "us"] for number in ("two", "three")] * 100
    vectors = train_word2vec(captions, 8, seed=1, epochs=100)
    again = train_word2vec(captions, 8, seed=1, epochs=100)
    assert all((vectors[word] == again[word]).all() for word in vectors)

    def likeness(one, other):
        return vectors[one] @ vectors[other] / np.linalg.norm(vectors[one]) / np.linalg.norm(vectors[other])

    assert likeness("dog", "cat") > likeness("dog", "three")
