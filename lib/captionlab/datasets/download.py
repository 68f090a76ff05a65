"""Downloading a file over HTTP with resumption, retries and verification.

A download is written to `<target>.part`. Beside it, `<target>.part.json` records the URL and the version of the file
(ETag, Last-Modified). The next attempt requests the rest with Range and If-Range, so that parts of two versions are
never combined (RFC 9110, sections 13.1.5 and 14). The file is renamed to `<target>` once it is complete and verified.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from captionlab.common.progress import NullProgress, Progress, format_size
from captionlab.datasets.disk import as_data_error, remove, require_space, verify_checksum, write
from captionlab.datasets.errors import DamagedFile, DataError, MissingAtSource, Unreachable

_RESUME_HINT = "check the network, or use a mirror (--mirror); the same command, run again, resumes where it stopped"
_MISSING_STATUS = {401, 403, 404, 410}
_TRANSIENT_STATUS = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Retry:
    """When a download is retried and when it is given up. All times are in seconds.

    Attributes:
        attempts: number of consecutive attempts that received no new byte before giving up.
        initial_delay: pause after the first failure; it doubles with every further one.
        max_delay: longest pause, even if the server asks for a longer one (Retry-After).
        connect_timeout: longest time to connect.
        read_timeout: longest time without receiving data.
    """

    attempts: int = 6
    initial_delay: float = 1.0
    max_delay: float = 60.0
    connect_timeout: float = 15.0
    read_timeout: float = 60.0


class _RetryableError(Exception):
    """An attempt failed, and another may succeed.

    Attributes:
        delay: the pause in seconds that the server asked for, if any.
    """

    def __init__(self, reason: str, delay: float | None = None) -> None:
        super().__init__(reason)
        self.delay = delay


class _PartialFile:
    """The part of a file that has been received, and the recorded version of the file."""

    def __init__(self, target: Path, url: str) -> None:
        self.path = target.with_name(target.name + ".part")
        self._metadata_path = target.with_name(target.name + ".part.json")
        self.url = url
        self.metadata: dict[str, Any] = {}
        try:
            recorded = json.loads(self._metadata_path.read_text("utf-8"))
        except (OSError, ValueError):
            recorded = None
        if isinstance(recorded, dict) and recorded.get("url") == url:
            self.metadata = recorded
        else:
            self.discard()

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def validator(self) -> str | None:
        """A value for If-Range: a strong ETag, or else the modification date."""
        etag = self.metadata.get("etag")
        return etag if etag and not etag.startswith("W/") else self.metadata.get("modified")

    def record(self, response: httpx.Response, total: int | None) -> None:
        """Record the version of the file that the response is from."""
        headers = response.headers
        self.metadata = {
            "url": self.url,
            "etag": headers.get("etag"),
            "modified": headers.get("last-modified"),
            "total": total,
        }
        self._metadata_path.write_text(json.dumps(self.metadata), "utf-8")

    def discard(self) -> None:
        self.metadata = {}
        remove(self.path)
        remove(self._metadata_path)

    def move_to(self, target: Path) -> None:
        os.replace(self.path, target)
        remove(self._metadata_path)


def download(
    url: str,
    target: Path,
    *,
    checksum: str | None = None,
    size: int | None = None,
    retry: Retry | None = None,
    progress: Progress | None = None,
) -> Path:
    """Download a file, or the rest of it if an earlier call was interrupted.

    Args:
        url: http or https; redirects are followed.
        target: where the file is written; an existing file is kept if its checksum is correct.
        checksum: "sha256:<hex>" or "md5:<hex>"; None if unknown.
        size: exact number of bytes; None if unknown.
        retry: by default six attempts, 1 s to 60 s apart.
        progress: counts bytes.

    Returns:
        `target`.

    Raises:
        MissingAtSource: if the server does not have the file.
        Unreachable: if no attempt succeeded; what has been received is kept.
        DamagedFile: if the size or checksum is wrong; the file is deleted.
        DataError: if the disk is full or the URL is invalid.
    """
    retry, progress = retry or Retry(), progress or NullProgress()
    with as_data_error(f"writing {target.name}"):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and _is_valid(target, checksum, url):
            return target
        partial = _PartialFile(target, url)
        timeout = httpx.Timeout(retry.read_timeout, connect=retry.connect_timeout)
        with httpx.Client(
            follow_redirects=True, timeout=timeout, headers={"User-Agent": "captionlab"}, verify=_ssl_context()
        ) as client:
            _download_with_retries(client, partial, checksum, size, retry, progress)
        _verify(partial, checksum, size)
        partial.move_to(target)
    return target


@cache
def _ssl_context() -> ssl.SSLContext:
    """The trusted certificates; reading them takes a quarter of a second, so they are shared."""
    return httpx.create_ssl_context()


def _is_valid(target: Path, checksum: str | None, origin: str) -> bool:
    """Whether an existing file has the expected checksum, if there is one; otherwise it is deleted."""
    try:
        if checksum:
            verify_checksum(target, checksum, origin)
    except DamagedFile:
        remove(target)
        return False
    return True


def _download_with_retries(
    client: httpx.Client,
    partial: _PartialFile,
    checksum: str | None,
    size: int | None,
    retry: Retry,
    progress: Progress,
) -> None:
    """Send requests until the file is complete or `retry.attempts` consecutive ones brought nothing new."""
    failures, largest = 0, partial.size
    while True:
        try:
            return _request_rest(client, partial, checksum, size, progress)
        except _RetryableError as error:
            # Compared with the largest size so far: a server that always fails at the same byte is given up.
            failures = 1 if partial.size > largest else failures + 1
            largest = max(largest, partial.size)
            if failures >= retry.attempts:
                raise Unreachable(
                    f"{partial.url}: {error}; gave up after {failures} attempts, with {format_size(partial.size)} "
                    f"received; {_RESUME_HINT}"
                ) from error
            delay = retry.initial_delay * 2 ** (failures - 1) if error.delay is None else error.delay
            delay = min(delay, retry.max_delay)
            progress.warn(f"{partial.url}: {error}; retrying in {delay:.0f} s")
            time.sleep(delay)
        finally:
            progress.stop()


def _request_rest(
    client: httpx.Client, partial: _PartialFile, checksum: str | None, size: int | None, progress: Progress
) -> None:
    """Send one request; returns when the file is complete."""
    headers = {"Accept-Encoding": "identity"}  # a compressed response would not match Range
    if partial.size and not (partial.validator or checksum):
        partial.discard()  # nothing could tell whether the rest is of the same version
    if partial.size:
        headers["Range"] = f"bytes={partial.size}-"
        if partial.validator:
            headers["If-Range"] = partial.validator
    try:
        with client.stream("GET", partial.url, headers=headers) as response:
            if not _is_complete(partial, response):
                start, total = _parse_range(partial, response)
                _check_size(partial.url, total, size)
                _append(partial, response, start, total, progress)
    except httpx.TimeoutException as error:
        raise _RetryableError("the server did not respond in time") from error
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.TooManyRedirects) as error:
        raise DataError(f"{partial.url}: {error}; expected the address of a file, http:// or https://") from error
    except httpx.TransportError as error:
        raise _RetryableError(f"the connection failed ({error or type(error).__name__})") from error


def _is_complete(partial: _PartialFile, response: httpx.Response) -> bool:
    """Whether the server says that the file is complete; raises for statuses other than 200, 206 and 416."""
    status = response.status_code
    if status in (200, 206):
        return False
    if status == 416 and partial.size:
        if response.headers.get("content-range") == f"bytes */{partial.size}":
            return True
        partial.discard()
        raise _RetryableError("the part received so far does not match the server's file", delay=0)
    if status in _MISSING_STATUS:
        raise MissingAtSource(f"{partial.url}: the server responds {status} {response.reason_phrase}")
    if status in _TRANSIENT_STATUS:
        raise _RetryableError(f"the server responds {status} {response.reason_phrase}", _retry_after(response))
    raise DataError(f"{partial.url}: the server responds {status} {response.reason_phrase}; expected 200 or 206")


def _parse_range(partial: _PartialFile, response: httpx.Response) -> tuple[int, int | None]:
    """The position of the response's first byte, and the size of the file if the server gives it."""
    if response.status_code == 200:
        length = response.headers.get("content-length", "")
        return 0, int(length) if length.isdigit() else None
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("content-range", ""))
    start, total = (int(match[1]), match[2]) if match else (-1, "*")
    etag, previous = response.headers.get("etag"), partial.metadata.get("etag")
    other_version = bool(etag and previous and etag != previous)  # some servers ignore If-Range
    other_size = total != "*" and partial.metadata.get("total") not in (None, int(total))
    if start != partial.size or other_version or other_size:
        partial.discard()
        raise _RetryableError("the file has changed on the server since its first part was received", delay=0)
    return start, None if total == "*" else int(total)


