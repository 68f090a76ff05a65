"""Downloading one file over HTTP: it resumes, tries again, and is right or is not there.

A download is written to `<target>.part`; beside it `<target>.part.json` keeps which URL it is from and which version
of the file (ETag, Last-Modified). The next try asks for the rest with Range and If-Range, so that the halves of two
versions are never glued together (RFC 9110, sections 13.1.5 and 14). The file gets its name when it is whole.
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

import httpx

from captionlab.common.progress import NullProgress, Progress
from captionlab.datasets.disk import check_sum, readable, remove, require_space, said_plainly, write
from captionlab.datasets.errors import DamagedFile, DataError, MissingAtSource, Unreachable

RESUMES = "check the network, or name a mirror (--mirror); the same command, run again, goes on where it stopped"
_MISSING = {401, 403, 404, 410}
_PASSING = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Retry:
    """How patient a download is. All times in seconds.

    Attributes:
        attempts: tries in a row without a new byte before giving up.
        first_wait: pause after the first failure; it doubles with each further one.
        longest_wait: the longest pause, also where the server asks for a longer one (Retry-After).
        connect: the longest wait for a connection.
        read: the longest silence of a server that is sending.
    """

    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0
    connect: float = 15.0
    read: float = 60.0


class _Again(Exception):
    """The try failed, the next one may succeed; `wait` is the pause the server asked for, in seconds."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class _Part:
    """The part of a file that has arrived, and what is known of the whole."""

    def __init__(self, target: Path, url: str) -> None:
        self.path = target.with_name(target.name + ".part")
        self._note = target.with_name(target.name + ".part.json")
        self.url = url
        self.known: dict = {}
        try:
            self.known = json.loads(self._note.read_text("utf-8"))
        except (OSError, ValueError):
            self.known = {}
        if not isinstance(self.known, dict) or self.known.get("url") != url:
            self.discard()

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def validator(self) -> str | None:
        """What If-Range may carry: a strong ETag, else the date of the last change."""
        etag = self.known.get("etag")
        return etag if etag and not etag.startswith("W/") else self.known.get("modified")

    def remember(self, response: httpx.Response, total: int | None) -> None:
        headers = response.headers
        self.known = {
            "url": self.url,
            "etag": headers.get("etag"),
            "modified": headers.get("last-modified"),
            "total": total,
        }
        self._note.write_text(json.dumps(self.known), "utf-8")

    def discard(self) -> None:
        self.known = {}
        remove(self.path)
        remove(self._note)

    def finish(self, target: Path) -> None:
        os.replace(self.path, target)
        remove(self._note)


def download(
    url: str,
    target: Path,
    *,
    checksum: str | None = None,
    size: int | None = None,
    retry: Retry | None = None,
    progress: Progress | None = None,
) -> Path:
    """Download a file, going on where an earlier call stopped.

    Args:
        url: http or https; redirects are followed.
        target: the file to make; if it is there and its checksum is right, nothing is asked of the server.
        checksum: "sha256:<hex>" or "md5:<hex>"; None if nobody published one.
        size: exact bytes, if known.
        retry: patience; by default six tries, from 1 s to 60 s apart.
        progress: counts bytes.

    Returns:
        `target`.

    Raises:
        MissingAtSource: the server says there is no such file.
        Unreachable: no answer, or none to the end, after every try; what has arrived is kept.
        DamagedFile: wrong size or checksum; the file is thrown away.
        DataError: the disk is full, or the address is none.
    """
    retry, progress = retry or Retry(), progress or NullProgress()
    with said_plainly(f"writing {target.name}"):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and _is_right(target, checksum, url):
            return target
        part = _Part(target, url)
        timeout = httpx.Timeout(retry.read, connect=retry.connect)
        with httpx.Client(
            follow_redirects=True, timeout=timeout, headers={"User-Agent": "captionlab"}, verify=_authorities()
        ) as client:
            _persist(client, part, checksum, size, retry, progress)
        _accept(part, checksum, size)
        part.finish(target)
    return target


@cache
def _authorities() -> ssl.SSLContext:
    """The certificates to trust; reading them takes a quarter of a second, so once a process."""
    return httpx.create_ssl_context()


def _is_right(target: Path, checksum: str | None, origin: str) -> bool:
    """Whether a file from an earlier call can be used; a damaged one is thrown away."""
    try:
        if checksum:
            check_sum(target, checksum, origin)
    except DamagedFile:
        remove(target)
        return False
    return True


def _persist(
    client: httpx.Client, part: _Part, checksum: str | None, size: int | None, retry: Retry, progress: Progress
) -> None:
    """Try until the part is the whole; give up after `retry.attempts` tries in a row that brought nothing new."""
    failures, most = 0, part.size
    while True:
        try:
            return _receive(client, part, checksum, size, progress)
        except _Again as trouble:
            # Compared with the most there ever was: a server that always breaks off at the same byte is given up.
            failures = 1 if part.size > most else failures + 1
            most = max(most, part.size)
            if failures >= retry.attempts:
                raise Unreachable(
                    f"{part.url}: {trouble}; gave up after {failures} tries with {readable(part.size)} here; {RESUMES}"
                ) from trouble
            wait = retry.first_wait * 2 ** (failures - 1) if trouble.wait is None else trouble.wait
            wait = min(wait, retry.longest_wait)
            progress.warn(f"{part.url}: {trouble}; trying again in {wait:.0f} s")
            time.sleep(wait)
        finally:
            progress.stop()


