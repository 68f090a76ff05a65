"""Progress of long work: a bar in a terminal, otherwise a log line at least once a minute.

`track` wraps a loop, `progress_bar` a block. Both choose what fits the output; code that reports several pieces of
work takes a `Progress` as an argument, which `make_progress` makes.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from captionlab.common.logs import logger, setup_logging

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichBar

T = TypeVar("T")
LOG_INTERVAL = 30.0  # seconds between two log lines; half a minute, so that slow steps still give one per minute


class Progress:
    """How far one piece of work after another has come. This base class only counts.

    Attributes:
        description: what is being done, such as "computing features".
        total: number of units, None if unknown.
        completed: units that are done.
        unit: their name in the plural, such as "images"; "bytes" are shown as kB, MB or GB.
        postfix: values shown beside the count, such as the loss.
    """

    def __init__(self) -> None:
        self.description = self.unit = ""
        self.total: int | None = None
        self.completed: float = 0
        self.postfix: dict[str, str] = {}

    def start(self, description: str, total: int | None = None, *, completed: float = 0, unit: str = "steps") -> None:
        """A piece of work begins, of which `completed` units are done already; a previous one ends."""
        self.stop()
        self.description, self.total, self.completed, self.unit = description, total, completed, unit
        self.postfix = {}

    def advance(self, amount: float = 1) -> None:
        """`amount` more units are done."""
        self.completed += amount

    def set_postfix(self, **values: str) -> None:
        """Show these values beside the count, instead of earlier ones."""
        self.postfix = values

    def stop(self) -> None:
        """The piece of work has ended, successfully or not; calling it again has no effect."""

    def warn(self, text: str) -> None:
        """Report one line, such as a download source that could not be used."""
        logger.warning("%s", text)


class NullProgress(Progress):
    """Shows nothing; the warnings are collected in `warnings`."""

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


class LogProgress(Progress):
    """Writes log lines: when work starts, at least once a minute while it advances, and when it ends."""

    def __init__(
        self,
        *,
        log_ends: bool = True,
        interval: float = LOG_INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Log to the ``captionlab`` logger.

        Args:
            log_ends: write the lines at the start and the end; False if the caller writes its own, one per epoch say.
            interval: seconds after which the next line is due.
            clock: returns seconds; tests replace it.
        """
        super().__init__()
        self._log_ends, self._interval, self._clock = log_ends, interval, clock
        self._running = False
        self._started = self._logged = 0.0
        self._completed_before: float = 0

    def start(self, description: str, total: int | None = None, *, completed: float = 0, unit: str = "steps") -> None:
        super().start(description, total, completed=completed, unit=unit)
        self._running, self._completed_before = True, completed
        self._started = self._logged = self._clock()
        if self._log_ends:
            amount = self._count() if completed else self._amount(total)
            logger.info("%s", f"{description}: {amount}" if amount else description)

    def advance(self, amount: float = 1) -> None:
        super().advance(amount)
        now = self._clock()
        if self._running and now - self._logged >= self._interval:
            self._logged = now
            logger.info(
                "%s", ", ".join([f"{self.description}: {self._count()}", *self._time_left(now), *self._values()])
            )

    def stop(self) -> None:
        if self._running and self._log_ends:
            seconds = format_duration(self._clock() - self._started)
            is_complete = self.total is None or self.completed > self.total - 1e-6  # fractions may not add up
            count = self._amount(self.completed) if is_complete else f"stopped after {self._count()}"
            logger.info("%s", ", ".join([f"{self.description}: {count} in {seconds}", *self._values()]))
        self._running = False

    def _amount(self, number: float | None) -> str:
        if number is None:
            return ""
        return format_size(number) if self.unit == "bytes" else f"{number:.0f} {self.unit}"

    def _count(self) -> str:
        """As in "20 of 80 images (25%)"."""
        if self.total is None:
            return self._amount(self.completed)
        done = format_size(self.completed) if self.unit == "bytes" else f"{self.completed:.0f}"
        percent = f" ({self.completed / self.total:.0%})" if self.total else ""
        return f"{done} of {self._amount(self.total)}{percent}"

    def _time_left(self, now: float) -> list[str]:
        done = self.completed - self._completed_before
        if self.total is None or done <= 0 or self.completed >= self.total:
            return []
        return [f"{format_duration((now - self._started) / done * (self.total - self.completed))} left"]

    def _values(self) -> list[str]:
        return [f"{name} {value}" for name, value in self.postfix.items()]


