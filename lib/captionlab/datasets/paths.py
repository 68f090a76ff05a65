"""Where data lies on this machine, and the mirror it may be taken from."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from captionlab.datasets.errors import DataError

ROOT_VARIABLE = "CAPTIONLAB_DATA"
MIRROR_VARIABLE = "CAPTIONLAB_MIRROR"
SUMS = "SHA256SUMS"


def data_root(root: str | Path | None = None) -> Path:
    """The folder of all data sets: `root`, else CAPTIONLAB_DATA, else the platform's cache folder.

    The folder need not exist. On Linux the last is ~/.cache/captionlab/data, or below XDG_CACHE_HOME.
    """
    if root is None:
        root = os.environ.get(ROOT_VARIABLE) or None
    if root is not None:
        return Path(root).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("captionlab", appauthor=False) / "data"


@dataclass(frozen=True)
class Mirror:
    """A copy of the archives, in a folder or below a URL, with checksums of its own if it has a SHA256SUMS.

    Attributes:
        place: the folder, or the URL without a slash at its end.
        sums: for each file of SHA256SUMS its checksum, "sha256:" and 64 hexadecimal digits. Read from a folder
            at once; for a URL the one who downloads fills them in (`captionlab.datasets.sources`).
    """

    place: str
    sums: dict[str, str] = field(default_factory=dict)

    @property
    def is_url(self) -> bool:
        """Whether the mirror is asked over HTTP; otherwise it is a folder of this machine."""
        return _is_url(self.place)

    def url(self, name: str) -> str:
        """The URL of a file of a mirror that has one."""
        return f"{self.place}/{quote(name)}"

    def path(self, name: str) -> Path:
        """The path of a file of a mirror that is a folder."""
        return Path(self.place) / name


def find_mirror(mirror: str | Path | None = None) -> Mirror | None:
    """The mirror to use: `mirror`, else CAPTIONLAB_MIRROR, else none.

    Raises:
        DataError: a folder was named that is not there.
    """
    named_by = "--mirror"
    if mirror is None:
        mirror, named_by = os.environ.get(MIRROR_VARIABLE), MIRROR_VARIABLE
    if not mirror:
        return None
    if _is_url(str(mirror)):
        return Mirror(str(mirror).rstrip("/"))
    folder = Path(mirror).expanduser().absolute()
    if not folder.is_dir():
        raise DataError(
            f"{named_by} names {folder}, which is no folder here; name a folder or a URL (http:// or https://) "
            "that holds the archives, or none to take the public ones"
        )
    sums = folder / SUMS
    return Mirror(str(folder), read_sums(sums.read_text("utf-8")) if sums.is_file() else {})


def read_sums(text: str) -> dict[str, str]:
    """The checksums in the output of `sha256sum`: file name to "sha256:<hex>".

    Lines of any other form are passed over.
    """
    sums = {}
    for line in text.splitlines():
        digest, _, name = line.strip().partition(" ")
        if len(digest) == 64 and set(digest.lower()) <= set("0123456789abcdef"):
            sums[name.lstrip(" *").removeprefix("./")] = f"sha256:{digest.lower()}"
    return sums


def _is_url(place: str) -> bool:
    return place.startswith(("http://", "https://"))
