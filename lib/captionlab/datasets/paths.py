"""Where the data sets are on this machine, and the mirror they may be downloaded from."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from captionlab.datasets.errors import DataError

ROOT_VARIABLE = "CAPTIONLAB_DATA"
MIRROR_VARIABLE = "CAPTIONLAB_MIRROR"
CHECKSUM_FILE = "SHA256SUMS"


def data_root(root: str | Path | None = None) -> Path:
    """The folder of all data sets: `root`, or else CAPTIONLAB_DATA, or else the platform's cache folder.

    The folder need not exist. On Linux the cache folder is ~/.cache/captionlab/data, or below XDG_CACHE_HOME.
    """
    if root is None:
        root = os.environ.get(ROOT_VARIABLE) or None
    if root is not None:
        return Path(root).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("captionlab", appauthor=False) / "data"


@dataclass(frozen=True)
class Mirror:
    """A folder or URL with copies of the archives.

    Attributes:
        location: the folder, or the URL without a trailing slash.
        checksums: maps the files listed in the mirror's SHA256SUMS to "sha256:<hex>". Those of a folder are read by
            `find_mirror`, those of a URL by `captionlab.datasets.sources.load_checksums`.
    """

    location: str
    checksums: dict[str, str] = field(default_factory=dict)

    @property
    def is_url(self) -> bool:
        """Whether the mirror is a URL; otherwise it is a folder."""
        return _is_url(self.location)

    def url(self, name: str) -> str:
        """The URL of a file, if the mirror is a URL."""
        return f"{self.location}/{quote(name)}"

    def path(self, name: str) -> Path:
        """The path of a file, if the mirror is a folder."""
        return Path(self.location) / name


def find_mirror(mirror: str | Path | None = None) -> Mirror | None:
    """The mirror to use: `mirror`, or else CAPTIONLAB_MIRROR, or else none.

    Raises:
        DataError: if the mirror is a folder that does not exist.
    """
    option = "--mirror"
    if mirror is None:
        mirror, option = os.environ.get(MIRROR_VARIABLE), MIRROR_VARIABLE
    if not mirror:
        return None
    if _is_url(str(mirror)):
        return Mirror(str(mirror).rstrip("/"))
    folder = Path(mirror).expanduser().absolute()
    if not folder.is_dir():
        raise DataError(
            f"{option} is {folder}, which is not a folder; expected a folder or a URL (http:// or https://) that holds "
            "the archives. Without a mirror they are downloaded from their public sources"
        )
    checksums = folder / CHECKSUM_FILE
    return Mirror(str(folder), parse_checksums(checksums.read_text("utf-8")) if checksums.is_file() else {})


def parse_checksums(text: str) -> dict[str, str]:
    """Parse the output of `sha256sum`.

    Returns:
        Maps file names to "sha256:<hex>"; lines in another format are ignored.
    """
    checksums = {}
    for line in text.splitlines():
        digest, _, name = line.strip().partition(" ")
        if len(digest) == 64 and set(digest.lower()) <= set("0123456789abcdef"):
            checksums[name.lstrip(" *").removeprefix("./")] = f"sha256:{digest.lower()}"
    return checksums


def _is_url(location: str) -> bool:
    return location.startswith(("http://", "https://"))
