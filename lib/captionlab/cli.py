"""The ``captionlab`` command. Subcommands are imported when they are called, so that help is quick."""

from __future__ import annotations

import importlib
import io
import logging
import sys
from typing import Any

import click

from captionlab.common.logs import setup_logging

# Name: the function behind it, and its line in `captionlab --help`.
COMMANDS = {
    "build": (
        "captionlab.commands.build:build",
        "Build the notebooks of students and instructors from the texts of the labs.",
    ),
    "caption": ("captionlab.commands.caption:caption", "Train a captioning model, evaluate it, describe images."),
    "check": ("captionlab.commands.check:check", "Check your own work on a lab."),
    "data": ("captionlab.commands.data:data", "Fetch and verify the real data sets."),
    "demo": ("captionlab.commands.demo:demo", "Grade a small sample class, offline."),
    "experiment": (
        "captionlab.commands.experiment:experiment",
        "Run an experiment of a lab and write a table and a figure.",
    ),
    "grade": ("captionlab.commands.grade:grade", "Grade submissions of a lab."),
    "labs": ("captionlab.commands.check:labs", "List the labs and their exercises."),
    "mutate": ("captionlab.commands.mutate:mutate", "Find wrong answers that an exercise accepts (for contributors)."),
    "start": ("captionlab.commands.start:start", "Copy a lab to a folder of your own, to work there."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # Without their functions, which are not imported: click lists the names and suggests the nearest of them.
        self.commands = {name: click.Command(name, help=summary) for name, (_, summary) in COMMANDS.items()}

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", is_flag=True, help="More messages on the standard error stream.")
@click.option("-q", "--quiet", is_flag=True, help="Only warnings and results: no progress.")
@click.version_option(package_name="captionlab")
def main(verbose: bool, quiet: bool) -> None:
    """captionlab: a lab workbook with autograded exercises, from VGG16 to Show, Attend and Tell."""
    if verbose and quiet:
        raise click.UsageError("--verbose and --quiet exclude each other; give one of them")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ✔ shows ?, and nothing is lost
    setup_logging(logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO)
