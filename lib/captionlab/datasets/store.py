"""Data sets on this machine: `locate` finds one, `fetch` brings one, whole or not at all.

A data set is unpacked in a hidden folder beside its place and then renamed into it, which the file system does at one
blow: whenever the work is broken off, even by kill -9, the data set is there as a whole or is not there. The next
fetch clears away what was left.
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
from captionlab.datasets.archives import CHUNK, unpack
from captionlab.datasets.catalog import Archive, Dataset, get
from captionlab.datasets.disk import remove, require_space, said_plainly, write
from captionlab.datasets.download import Retry, download
from captionlab.datasets.errors import DamagedFile, DataError, NotFetched, Unreachable, UnsafeArchive
from captionlab.datasets.paths import Mirror, data_root, find_mirror
from captionlab.datasets.sources import Errand, Obtained, with_sums

RECORD = ".captionlab.json"  # in a data set's folder: which files it was made from
WAIT = 3600.0  # seconds a fetch waits for another one of the same data set


def locate(name: str, root: str | Path | None = None, mirror: str | Path | None = None) -> Path:
    """The folder of a data set that has been fetched.

    Args:
        name: as in the catalog, such as "hymenoptera".
        root: the folder of all data sets; by default CAPTIONLAB_DATA, else the platform's cache folder.
        mirror: named in the command that the error message gives.

    Raises:
        NotFetched: it is not there; the message gives the command that fetches it.
    """
    dataset = get(name)
    target = data_root(root) / dataset.folder
    if is_whole(dataset, target):
        return target
    state, way = ("incomplete", "replace it") if target.exists() else ("not", "fetch it")
    command = fetch_command([name], root, mirror, force=target.exists())
    raise NotFetched(f"{dataset.title} is {state} in {target}; {way} with: {command}")


def fetch_command(
    names: Sequence[str], root: str | Path | None = None, mirror: str | Path | None = None, *, force: bool = False
) -> str:
    """The command line that fetches data sets; with `force` it replaces what is there."""
    given = [("--root", root), ("--mirror", mirror)]
    options = [*(["--force"] if force else []), *(str(part) for pair in given if pair[1] for part in pair)]
    return shlex.join(["captionlab", "data", "fetch", *names, *options])


def fetch(
    name: str,
    root: str | Path | None = None,
    mirror: str | Path | None = None,
    *,
    keep_archive: bool = False,
    force: bool = False,
    wait: float = WAIT,
    retry: Retry | None = None,
    progress: Progress | None = None,
) -> Path:
    """Bring a data set to its folder; does nothing if it is there.

    Args:
        name: as in the catalog.
        root: the folder of all data sets; by default CAPTIONLAB_DATA, else the platform's cache folder.
        mirror: folder or URL that holds the archives, asked first; by default CAPTIONLAB_MIRROR, else none.
        keep_archive: keep the downloaded archives, below `<root>/.downloads`.
        force: fetch anew and put it in the place of what is there.
        wait: seconds to wait while another fetch of the same data set is under way.
        retry: patience of the downloads.
        progress: by default what `make_progress` chooses.

    Returns:
        the data set's folder.

    Raises:
        DataError: with one line that says what went wrong and what to do.
    """
    dataset, folder = get(name), data_root(root)
    target = folder / dataset.folder
    progress = progress if progress is not None else make_progress()
    if is_whole(dataset, target) and not force:
        return target
    found = find_mirror(mirror)
    with said_plainly(f"making {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder, dataset.name, wait, progress):
        _tidy(folder, dataset)
        if is_whole(dataset, target) and not force:
            return target
        if target.exists() and not force:
            raise DataError(
                f"{target} is there but is not {dataset.title} (it lacks {lacking(dataset, target)[0]}); move it "
                "away, or replace it with --force"
            )
        _obtain_and_build(dataset, folder, found, keep_archive, retry or Retry(), progress)
    return target


def kept_file(mirror: Mirror, file: str) -> Path:
    """A single file of a mirror at a URL, kept in ``weights`` below the folder of all data.

    The mirror is asked if the file is not there yet.

    Raises:
        MissingAtSource, Unreachable, DamagedFile, DataError: see :func:`captionlab.datasets.download.download`.
    """
    folder = data_root() / "weights"
    path = folder / file
    if path.is_file():
        return path
    progress = make_progress()
    # Less patient than for a data set: without the mirror there is still the embedded network.
    retry = Retry(attempts=3, first_wait=0.5, connect=5.0, read=20.0)
    with said_plainly(f"keeping {file}"):
        folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder, file, WAIT, progress):  # two at once would write into one download
        if path.is_file():
            return path
        summed = with_sums(mirror, folder, retry, NullProgress())
        if summed is None:
            progress.warn(f"{mirror.place}: the mirror cannot be reached; going on without it")
            raise Unreachable(f"{mirror.place}: the mirror cannot be reached")
        with said_plainly(f"keeping {file}"):
            return download(mirror.url(file), path, checksum=summed.sums.get(file), retry=retry, progress=progress)


def _obtain_and_build(
    dataset: Dataset, folder: Path, mirror: Mirror | None, keep_archive: bool, retry: Retry, progress: Progress
) -> None:
    """The work of a fetch, under the lock: all archives first, for those survive a failure, then the unpacking."""
    downloads = folder / ".downloads" / dataset.name
    with said_plainly(f"making {downloads}"):
        downloads.mkdir(parents=True, exist_ok=True)
    errand = Errand(downloads, with_sums(mirror, downloads, retry, progress), retry, progress)
    obtained = [(archive, errand.obtain(archive)) for archive in dataset.archives]
    _build(dataset, obtained, folder, progress)
    if not keep_archive:
        remove(downloads)


def is_whole(dataset: Dataset, target: Path) -> bool:
    """Whether a folder holds the data set, as far as its entries tell (`captionlab data verify` looks closer)."""
    return target.is_dir() and not lacking(dataset, target)


def lacking(dataset: Dataset, target: Path) -> list[str]:
    """Entries of the data set that a folder does not have."""
    return [entry for entry in dataset.entries if not (target / entry).exists()]


@contextmanager
def _alone(folder: Path, name: str, wait: float, progress: Progress) -> Iterator[None]:
    """Hold the lock of a data set or file; the system frees it when a process ends, however it ends."""
    from filelock import FileLock, Timeout

    path = folder / f".{name}.lock"
    lock = FileLock(path)
    with said_plainly(f"locking {path}"):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress.warn(f"another fetch of {name} is under way in {folder}; waiting for it")
            try:
                lock.acquire(timeout=wait)
            except Timeout as error:
                raise DataError(
                    f"another fetch of {name} in {folder} was still under way after {wait:.0f} s; wait for it "
                    "to end and run the same command again"
                ) from error
    try:
        yield
    finally:
        lock.release()


def _old(folder: Path, dataset: Dataset) -> Path:
    """Where the data set lies for the moment in which a new one takes its place."""
    return folder / f".{dataset.name}.old"


def _tidy(folder: Path, dataset: Dataset) -> None:
    """Clear away what a fetch that was killed has left; to be called under the lock."""
    for stage in folder.glob(f".{dataset.name}-*.stage"):
        remove(stage)
    old, target = _old(folder, dataset), folder / dataset.folder
    if old.exists() and not target.exists():
        with said_plainly(f"restoring {target}"):
            os.replace(old, target)
    remove(old)


def _build(dataset: Dataset, obtained: list[tuple[Archive, Obtained]], folder: Path, progress: Progress) -> None:
    """Unpack everything beside the data set's place and rename it there."""
    with said_plainly(f"unpacking {dataset.title}"):
        stage = Path(tempfile.mkdtemp(prefix=f".{dataset.name}-", suffix=".stage", dir=folder))
        try:
            stage.chmod(0o755)  # mkdtemp's folders are closed to others; a data folder may be shared
            for archive, source in obtained:
                _place(archive, source, stage, progress)
            if dataset.name == "scene15":
                scene15.arrange(stage)
            made = stage / dataset.inside
            if missing := lacking(dataset, made):
                raise DamagedFile(
                    f"{', '.join(source.origin for _, source in obtained)}: unpacked, there is no {missing[0]}, which "
                    f"{dataset.title} must have; take another copy"
                )
            record = {
                "dataset": dataset.name,
                "sources": [{"from": source.origin, "checksum": source.checksum} for _, source in obtained],
            }
            (made / RECORD).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
            _swap_in(made, folder, dataset)
        finally:
            remove(stage)


