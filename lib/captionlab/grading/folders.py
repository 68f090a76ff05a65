"""What a student's folder contains: notebooks, modules, archives, and the rest; hidden files are left out."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from captionlab.common.files import is_hidden
from captionlab.grading.exercise import Lab
from captionlab.grading.file_kinds import bare_name, kind_of

MAX_ENTRIES, MAX_DEPTH = 2000, 8
MAX_LISTED, MAX_NAME = 5, 80  # names in one message, and letters of a name


@dataclass
class FolderContents:
    """The files of a folder and of its subfolders, those nearest to it first.

    Attributes:
        root: the folder.
        notebooks, modules, zips: files of these kinds (see :mod:`captionlab.grading.file_kinds`).
        others: everything else, such as ``"report.pdf (a PDF document)"``.
        hidden: how many hidden files and folders were left out.
    """

    root: Path
    notebooks: list[Path] = field(default_factory=list)
    modules: list[Path] = field(default_factory=list)
    zips: list[Path] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    hidden: int = 0

    def name(self, path: Path) -> str:
        """A file's name within the folder, of bounded length."""
        return shorten(path.relative_to(self.root).as_posix())

    def add(self, path: Path) -> None:
        """Add a file to the list of its kind."""
        kind = kind_of(path)
        lists = {"notebook": self.notebooks, "module": self.modules, "zip": self.zips}
        if kind.reader:
            lists[kind.reader].append(path)
        else:
            self.others.append(f"{self.name(path)} ({kind.description})")


def list_folder(root: Path) -> FolderContents:
    """List a folder. No link is followed, and at most :data:`MAX_ENTRIES` entries are looked at."""
    contents, folders, seen = FolderContents(root), [(root, 0)], 0
    for folder, depth in folders:  # which grows: nearest folders first
        try:
            entries = sorted((Path(entry) for entry in os.scandir(folder)), key=lambda path: natural_key(path.name))
        except OSError as error:
            contents.others.append(f"{contents.name(folder)}/ (a folder that cannot be opened: {error.strerror})")
            continue
        visible = [path for path in entries if not is_hidden(path.name)]
        contents.hidden += len(entries) - len(visible)
        for path in visible[: MAX_ENTRIES - seen]:
            if path.is_symlink() or not path.is_dir():
                contents.add(path)
            elif depth < MAX_DEPTH:
                folders.append((path, depth + 1))
            else:
                contents.others.append(f"{contents.name(path)}/ (more than {MAX_DEPTH} folders deep: not looked at)")
        if len(visible) > MAX_ENTRIES - seen:
            contents.others.append(f"more than {MAX_ENTRIES} entries: the rest was not looked at")
            break
        seen += len(visible)
    return contents


def natural_key(name: str) -> tuple:
    """For sorting names as people do: ``lab (2)`` before ``lab (10)``, and in the same order on every system."""
    parts = re.split(r"(\d+)", unicodedata.normalize("NFC", name).casefold())
    return ([(int(part[:300]), "") if at % 2 else (0, part) for at, part in enumerate(parts)], name)


def is_named(path: Path, filename: str) -> bool:
    """Whether a file has this name, apart from capitals and from what browsers append (``.ipynb.txt``)."""
    return bare_name(path.name).casefold() == Path(filename).stem.casefold()


def is_like(path: Path, filename: str) -> bool:
    """Whether a name is a variant of this one, such as ``captioning (1).py`` and ``s1_captioning.py``."""
    own, wanted = (re.sub(r"[\W_]+", "", name.casefold()) for name in (bare_name(path.name), Path(filename).stem))
    return wanted in own


def shorten(name: str) -> str:
    """A name of at most :data:`MAX_NAME` letters."""
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME // 2]}…{name[-MAX_NAME // 2 :]}"


def in_groups(names: Iterable[str]) -> list[list[str]]:
    """Names in groups that fit into one message each."""
    names = list(names)
    return [names[at : at + MAX_LISTED] for at in range(0, len(names), MAX_LISTED)]


def hand_in(lab: Lab) -> str:
    """What is to be submitted for a lab, in words."""
    return f"submit {lab.name}.ipynb" + (f" and {lab.module_filename}" if lab.module_filename else "")
