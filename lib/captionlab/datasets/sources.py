"""Where an archive comes from: the mirror if it has it, otherwise the public source."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from captionlab.common.logs import logger
from captionlab.common.progress import NullProgress, Progress
from captionlab.common.text import NotText, read_text
from captionlab.datasets.archives import check_structure
from captionlab.datasets.catalog import Archive
from captionlab.datasets.disk import as_data_error, remove, verify_checksum
from captionlab.datasets.download import Retry, download
from captionlab.datasets.errors import DamagedFile, MissingAtSource, Unreachable
from captionlab.datasets.paths import CHECKSUM_FILE, MIRROR_VARIABLE, Mirror, parse_checksums


@dataclass(frozen=True)
class LocalFile:
    """An archive on this machine that has been verified.

    Attributes:
        path: the file.
        origin: the URL or path it is from.
        checksum: its checksum, if its source published one.
        in_mirror: whether it is in a mirror's folder, where nothing may be changed.
    """

    path: Path
    origin: str
    checksum: str | None
    in_mirror: bool = False

    @property
    def advice(self) -> str:
        """What to do if the file is damaged; it has been discarded by then."""
        if self.in_mirror:
            return f"copy the mirror's file again, or fetch without a mirror (unset {MIRROR_VARIABLE})"
        return "it was deleted, run the same command again"

    def discard(self) -> None:
        """Delete the file unless it is in a mirror's folder."""
        if not self.in_mirror:
            remove(self.path)


@dataclass(frozen=True)
class Downloader:
    """Downloads archives.

    Attributes:
        folder: for complete and partial downloads.
        mirror: is tried first; None uses the public sources only.
        retry: when downloads are retried.
        progress: counts bytes, and is warned about sources that cannot be used.
    """

    folder: Path
    mirror: Mirror | None
    retry: Retry
    progress: Progress

    def fetch(self, archive: Archive) -> LocalFile:
        """Get an archive, unless it is here already, and verify its checksum or at least its structure.

        Raises:
            DamagedFile, MissingAtSource, Unreachable, DataError: if no source provides a valid file.
        """
        file = self._from_mirror(archive, self.mirror) if self.mirror else None
        file = file or self._from_public_source(archive)
        logger.debug("%s: %s", archive.name, file.origin)
        try:
            with as_data_error(f"reading {file.path.name}"):
                check_structure(file.path, file.origin)
        except DamagedFile as error:
            file.discard()
            raise DamagedFile(f"{error}; {file.advice}") from error
        if file.checksum is None:
            self.progress.warn(f"{archive.name}: this source has no checksum; only size and structure were checked")
        return file

    def _from_mirror(self, archive: Archive, mirror: Mirror) -> LocalFile | None:
        """The mirror's copy; None, with a warning, if it has none or does not respond."""
        for name in (archive.name, *archive.aliases):
            if mirror.is_url:
                try:
                    return self._download(mirror.url(name), mirror.checksums.get(name))
                except MissingAtSource:
                    continue
                except Unreachable as error:
                    self.progress.warn(
                        f"the mirror cannot be reached, downloading {archive.name} from its public source: "
                        f"{_without_advice(error)}"
                    )
                    return None
            path = mirror.path(name)
            if path.is_file():
                return self._from_mirror_folder(path, mirror.checksums.get(name))
        self.progress.warn(f"the mirror {mirror.location} has no {archive.name}; downloading it from its public source")
        return None

    def _from_mirror_folder(self, path: Path, checksum: str | None) -> LocalFile:
        """A copy in a mirror's folder, which is used in place."""
        file = LocalFile(path, str(path), checksum, in_mirror=True)
        if checksum:
            try:
                with as_data_error(f"reading {path.name}"):
                    verify_checksum(path, checksum, str(path))
            except DamagedFile as error:
                raise DamagedFile(f"{error}, according to the mirror's {CHECKSUM_FILE}; {file.advice}") from error
        return file

    def _from_public_source(self, archive: Archive) -> LocalFile:
        """The public copy, from the first source that has it."""
        size = archive.size if archive.exact_size else None
        for url in archive.urls[:-1]:
            try:
                return self._download(url, archive.checksum, size)
            except (MissingAtSource, Unreachable) as error:
                self.progress.warn(f"{_without_advice(error)}; trying the next source")
        return self._download(archive.urls[-1], archive.checksum, size)

    def _download(self, url: str, checksum: str | None, size: int | None = None) -> LocalFile:
        # Copies from different sources differ; the URL's digest gives them different names.
        digest = hashlib.sha256(url.encode()).hexdigest()[:8]
        target = self.folder / f"{digest}-{Path(unquote(urlsplit(url).path)).name}"
        path = download(url, target, checksum=checksum, size=size, retry=self.retry, progress=self.progress)
        return LocalFile(path, url, checksum)


def load_checksums(mirror: Mirror | None, folder: Path, retry: Retry, progress: Progress) -> Mirror | None:
    """Add the checksums from SHA256SUMS to a mirror that is a URL.

    Args:
        mirror: returned unchanged if it is a folder or has no SHA256SUMS; then only the structure of its archives is
            checked.
        folder: for the downloaded list.
        retry: when the download is retried.
        progress: is warned if the mirror does not respond, or its SHA256SUMS is not text.

    Returns:
        The mirror; None if it does not respond.
    """
    if mirror is None or not mirror.is_url:
        return mirror
    target = folder / CHECKSUM_FILE
    remove(target)  # the mirror's list may have changed
    try:
        download(mirror.url(CHECKSUM_FILE), target, retry=retry, progress=NullProgress())
    except MissingAtSource:
        return mirror
    except Unreachable as error:
        progress.warn(f"the mirror cannot be reached, using the public sources: {_without_advice(error)}")
        return None
    try:
        return replace(mirror, checksums=parse_checksums(read_text(target)))
    except NotText as error:
        progress.warn(f"the mirror's checksums cannot be used: {error}")
        return mirror
    finally:
        remove(target)


def _without_advice(error: Exception) -> str:
    """The message up to its first semicolon; what follows is advice."""
    return str(error).partition(";")[0]
