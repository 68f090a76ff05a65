"""Telling how far a long piece of work has come: silently, or with bars in the terminal."""

from __future__ import annotations


class Quiet:
    """Says nothing and keeps what it was told, for tests and for programs; `Bars` is the one for people."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """One line worth knowing, such as a source that could not be used."""
        self.notes.append(text)

    def begin(self, label: str, total: int | None, done: int = 0, unit: str = "bytes") -> None:
        """A piece of work starts: `total` bytes or files (None if unknown), of which `done` are there already."""

    def advance(self, amount: int) -> None:
        """`amount` more bytes or files are done."""

    def end(self) -> None:
        """The piece of work is over, whether well or not."""


class Bars(Quiet):
    """Progress bars on the standard error stream; where that is no terminal, only the notes are written."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console

        self._console = Console(stderr=True)
        self._progress = self._task = None

    def note(self, text: str) -> None:
        super().note(text)
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def begin(self, label: str, total: int | None, done: int = 0, unit: str = "bytes") -> None:
        from rich import progress

        self.end()
        if unit == "bytes":
            columns = [progress.DownloadColumn(), progress.TransferSpeedColumn()]
        else:
            columns = [progress.MofNCompleteColumn()]
        self._progress = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            *columns,
            progress.TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task(label, total=total, completed=done)
        self._progress.start()

    def advance(self, amount: int) -> None:
        if self._progress is not None:
            self._progress.advance(self._task, amount)

    def end(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