def _receive(client: httpx.Client, part: _Part, checksum: str | None, size: int | None, progress: Progress) -> None:
    """One request; returns when the part is the whole."""
    headers = {"Accept-Encoding": "identity"}  # bytes as they lie on the server, or Range would not fit
    if part.size and not (part.validator or checksum):
        part.discard()  # nothing could tell whether the rest belongs to the same version
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
        if part.validator:
            headers["If-Range"] = part.validator
    try:
        with client.stream("GET", part.url, headers=headers) as response:
            if not _is_whole_already(part, response):
                start, total = _start(part, response)
                _check_offer(part.url, start, total, size)
                _store(part, response, start, total, progress)
    except httpx.TimeoutException as error:
        raise _Again("the server was silent for too long") from error
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.TooManyRedirects) as error:
        raise DataError(f"{part.url}: {error}; the address must be one of a file, http:// or https://") from error
    except httpx.TransportError as error:
        raise _Again(f"the connection failed or broke off ({error or type(error).__name__})") from error


def _is_whole_already(part: _Part, response: httpx.Response) -> bool:
    """Whether the server has nothing to add to the part; raises for every status but 200 and 206."""
    status = response.status_code
    if status in (200, 206):
        return False
    if status == 416 and part.size:
        if response.headers.get("content-range") == f"bytes */{part.size}":
            return True
        part.discard()
        raise _Again("the part that is here does not fit the server's file", wait=0)
    if status in _MISSING:
        raise MissingAtSource(f"{part.url}: the server answers {status} {response.reason_phrase}, it has no such file")
    if status in _PASSING:
        raise _Again(f"the server answers {status} {response.reason_phrase}", _retry_after(response))
    raise DataError(f"{part.url}: the server answers {status} {response.reason_phrase}; expected the file (200 or 206)")


def _start(part: _Part, response: httpx.Response) -> tuple[int, int | None]:
    """The byte at which the answer starts, and the size of the whole file if the server says it."""
    if response.status_code == 200:
        length = response.headers.get("content-length", "")
        return 0, int(length) if length.isdigit() else None
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("content-range", ""))
    start, total = (int(match[1]), match[2]) if match else (-1, "*")
    etag, before = response.headers.get("etag"), part.known.get("etag")
    changed = bool(etag and before and etag != before)  # some servers ignore If-Range
    grown = total != "*" and part.known.get("total") not in (None, int(total))
    if start != part.size or changed or grown:
        part.discard()
        raise _Again("the file has changed on the server since the first part of it", wait=0)
    return start, None if total == "*" else int(total)


def _check_offer(url: str, start: int, total: int | None, size: int | None) -> None:
    """Refuse a file of the wrong size before it is downloaded, and one the disk has no room for later."""
    if size is not None and total is not None and total != size:
        raise DamagedFile(
            f"{url}: the server offers {total} bytes, the catalog expects {size}; the file was changed or the "
            "address now leads elsewhere: use a mirror (--mirror), or update captionlab"
        )


def _store(part: _Part, response: httpx.Response, start: int, total: int | None, progress: Progress) -> None:
    """Append the answer to the part, or write it anew when it starts at byte 0."""
    if total is not None:
        require_space(part.path.parent, total - start, f"to download {part.path.stem}")
    if start == 0 and part.size:
        progress.warn(f"{part.path.stem}: the server sends the file from its beginning; starting over")
    if start == 0:
        part.discard()
        part.remember(response, total)
    progress.start(f"downloading {part.path.stem}", total, completed=start, unit="bytes")
    with part.path.open("ab") as out:
        # Without a chunk size: httpx would hold back what has arrived of a chunk and drop it if the connection breaks.
        for chunk in response.iter_raw():
            write(out, chunk)
            progress.advance(len(chunk))
    if total is not None and part.size < total:
        raise _Again(f"{part.size} of {total} bytes arrived")


def _accept(part: _Part, checksum: str | None, size: int | None) -> None:
    """Throw the part away unless its size and checksum are right."""
    try:
        if size is not None and part.size != size:
            raise DamagedFile(f"{part.url}: {part.size} bytes arrived, {size} were expected")
        if checksum:
            check_sum(part.path, checksum, part.url)
    except DamagedFile as error:
        part.discard()
        raise DamagedFile(f"{error}; the file was thrown away, run the same command again") from error


def _retry_after(response: httpx.Response) -> float | None:
    """The pause a server asks for, in seconds: Retry-After as a number or as a date."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
