"""The help of every command, and that a flag means the same in all of them."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from captionlab.cli import main


def all_commands(
    group: click.Group = main, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, group
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from all_commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(all_commands())


def test_experiments_are_grouped_by_lab():
    assert {path[1] for path in COMMANDS if path[:1] == ("experiment",) and len(path) == 3} == {
        *("lab1", "lab2", "lab3", "lab4")
    }
    assert ("experiment", "lab2", "layers") in COMMANDS


@pytest.mark.parametrize("path", list(COMMANDS), ids=" ".join)
def test_no_line_of_help_is_cut(path):
    done = CliRunner().invoke(main, [*path, "--help"], terminal_width=80)
    assert done.exit_code == 0, done.output
    text = done.output.partition("\n\n")[2]  # without the usage line
    for line in text.splitlines():
        assert not line.endswith("..."), line
        assert len(line) <= 80, line


@pytest.mark.parametrize("path", list(COMMANDS), ids=" ".join)
def test_every_option_says_what_it_is(path):
    for option in COMMANDS[path].params:
        if isinstance(option, click.Option):
            assert option.help or option.show_default, option.name


def kind(option: click.Option) -> str:
    """What a flag takes: nothing, a number, a file, a folder, one of some words, or text."""
    if option.is_flag:
        return "nothing"
    if isinstance(option.type, click.Path):
        return {(True, False): "a file", (False, True): "a folder"}.get(
            (option.type.file_okay, option.type.dir_okay), "a path"
        )
    return option.type.name.removesuffix(" range")


def test_a_flag_takes_the_same_in_all_commands():
    found: dict[str, dict[str, str]] = {}
    for path, command in COMMANDS.items():
        for option in command.params:
            if isinstance(option, click.Option):
                for flag in option.opts:
                    found.setdefault(flag, {}).setdefault(kind(option), " ".join(path))
    assert {flag: kinds for flag, kinds in found.items() if len(kinds) > 1} == {}


@pytest.mark.parametrize("name", ["lab2", "LAB2", "2", "scenes", "lab2_scenes"])
def test_labs_of_experiments_answer_to_the_names_of_other_commands(name):
    done = CliRunner().invoke(main, ["experiment", name, "layers", "--help"])
    assert done.exit_code == 0, done.output
