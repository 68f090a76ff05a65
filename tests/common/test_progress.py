"""Progress of long work: log lines at the start, at least once a minute and at the end; bars in a terminal."""

import io
import logging
import sys

import pytest

from captionlab.common import progress
from captionlab.common.logs import logger, setup_logging
from captionlab.common.progress import LogProgress, NullProgress, RichProgress, make_progress, progress_bar, track


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lines(caplog):
    """The messages logged so far."""
    caplog.set_level(logging.INFO, "captionlab")
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.fixture
def terminal(monkeypatch):
    """Makes the standard error stream a terminal; called in the test, as pytest replaces the stream before it."""

    def replace(term="xterm"):
        monkeypatch.setattr(sys, "stderr", Terminal())
        monkeypatch.setenv("TERM", term)
        progress._console.cache_clear()
        return sys.stderr

    yield replace
    progress._console.cache_clear()


def test_log_has_a_line_at_least_once_a_minute(clock, caplog):
    caplog.set_level(logging.INFO, "captionlab")
    log, times = LogProgress(clock=clock), []
    log.start("computing features", 100, unit="images")
    for _ in range(100):
        before = len(caplog.records)
        clock.now += 7  # 700 s altogether
        log.advance()
        times += [clock.now] * (len(caplog.records) - before)
    pauses = [later - earlier for earlier, later in zip([1000.0, *times], [*times, clock.now], strict=True)]
    assert max(pauses) <= 60
    assert min(pauses[:-1]) >= 30  # and not with every image


def test_log_names_amounts_and_times(clock, lines):
    log = LogProgress(clock=clock)
    log.start("computing features", 80, unit="images")
    for seconds in (10, 20, 34):
        clock.now += seconds
        log.advance(20)
    log.set_postfix(loss="0.53")
    log.advance(20)
    log.stop()
    log.stop()
    assert lines() == [
        "computing features: 80 images",
        "computing features: 40 of 80 images (50%), 30 s left",
        "computing features: 60 of 80 images (75%), 21 s left",
        "computing features: 80 images in 1 min 4 s, loss 0.53",
    ]


def test_log_of_resumed_work_in_bytes(clock, lines):
    log = LogProgress(clock=clock)
    log.start("downloading x", 4_000_000, completed=2_000_000, unit="bytes")
    clock.now += 40
    log.advance(1_000_000)
    clock.now += 5
    log.start("reading", unit="files")  # ends the first
    log.advance(3)
    log.stop()
    assert lines() == [
        "downloading x: 2.0 MB of 4.0 MB (50%)",
        "downloading x: 3.0 MB of 4.0 MB (75%), 40 s left",
        "downloading x: stopped after 3.0 MB of 4.0 MB (75%) in 45 s",
        "reading",
        "reading: 3 files in 0.0 s",
    ]


def test_log_without_its_ends_has_only_the_lines_between(clock, lines):
    log = LogProgress(clock=clock, log_ends=False)
    log.start("epoch 1/2", 2, unit="batches")
    clock.now += 31
    log.advance()
    log.advance()
    log.stop()
    assert lines() == ["epoch 1/2: 1 of 2 batches (50%), 31 s left"]


def test_fractions_that_add_up_to_the_total_are_complete(lines):
    with progress_bar("grids", 10, unit="images") as bar:
        for _ in range(100):
            bar.advance(0.1)
    assert lines()[-1].startswith("grids: 10 images in")


def test_track_logs_and_yields_the_items(lines):
    assert list(track("abc", "resizing", unit="images")) == ["a", "b", "c"]
    assert list(track(iter("ab"), "reading", unit="files")) == ["a", "b"]
    first, last, _, unknown = lines()
    assert first == "resizing: 3 images"
    assert last.startswith("resizing: 3 images in ")
    assert unknown.startswith("reading: 2 files in ")


def test_an_exception_ends_the_work(lines):
    def fail():
        with progress_bar("reading", 5, unit="files") as bar:
            bar.advance(2)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert lines()[-1].startswith("reading: stopped after 2 of 5 files (40%) in ")


def test_nothing_is_shown_if_not_wanted(lines, capsys):
    assert list(track("abc", "resizing", progress=False)) == ["a", "b", "c"]
    assert isinstance(make_progress(False), NullProgress)
    assert lines() == []
    assert capsys.readouterr().err == ""


def test_quiet_logger_means_no_bar(terminal, monkeypatch):
    terminal()
    monkeypatch.setattr(logger, "level", logging.WARNING)
    assert isinstance(make_progress(), NullProgress)


@pytest.mark.parametrize(("term", "kind"), [("xterm", RichProgress), ("dumb", LogProgress)])
def test_bar_only_in_a_terminal_that_can_draw_it(terminal, term, kind):
    terminal(term)
    assert type(make_progress()) is kind


def test_log_where_the_output_is_no_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert type(make_progress()) is LogProgress


def test_bars_in_a_terminal(terminal, monkeypatch):
    stderr = terminal()
    monkeypatch.setattr(logger, "handlers", [])
    setup_logging()
    bars = make_progress()
    bars.start("downloading x", 10_000, unit="bytes")
    bars.advance(10_000)
    bars.start("resizing", 3, unit="images")
    with progress_bar("one of them", 2, unit="rows") as inner:
        inner.advance(2)
        inner.set_postfix(loss="0.5")
    bars.advance(3)
    bars.warn("a line [with brackets]")
    bars.stop()
    bars.stop()
    shown = stderr.getvalue()
    for part in ("downloading x", "10.0/10.0 kB", "3/3", "images", "2/2", "rows", "loss 0.5", "a line [with brackets]"):
        assert part in shown, part


def test_logging_is_set_up_if_the_program_has_not(monkeypatch):
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    monkeypatch.setattr(logger, "propagate", False)  # pytest's own handlers are on the root
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    logger._cache.clear()
    for _ in track("ab", "resizing", unit="images"):
        pass
    setup_logging()
    setup_logging(logging.WARNING)
    assert len(logger.handlers) == 1
    logger.info("not shown")
    assert sys.stderr.getvalue().splitlines()[0] == "resizing: 2 images"
    assert len(sys.stderr.getvalue().splitlines()) == 2
    logger.setLevel(logging.NOTSET)


def test_null_progress_keeps_the_warnings():
    null = NullProgress()
    null.start("reading", 3)
    null.advance(2)
    null.warn("no such source")
    null.stop()
    assert (null.completed, null.warnings) == (2, ["no such source"])
