"""Untrusted archives: unsafe ones are refused before anything is written, damaged ones are reported."""

import errno
import io
import stat
import zipfile

import pytest

from captionlab.datasets import archives, disk
from captionlab.datasets.archives import check_structure, unpack
from captionlab.datasets.errors import DamagedFile, DataError, UnsafeArchive


@pytest.fixture
def archive(tmp_path, make_zip):
    def archive(members):
        path = tmp_path / "a.zip"
        path.write_bytes(members if isinstance(members, bytes) else make_zip(members))
        return path

    return archive


def refusal(path, tmp_path, max_size=1000):
    """The error message; nothing may have been written."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UnsafeArchive) as caught:
        unpack(path, tmp_path / "out", max_size=max_size)
    assert sorted(tmp_path.rglob("*")) == before
    return str(caught.value)


def test_files_and_folders(archive, tmp_path):
    names = unpack(archive({"a/b.txt": b"one", "a/": b"", "c.txt": b""}), tmp_path / "out", max_size=1000)
    assert sorted(names) == ["a/b.txt", "c.txt"]
    assert (tmp_path / "out/a/b.txt").read_bytes() == b"one"
    assert (tmp_path / "out/c.txt").read_bytes() == b""


def test_only_included_files_and_no_system_files(archive, tmp_path):
    members = dict.fromkeys(
        ["x/captions_1.json", "x/big.json", "__MACOSX/x/._captions_1.json", "x/.DS_Store", "x/._big.json"], b"1"
    )
    assert unpack(archive(members), tmp_path / "out", max_size=1000, include=("x/captions_*",)) == ["x/captions_1.json"]
    assert "x/.DS_Store" not in unpack(archive(members), tmp_path / "all", max_size=1000)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil.txt", "leaves the folder"),
        ("a/../../evil.txt", "leaves the folder"),
        ("/tmp/evil.txt", "absolute path"),
        ("a\\..\\evil.txt", "not portable"),
        ("C:evil.txt", "not portable"),
    ],
)
def test_names_that_leave_the_folder(archive, tmp_path, name, reason):
    assert reason in refusal(archive({"good.txt": b"1", name: b"2"}), tmp_path)


@pytest.mark.parametrize(("kind", "reason"), [(stat.S_IFLNK, "is a link"), (stat.S_IFIFO, "special file")])
def test_links_and_devices(archive, tmp_path, kind, reason):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        member = zipfile.ZipInfo("innocent.txt")
        member.create_system = 3
        member.external_attr = (kind | 0o777) << 16
        made.writestr(member, "/etc/passwd")
    assert reason in refusal(archive(out.getvalue()), tmp_path)


def test_bomb(archive, tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("zeros.bin", bytes(20_000_000))
    assert len(out.getvalue()) < 30_000
    assert "would unpack to 20.0 MB" in refusal(archive(out.getvalue()), tmp_path, max_size=1_000_000)


def test_bomb_with_a_wrong_size(archive, tmp_path):
    """The header declares 10 bytes; no more are ever written."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("zeros.bin", bytes(1_000_000))
    wrong = out.getvalue().replace((1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    with pytest.raises(DataError):
        unpack(archive(wrong), tmp_path / "out", max_size=1000)
    assert sum(p.stat().st_size for p in (tmp_path / "out").rglob("*") if p.is_file()) <= 10


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["a.txt", "A.TXT"])
def test_duplicate_names(archive, tmp_path, second):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("a.txt", "1")
        made.writestr(second, "2")
    assert "twice" in refusal(archive(out.getvalue()), tmp_path)


def test_too_many_members(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILES", 2)
    assert "3 members" in refusal(archive(dict.fromkeys("abc", b"")), tmp_path)


def test_encrypted(archive, tmp_path, make_zip):
    body = bytearray(make_zip({"a.txt": b"1"}))
    body[6] |= 1  # general purpose flags of the member's header ...
    body[body.index(b"PK\x01\x02") + 8] |= 1  # ... and of the central directory
    assert "encrypted" in refusal(archive(bytes(body)), tmp_path)


def test_flipped_byte_in_a_member(archive, tmp_path, make_zip):
    body = make_zip({"a.txt": b"content of the file"}).replace(b"content", b"c0ntent")
    with pytest.raises(DamagedFile, match=r"a\.txt.*damaged.*CRC"):
        unpack(archive(body), tmp_path / "out", max_size=1000)


@pytest.mark.parametrize("body", [b"", b"<!DOCTYPE html>", b"PK\x03\x04 and then nothing"])
def test_file_that_is_not_an_archive(archive, tmp_path, body):
    with pytest.raises(DamagedFile, match="cannot be read as a zip"):
        unpack(archive(body), tmp_path / "out", max_size=1000)
    with pytest.raises(DamagedFile, match=r"here: expected a complete \.zip file, found"):
        check_structure(archive(body), "here")


def test_structure_of_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1....PAR1")
    check_structure(path, "here")
    path.write_bytes(b"PAR1....")
    with pytest.raises(DamagedFile):
        check_structure(path, "here")


def test_not_enough_space(archive, tmp_path, monkeypatch):
    path = archive({"a.txt": b"1"})
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 0})())
    with pytest.raises(DataError, match=r"not enough disk space to unpack a\.zip"):
        unpack(path, tmp_path / "out", max_size=1000)


def test_disk_becomes_full(archive, tmp_path, monkeypatch):
    def full(stream, chunk):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archives, "write", full)
    with pytest.raises(DataError, match="the disk is full"):
        unpack(archive({"a.txt": b"1"}), tmp_path / "out", max_size=1000)


def test_existing_files_are_not_overwritten(archive, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.txt").write_text("mine")
    with pytest.raises(DataError, match="unpacking"):
        unpack(archive({"a.txt": b"1"}), tmp_path / "out", max_size=1000)
    assert (tmp_path / "out/a.txt").read_text() == "mine"
