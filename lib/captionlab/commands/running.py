"""Running what a command asks for: a user's mistake becomes one line, and the files written are named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click


@contextmanager
def user_errors() -> Iterator[None]:
    """Show errors that the user can correct as one line instead of a traceback."""
    from captionlab.datasets.errors import DataError

    try:
        yield
    except (ValueError, OSError, DataError, FloatingPointError) as error:
        raise click.ClickException(str(error)) from None


def run_experiment(function: Callable[..., list[Path]], *arguments: object) -> None:
    """Call an experiment and name the files it wrote."""
    with user_errors():
        for path in function(*arguments):
            click.echo(f"wrote {path}")
