"""The files that command lines name: archives that are read, and archives and reports that are written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import OutputError, UsageError
from ..host.output import AtomicFile as AtomicFile
from ..host.output import begins_with
from ..host.output import check_place as check_place
from ..host.output import working_folder_is_gone as working_folder_is_gone
from ..host.output import writing_to as writing_to
from ..host.standard_output import StandardOutput
from ..operations.places import NO_LOCK, far_target
from ..operations.places import is_address as is_address
from ..operations.places import located as located
from ..operations.places import named as named
from ..text.printable import printable
from .run import Run
from .words import CLOSED

if TYPE_CHECKING:
    from ..archive.destination import Destination

STDOUT = "-"
_Function = TypeVar("_Function", bound=Callable[..., Any])

output_option = click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    help="The archive to write, a file or an address; - is the standard output.",
)
force_option = click.option("--force", is_flag=True, help="Replace the output if it exists.")


retain_option = click.option(
    "--retain", metavar="SPAN", help="In buckets: nobody can remove the archive for so long, such as 30d."
)


def archive_argument(name: str, **attributes: Any) -> Callable[[_Function], _Function]:
    """An argument that names an archive to read: a file or an address, since it is read back and forth."""
    return click.argument(name, callback=_refuse_stdin, **attributes)


def archive_target(
    run: Run, output: str, *, force: bool, text: bool = False, source: str | None = None, retain: str | None = None
) -> Destination:
    """Where ``-o`` wants an archive, looked at before anything is asked for or written.

    To the standard output goes the archive and nothing else: results then go where the words for people go. With the
    ``source`` that it is made from, it does not take the place of that, ``force`` or not. ``retain`` is how long nobody
    is to remove it, where a place can promise that. Raises what
    :func:`check_file` raises, and :class:`UsageError` for a terminal, unless what is written is ``text``.
    """
    if output != STDOUT:
        if source is not None:
            refuse_itself(output, source)
        if is_address(output):
            return far_target(output, force=force, retain=retain)
        if retain is not None:
            raise UsageError(NO_LOCK)
        check_file(output, force=force)
        return Path(output)
    if retain is not None:
        raise UsageError(NO_LOCK)
    if sys.stdout is None:
        raise OutputError(CLOSED)
    target = StandardOutput(sys.stdout.buffer, text=text)
    run.terminal.give_stdout_away()
    return target


def refuse_itself(output: str, source: str, what: str = "archive") -> None:
    """Raises :class:`UsageError` where an output would take the place of the archive that it is made from.

    ``what`` it is, where it is no archive.
    """
    with suppress(OSError, ValueError):  # what is not there is nobody's place
        far = is_address(output) or is_address(source)
        if named(output) == named(source) if far else Path(output).samefile(source):
            message = f"{printable(named(output))} is the {what} itself, and would be gone"
            raise UsageError(message, hint="give the output another name")


def check_file(name: str, *, force: bool) -> None:
    """:func:`check_place` of a file as the command line names it: with a slash at its end it would be a folder."""
    if name.endswith("/"):
        raise UsageError(f"{printable(name)} names a folder, and a file is written", hint="name the file in it, too")
    check_place(Path(name), force=force)


@dataclass(frozen=True, slots=True)
class ReportFile:
    """Where a report is wanted that goes beside the results."""

    path: Path
    force: bool

    def open(self) -> AtomicFile:
        """The report on its way: the file is there when the block has ended well. Raises :class:`OutputError`."""
        return AtomicFile(self.path, force=self.force)

    def write(self, content: bytes) -> None:
        """The whole report. Raises :class:`OutputError`."""
        with self.open() as file:
            file.write(content)


def report_file(option: str, name: str, *, force: bool, mark: bytes) -> ReportFile:
    """The place of a report, looked at. Raises as above: the results have the standard output.

    The report of an earlier run is replaced, as each run makes it anew; it is known by ``mark``, which stands at its
    beginning.
    """
    if name == STDOUT:
        raise UsageError(f"{option} writes a file: the standard output has the results", hint="a file called - is ./-")
    force = force or begins_with(Path(name), mark)
    check_file(name, force=force)
    return ReportFile(Path(name), force)


def note_written(run: Run, target: Destination) -> None:
    """Notes that an archive is there, whatever becomes of the words about it."""
    if not isinstance(target, StandardOutput):
        run.terminal.wrote(str(target))


def _refuse_stdin(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    if value == STDOUT or (isinstance(value, tuple) and STDOUT in value):
        raise UsageError(
            "an archive is read back and forth, so it cannot come from the standard input",
            hint="write it into a file first; a file called - is ./-",
        )
    return value
