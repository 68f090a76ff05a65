"""Thorough verification of a fetched data set: is it complete, and can every image be decoded?"""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from captionlab.common.progress import NullProgress, Progress
from captionlab.common.text import NotText, read_lines, read_text
from captionlab.datasets.archives import check_structure
from captionlab.datasets.catalog import Dataset, get_dataset
from captionlab.datasets.errors import DataError
from captionlab.datasets.folders import list_images, unusable_reason
from captionlab.datasets.store import locate

CAPTIONS_PER_IMAGE = 5


@dataclass(frozen=True)
class CountCheck:
    """A number that was found, and the one that was expected.

    Attributes:
        split: such as "train".
        items: what was counted: a class, or a kind of file.
        found: the number found.
        expected: the number expected; None if any number is correct.
    """

    split: str
    items: str
    found: int
    expected: int | None

    @property
    def is_correct(self) -> bool:
        """Whether the number is as expected."""
        return self.expected is None or self.found == self.expected


@dataclass
class VerificationReport:
    """What `verify` found.

    Attributes:
        folder: the data set's folder.
        counts: in the order of splits and classes.
        left_out: files that are not usable images, each with the reason.
        problems: one line each; empty if the data set is good.
        notes: worth knowing, but not problems.
    """

    folder: Path
    counts: list[CountCheck] = field(default_factory=list)
    left_out: list[tuple[Path, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add_count(self, split: str, items: str, found: int, expected: int | None) -> None:
        """Add a number, and a problem if it is not the expected one."""
        count = CountCheck(split, items, found, expected)
        self.counts.append(count)
        if not count.is_correct:
            self.problems.append(f"{split}, {items}: found {found}, expected {expected}")


def verify(
    name: str, root: str | Path | None = None, *, quick: bool = False, progress: Progress | None = None
) -> VerificationReport:
    """Check a fetched data set: numbers per split and class, whether every image decodes, and captions of all images.

    Args:
        name: as in the catalog.
        root: the folder of all data sets.
        quick: do not decode images, check names, numbers and sizes only.
        progress: counts files.

    Raises:
        NotFetched: if the data set is missing or incomplete.
    """
    dataset = get_dataset(name)
    report = VerificationReport(locate(name, root))
    check: dict[str, Callable[[Dataset, VerificationReport, bool, Progress], None]] = {
        "flickr8k": _flickr8k,
        "flickr30k": _flickr30k,
        "coco": _coco,
    }
    try:
        check.get(name, _folders)(dataset, report, not quick, progress or NullProgress())
    except NotText as error:
        report.problems.append(str(error))
    return report


def _folders(dataset: Dataset, report: VerificationReport, decode: bool, progress: Progress) -> None:
    """Check a data set with one folder per split and one subfolder per class."""
    known_junk = {report.folder / path for path in dataset.known_junk}
    for split in dict.fromkeys(part for part, _, _ in dataset.image_counts):
        try:
            images = list_images(report.folder / split, decode=decode, progress=progress)
        except DataError as error:
            report.problems.append(str(error))
            continue
        counts = images.counts()
        for part, kind, expected in dataset.image_counts:
            if part == split:
                report.add_count(split, kind, counts.pop(kind, 0), expected)
        report.problems.extend(f"{split}: unexpected class {kind}" for kind in counts)
        report.left_out.extend(images.left_out)
        report.problems.extend(f"{path}: {reason}" for path, reason in images.left_out if path not in known_junk)


def _flickr8k(dataset: Dataset, report: VerificationReport, decode: bool, progress: Progress) -> None:
    """Check the lists of the splits, their images and captions."""
    folder = report.folder
    captioned: Counter[str] = Counter()
    for line in read_lines(folder / "Flickr8k.token.txt"):
        captioned[line.partition("#")[0]] += 1
    for split, expected in (("train", 6000), ("dev", 1000), ("test", 1000)):
        listed = folder / f"Flickr_8k.{split}Images.txt"
        if not listed.exists():
            report.notes.append(f"there is no {split} split: only the public copy has it, not the course's mirror")
            continue
        names = read_text(listed).split()
        report.add_count(split, "images listed", len(names), expected)
        complete = sum(captioned[name] == CAPTIONS_PER_IMAGE for name in names)
        report.add_count(split, f"images with {CAPTIONS_PER_IMAGE} captions", complete, expected)
        paths = [folder / "Flicker8k_Dataset" / name for name in names]
        report.add_count(split, "readable images", _count_readable(report, split, paths, decode, progress), expected)


def _flickr30k(dataset: Dataset, report: VerificationReport, decode: bool, progress: Progress) -> None:
    """Check that every parquet file is complete, and count the rows if pyarrow is installed."""
    rows: Counter[str] = Counter()
    can_count = importlib.util.find_spec("pyarrow") is not None
    for archive in dataset.archives:
        path = report.folder / archive.extract_to
        split = archive.extract_to.split("-")[0]
        try:
            check_structure(path, path.name)
            if can_count:
                from pyarrow import parquet

                rows[split] += parquet.ParquetFile(path).metadata.num_rows
        except FileNotFoundError:
            report.problems.append(f"{path.name} is missing")
        except (DataError, OSError, ValueError) as error:
            report.problems.append(str(error))
    if can_count:
        for split, expected in (("train", 29_000), ("validation", 1_014), ("test", 1_000)):
            report.add_count(split, "rows", rows[split], expected)
    else:
        report.notes.append("rows were not counted, which requires pyarrow (pip install pyarrow)")


def _coco(dataset: Dataset, report: VerificationReport, decode: bool, progress: Progress) -> None:
    """Check the captions of both splits and their images; an image has at least five captions."""
    for split, expected in (("train2014", 82_783), ("val2014", 40_504)):
        path = report.folder / "annotations" / f"captions_{split}.json"
        try:
            annotations = json.loads(read_text(path))["annotations"]
            captioned = Counter(int(annotation["image_id"]) for annotation in annotations)
        except (ValueError, KeyError, TypeError) as error:
            report.problems.append(f"{path} does not contain COCO captions: {error!r}; expected annotations[].image_id")
            continue
        complete = sum(number >= CAPTIONS_PER_IMAGE for number in captioned.values())
        report.add_count(split, f"images with {CAPTIONS_PER_IMAGE} captions or more", complete, expected)
        paths = [report.folder / split / f"COCO_{split}_{number:012d}.jpg" for number in sorted(captioned)]
        report.add_count(split, "readable images", _count_readable(report, split, paths, decode, progress), expected)


def _count_readable(
    report: VerificationReport, split: str, paths: Iterable[Path], decode: bool, progress: Progress
) -> int:
    """The number of images that can be read; the others are added to the report with the reason."""
    paths = list(paths)
    bad = 0
    progress.start(f"reading {split}", len(paths), unit="files")
    try:
        for path in paths:
            reason = unusable_reason(path, decode=decode) if path.exists() else "missing"
            if reason:
                bad += 1
                report.left_out.append((path, reason))
                report.problems.append(f"{path}: {reason}")
            progress.advance(1)
    finally:
        progress.stop()
    return len(paths) - bad
