"""What the experiments' commands share: where results go, and how a user's mistake is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

OUT = click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("results"), show_default=True
)


@contextmanager
def said() -> Iterator[None]:
    """What the user got wrong inside the block is a line, not a traceback."""
    from captionlab.datasets.errors import DataError

    try:
        yield
    except (ValueError, OSError, DataError, FloatingPointError) as error:
        raise click.ClickException(str(error)) from None


def run(function: Callable[..., list[Path]], *arguments: object) -> None:
    """Call an experiment and name the files it wrote."""
    with said():
        for path in function(*arguments):
            click.echo(f"wrote {path}")
