"""Archives that strangers made: what is unsafe or damaged is refused before, or undone after, and said."""

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


def refused(path, tmp_path, limit=1000):
    """The message of the refusal; nothing may have been written anywhere."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UnsafeArchive) as caught:
        unpack(path, tmp_path / "out", limit=limit)
    assert sorted(tmp_path.rglob("*")) == before
    return str(caught.value)


def test_files_and_folders(archive, tmp_path):
    names = unpack(archive({"a/b.txt": b"one", "a/": b"", "c.txt": b""}), tmp_path / "out", limit=1000)
    assert sorted(names) == ["a/b.txt", "c.txt"]
    assert (tmp_path / "out/a/b.txt").read_bytes() == b"one"
    assert (tmp_path / "out/c.txt").read_bytes() == b""


def test_only_what_is_kept_and_no_litter(archive, tmp_path):
    members = dict.fromkeys(["x/captions_1.json", "x/big.json", "__MACOSX/x/._captions_1.json", "x/.DS_Store"], b"1")
    assert unpack(archive(members), tmp_path / "out", limit=1000, keep=("x/captions_*",)) == ["x/captions_1.json"]
    assert "x/.DS_Store" not in unpack(archive(members), tmp_path / "all", limit=1000)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil.txt", "climbs out"),
        ("a/../../evil.txt", "climbs out"),
        ("/tmp/evil.txt", "absolute path"),
        ("a\\..\\evil.txt", "not portable"),
        ("C:evil.txt", "not portable"),
    ],
)
def test_names_that_leave_the_folder(archive, tmp_path, name, reason):
    assert reason in refused(archive({"good.txt": b"1", name: b"2"}), tmp_path)


@pytest.mark.parametrize(("kind", "reason"), [(stat.S_IFLNK, "is a link"), (stat.S_IFIFO, "special file")])
def test_links_and_devices(archive, tmp_path, kind, reason):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        member = zipfile.ZipInfo("innocent.txt")
        member.create_system = 3
        member.external_attr = (kind | 0o777) << 16
        made.writestr(member, "/etc/passwd")
    assert reason in refused(archive(out.getvalue()), tmp_path)


def test_bomb(archive, tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("zeros.bin", bytes(20_000_000))
    assert len(out.getvalue()) < 30_000
    assert "would unpack to 20.0 MB" in refused(archive(out.getvalue()), tmp_path, limit=1_000_000)


def test_bomb_that_lies_about_its_size(archive, tmp_path):
    """The header says 10 bytes; no more than those are ever written."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("zeros.bin", bytes(1_000_000))
    lying = out.getvalue().replace((1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    with pytest.raises(DataError):
        unpack(archive(lying), tmp_path / "out", limit=1000)
    assert sum(p.stat().st_size for p in (tmp_path / "out").rglob("*") if p.is_file()) <= 10


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["a.txt", "A.TXT"])
def test_a_name_twice(archive, tmp_path, second):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("a.txt", "1")
        made.writestr(second, "2")
    assert "twice" in refused(archive(out.getvalue()), tmp_path)


def test_too_many_members(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILES", 2)
    assert "3 members" in refused(archive(dict.fromkeys("abc", b"")), tmp_path)


def test_encrypted(archive, tmp_path, make_zip):
    body = bytearray(make_zip({"a.txt": b"1"}))
    body[6] |= 1  # general purpose flags of the member's header ...
    body[body.index(b"PK\x01\x02") + 8] |= 1  # ... and of the central directory
    assert "encrypted" in refused(archive(bytes(body)), tmp_path)


def test_flipped_byte_in_a_member(archive, tmp_path, make_zip):
    body = make_zip({"a.txt": b"content of the file"}).replace(b"content", b"c0ntent")
    with pytest.raises(DamagedFile, match=r"a\.txt.*damaged.*CRC"):
        unpack(archive(body), tmp_path / "out", limit=1000)


@pytest.mark.parametrize("body", [b"", b"<!DOCTYPE html>", b"PK\x03\x04 and then nothing"])
def test_no_archive_at_all(archive, tmp_path, body):
    with pytest.raises(DamagedFile, match="cannot be read as a zip"):
        unpack(archive(body), tmp_path / "out", limit=1000)
    with pytest.raises(DamagedFile, match=r"here: expected a whole \.zip file, found"):
        check_structure(archive(body), "here")


def test_structure_of_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1....PAR1")
    check_structure(path, "here")
    path.write_bytes(b"PAR1....")
    with pytest.raises(DamagedFile):
        check_structure(path, "here")


def test_no_room(archive, tmp_path, monkeypatch):
    path = archive({"a.txt": b"1"})
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 0})())
    with pytest.raises(DataError, match=r"not enough room to unpack a\.zip"):
        unpack(path, tmp_path / "out", limit=1000)


def test_disk_that_fills_up(archive, tmp_path, monkeypatch):
    def full(stream, chunk):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archives, "write", full)
    with pytest.raises(DataError, match="the disk is full"):
        unpack(archive({"a.txt": b"1"}), tmp_path / "out", limit=1000)


def test_existing_files_are_not_overwritten(archive, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.txt").write_text("mine")
    with pytest.raises(DataError, match="unpacking"):
        unpack(archive({"a.txt": b"1"}), tmp_path / "out", limit=1000)
    assert (tmp_path / "out/a.txt").read_text() == "mine"