def _check_size(url: str, total: int | None, size: int | None) -> None:
    """Refuse a file of the wrong size before it is downloaded."""
    if size is not None and total is not None and total != size:
        raise DamagedFile(
            f"{url}: the file has {total} bytes, expected {size}; it was changed, or the address now leads elsewhere: "
            "use a mirror (--mirror), or update captionlab"
        )


def _append(partial: _PartialFile, response: httpx.Response, start: int, total: int | None, progress: Progress) -> None:
    """Append the response to the part, or replace the part if the response starts at byte 0."""
    name = partial.path.stem
    if total is not None:
        require_space(partial.path.parent, total - start, f"to download {name}")
    if start == 0 and partial.size:
        progress.warn(f"{name}: the server cannot resume and sends the file from its beginning")
    if start == 0:
        partial.discard()
        partial.record(response, total)
    progress.start(f"downloading {name}", total, completed=start, unit="bytes")
    with partial.path.open("ab") as out:
        # Without a chunk size: httpx would hold back an incomplete chunk and lose it if the connection fails.
        for chunk in response.iter_raw():
            write(out, chunk)
            progress.advance(len(chunk))
    if total is not None and partial.size < total:
        raise _RetryableError(f"received {partial.size} of {total} bytes")


def _verify(partial: _PartialFile, checksum: str | None, size: int | None) -> None:
    """Delete the part and raise if its size or checksum is wrong."""
    try:
        if size is not None and partial.size != size:
            raise DamagedFile(f"{partial.url}: received {partial.size} bytes, expected {size}")
        if checksum:
            verify_checksum(partial.path, checksum, partial.url)
    except DamagedFile as error:
        partial.discard()
        raise DamagedFile(f"{error}; the file was deleted, run the same command again") from error


def _retry_after(response: httpx.Response) -> float | None:
    """The pause in seconds that the server asks for in Retry-After, as a number or a date."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())
