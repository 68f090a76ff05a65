"""`captionlab data`: list, fetch and verify the course's real data sets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

ROOT = click.option(
    "--root", metavar="FOLDER", help="Folder of all data sets.  [default: CAPTIONLAB_DATA, else the cache folder]"
)
SHOWN = 20  # lines of a list of faults that are shown


@contextmanager
def _one_line() -> Iterator[None]:
    """A failure of the data becomes a line on the error stream and exit status 1, never a traceback."""
    from captionlab.datasets.errors import DataError

    try:
        yield
    except DataError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt as error:
        raise click.ClickException(
            "stopped; run the same command again, a download goes on where it stopped"
        ) from error


@click.group()
def data() -> None:
    """Fetch and check the real data sets (the labs also run without them, on embedded data)."""


@data.command(name="list")
@ROOT
def list_(root: str | None) -> None:
    """Show the data sets, their sizes, and which of them are here."""
    from rich.console import Console
    from rich.table import Table

    from captionlab.datasets.catalog import DATASETS
    from captionlab.datasets.disk import readable
    from captionlab.datasets.paths import data_root
    from captionlab.datasets.store import is_whole

    folder = data_root(root)
    table = Table("name", "what", "download", "here", title=f"Data sets in {folder}", title_justify="left")
    for dataset in DATASETS.values():
        target = folder / dataset.folder
        here = f"yes: {dataset.folder}" if is_whole(dataset, target) else "incomplete" if target.exists() else "no"
        table.add_row(dataset.name, f"{dataset.title}: {dataset.what}", readable(dataset.size), here)
    Console().print(table)


@data.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@ROOT
@click.option(
    "--mirror",
    metavar="FOLDER|URL",
    help="Copy of the archives, asked before their public homes.  [default: CAPTIONLAB_MIRROR]",
)
@click.option("--keep-archive", is_flag=True, help="Keep the downloaded archives below FOLDER/.downloads.")
@click.option("--force", is_flag=True, help="Fetch anew and replace what is there.")
def fetch(names: tuple[str, ...], root: str | None, mirror: str | None, keep_archive: bool, force: bool) -> None:
    """Download, check and unpack data sets; run it again after a failure and it goes on."""
    from captionlab.datasets import store
    from captionlab.datasets.catalog import get

    with _one_line():
        for dataset in [get(name) for name in names]:  # all names looked up before the first download
            click.echo(f"{dataset.title}. {dataset.terms}", err=True)
            click.echo(store.fetch(dataset.name, root, mirror, keep_archive=keep_archive, force=force))


@data.command()
@click.argument("name", required=False)
@ROOT
@click.option("--quick", is_flag=True, help="Decode no image; look at names and numbers only.")
def verify(name: str | None, root: str | None, quick: bool) -> None:
    """Check the data set NAME, or all that are here: numbers, captions, unreadable images."""
    from captionlab.datasets.catalog import DATASETS, get
    from captionlab.datasets.paths import data_root
    from captionlab.datasets.store import fetch_command

    with _one_line():
        folder = data_root(root)
        here = [dataset.name for dataset in DATASETS.values() if (folder / dataset.folder).exists()]
        if name is None and not here:
            raise click.ClickException(f"no data set is in {folder}; fetch one with: {fetch_command(['NAME'], root)}")
        wrong = [each for each in ([get(name).name] if name else here) if not _verify_one(each, root, quick)]
    if wrong:
        raise click.ClickException(
            f"{', '.join(wrong)}: not as it should be; replace with: {fetch_command(wrong, root, force=True)}"
        )


def _verify_one(name: str, root: str | None, quick: bool) -> bool:
    """Print what is found of one data set; whether it is good."""
    from captionlab.common.progress import make_progress
    from captionlab.datasets import verify as checks
    from captionlab.datasets.catalog import get
    from captionlab.datasets.paths import data_root
    from captionlab.datasets.store import lacking

    dataset = get(name)
    target = data_root(root) / dataset.folder
    if target.exists() and (missing := lacking(dataset, target)):
        click.echo(f"{name} in {target}\n  incomplete: there is no {missing[0]}")
        return False
    findings = checks.verify(name, root, quick=quick, progress=make_progress())
    click.echo(f"{name} in {findings.folder}")
    for count in findings.counts:
        mark = "" if count.is_right else f"  WRONG, expected {count.expected}"
        click.echo(f"  {count.part:<12}{count.of:<32}{count.found:>7}{mark}")
    for path, reason in findings.left_out[:SHOWN]:
        click.echo(f"  left out: {path.relative_to(findings.folder)} ({reason})")
    for note in findings.notes:
        click.echo(f"  note: {note}")
    for problem in findings.problems[:SHOWN]:
        click.echo(f"  problem: {problem}")
    for lines, what in ((findings.left_out, "files left out"), (findings.problems, "problems")):
        if len(lines) > SHOWN:
            click.echo(f"  ... and {len(lines) - SHOWN} more {what}")
    click.echo(f"  {'good' if not findings.problems else f'{len(findings.problems)} problems'}")
    return not findings.problems
