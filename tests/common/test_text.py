"""Text files: every usual encoding and line end gives the same text, and what is not text is named."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captionlab.common.text import NotText, decode, detect_encoding, read_lines, read_text, split_lines

SEPARATORS = "\u2028\u2029\x85\xa0\v\f\x1c"
LINES = st.lists(st.text(st.sampled_from("aé字🙂 #\t" + SEPARATORS)), min_size=1, max_size=5)
MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


@given(LINES, st.sampled_from(sorted(MARKS)), st.sampled_from(["\n", "\r\n", "\r"]))
@settings(max_examples=60, derandomize=True, deadline=None)
def test_every_encoding_with_a_mark_and_every_line_end_gives_the_same_lines(lines, encoding, end):
    text = "".join(line + end for line in lines)
    assert split_lines(decode(MARKS[encoding] + text.encode(encoding), "list.txt")) == lines


@given(st.text(st.sampled_from("abc \n.#"), min_size=2), st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]))
@settings(max_examples=40, derandomize=True, deadline=None)
def test_latin_text_in_utf_16_is_recognized_without_a_mark(text, encoding):
    assert detect_encoding(text.encode(encoding)) == (encoding, 0)
    assert decode(text.encode(encoding), "list.txt") == text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"one\ntwo \xff", r"list.txt is not UTF-8 text \(byte 8 is 0xff, in line 2\); save it as UTF-8"),
        (b"one\r\ntwo\0", r"list.txt is not text \(line 2 contains a zero byte\)"),
        (codecs.BOM_UTF16_LE + b"a\0\n\0b", r"list.txt is not UTF-16-LE text \(byte 6 is 0x62, in line 2\)"),
        ("one".encode("utf-32-le"), "list.txt is not text"),
        ("字字 字".encode("utf-16-le"), "list.txt is not "),
    ],
)
def test_what_is_not_text_is_named_with_the_line(tmp_path, data, message):
    (tmp_path / "list.txt").write_bytes(data)
    with pytest.raises(NotText, match=message):
        read_text(tmp_path / "list.txt")


def test_lines_in_the_encoding_of_windows_are_read_with_a_warning(tmp_path):
    path = tmp_path / "captions.txt"
    path.write_bytes(codecs.BOM_UTF8 + "un café\n".encode() + "a “dog” on the café’s mat\r\n".encode("cp1252"))
    with pytest.warns(UserWarning, match=r"1 of 2 lines of captions.txt are not UTF-8, the first is line 2"):
        assert read_lines(path) == ["un café", "a “dog” on the café’s mat"]
    path.write_bytes(b"fine\n\x81\x8d\n")
    with pytest.raises(NotText, match=r"neither UTF-8 nor Windows-1252 text \(line 2 has byte 0x81\)"):
        read_lines(path)
    path.write_bytes(b"caf\xe9\nzero \0\n")
    with pytest.raises(NotText, match=r"captions\.txt"):
        read_lines(path)


def test_joined_files_have_several_marks_and_an_empty_file_has_no_line(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes((codecs.BOM_UTF8 + b"a.jpg\n") * 2)
    assert read_lines(path) == ["a.jpg", "a.jpg"]
    path.write_bytes(b"")
    assert read_lines(path) == []


def test_a_file_in_utf_16_is_mentioned(tmp_path, caplog):
    (tmp_path / "list.txt").write_text("a.jpg\nb.jpg\n", encoding="utf-16")
    with caplog.at_level("INFO", "captionlab"):
        assert read_lines(tmp_path / "list.txt") == ["a.jpg", "b.jpg"]
    assert "list.txt is UTF-16-LE text" in caplog.text
