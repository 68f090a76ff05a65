"""The data sets on this machine: `locate` finds one, `fetch` downloads and installs one.

A data set is unpacked into a hidden folder beside its final place and then renamed, which is atomic. Whenever the
process is stopped, even by kill -9, the data set is either complete or absent; the next fetch removes what is left.
"""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from captionlab.common.progress import NullProgress, Progress, make_progress
from captionlab.datasets import scene15
from captionlab.datasets.archives import unpack
from captionlab.datasets.catalog import Archive, Dataset, get_dataset
from captionlab.datasets.disk import CHUNK, as_data_error, remove, require_space, write
from captionlab.datasets.download import Retry, download
from captionlab.datasets.errors import DamagedFile, DataError, NotFetched, Unreachable, UnsafeArchive
from captionlab.datasets.paths import Mirror, data_root, find_mirror
from captionlab.datasets.sources import Downloader, LocalFile, load_checksums

RECORD_FILE = ".captionlab.json"  # in a data set's folder: the archives it was made from
LOCK_TIMEOUT = 3600.0  # seconds to wait for another fetch of the same data set


def locate(name: str, root: str | Path | None = None, mirror: str | Path | None = None) -> Path:
    """The folder of a data set that has been fetched.

    Args:
        name: as in the catalog, such as "hymenoptera".
        root: the folder of all data sets; by default CAPTIONLAB_DATA, or else the platform's cache folder.
        mirror: appears in the command that the error message suggests.

    Raises:
        NotFetched: if it is missing or incomplete; the message gives the command that fetches it.
    """
    dataset = get_dataset(name)
    target = data_root(root) / dataset.folder
    if is_complete(dataset, target):
        return target
    state, action = ("incomplete", "replace it") if target.exists() else ("not", "fetch it")
    command = fetch_command([name], root, mirror, force=target.exists())
    raise NotFetched(f"{dataset.title} is {state} in {target}; {action} with: {command}")


def fetch_command(
    names: Sequence[str], root: str | Path | None = None, mirror: str | Path | None = None, *, force: bool = False
) -> str:
    """The command line that fetches data sets; with `force` it replaces existing ones."""
    values = [("--data-root", root), ("--mirror", mirror)]
    options = [*(["--force"] if force else []), *(str(part) for pair in values if pair[1] for part in pair)]
    return shlex.join(["captionlab", "data", "fetch", *names, *options])


def fetch(
    name: str,
    root: str | Path | None = None,
    mirror: str | Path | None = None,
    *,
    keep_archive: bool = False,
    force: bool = False,
    lock_timeout: float = LOCK_TIMEOUT,
    retry: Retry | None = None,
    progress: Progress | None = None,
) -> Path:
    """Download and install a data set, unless it is there already.

    Args:
        name: as in the catalog.
        root: the folder of all data sets; by default CAPTIONLAB_DATA, or else the platform's cache folder.
        mirror: folder or URL with copies of the archives, tried first; by default CAPTIONLAB_MIRROR, or else none.
        keep_archive: keep the downloaded archives in `<root>/.downloads`.
        force: fetch again and replace the existing data set.
        lock_timeout: seconds to wait while another process fetches the same data set.
        retry: when downloads are retried.
        progress: by default a bar in a terminal and log lines elsewhere.

    Returns:
        The data set's folder.

    Raises:
        DataError: the message is one line that says what went wrong and what to do.
    """
    dataset, folder = get_dataset(name), data_root(root)
    target = folder / dataset.folder
    progress = progress if progress is not None else make_progress()
    if is_complete(dataset, target) and not force:
        return target
    found_mirror = find_mirror(mirror)
    with as_data_error(f"creating {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder, dataset.name, lock_timeout, progress):
        _clean_up(folder, dataset)
        if is_complete(dataset, target) and not force:
            return target
        if target.exists() and not force:
            raise DataError(
                f"{target} exists but is not {dataset.title} (it has no {missing_entries(dataset, target)[0]}); move "
                "it away, or replace it with --force"
            )
        _fetch_and_install(dataset, folder, found_mirror, keep_archive, retry or Retry(), progress)
    return target


def cached_file(mirror: Mirror, file: str) -> Path:
    """A single file of a mirror that is a URL, downloaded on first use to `weights` in the data folder.

    Raises:
        MissingAtSource, Unreachable, DamagedFile, DataError: see :func:`captionlab.datasets.download.download`.
    """
    folder = data_root() / "weights"
    path = folder / file
    if path.is_file():
        return path
    progress = make_progress()
    # Given up earlier than a data set, because there is an alternative: the embedded network.
    retry = Retry(attempts=3, initial_delay=0.5, connect_timeout=5.0, read_timeout=20.0)
    with as_data_error(f"downloading {file}"):
        folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder, file, LOCK_TIMEOUT, progress):  # two processes would write to the same partial file
        if path.is_file():
            return path
        available = load_checksums(mirror, folder, retry, NullProgress())
        if available is None:
            progress.warn(f"{mirror.location}: the mirror cannot be reached; continuing without it")
            raise Unreachable(f"{mirror.location}: the mirror cannot be reached")
        with as_data_error(f"downloading {file}"):
            checksum = available.checksums.get(file)
            return download(mirror.url(file), path, checksum=checksum, retry=retry, progress=progress)


