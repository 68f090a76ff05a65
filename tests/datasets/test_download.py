"""Downloads from a host that disconnects, stalls, lies and changes: the file is correct in the end, or absent."""

import errno
import hashlib
import time
from dataclasses import replace

import pytest

from captionlab.datasets import disk
from captionlab.datasets import download as downloading
from captionlab.datasets.download import Retry, download
from captionlab.datasets.errors import DamagedFile, DataError, MissingAtSource, Unreachable

BODY = bytes(range(256)) * 4000  # about 1 MB
SIZE = len(BODY)
SUM = f"sha256:{hashlib.sha256(BODY).hexdigest()}"
HALF = len(BODY) // 2


@pytest.fixture
def get(host, patience, progress, tmp_path):
    """Download /file from the host to a file below tmp_path."""
    host.files["/file"] = BODY
    target = tmp_path / "down" / "file.zip"

    def get(checksum=SUM, size=SIZE, retry=patience):
        return download(f"{host.url}/file", target, checksum=checksum, size=size, retry=retry, progress=progress)

    get.target = target
    get.once = replace(patience, attempts=1)
    return get


def cut(handler, body):
    handler.reply(200, body, send=HALF)
    handler.close_connection = True


def status(code, **headers):
    return lambda handler, body: handler.reply(code, b"", {k.replace("_", "-"): v for k, v in headers.items()})


def nothing_left(target):
    return list(target.parent.iterdir()) == []


def test_second_call_sends_no_request(get, host):
    assert get().read_bytes() == BODY
    assert [p.name for p in get.target.parent.iterdir()] == ["file.zip"]
    get()
    assert len(host.requests) == 1


def test_second_run_after_a_disconnect_requests_only_the_rest(get, host):
    host.faults = [cut]
    with pytest.raises(Unreachable, match="resumes where it stopped"):
        get(retry=get.once)
    assert not get.target.exists()
    assert get().read_bytes() == BODY
    assert host.requests[1] == {"path": "/file", "Range": f"bytes={HALF}-", "If-Range": '"first"'}
    assert host.sent == [HALF, len(BODY) - HALF]


def test_disconnect_is_handled_in_the_same_call(get, host):
    host.faults = [cut]
    assert get().read_bytes() == BODY
    assert host.sent == [HALF, len(BODY) - HALF]


def test_file_with_a_flipped_byte_is_deleted_and_a_second_run_succeeds(get, host):
    host.faults = [lambda handler, body: handler.reply(200, body[:100] + bytes([body[100] ^ 1]) + body[101:])]
    with pytest.raises(DamagedFile, match=r"expected sha256 checksum .*, found .* deleted, run the same"):
        get()
    assert nothing_left(get.target)
    assert get().read_bytes() == BODY


def test_damaged_file_of_an_earlier_call_is_downloaded_again(get, host):
    get()
    get.target.write_bytes(BODY[:-1] + b"!")
    assert get().read_bytes() == BODY
    assert len(host.requests) == 2


def test_503_three_times_with_growing_delays(get, host, monkeypatch):
    delays = []
    monkeypatch.setattr(downloading.time, "sleep", delays.append)
    host.faults = [status(503)] * 3
    assert get(retry=Retry(initial_delay=1.0, max_delay=3.0)).read_bytes() == BODY
    assert delays == [1.0, 2.0, 3.0]


def test_503_every_time_is_given_up(get, host, monkeypatch):
    monkeypatch.setattr(downloading.time, "sleep", lambda _: None)
    host.faults = [status(503)] * 9
    with pytest.raises(Unreachable, match="503 Service Unavailable; gave up after 4 attempts"):
        get()
    assert len(host.requests) == 4


