"""Shared by all tests: one thread, real data only where a mirror is named, and a host that can misbehave."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

ROOT = Path(__file__).parent.parent
torch.set_num_threads(1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # The quick tests of a file share its fixtures, so one worker runs them.
        if not item.get_closest_marker("xdist_group") and not item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.xdist_group(item.path.name))
    if not os.environ.get("CAPTIONLAB_MIRROR"):
        for item in items:
            if item.get_closest_marker("realdata"):
                item.add_marker(pytest.mark.skip(reason="CAPTIONLAB_MIRROR names no data mirror"))


@pytest.fixture
def root() -> Path:
    """The course's folder."""
    return ROOT


@pytest.fixture
def mirror() -> Path:
    """The data mirror that CAPTIONLAB_MIRROR names (for tests marked ``realdata``)."""
    return Path(os.environ["CAPTIONLAB_MIRROR"])


# --- a public host on this machine ---


@dataclass
class Host:
    """What the server holds and how it behaves.

    `faults` are used up one a request: a function that is given the handler and the body and answers in its place.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    etag: str | None = '"first"'
    ranges: bool = True
    respects_if_range: bool = True
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
        fits = not host.respects_if_range or condition in (None, host.etag)
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
    """A server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.host = Host(url=f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.host
    server.shutdown()
    server.server_close()
    thread.join()
