"""Where the data sets are on this machine, and the mirror they may be downloaded from."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from captionlab.common.text import NotText, read_text, split_lines
from captionlab.datasets.errors import DataError

ROOT_VARIABLE = "CAPTIONLAB_DATA"
MIRROR_VARIABLE = "CAPTIONLAB_MIRROR"
CHECKSUM_FILE = "SHA256SUMS"
# "<hex>  name" or "<hex> *name" of sha256sum, with a backslash before an unusual name; "SHA256 (name) = <hex>" of BSD.
_CHECKSUM_LINES = (
    re.compile(r"\\?(?P<digest>[0-9a-fA-F]{64})\s+\*?(?P<name>.+)"),
    re.compile(r"SHA256 ?\((?P<name>.+)\) ?= ?(?P<digest>[0-9a-fA-F]{64})", re.IGNORECASE),
)


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
        DataError: if the mirror is a folder that does not exist, or its SHA256SUMS is not text.
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
    try:
        return Mirror(str(folder), parse_checksums(read_text(checksums)) if checksums.is_file() else {})
    except NotText as error:
        raise DataError(f"{error} ({checksums}), or remove it to fetch without checksums") from error


def parse_checksums(text: str) -> dict[str, str]:
    """Parse the output of `sha256sum`, as GNU, BSD and Windows write it.

    Returns:
        Maps file names to "sha256:<hex>"; lines in another format are ignored.
    """
    checksums = {}
    for line in split_lines(text):
        if match := next((found for form in _CHECKSUM_LINES if (found := form.fullmatch(line.strip()))), None):
            name = match["name"].replace("\\", "/").removeprefix("./")
            checksums[name] = f"sha256:{match['digest'].lower()}"
    return checksums


def _is_url(location: str) -> bool:
    return location.startswith(("http://", "https://"))
