"""A public host on this machine that can be told to misbehave, and a small data set that lives on it."""

import hashlib
import io
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from captionlab.datasets import catalogue
from captionlab.datasets.catalogue import Archive, Dataset
from captionlab.datasets.download import Retry
from captionlab.datasets.progress import Quiet


@dataclass
class Host:
    """What the server holds and how it behaves.

    `faults` are used up one a request: a function that is given the handler and the body and answers in its place.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    etag: str | None = '"first"'
    ranges: bool = True
    heeds_if_range: bool = True
    faults: list = field(default_factory=list)
    requests: list[dict[str, str | None]] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    url: str = ""

    def paths(self):
        return [request["path"] for request in self.requests]


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        host: Host = self.server.host
        wanted = {name: self.headers.get(name) for name in ("Range", "If-Range")}
        host.requests.append({"path": self.path, **wanted})
        host.sent.append(0)
        body = host.files.get(self.path)
        if body is None:
            return self.reply(404, b"no such file")
        if host.faults:
            return host.faults.pop(0)(self, body)
        return self.whole_or_rest(body)

    def whole_or_rest(self, body):
        host: Host = self.server.host
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        fits = not host.heeds_if_range or condition in (None, host.etag)
        if not (wanted and host.ranges and fits):
            return self.reply(200, body)
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            return self.reply(416, b"", {"Content-Range": f"bytes */{len(body)}"})
        return self.reply(206, body[start:], {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"})

    def reply(self, status, body, headers=None, send=None, length=None):
        """Answer; `send` is how many bytes really go out, `length` what Content-Length says."""
        host: Host = self.server.host
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if host.etag:
            self.send_header("ETag", host.etag)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body[:send])
            host.sent[-1] += len(body[:send])
        except OSError:
            pass  # the client gave up first, as it should in the tests of patience

    def log_message(self, *_):
        pass


@pytest.fixture
def host():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.host = Host(url=f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.host
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def patience():
    return Retry(attempts=4, first_wait=0.01, longest_wait=0.05, connect=2.0, read=0.3)


@pytest.fixture
def report():
    return Quiet()


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(request, monkeypatch, tmp_path):
    if not request.node.get_closest_marker("realdata"):
        monkeypatch.delenv("CAPTIONLAB_MIRROR", raising=False)
        monkeypatch.setenv("CAPTIONLAB_DATA", str(tmp_path / "data"))


def picture(seed: int, size: int = 24, kind: str = "JPEG") -> bytes:
    """An image file of noise."""
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip archive of these members, stored as they are."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return out.getvalue()


MEMBERS = {
    f"tiny/{part}/{kind}/{n}.jpg": (part, kind, n) for part in ("train", "val") for kind in "ab" for n in range(4)
}


@pytest.fixture(scope="session")
def tiny_zip():
    return zipped({name: picture(seed, size=64) for seed, name in enumerate(MEMBERS)})


@pytest.fixture
def tiny(host, tiny_zip, monkeypatch):
    """The data set "tiny", 16 images in 2 splits and 2 classes, in the catalogue and on the host."""
    host.files["/tiny.zip"] = tiny_zip
    archive = Archive(
        name="tiny.zip",
        urls=(f"{host.url}/tiny.zip",),
        size=len(tiny_zip),
        exact=True,
        checksum=f"sha256:{hashlib.sha256(tiny_zip).hexdigest()}",
        limit=10_000_000,
    )
    return register(monkeypatch, archive)


def register(monkeypatch, *archives, **changes):
    """Put the data set "tiny", made from these archives, into the catalogue."""
    counts = tuple((part, kind, 4) for part in ("train", "val") for kind in "ab")
    entry = {
        "name": "tiny",
        "title": "Tiny",
        "what": "noise",
        "folder": "tiny_data",
        "inside": "tiny",
        "entries": ("train/a", "val/b"),
        "archives": archives,
        "layout": (),
        "home": "",
        "terms": "Free.",
        "papers": (),
        "mirrored": "",
        "counts": counts,
    }
    dataset = Dataset(**{**entry, **changes})
    monkeypatch.setitem(catalogue.DATASETS, "tiny", dataset)
    return dataset


@pytest.fixture
def make_zip():
    return zipped


@pytest.fixture
def make_picture():
    return picture


@pytest.fixture
def enlist(monkeypatch):
    return lambda *archives, **changes: register(monkeypatch, *archives, **changes)
