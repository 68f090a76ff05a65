"""Files of word vectors as they are found: compressed, from Windows, with odd words, cut off, or something else."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captionlab.captioning.vector_files import read_vectors

VECTORS = {"dog": [1.0, -2.0, 0.5], "Katze": [0.0, 3.0, 1.0], "été": [0.25, 0.5, 0.75]}
ODD_WORDS = st.text(st.sampled_from("ab7.é字\xa0\x85\u2028\u3000<>#\x1c"), min_size=1, max_size=4)


def as_text(vectors, header: bool = False, end: str = "\n") -> str:
    lines = [f"{word} {' '.join(map(str, values))}" for word, values in vectors.items()]
    return "".join(line + end for line in ([f"{len(vectors)} {len(values_of(vectors))}"] if header else []) + lines)


def values_of(vectors):
    return next(iter(vectors.values()))


def as_binary(vectors, end: bytes = b"\n") -> bytes:
    rows = [word.encode() + b" " + np.array(values, "<f4").tobytes() + end for word, values in vectors.items()]
    return f"{len(vectors)} {len(values_of(vectors))}\n".encode() + b"".join(rows)


def read(folder, data: bytes, words=None, name="vectors.txt", **options):
    (folder / name).write_bytes(data)
    return {word: values.tolist() for word, values in read_vectors(folder / name, words, **options).items()}


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, lambda data: zipped(v=data)])
@pytest.mark.parametrize(
    "data",
    [as_text(VECTORS).encode(), as_text(VECTORS, header=True).encode(), as_binary(VECTORS), as_binary(VECTORS, b"")],
    ids=["glove", "word2vec", "binary", "gensim's binary"],
)
def test_compressed_files_are_read_whatever_their_name(tmp_path, data, compress):
    assert read(tmp_path, compress(data)) == VECTORS


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", " \n", "\n\n"])
@pytest.mark.parametrize("header", [False, True])
def test_text_from_any_system(tmp_path, encoding, end, header):
    text = as_text(VECTORS, header, end)
    assert read(tmp_path, text.encode(encoding)) == VECTORS
    assert read(tmp_path, text.replace(" ", "\t").encode(encoding)) == VECTORS


@given(
    st.dictionaries(ODD_WORDS, st.lists(st.floats(-9, 9, width=32), min_size=5, max_size=5), min_size=1, max_size=6),
    st.sampled_from(["glove", "word2vec", "binary"]),
)
@settings(max_examples=60, derandomize=True, deadline=None)
def test_odd_words_keep_their_vectors(tmp_path_factory, vectors, form):
    data = as_binary(vectors) if form == "binary" else as_text(vectors, form == "word2vec").encode()
    assert read(tmp_path_factory.mktemp("odd"), data) == vectors


@pytest.mark.parametrize("header", [False, True])
def test_words_with_spaces_even_in_the_first_line(tmp_path, header):
    vectors = {". . .": [1.0, 2.0, 3.0], "7": [4.0, 5.0, 6.0], "at name@domain.com": [7.0, 8.0, 9.0], "nan": [0.0] * 3}
    assert read(tmp_path, as_text(vectors, header).encode()) == vectors


@pytest.mark.parametrize("line", [0, 2], ids=["first", "last"])
@pytest.mark.parametrize("header", [False, True])
def test_a_word_cut_in_the_middle_of_a_character_costs_only_itself(tmp_path, line, header):
    lines = as_text(VECTORS).encode().splitlines(keepends=True)
    lines.insert(line, b"caf\xc3 0.5 0.25 0.125\n")
    with pytest.warns(UserWarning, match=rf"1 words that are not UTF-8 and are left out: line {line + 1 + header}$"):
        assert read(tmp_path, (b"4 3\n" if header else b"") + b"".join(lines)) == VECTORS


def test_of_a_repeated_word_the_first_vector_counts(tmp_path):
    with pytest.warns(UserWarning, match=r"has 1 words again; their first vector counts: 'dog' in line 4"):
        assert read(tmp_path, as_text(VECTORS).encode() + b"dog 9 9 9\n") == VECTORS


def test_a_header_with_another_number_of_words_is_reported(tmp_path):
    for count in (2, 4):
        with pytest.warns(UserWarning, match=rf"has 3 words, but its first line says {count}"):
            assert read(tmp_path, f"{count} 3\n{as_text(VECTORS)}".encode()) == VECTORS
    with pytest.warns(UserWarning, match="its first line says 2"):
        read(tmp_path, b"2" + as_binary(VECTORS)[1:])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"dog 1 2 3\ncow 1 2 3 4\ncat 1 2 3\n", "line 2 of vectors.txt has 4 numbers, expected 3"),
        (b"dog 1 2 3\ncow 1 2\n", "line 2 of vectors.txt has 2 numbers, expected 3"),
        (b"dog 1 2 3\ncow 1 2 3 cat 4 5 6\n", "line 2 of vectors.txt has 6 numbers, expected 3"),
        (b"dog 1 2 3\ncow 1,5 2 3\n", "line 2 of vectors.txt is not a word and 3 numbers"),
        (b"dog 1 2 3\ncow 1 nan 3\n", "line 2 of vectors.txt: the vector of 'cow' contains nan"),
        (b"dog 1 2 3\ncow 1 2 1e99\n", "line 2 of vectors.txt: the vector of 'cow' contains inf"),
        (as_binary({"dog": [1.0, float("nan")]}), "word 1 of vectors.txt: the vector of 'dog' contains nan"),
        (as_binary({"d" * 9999: [1.0, 2.0]}), "word 1 of vectors.txt has more than 4096 bytes"),
        (b"3 0\ndog\n", "line 1 of vectors.txt says 0 numbers per word"),
        (b"3 999999999\ndog\n", "line 1 of vectors.txt says 999999999 numbers per word"),
        (b" \n", "vectors.txt is empty"),
        (b"just\nwords\n", "line 1 of vectors.txt has 0 numbers"),
        (b"\x80\x04\x95gensim", "is a pickle, which could run code"),
        (b"<!doctype html>\n<p>404", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is not a file of word vectors: it starts with"),
        (gzip.compress(as_text(VECTORS).encode())[:-20], "vectors.txt cannot be read .*damaged or incomplete"),
        (zipped(a=as_text(VECTORS).encode())[:-30], "a zip archive that is damaged or incomplete"),
        (zipped(a=b"read me"), "contains no file of word vectors: expected one file$"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_what_cannot_be_read_is_named(tmp_path, data, message):
    for words in (None, ["cow", "dog", "d" * 9999]):
        with pytest.raises(ValueError, match=message):
            read(tmp_path, data, words)


def test_tar_archives_are_named(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("vectors.txt"))
    with pytest.raises(ValueError, match="is a tar archive: unpack it first"):
        read(tmp_path, buffer.getvalue())


def test_of_several_files_in_an_archive_the_one_of_the_embeddings_size_is_read(tmp_path):
    small, large = {"dog": [1.0, 2.0]}, {"dog": [1.0, 2.0, 3.0]}
    files = {"v.2d.txt": as_text(small), "v.3d.txt": as_text(large), "README": "Vectors.", "__MACOSX/._v.2d.txt": "\0"}
    data = zipped(**{name: text.encode() for name, text in files.items()})
    assert read(tmp_path, data, embed_dim=2) == small
    assert read(tmp_path, data, embed_dim=3) == large
    with pytest.raises(ValueError, match=r"contains v.2d.txt \(2 numbers per word\), v.3d.txt .*set embed_dim"):
        read(tmp_path, data)


def test_nothing_is_said_about_an_ordinary_file(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(tmp_path, as_binary(VECTORS), ["dog", "ÉTÉ"]) == {word: VECTORS[word] for word in ("dog", "été")}
