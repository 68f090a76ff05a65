"""Looking at a fetched data set closely: is everything there, and can every image be read?"""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from captionlab.common.progress import NullProgress, Progress
from captionlab.datasets.archives import check_structure
from captionlab.datasets.catalog import Dataset, get
from captionlab.datasets.errors import DataError
from captionlab.datasets.folders import list_images, unusable
from captionlab.datasets.store import locate

CAPTIONS = 5  # a caption data set gives each image this many


@dataclass(frozen=True)
class Count:
    """How many of something there are: `part` is a split, `of` a class or a kind of file; None expects any number."""

    part: str
    of: str
    found: int
    expected: int | None

    @property
    def is_right(self) -> bool:
        """Whether there are as many as there should be."""
        return self.expected is None or self.found == self.expected


@dataclass
class Findings:
    """What `verify` found.

    Attributes:
        folder: the data set's folder.
        counts: in the order of splits and classes.
        left_out: files that are no usable images, each with the reason.
        problems: what is wrong, a line each; none if the data set is good.
        notes: what is worth knowing and not wrong.
    """

    folder: Path
    counts: list[Count] = field(default_factory=list)
    left_out: list[tuple[Path, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def count(self, part: str, of: str, found: int, expected: int | None) -> None:
        """Note a number, and as a problem if it is not the expected one."""
        number = Count(part, of, found, expected)
        self.counts.append(number)
        if not number.is_right:
            self.problems.append(f"{part}, {of}: {found} found, {expected} expected")


def verify(
    name: str, root: str | Path | None = None, *, quick: bool = False, progress: Progress | None = None
) -> Findings:
    """Check a fetched data set: numbers by split and class, every image decoded, captions matched with images.

    Args:
        name: as in the catalog.
        root: the folder of all data sets.
        quick: decode no image; look at names, numbers and sizes only.
        progress: counts files.

    Raises:
        NotFetched: it is not there.
    """
    dataset = get(name)
    findings = Findings(locate(name, root))
    check: dict[str, Callable[[Dataset, Findings, bool, Progress], None]] = {
        "flickr8k": _flickr8k,
        "flickr30k": _flickr30k,
        "coco": _coco,
    }
    check.get(name, _folders)(dataset, findings, not quick, progress or NullProgress())
    return findings


def _folders(dataset: Dataset, findings: Findings, decode: bool, progress: Progress) -> None:
    """A data set with one folder a split and in it one a class."""
    known = {findings.folder / stray for stray in dataset.strays}
    for split in dict.fromkeys(part for part, _, _ in dataset.counts):
        try:
            images = list_images(findings.folder / split, decode=decode, progress=progress)
        except DataError as error:
            findings.problems.append(str(error))
            continue
        found = images.counts()
        for part, kind, expected in dataset.counts:
            if part == split:
                findings.count(split, kind, found.pop(kind, 0), expected)
        findings.problems.extend(f"{split}: class {kind} does not belong here" for kind in found)
        findings.left_out.extend(images.left_out)
        findings.problems.extend(f"{path}: {reason}" for path, reason in images.left_out if path not in known)


def _flickr8k(dataset: Dataset, findings: Findings, decode: bool, progress: Progress) -> None:
    """The lists of the splits, their images, five captions for each."""
    folder = findings.folder
    captioned: Counter[str] = Counter()
    for line in (folder / "Flickr8k.token.txt").read_text("utf-8", errors="replace").splitlines():
        captioned[line.partition("#")[0]] += 1
    for split, expected in (("train", 6000), ("dev", 1000), ("test", 1000)):
        listed = folder / f"Flickr_8k.{split}Images.txt"
        if not listed.exists():
            findings.notes.append(
                f"there is no {split} split: the course's mirror leaves it out, the public copy has it"
            )
            continue
        names = listed.read_text("utf-8").split()
        findings.count(split, "images listed", len(names), expected)
        short = [name for name in names if captioned[name] != CAPTIONS]
        findings.count(split, f"images with {CAPTIONS} captions", len(names) - len(short), expected)
        paths = [folder / "Flicker8k_Dataset" / name for name in names]
        findings.count(split, "readable images", _read_all(findings, split, paths, decode, progress), expected)


def _flickr30k(dataset: Dataset, findings: Findings, decode: bool, progress: Progress) -> None:
    """Every parquet file whole, and their rows counted where pyarrow is installed."""
    rows: Counter[str] = Counter()
    can_count = importlib.util.find_spec("pyarrow") is not None
    for archive in dataset.archives:
        path = findings.folder / archive.into
        split = archive.into.split("-")[0]
        try:
            check_structure(path, path.name)
            if can_count:
                from pyarrow import parquet

                rows[split] += parquet.ParquetFile(path).metadata.num_rows
        except FileNotFoundError:
            findings.problems.append(f"{path.name} is missing")
        except (DataError, OSError, ValueError) as error:
            findings.problems.append(str(error))
    if can_count:
        for split, expected in (("train", 29_000), ("validation", 1_014), ("test", 1_000)):
            findings.count(split, "rows", rows[split], expected)
    else:
        findings.notes.append("rows were not counted: that needs pyarrow (pip install pyarrow)")


def _coco(dataset: Dataset, findings: Findings, decode: bool, progress: Progress) -> None:
    """The captions of both splits and the images they name; an image has five captions or a few more."""
    for split, expected in (("train2014", 82_783), ("val2014", 40_504)):
        path = findings.folder / "annotations" / f"captions_{split}.json"
        try:
            annotations = json.loads(path.read_text("utf-8"))["annotations"]
            captioned = Counter(int(annotation["image_id"]) for annotation in annotations)
        except (ValueError, KeyError, TypeError) as error:
            findings.problems.append(f"{path} is not COCO's captions: {error!r}; expected annotations[].image_id")
            continue
        enough = sum(number >= CAPTIONS for number in captioned.values())
        findings.count(split, f"images with {CAPTIONS} captions or more", enough, expected)
        paths = [findings.folder / split / f"COCO_{split}_{number:012d}.jpg" for number in sorted(captioned)]
        findings.count(split, "readable images", _read_all(findings, split, paths, decode, progress), expected)


def _read_all(findings: Findings, split: str, paths: Iterable[Path], decode: bool, progress: Progress) -> int:
    """The number of images that can be read; the others are noted with the reason."""
    paths = list(paths)
    bad = 0
    progress.start(f"reading {split}", len(paths), unit="files")
    try:
        for path in paths:
            reason = unusable(path, decode=decode) if path.exists() else "missing"
            if reason:
                bad += 1
                findings.left_out.append((path, reason))
                findings.problems.append(f"{path}: {reason}")
            progress.advance(1)
    finally:
        progress.stop()
    return len(paths) - bad