def _place(archive: Archive, source: Obtained, stage: Path, progress: Progress) -> None:
    """Unpack an archive into the stage, or put the file there."""
    try:
        if archive.is_zip:
            unpack(source.path, stage / archive.into, limit=archive.limit, keep=archive.keep, progress=progress)
            return
    except UnsafeArchive as error:
        source.discard()
        raise UnsafeArchive(f"{source.origin}: {error}") from error
    except DamagedFile as error:
        source.discard()
        raise DamagedFile(f"{source.origin}: {error}; run the same command again, or take another source") from error
    target = stage / archive.into
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if source.borrowed:
            raise OSError("a link would let changes here reach the mirror's file")
        os.link(source.path, target)  # no second copy of gigabytes where the file system can do without
    except OSError:
        require_space(stage, source.path.stat().st_size, f"to copy {archive.name}")
        _copy(source.path, target, progress)


def _copy(source: Path, target: Path, progress: Progress) -> None:
    progress.start(f"copying {source.name}", source.stat().st_size, unit="bytes")
    try:
        with source.open("rb") as stream, target.open("xb") as out:
            while chunk := stream.read(CHUNK):
                write(out, chunk)
                progress.advance(len(chunk))
    finally:
        progress.stop()


def _swap_in(made: Path, folder: Path, dataset: Dataset) -> None:
    """Give the finished folder its name; one that is in its place steps aside first and is removed last."""
    target, old = folder / dataset.folder, _old(folder, dataset)
    if target.exists():
        os.replace(target, old)
    os.replace(made, target)
    remove(old)
