"""The ``captionlab`` command itself: its options, and what it says of a wrong name."""

import logging

import pytest
from click.testing import CliRunner

from captionlab import cli
from captionlab.common.logs import logger


@pytest.fixture(autouse=True)
def _level(monkeypatch):
    monkeypatch.setattr(logger, "level", logger.level)
    yield
    logger._cache.clear()


def invoke(*arguments):
    return CliRunner().invoke(cli.main, arguments)


@pytest.mark.parametrize(
    ("option", "level"),
    [("--verbose", logging.DEBUG), ("-v", logging.DEBUG), ("-q", logging.WARNING), (None, logging.INFO)],
)
def test_options_set_the_level_of_messages(option, level):
    assert invoke(*([option] if option else []), "labs", "--help").exit_code == 0
    assert logger.level == level


def test_messages_go_to_the_error_stream_as_plain_lines(monkeypatch):
    def log():
        logger.info("a message")
        logger.debug("a detail")

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: cli.click.Command("log", callback=log))
    done = invoke("log")
    assert (done.stdout, done.stderr) == ("", "a message\n")
    assert invoke("-v", "log").stderr == "a message\na detail\n"
    assert invoke("-q", "log").stderr == ""


def test_verbose_and_quiet_exclude_each_other():
    done = invoke("-v", "-q", "labs")
    assert done.exit_code == 2
    assert "exclude each other" in done.output


def test_a_wrong_name_gets_the_nearest():
    assert "Did you mean 'grade'?" in invoke("grede").output


def test_every_command_loads():
    assert list(cli.COMMANDS) == sorted(cli.COMMANDS)
    for name in cli.COMMANDS:
        assert invoke(name, "--help").exit_code == 0
