"""Exporters: from the record of a graded class to files.

An exporter is a function that writes files into a folder and returns their paths::

    def export_names(record: ClassRecord, folder: Path) -> list[Path]: ...

To add one, write it in a file of this package and enter it in :data:`EXPORTERS`. The same record must always give the
same bytes, and text from submissions must be escaped for the format.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from captionlab.instructor.record import ClassRecord

    Exporter = Callable[[ClassRecord, Path], list[Path]]

EXPORTERS = {
    "csv": "captionlab.instructor.exporters.gradebook:export_csv",
    "json": "captionlab.instructor.exporters.verdicts:export_json",
    "html": "captionlab.instructor.exporters.feedback:export_html",
}


def load_exporter(name: str) -> Exporter:
    """The exporter registered under a name.

    Raises:
        KeyError: there is none.
    """
    if name not in EXPORTERS:
        raise KeyError(f"there is no exporter {name!r}; known: {', '.join(EXPORTERS)}")
    module, _, attribute = EXPORTERS[name].partition(":")
    exporter: Exporter = getattr(importlib.import_module(module), attribute)
    return exporter


def export(record: ClassRecord, folder: Path, formats: Iterable[str] = tuple(EXPORTERS)) -> list[Path]:
    """Write a class's record in several formats.

    Args:
        record: of :func:`~captionlab.instructor.record.class_record`.
        folder: where the files go; created if needed.
        formats: keys of :data:`EXPORTERS`.

    Returns:
        the files written.

    Raises:
        KeyError: an unknown format.
        OSError: a file cannot be written; the one from an earlier run is left as it was.
    """
    exporters = [load_exporter(name) for name in formats]
    folder.mkdir(parents=True, exist_ok=True)
    return [path for exporter in exporters for path in exporter(record, folder)]
