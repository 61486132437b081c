"""Log records as words on a terminal."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Self

from .terminal import Terminal


class LogLines(logging.Handler):
    """While entered, log records are words: warnings of everybody, and with ``-v`` what this package has to say."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal
        self._level_before = logging.NOTSET

    def __enter__(self) -> Self:
        package = logging.getLogger(__name__.partition(".")[0])
        self._level_before = package.level
        package.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[max(0, min(self._terminal.verbosity, 2))])
        logging.getLogger().addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger().removeHandler(self)
        logging.getLogger(__name__.partition(".")[0]).setLevel(self._level_before)

    def emit(self, record: logging.LogRecord) -> None:
        """One line for one record; warnings always, others with ``-v``."""
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            self._terminal.warning(text)
        else:
            self._terminal.detail(text)
