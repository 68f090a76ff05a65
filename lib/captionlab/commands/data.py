"""`captionlab data`: list, fetch and verify the course's real data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from captionlab.commands.running import user_errors

if TYPE_CHECKING:
    from captionlab.datasets.verification import VerificationReport

DATA_ROOT = click.option(
    "--data-root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of all data sets.  [default: CAPTIONLAB_DATA, or else the cache folder]",
)
MAX_LINES = 20  # of each list of problems


@click.group()
def data() -> None:
    """Fetch and verify the real data sets.

    The labs also run without them, on small embedded data.
    """


@data.command(name="list")
@DATA_ROOT
def list_(data_root: Path | None) -> None:
    """List the data sets and which of them have been fetched."""
    from rich.console import Console
    from rich.table import Table

    from captionlab.common.progress import format_size
    from captionlab.datasets import paths
    from captionlab.datasets.catalog import DATASETS
    from captionlab.datasets.store import is_complete

    folder = paths.data_root(data_root)
    table = Table("name", "contents", "download", "fetched", title=f"Data sets in {folder}", title_justify="left")
    for dataset in DATASETS.values():
        target = folder / dataset.folder
        state = f"yes: {dataset.folder}" if is_complete(dataset, target) else "incomplete" if target.exists() else "no"
        table.add_row(dataset.name, f"{dataset.title}: {dataset.summary}", format_size(dataset.size), state)
    Console().print(table)


@data.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@DATA_ROOT
@click.option(
    "--mirror",
    metavar="FOLDER|URL",
    help="Copies of the archives, tried before their public sources.  [default: CAPTIONLAB_MIRROR]",
)
@click.option("--keep-archive", is_flag=True, help="Keep the downloaded archives in .downloads in the data folder.")
@click.option("--force", is_flag=True, help="Fetch again and replace what is there.")
def fetch(names: tuple[str, ...], data_root: Path | None, mirror: str | None, keep_archive: bool, force: bool) -> None:
    """Download, verify and unpack data sets.

    Run the same command again after a failure: downloads resume where they stopped.
    """
    from captionlab.datasets import store
    from captionlab.datasets.catalog import get_dataset

    with user_errors():
        try:
            for dataset in [get_dataset(name) for name in names]:  # wrong names are found before the first download
                click.echo(f"{dataset.title}. {dataset.terms}", err=True)
                click.echo(store.fetch(dataset.name, data_root, mirror, keep_archive=keep_archive, force=force))
        except KeyboardInterrupt:
            raise click.ClickException("stopped; run the same command again to resume the download") from None


@data.command()
@click.argument("name", required=False)
@DATA_ROOT
@click.option("--quick", is_flag=True, help="Do not decode images; check names and numbers only.")
def verify(name: str | None, data_root: Path | None, quick: bool) -> None:
    """Verify the data set NAME, or all that have been fetched.

    Checks the numbers of images and captions, and whether every image can be decoded.
    """
    from captionlab.datasets import paths
    from captionlab.datasets.catalog import DATASETS, get_dataset
    from captionlab.datasets.store import fetch_command

    with user_errors():
        folder = paths.data_root(data_root)
        names = [get_dataset(name).name] if name else []
        names = names or [dataset.name for dataset in DATASETS.values() if (folder / dataset.folder).exists()]
        if not names:
            command = fetch_command(["NAME"], data_root)
            raise click.ClickException(f"there is no data set in {folder}; fetch one with: {command}")
        failed = [each for each in names if not _verify_one(each, data_root, quick)]
        if failed:
            command = fetch_command(failed, data_root, force=True)
            raise click.ClickException(f"problems in {', '.join(failed)}; replace with: {command}")


def _verify_one(name: str, data_root: Path | None, quick: bool) -> bool:
    """Verify a data set and print the result; returns whether it is good."""
    from captionlab.common.progress import make_progress
    from captionlab.datasets import paths, verification
    from captionlab.datasets.catalog import get_dataset
    from captionlab.datasets.store import missing_entries

    dataset = get_dataset(name)
    target = paths.data_root(data_root) / dataset.folder
    if target.exists() and (missing := missing_entries(dataset, target)):
        click.echo(f"{name} in {target}\n  incomplete: there is no {missing[0]}")
        return False
    report = verification.verify(name, data_root, quick=quick, progress=make_progress())
    click.echo(f"{name} in {report.folder}")
    _print_report(report)
    return not report.problems


def _print_report(report: VerificationReport) -> None:
    for count in report.counts:
        mark = "" if count.is_correct else f"  WRONG, expected {count.expected}"
        click.echo(f"  {count.split:<12}{count.items:<32}{count.found:>7}{mark}")
    for note in report.notes:
        click.echo(f"  note: {note}")
    left_out = [f"left out: {path.relative_to(report.folder)} ({reason})" for path, reason in report.left_out]
    problems = [f"problem: {problem}" for problem in report.problems]
    for lines, kind in ((left_out, "files left out"), (problems, "problems")):
        for line in lines[:MAX_LINES]:
            click.echo(f"  {line}")
        if len(lines) > MAX_LINES:
            click.echo(f"  ... and {len(lines) - MAX_LINES} more {kind}")
    click.echo(f"  {f'{len(report.problems)} problems' if report.problems else 'good'}")
