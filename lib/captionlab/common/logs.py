"""Log messages: the ``captionlab`` logger, and the plain handler that programs give it."""

from __future__ import annotations

import logging
import sys

logger = logging.getLogger("captionlab")


class _StderrHandler(logging.Handler):
    """Writes to whatever `sys.stderr` is at the moment: a progress bar replaces it to print lines above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(self.format(record), file=sys.stderr, flush=True)
        except Exception:
            self.handleError(record)


def setup_logging(level: int = logging.INFO) -> None:
    """Write the messages of captionlab to the standard error stream, one plain line per message.

    Calling it again only changes the level.

    Args:
        level: the lowest level that is written, such as `logging.DEBUG`.
    """
    logger.setLevel(level)
    if not any(isinstance(handler, _StderrHandler) for handler in logger.handlers):
        handler = _StderrHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
