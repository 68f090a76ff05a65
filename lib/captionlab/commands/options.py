"""Options that several commands share: one flag has one meaning, and one help text, in all of them."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
PUBLISHED = Path("results")  # the repository's folder of published measurements, below the current folder

BEAMS = click.option("--beams", type=click.IntRange(1), default=5, show_default=True, help="Beams of the search.")
EXTRA_DATA = click.option("--extra-data", metavar="PATH", help="Second folder or zip archive with more images.")
NETWORK = click.option("--network", metavar="NAME", help="The pretrained network; by default one that suits the data.")
NETWORKS = click.option(
    "--network", "networks", metavar="NAME", multiple=True, help="A network to compare; repeat for several."
)
RUNS = click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the training runs.  [default: runs below CAPTIONLAB_DATA]",
)
SET = click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting, such as epochs=3.")
SPLIT = click.option("--split", type=click.Choice(["train", "dev", "test"]), default="dev", show_default=True)


def dataset_option(metavar: str, help: str, default: str | None = None) -> Callable[[Command], Command]:
    """``--dataset``: the images, by the name of a data set or as a folder.

    Args:
        metavar: the names, such as ``scene15|embedded|FOLDER``.
        help: what a folder must contain, and what is taken by default if that depends on what is here.
        default: the default value, if it is fixed.
    """
    return click.option("--dataset", metavar=metavar, default=default, show_default=default is not None, help=help)


def seeds_option(default: int | None, help: str = "Number of seeds, counted from 0.") -> Callable:
    """``--seeds``: how many seeds are run."""
    return click.option("--seeds", type=click.IntRange(1), default=default, show_default=default is not None, help=help)


def limit_option(default: int) -> Callable:
    """``--limit``: how many images are used at most."""
    return click.option(
        "--limit", type=click.IntRange(1), default=default, show_default=True, help="Maximum number of images."
    )


def output_options(lab: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """``--out`` and ``--publish``: the command gets the folder its results go to, as ``out``.

    Args:
        lab: results go to ``experiments/LAB`` by default.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @click.option(
            "--out",
            type=click.Path(path_type=Path, file_okay=False),
            help=f"Folder for the results.  [default: experiments/{lab}]",
        )
        @click.option("--publish", is_flag=True, help="Write to results/ and replace what is published there.")
        @functools.wraps(function)
        def command(*arguments: Any, out: Path | None, publish: bool, **options: Any) -> None:
            function(*arguments, out=output_folder(out, publish, Path("experiments") / lab), **options)

        return command

    return decorate


def output_folder(out: Path | None, publish: bool, default: Path) -> Path:
    """Where results go: never to the published ones by accident.

    Raises:
        click.UsageError: if ``--out`` and ``--publish`` contradict each other, or there is nothing published here.
    """
    if publish and out is not None:
        raise click.UsageError("--publish writes to results/: give either --publish or --out")
    if publish and not PUBLISHED.is_dir():
        raise click.UsageError("there is no folder results/ here: run --publish in the root folder of the repository")
    if out is not None and PUBLISHED.is_dir() and out.resolve() == PUBLISHED.resolve():
        raise click.UsageError("results/ holds the published results: give --publish, without --out, to replace them")
    return PUBLISHED if publish else out or default


def parse_settings(settings: tuple[str, ...]) -> dict[str, Any]:
    """The values of ``--set NAME=VALUE`` as a configuration file would have them.

    >>> parse_settings(("epochs=3", "cell=gru", "gate=false"))
    {'epochs': 3, 'cell': 'gru', 'gate': False}

    Raises:
        click.BadParameter: if one has no ``=``.
    """
    values = {}
    for each in settings:
        name, equals, value = each.partition("=")
        if not equals:
            raise click.BadParameter(f"found {each!r}, expected NAME=VALUE, such as epochs=3", param_hint="--set")
        try:
            values[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            values[name.strip()] = value.strip()
    return values
