"""Getting an archive: from the mirror if it has it, else from its public home."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from captionlab.common.progress import NullProgress, Progress
from captionlab.datasets.archives import check_structure
from captionlab.datasets.catalog import Archive
from captionlab.datasets.disk import check_sum, remove, said_plainly
from captionlab.datasets.download import Retry, download
from captionlab.datasets.errors import DamagedFile, MissingAtSource, Unreachable
from captionlab.datasets.paths import MIRROR_VARIABLE, SUMS, Mirror, read_sums


@dataclass(frozen=True)
class Obtained:
    """An archive that is here and has been checked.

    Attributes:
        path: the file.
        origin: the URL or path it is from.
        checksum: the checksum it has, if its source had one to compare with.
        borrowed: whether it lies in a mirror's folder, where nothing may be changed.
    """

    path: Path
    origin: str
    checksum: str | None
    borrowed: bool = False

    def discard(self) -> None:
        """Remove the file if it is ours."""
        if not self.borrowed:
            remove(self.path)


@dataclass(frozen=True)
class Errand:
    """How archives are got: where downloads are kept, from which mirror, how patiently.

    Attributes:
        downloads: the folder of complete and partial downloads.
        mirror: asked first; None asks the public homes only.
        retry: patience of a download.
        progress: counts bytes, and is told which sources could not be used.
    """

    downloads: Path
    mirror: Mirror | None
    retry: Retry
    progress: Progress

    def obtain(self, archive: Archive) -> Obtained:
        """The archive, downloaded unless it is here already, its checksum or at least its structure checked.

        Raises:
            DamagedFile, MissingAtSource, Unreachable, DataError: no source gave a right file.
        """
        obtained = self._from_mirror(archive) if self.mirror else None
        obtained = obtained or self._from_home(archive)
        try:
            with said_plainly(f"reading {obtained.path.name}"):
                check_structure(obtained.path, obtained.origin)
        except DamagedFile as error:
            obtained.discard()
            raise DamagedFile(f"{error}; {_advice(obtained)}") from error
        if obtained.checksum is None:
            self.progress.warn(f"{archive.name}: checksum not known for this source: size/structure checked")
        return obtained

    def _from_mirror(self, archive: Archive) -> Obtained | None:
        """The mirror's copy; None, with a note, if the mirror has none or does not answer."""
        mirror = self.mirror
        for name in (archive.name, *archive.also):
            if mirror.is_url:
                try:
                    return self._download(mirror.url(name), mirror.sums.get(name))
                except MissingAtSource:
                    continue
                except Unreachable as error:
                    self.progress.warn(
                        f"the mirror cannot be reached, taking {archive.name} from its home: {_briefly(error)}"
                    )
                    return None
            path = mirror.path(name)
            if path.is_file():
                return self._in_folder(path, mirror.sums.get(name))
        self.progress.warn(f"the mirror {mirror.place} has no {archive.name}; taking it from its public home")
        return None

    def _in_folder(self, path: Path, checksum: str | None) -> Obtained:
        """A copy in a mirror's folder, used where it lies."""
        if checksum:
            try:
                with said_plainly(f"reading {path.name}"):
                    check_sum(path, checksum, str(path))
            except DamagedFile as error:
                raise DamagedFile(
                    f"{error}, says the mirror's own {SUMS}; copy the mirror's file again, or fetch without a mirror "
                    f"(unset {MIRROR_VARIABLE})"
                ) from error
        return Obtained(path, str(path), checksum, borrowed=True)

    def _from_home(self, archive: Archive) -> Obtained:
        """The public copy, from the first home that has it."""
        size = archive.size if archive.exact else None
        for url in archive.urls[:-1]:
            try:
                return self._download(url, archive.checksum, size)
            except (MissingAtSource, Unreachable) as error:
                self.progress.warn(f"{_briefly(error)}; trying the next home")
        return self._download(archive.urls[-1], archive.checksum, size)

    def _download(self, url: str, checksum: str | None, size: int | None = None) -> Obtained:
        # The URL's digest keeps copies from different sources, which differ, under different names.
        digest = hashlib.sha256(url.encode()).hexdigest()[:8]
        target = self.downloads / f"{digest}-{Path(unquote(urlsplit(url).path)).name}"
        path = download(url, target, checksum=checksum, size=size, retry=self.retry, progress=self.progress)
        return Obtained(path, url, checksum)


def with_sums(mirror: Mirror | None, downloads: Path, retry: Retry, progress: Progress) -> Mirror | None:
    """The mirror with the checksums of its SHA256SUMS; None, with a note, if a mirror over HTTP does not answer.

    A mirror without that file is used all the same: its archives are then checked by their structure only.
    """
    if mirror is None or not mirror.is_url:
        return mirror
    target = downloads / SUMS
    remove(target)  # always the mirror's present list
    try:
        download(mirror.url(SUMS), target, retry=retry, progress=NullProgress())
    except MissingAtSource:
        return mirror
    except Unreachable as error:
        progress.warn(f"the mirror cannot be reached, taking the public homes: {_briefly(error)}")
        return None
    try:
        return replace(mirror, sums=read_sums(target.read_text("utf-8", errors="replace")))
    finally:
        remove(target)


def _briefly(error: Exception) -> str:
    """What happened, without the advice that follows the first semicolon."""
    return str(error).partition(";")[0]


def _advice(obtained: Obtained) -> str:
    if obtained.borrowed:
        return f"copy the mirror's file again, or fetch without a mirror (unset {MIRROR_VARIABLE})"
    return "it was thrown away, run the same command again"
