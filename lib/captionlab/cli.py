"""The ``captionlab`` command. Subcommands are imported when they are called, so that help is quick."""

from __future__ import annotations

import importlib
import sys

import click

COMMANDS = {
    "build": "captionlab.commands.build:build",
    "caption": "captionlab.commands.caption:caption",
    "check": "captionlab.commands.check:check",
    "data": "captionlab.commands.data:data",
    "demo": "captionlab.commands.demo:demo",
    "experiment": "captionlab.commands.experiment:experiment",
    "grade": "captionlab.commands.grade:grade",
    "labs": "captionlab.commands.check:labs",
}
SUMMARIES = {
    "build": "Make the notebooks of students and instructors from the labs' texts.",
    "caption": "Train a captioning model, evaluate it, describe pictures.",
    "check": "Check your own work on a lab.",
    "data": "Fetch and check the real data sets.",
    "demo": "Grade a small sample class, offline.",
    "experiment": "Run an experiment of a lab; it writes a table and a figure.",
    "grade": "Grade submissions of a lab.",
    "labs": "List the labs and their exercises.",
}


class LazyGroup(click.Group):
    """A group whose commands are known by name and imported on use."""

    def __init__(self, **settings) -> None:
        super().__init__(**settings)
        self.commands = dict.fromkeys(COMMANDS)  # names only: click suggests the nearest of them

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, SUMMARIES[name]) for name in sorted(COMMANDS)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="captionlab")
def main() -> None:
    """captionlab: a lab workbook with autograded exercises, from VGG16 to Show, Attend and Tell."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without ✔ shows ?, and nothing is lost
