"""One writer of results: all numbers as JSON, a table as CSV, figures as PNG, and where they come from."""

from __future__ import annotations

import csv
import io
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from captionlab.common.files import write_atomically
from captionlab.common.provenance import collect_provenance, format_json
from captionlab.datasets.paths import MIRROR_VARIABLE
from captionlab.plots.style import png_bytes

Row = Mapping[str, Any]


def write_results(
    out: Path,
    name: str,
    rows: Sequence[Row],
    figures: Mapping[str, Figure],
    record: Mapping[str, Any],
    *,
    command: str,
    seed: int | None,
    device: str = "cpu",
) -> list[Path]:
    """Write ``NAME.json``, ``NAME.csv`` and the figures into a folder, each file atomically.

    Everything is made before the first file is replaced: a figure that cannot be drawn leaves older results as they
    were. The same results give the same bytes.

    Args:
        out: the folder, made if missing.
        name: what the files' names start with, such as ``"lab2_layers"``.
        rows: the table; its columns are the keys of the first row. Numbers get five significant digits.
        figures: by what follows the name in the file's name: ``""`` gives ``NAME.png``, ``"_curves"``
            ``NAME_curves.png``.
        record: what the JSON file holds besides the origin: all numbers, settings, what was left out.
        command: the command line that gives the same numbers, see :func:`command_line`.
        seed: see :func:`captionlab.common.provenance.collect_provenance`.
        device: what computed, see :func:`captionlab.common.provenance.device_name`.

    Returns:
        The files written: JSON, CSV, then the figures.

    Raises:
        ValueError: if the table has no rows.
        OSError: if a file cannot be written.
    """
    if not rows:
        raise ValueError(f"found no rows for {name}: expected at least one")
    files = {
        f"{name}.json": format_json({**record, **collect_provenance(command, seed, device)}).encode(),
        f"{name}.csv": table_text(rows).encode(),
        **{f"{name}{suffix}.png": png_bytes(figure) for suffix, figure in figures.items()},
    }
    for file, data in files.items():
        write_atomically(out / file, data)
    return [out / file for file in files]


def table_text(rows: Sequence[Row]) -> str:
    """Rows as CSV; the columns are the keys of the first one.

    >>> table_text([{"layer": "conv1", "accuracy": 0.123456789}]).split()
    ['layer,accuracy', 'conv1,0.12346']
    """
    text = io.StringIO()
    table = csv.DictWriter(text, fieldnames=list(rows[0]), extrasaction="ignore")
    table.writeheader()
    table.writerows({key: _shortened(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _shortened(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value


def command_line(lab: str, experiment: str, *arguments: str, **options: Any) -> str:
    """The command line of an experiment, without the options that say where results are written.

    Args:
        lab: such as ``"lab2"``.
        experiment: its name in the lab.
        arguments: positional arguments.
        options: by name; a list or tuple repeats the option, None leaves it out.

    >>> command_line("lab3", "networks", seeds=5, dataset=None, network=["tiny_resnet", "tiny_vgg"])
    'captionlab experiment lab3 networks --seeds 5 --network tiny_resnet --network tiny_vgg'
    """
    words = ["captionlab", "experiment", lab, experiment, *arguments]
    for name, value in options.items():
        values = value if isinstance(value, (list, tuple)) else [] if value is None else [value]
        words += [word for each in values for word in (f"--{name.replace('_', '-')}", str(each))]
    mirror = f"{MIRROR_VARIABLE}=MIRROR " if os.environ.get(MIRROR_VARIABLE) else ""
    return mirror + shlex.join(words)