@pytest.mark.parametrize(
    ("header", "delay"), [("2", 2.0), ("3600", 5.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", 1.0)]
)
def test_retry_after_is_respected_up_to_a_limit(get, host, monkeypatch, header, delay):
    delays = []
    monkeypatch.setattr(downloading.time, "sleep", delays.append)
    host.faults = [status(429, Retry_After=header)]
    get(retry=Retry(initial_delay=1.0, max_delay=5.0))
    assert delays == [delay]


@pytest.mark.parametrize(("code", "kind"), [(404, MissingAtSource), (403, MissingAtSource), (400, DataError)])
def test_no_retry_if_it_cannot_help(get, host, code, kind):
    host.faults = [status(code)]
    with pytest.raises(kind, match=str(code)):
        get()
    assert len(host.requests) == 1
    assert nothing_left(get.target)


def test_server_without_ranges_restarts(get, host, progress):
    host.ranges = False
    host.faults = [cut]
    assert get().read_bytes() == BODY
    assert host.sent == [HALF, len(BODY)]
    assert any("cannot resume" in line for line in progress.warnings)


def test_parts_of_unknown_versions_are_not_combined(get, host):
    host.etag = None
    host.faults = [cut]
    assert get(checksum=None).read_bytes() == BODY
    assert [request["Range"] for request in host.requests] == [None, None]


def test_unknown_version_with_a_checksum_is_resumed(get, host):
    host.etag = None
    host.faults = [cut]
    assert get().read_bytes() == BODY
    assert host.sent == [HALF, len(BODY) - HALF]


@pytest.mark.parametrize("respects", [True, False])
def test_changed_file_is_downloaded_again(get, host, respects):
    """The server may answer 200, or ignore If-Range and send the rest of the new version."""
    host.faults = [cut]
    with pytest.raises(Unreachable):
        get(retry=get.once)
    new = BODY[::-1]
    host.files["/file"], host.etag, host.respects_if_range = new, '"second"', respects
    assert get(checksum=f"sha256:{hashlib.sha256(new).hexdigest()}").read_bytes() == new


def test_part_of_another_url_is_not_used(get, host, patience, tmp_path):
    host.faults = [cut]
    with pytest.raises(Unreachable):
        get(retry=get.once)
    host.files["/other"] = BODY[::-1]
    assert download(f"{host.url}/other", get.target, retry=patience).read_bytes() == BODY[::-1]
    assert host.requests[-1]["Range"] is None


def test_part_that_is_already_complete(get, host):
    host.faults = [cut]
    with pytest.raises(Unreachable):
        get(retry=get.once)
    part = get.target.with_name("file.zip.part")
    part.write_bytes(BODY)
    assert get().read_bytes() == BODY
    assert host.sent[-1] == 0


def test_part_larger_than_the_file_is_discarded(get, host):
    host.faults = [cut]
    with pytest.raises(Unreachable):
        get(retry=get.once)
    get.target.with_name("file.zip.part").write_bytes(BODY + b"more")
    assert get().read_bytes() == BODY


def test_silent_server(get, host):
    def silence(handler, body):
        time.sleep(0.5)

    host.faults = [silence] * 2
    with pytest.raises(Unreachable, match="did not respond in time; gave up after 2 attempts"):
        get(retry=replace(get.once, attempts=2, read_timeout=0.1))


def test_content_length_too_large(get, host):
    """Declares more bytes than there are, every time: given up, and the part does not count as complete."""
    host.ranges = False
    host.faults = [lambda handler, body: handler.reply(200, body, length=len(body) + 10)] * 9
    with pytest.raises(Unreachable, match="gave up after 4 attempts"):
        get(size=None)
    assert not get.target.exists()


def test_content_length_too_small(get, host):
    host.faults = [lambda handler, body: handler.reply(200, body, length=len(body) - 10)]
    with pytest.raises(DamagedFile, match="checksum"):
        get(size=None)
    assert nothing_left(get.target)


def test_unexpected_size_is_refused_before_the_download(get, host):
    with pytest.raises(DamagedFile, match=f"has {len(BODY)} bytes, expected 7"):
        get(size=7)
    assert nothing_left(get.target)


def test_redirect(get, host):
    host.files["/old"] = b"x"
    host.faults = [status(302, Location="/file")]
    assert download(f"{host.url}/old", get.target, checksum=SUM).read_bytes() == BODY


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/file", "no address", "http://"])
def test_invalid_address(tmp_path, url):
    with pytest.raises(DataError, match="expected the address of a file, http"):
        download(url, tmp_path / "file", retry=Retry(attempts=1))


def test_no_server(tmp_path, host):
    with pytest.raises(Unreachable, match="connection failed"):
        download("http://127.0.0.1:9/file", tmp_path / "file", retry=Retry(attempts=1, connect_timeout=1.0))


def test_not_enough_space_is_found_before_a_byte_is_written(get, host, monkeypatch):
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(DataError, match=r"not enough disk space to download .*68\.1 MB needed, 1\.0 kB free"):
        get()
    assert nothing_left(get.target)


def test_disk_becomes_full_and_what_was_received_is_kept(get, host, monkeypatch):
    def full(stream, chunk, seen=[0]):  # noqa: B006
        seen[0] += 1
        if seen[0] > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        disk.write(stream, chunk)

    with monkeypatch.context() as patched:
        patched.setattr(downloading, "write", full)
        with pytest.raises(DataError, match=r"the disk is full; .* resume where they stopped"):
            get()
    assert get.target.with_name("file.zip.part").stat().st_size > 0
    assert get().read_bytes() == BODY
    assert host.requests[-1]["Range"] is not None


def test_folder_that_cannot_be_created(get, tmp_path, monkeypatch):
    (tmp_path / "down").write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"writing file\.zip failed"):
        get()
