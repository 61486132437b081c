"""What goes to whom: results to the standard output, words for people to the standard error.

Nothing that came from a server or an archive reaches a terminal with its control characters.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from ..errors import ManabackupError, OutputError, UsageError
from ..text.printable import printable
from .words import CLOSED, broken, cannot_write, columns, encoded, explained, is_terminal, say, write_out

if TYPE_CHECKING:
    from tqdm import tqdm

    from ..operations.progress import Progress, Step
    from ..text.jsontext import JSON

_GENERAL = frozenset({ManabackupError.page, UsageError.page})
"""Pages of many errors: the words of each say more than they do."""
_LONG = 100_000
_RED, _YELLOW, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[0m"
# What JSON lets stand raw and a terminal would obey: C1 controls, line separators, marks of direction.
_OBEYED = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


class Terminal:
    """The two outputs of a command. ``json`` makes :meth:`result` print records, and keeps progress bars away."""

    def __init__(self, *, json: bool = False, verbosity: int = 0, progress: bool = True) -> None:
        self.json = json
        self.verbosity = verbosity
        self._progress = progress and not json and verbosity >= 0 and is_terminal(sys.stderr)
        self._bars: Bars | None = None
        self._written: str | None = None
        self._results_are_words = False

    # results

    def give_stdout_away(self) -> None:
        """From now on the standard output is an archive's: results are words for people too."""
        self._results_are_words = True

    def wrote(self, name: str) -> None:
        """From now on what goes wrong with the standard output changes nothing about a file that is written."""
        self._written = name

    def result(self, record: JSON, lines: Iterable[str] = ()) -> None:
        """A command's result: ``record`` as one line of JSON with ``--json``, else ``lines`` for people."""
        stream = sys.stderr if self._results_are_words else sys.stdout
        width = columns(stream)
        text = json_line(record).decode() if self.json else "".join(f"{part}\n" for part in _parts(lines, width))
        if self._results_are_words:
            say(text)
            return
        looked_at = is_terminal(sys.stdout)
        with self._writing_stdout():
            # Files and programs get UTF-8, whatever the locale is.
            in_utf8 = self.json or not looked_at
            data = text.encode("utf-8", "backslashreplace") if in_utf8 else encoded(text, sys.stdout)
            sys.stdout.buffer.write(data)
        if looked_at:
            self.flush()  # before the words that follow it on the other stream

    def text(self, text: str) -> None:
        """Words that are what was asked for, such as help. Raises as :meth:`write` does."""
        with self._writing_stdout():
            write_out(text)

    def write(self, data: bytes) -> None:
        """Bytes to the standard output as they are. Raises :class:`OutputError`, and lets ``BrokenPipeError`` pass."""
        with self._writing_stdout():
            sys.stdout.buffer.write(data)

    def flush(self) -> None:
        """Everything to the standard output, so that its failure is a failure of the command."""
        with self._writing_stdout():
            sys.stdout.flush()

    @contextmanager
    def _writing_stdout(self) -> Iterator[None]:
        try:
            if sys.stdout is None:
                raise OutputError(CLOSED)
            yield
        except BrokenPipeError:
            if self._written is None:
                raise
            raise self._only_untold("nobody reads the standard output") from None
        except OSError as error:
            reason = cannot_write(error)
            raise (OutputError(reason) if self._written is None else self._only_untold(reason)) from None
        except OutputError as error:
            if self._written is None:
                raise
            raise self._only_untold(error.message) from None

    def _only_untold(self, reason: str) -> ManabackupError:
        return ManabackupError(f"{self._written} was written, but {reason}")

    # words for people

    def note(self, text: str) -> None:
        """Something good to know; not with ``-q``."""
        if self.verbosity >= 0:
            self._say(text)

    def detail(self, text: str) -> None:
        """Something for those who ask for it with ``-v``."""
        if self.verbosity >= 1:
            self._say(text)

    def warning(self, text: str) -> None:
        """Something to do about; also with ``-q``."""
        self._say(text, "warning: ", _YELLOW)

    def error(self, message: str, hint: str | None = None, page: str | None = None) -> None:
        """What ended the command, and what to do, else which page tells; beside a hint the page is told with ``-v``."""
        self._say(message, "error: ", _RED)
        if hint is not None:
            self._say(hint, "hint: ")
        elif page is not None and page not in _GENERAL:
            self._say(explained(page), "hint: ")
            return
        if page is not None and self.verbosity >= 1:
            self._say(f"`manabackup help errors/{page}`", "more: ")

    def _say(self, text: str, label: str = "", color: str = "") -> None:
        lines = list(broken(f"{label}{printable(text)}", columns(sys.stderr)))
        if color and is_terminal(sys.stderr) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb":
            lines[0] = f"{color}{label}{_PLAIN}{lines[0][len(label) :]}"
        with self._bars.hidden() if self._bars else nullcontext():
            say("".join(f"{line}\n" for line in lines))

    # progress

    def make_room(self) -> None:
        """No bar stands here any more until there is more progress: something is asked."""
        if self._bars is not None:
            self._bars.rest()

    @contextmanager
    def progress(self, words: Mapping[Step, str]) -> Iterator[Bars]:
        """Bars for long work, where somebody watches, one after the other; ``words`` name the steps."""
        from ..operations.progress import Step

        # Whatever writes an archive may have to send it on.
        bars = Bars({Step.SEND: "sending", **words}, shown=self._progress)
        self._bars, outer = bars, self._bars
        try:
            yield bars
        finally:
            bars.rest()
            self._bars = outer


class Bars:
    """A bar for each step, as long as it lasts (:data:`~manabackup.operations.progress.Watch`)."""

    def __init__(self, words: Mapping[Step, str], *, shown: bool) -> None:
        self._words = words
        self._shown = shown
        self._step: Step | None = None
        self._bar: tqdm[Any] | None = None

    def __call__(self, progress: Progress) -> None:
        """How far a step has come. Does nothing where nobody watches."""
        if not self._shown:
            return
        if self._bar is None or progress.step is not self._step:
            self.rest()
            self._step = progress.step
            self._bar = _bar(self._words[progress.step], progress.total, progress.step.unit)
        if progress.total is not None:
            self._bar.total = progress.total
        # With a prefix and a fraction where the number would be long; 98.0 of 266 rows are nobody's.
        self._bar.unit_scale = max(progress.done, progress.total or 0) >= _LONG
        self._bar.set_postfix_str(printable(progress.note), refresh=False)
        self._bar.update(progress.done - self._bar.n)

    def rest(self) -> None:
        """Away until there is more progress: something is asked, or all is done."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Away while something else is printed."""
        if self._bar is None:
            yield
            return
        with self._bar.external_write_mode(file=sys.stderr):
            yield


def json_line(record: JSON) -> bytes:
    """Canonical JSON and a newline; what a terminal would obey stands as ``\\u`` escapes."""
    from ..text import jsontext

    return for_terminal(jsontext.dumps(record)) + b"\n"


def for_terminal(line: bytes) -> bytes:
    """A line of JSON with ``\\u`` escapes for what a terminal would obey."""
    return _OBEYED.sub(_escape, line.decode("utf-8")).encode("utf-8")


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _parts(lines: Iterable[str], width: int | None) -> Iterator[str]:
    for line in lines:
        yield from broken(printable(line), width)


def _bar(what: str, total: int | None, unit: str) -> tqdm[Any]:
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # a thread of its own for nothing that we need
    return tqdm(
        desc=what,
        total=total,
        unit=f" {unit}" if unit else "",
        file=sys.stderr,
        leave=False,
        dynamic_ncols=True,
        mininterval=0.2,
    )