class RichProgress(Progress):
    """Progress bars on the standard error stream, which must be a terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: RichBar | None = None

    def start(self, description: str, total: int | None = None, *, completed: float = 0, unit: str = "steps") -> None:
        from rich import progress

        super().start(description, total, completed=completed, unit=unit)
        counts: list[progress.ProgressColumn] = [progress.MofNCompleteColumn(), progress.TextColumn(unit, markup=False)]
        if unit == "bytes":
            counts = [progress.DownloadColumn(), progress.TransferSpeedColumn()]
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            *counts,
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[postfix]}", markup=False),
            console=_console(),
        )
        self._task = self._bar.add_task(description, total=total, completed=int(completed), postfix="")
        self._bar.start()

    def advance(self, amount: float = 1) -> None:
        super().advance(amount)
        if self._bar is not None:
            self._bar.update(self._task, completed=self.completed)

    def set_postfix(self, **values: str) -> None:
        super().set_postfix(**values)
        if self._bar is not None:
            self._bar.update(self._task, postfix="  ".join(f"{name} {value}" for name, value in values.items()))

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


@cache
def _console() -> Console:
    """One console for all bars, so that nested ones are drawn below each other."""
    from rich.console import Console

    return Console(stderr=True)


def make_progress(enabled: bool = True, *, log_ends: bool = True) -> Progress:
    """The progress display that fits the standard error stream.

    A program that has not set up logging gets the plain handler of :func:`captionlab.common.logs.setup_logging`.

    Args:
        enabled: False shows nothing.
        log_ends: as for `LogProgress`.
    """
    if not enabled or logger.level > logging.INFO:  # a level of its own: captionlab --quiet
        return NullProgress()
    if not logger.hasHandlers():
        setup_logging()
    if sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return RichProgress()
    return LogProgress(log_ends=log_ends)


@contextmanager
def progress_bar(
    description: str,
    total: int | None = None,
    *,
    completed: float = 0,
    unit: str = "steps",
    progress: bool = True,
    log_ends: bool = True,
) -> Iterator[Progress]:
    """Show the progress of the block; the block calls `advance` of the value it gets.

    Args:
        description: what is being done, such as "computing features".
        total: number of units, None if unknown.
        completed: units that are done already.
        unit: their name in the plural.
        progress: False shows nothing.
        log_ends: False leaves the lines at the start and the end out of a log.
    """
    display = make_progress(progress, log_ends=log_ends)
    display.start(description, total, completed=completed, unit=unit)
    try:
        yield display
    finally:
        display.stop()


def track(
    iterable: Iterable[T],
    description: str,
    *,
    total: int | None = None,
    unit: str = "steps",
    progress: bool = True,
    log_ends: bool = True,
) -> Iterator[T]:
    """Iterate and show the progress, as in ``for image in track(images, "resizing", unit="images")``.

    Args:
        iterable: what to iterate over.
        description, unit, progress, log_ends: as for `progress_bar`.
        total: number of items; by default the length of the iterable if it has one.
    """
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    with progress_bar(description, total, unit=unit, progress=progress, log_ends=log_ends) as bar:
        for item in iterable:
            yield item
            bar.advance()


def format_size(size: float) -> str:
    """A number of bytes in decimal units.

    >>> format_size(17796669)
    '17.8 MB'
    """
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def format_duration(seconds: float) -> str:
    """A time span in its two largest units.

    >>> format_duration(4.2), format_duration(64), format_duration(7380)
    ('4.2 s', '1 min 4 s', '2 h 3 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