def is_complete(dataset: Dataset, target: Path) -> bool:
    """Whether a folder holds the data set, judging by its required paths (`captionlab data verify` checks more)."""
    return target.is_dir() and not missing_entries(dataset, target)


def missing_entries(dataset: Dataset, target: Path) -> list[str]:
    """Required paths of the data set that do not exist in a folder."""
    return [path for path in dataset.required_paths if not (target / path).exists()]


def _fetch_and_install(
    dataset: Dataset, folder: Path, mirror: Mirror | None, keep_archive: bool, retry: Retry, progress: Progress
) -> None:
    """Download all archives, which are kept if anything fails, then install the data set; needs the lock."""
    downloads = folder / ".downloads" / dataset.name
    with as_data_error(f"creating {downloads}"):
        downloads.mkdir(parents=True, exist_ok=True)
    downloader = Downloader(downloads, load_checksums(mirror, downloads, retry, progress), retry, progress)
    files = [(archive, downloader.fetch(archive)) for archive in dataset.archives]
    _install(dataset, files, folder, progress)
    if not keep_archive:
        remove(downloads)


@contextmanager
def _lock(folder: Path, name: str, timeout: float, progress: Progress) -> Iterator[None]:
    """Hold the lock of a data set or file; the operating system releases it when the process ends."""
    from filelock import FileLock, Timeout

    path = folder / f".{name}.lock"
    lock = FileLock(path)
    with as_data_error(f"locking {path}"):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress.warn(f"another process is fetching {name} in {folder}; waiting for it")
            try:
                lock.acquire(timeout=timeout)
            except Timeout as error:
                raise DataError(
                    f"another process was still fetching {name} in {folder} after {timeout:.0f} s; wait until it has "
                    "finished and run the same command again"
                ) from error
    try:
        yield
    finally:
        lock.release()


def _backup_path(folder: Path, dataset: Dataset) -> Path:
    """Where an existing data set is moved while a new one replaces it."""
    return folder / f".{dataset.name}.old"


def _clean_up(folder: Path, dataset: Dataset) -> None:
    """Remove what an interrupted fetch has left; needs the lock."""
    for stage in folder.glob(f".{dataset.name}-*.stage"):
        remove(stage)
    backup, target = _backup_path(folder, dataset), folder / dataset.folder
    if backup.exists() and not target.exists():
        with as_data_error(f"restoring {target}"):
            os.replace(backup, target)
    remove(backup)


def _install(dataset: Dataset, files: list[tuple[Archive, LocalFile]], folder: Path, progress: Progress) -> None:
    """Unpack all archives beside the data set's final place and rename the result."""
    with as_data_error(f"unpacking {dataset.title}"):
        stage = Path(tempfile.mkdtemp(prefix=f".{dataset.name}-", suffix=".stage", dir=folder))
        try:
            stage.chmod(0o755)  # mkdtemp makes private folders; the data folder may be shared
            for archive, file in files:
                _unpack_or_copy(archive, file, stage, progress)
            if dataset.name == "scene15":
                scene15.arrange_folders(stage)
            unpacked = stage / dataset.archive_root
            if missing := missing_entries(dataset, unpacked):
                origins = ", ".join(file.origin for _, file in files)
                raise DamagedFile(
                    f"{origins}: after unpacking there is no {missing[0]}, which {dataset.title} must have; use "
                    "another copy"
                )
            record = {
                "dataset": dataset.name,
                "sources": [{"from": file.origin, "checksum": file.checksum} for _, file in files],
            }
            (unpacked / RECORD_FILE).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
            _move_into_place(unpacked, folder, dataset)
        finally:
            remove(stage)


def _unpack_or_copy(archive: Archive, file: LocalFile, stage: Path, progress: Progress) -> None:
    """Unpack a zip archive into the stage, or link or copy another file there."""
    target = stage / archive.extract_to
    try:
        if archive.is_zip:
            unpack(file.path, target, max_size=archive.max_unpacked_size, include=archive.include, progress=progress)
            return
    except UnsafeArchive as error:
        file.discard()
        raise UnsafeArchive(f"{file.origin}: {error}") from error
    except DamagedFile as error:
        file.discard()
        raise DamagedFile(f"{file.origin}: {error}; run the same command again, or use another source") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if file.in_mirror:
            raise OSError("with a link, changes to the data set would change the mirror's file")
        os.link(file.path, target)  # saves a second copy of gigabytes if the file system supports links
    except OSError:
        require_space(stage, file.path.stat().st_size, f"to copy {archive.name}")
        _copy(file.path, target, progress)


def _copy(source: Path, target: Path, progress: Progress) -> None:
    progress.start(f"copying {source.name}", source.stat().st_size, unit="bytes")
    try:
        with source.open("rb") as stream, target.open("xb") as out:
            while chunk := stream.read(CHUNK):
                write(out, chunk)
                progress.advance(len(chunk))
    finally:
        progress.stop()


def _move_into_place(unpacked: Path, folder: Path, dataset: Dataset) -> None:
    """Rename the unpacked folder to its final name; an existing one is moved away first and removed last."""
    target, backup = folder / dataset.folder, _backup_path(folder, dataset)
    if target.exists():
        os.replace(target, backup)
    os.replace(unpacked, target)
    remove(backup)
