"""Zip archives that students submit: read within limits, or named with what is wrong."""

from __future__ import annotations

import io
import stat
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captionlab.grading import zips
from captionlab.grading.reader import read_submission
from captionlab.grading.submitted_file import SubmissionFile, UnreadableSubmission

RIGHT = "def add(a, b):\n    return a + b\n"


def zipped(entries: dict[str | zipfile.ZipInfo, str | bytes], compression=zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.fixture
def read(toy, tmp_path):
    def read_bytes(data: bytes, name: str = "s1.zip"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return read_submission(SubmissionFile("someone", path.parent if "/" in name else path), toy)

    return read_bytes


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("name", ["answers.py", "toy/answers.py", "a\\b\\answers.py", "./answers.py"])
def test_an_archive_is_read(read, name, method):
    submission = read(zipped({name: RIGHT}, method))
    assert submission.defining("add").origin == "module answers.py"
    assert submission.notes[0] == "s1.zip was unpacked"


def test_an_archive_in_a_folder_and_one_within_it_are_read(read):
    assert read(zipped({"inner.zip": zipped({"answers.py": RIGHT})}), "s1/lab.zip").defining("add")
    with pytest.raises(UnreadableSubmission, match=r"it contains: c\.zip"):
        read(zipped({"b.zip": zipped({"c.zip": zipped({"answers.py": RIGHT})})}))


def test_an_archive_beside_a_notebook_is_named(read, tmp_path, notebook_text):
    (tmp_path / "s1").mkdir()
    (tmp_path / "s1" / "toy.ipynb").write_text(notebook_text(RIGHT))
    assert "not graded: lab.zip (a zip archive)" in read(zipped({"answers.py": "x = 1"}), "s1/lab.zip").notes


def test_what_else_is_in_an_archive_is_named_and_hidden_files_are_not(read):
    entries = dict.fromkeys(["report.pdf", "data/a.jpg", "__MACOSX/._answers.py", ".DS_Store", "x/Thumbs.db"], "x")
    notes = read(zipped({"answers.py": RIGHT, **entries})).notes
    assert notes == ["s1.zip was unpacked", "not graded: report.pdf, data/a.jpg"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../answers.py", "its path leads out of the archive"),
        ("a/../../answers.py", "its path leads out of the archive"),
        ("/tmp/answers.py", "its path leads out of the archive"),
        ("\\tmp\\answers.py", "its path leads out of the archive"),
        ("x" * 300 + ".py", "cannot be unpacked: File name too long"),
    ],
)
def test_entries_that_would_be_written_elsewhere_are_left_out(read, name, reason):
    notes = read(zipped({"answers.py": RIGHT, name: "x = 1"})).notes
    assert any(note.startswith("not graded: ") and reason[-20:] in note for note in notes)
    with pytest.raises(UnreadableSubmission, match=r"s1.zip: no notebook and no module in the archive; it contains: "):
        read(zipped({name: RIGHT}))


def test_links_in_an_archive_are_left_out(read):
    link = zipfile.ZipInfo("toy.ipynb")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert "not graded: toy.ipynb (a symbolic link)" in read(zipped({"answers.py": RIGHT, link: "/etc/passwd"})).notes


def encrypted(data: bytes) -> bytes:
    """The archive with the flag of encryption set, in the header of its entry and in the directory."""
    changed = bytearray(data)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        changed[data.index(mark) + offset] |= 1
    return bytes(changed)


def corrupted(data: bytes) -> bytes:
    """The archive with a byte of its entry's content changed."""
    at = data.index(RIGHT.encode()) + 3
    return data[:at] + b"?" + data[at + 1 :]


STORED = zipped({"answers.py": RIGHT}, zipfile.ZIP_STORED)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encrypted(STORED), "s1.zip is protected by a password; submit it without one"),
        (STORED[:40], "s1.zip is a zip archive that is damaged or cut off; create it again"),
        (STORED[:-20], "damaged or cut off"),
        (corrupted(STORED), r"it contains: answers\.py \(cannot be unpacked: Bad CRC"),
        (zipped({}), "s1.zip: no notebook and no module in the archive; it contains: nothing; submit toy.ipynb"),
        (zipped({"report.pdf": "x"}), r"it contains: report\.pdf; submit toy\.ipynb and answers\.py"),
    ],
    ids=["encrypted", "cut at its beginning", "cut at its end", "corrupted", "empty", "a document"],
)
def test_what_is_wrong_with_an_archive_is_said(read, data, reason):
    with pytest.raises(UnreadableSubmission, match=reason):
        read(data)


def test_the_limits_of_size_and_number(read, monkeypatch):
    bomb = zipped({"answers.py": RIGHT, "toy.ipynb": b"0" * (zips.MAX_BYTES + 1)})
    assert f"not graded: toy.ipynb (larger than {zips.MAX_BYTES // 10**6} MB)" in read(bomb).notes
    monkeypatch.setattr(zips, "MAX_UNPACKED_BYTES", 100)
    many = zipped({"answers.py": RIGHT, "b.py": "#" * 90})
    assert any("b.py (beyond 0 MB in all)" in note for note in read(many).notes)
    monkeypatch.setattr(zips, "MAX_ENTRIES", 1)
    assert any("1 more entries (only 1 are looked at)" in note for note in read(many).notes)
    monkeypatch.setattr(zips, "MAX_ARCHIVE_BYTES", 10)
    with pytest.raises(UnreadableSubmission, match="larger than 0 MB; submit only notebook and module"):
        read(many)


def test_a_size_that_is_not_true_is_not_trusted(read, monkeypatch):
    data = zipped({"answers.py": RIGHT, "toy.ipynb": b"0" * 1000})
    monkeypatch.setattr(zips, "MAX_BYTES", 500)
    monkeypatch.setattr(zips, "_why_not", lambda entry, parts, budget: None)
    assert any("toy.ipynb (cannot be unpacked: larger than" in note for note in read(data).notes)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(at=st.integers(0, len(STORED) - 1), value=st.integers(0, 255))
def test_an_archive_with_one_wrong_byte_is_read_or_named(toy, tmp_path_factory, at, value):
    path = tmp_path_factory.mktemp("zip") / "s1.zip"
    path.write_bytes(STORED[:at] + bytes([value]) + STORED[at + 1 :])
    try:
        said = " ".join(read_submission(SubmissionFile("someone", path), toy).notes)
    except UnreadableSubmission as error:
        said = str(error)
    assert "s1.zip" in said
