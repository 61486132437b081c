"""From a command line to an exit code: the one place where errors become words."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Callable, Iterator
from functools import partial

import click

from ..errors import DamagedArchiveError, ManabackupError, NotFoundError, OutputError, UsageError
from ..host.secret_sources import variable
from ..operations.account.settings import SECRETS, TARGET
from ..text.printable import one_line, printable
from . import overview
from .endings import INTERRUPTED, end_with, raise_interrupts
from .frame import program
from .run import Run
from .words import abandon_unwritten, say

_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO})
_LONGEST_MESSAGE = 2_000
_WAIT = "--wait"
_INSTALL = "schedule install"
_AN_HOUR = "3600"


def execute(
    arguments: list[str],
    whole: click.Group | None = None,
    *,
    run: Run | None = None,
    understood: Callable[[list[str], Run], click.Context] | None = None,
) -> int:
    """Runs one command of ``whole``, by default of this program; nothing but an exit code comes out.

    ``understood`` makes of the command line what is invoked, where ``whole`` does not.

    What went wrong is in :attr:`Run.error` of ``run`` besides, where that is given.
    """
    run = Run(os.environ) if run is None else run
    try:
        raise_interrupts()
        code = _invoke(understood or partial(_understood, whole or program()), arguments, run)
        run.terminal.flush()
        end_with(code)
        return code
    except KeyboardInterrupt:
        run.terminal.error("interrupted")
        code = INTERRUPTED
    except BrokenPipeError:  # whoever read the output has had enough
        code = 1
    except Exception as error:  # noqa: BLE001 # told here, whatever it is
        if run.terminal.verbosity >= 2:
            _show_trace(error)
        told = run.error = _as_ours(error)
        run.terminal.error(one_line(_words(told), _LONGEST_MESSAGE), told.hint, told.page)
        code = told.exit_code
    finally:
        run.end()
    abandon_unwritten()
    end_with(code)
    return code


def _understood(whole: click.Group, arguments: list[str], run: Run) -> click.Context:
    if overview.COMPLETION in os.environ:
        whole.main(arguments, prog_name=overview.PROGRAM, complete_var=overview.COMPLETION)
    return whole.make_context(overview.PROGRAM, list(_with_seconds(arguments)), obj=run)


def _invoke(understood: Callable[[list[str], Run], click.Context], arguments: list[str], run: Run) -> int:
    try:
        with understood(arguments, run) as context:
            return int(context.command.invoke(context) or 0)
    except click.exceptions.Exit as end:
        return end.exit_code


def _with_seconds(arguments: list[str]) -> Iterator[str]:
    """The same command line, with a number behind each ``--wait``: alone among options it may do without."""
    options = True
    for number, argument in enumerate(arguments):
        options = options and argument != "--"
        alone = argument == _WAIT and not "".join(arguments[number + 1 : number + 2]).isdigit()
        yield f"{_WAIT}={_AN_HOUR}" if options and alone else argument


def _as_ours(error: Exception) -> ManabackupError:
    """An error as one of this program's, which has words, an exit code and a page."""
    match error:
        case ManabackupError():
            return error
        case click.UsageError():
            return _usage(error)
        case FileNotFoundError() if error.filename is None and _nowhere():
            from .files import working_folder_is_gone  # at the end of few commands, and not at the beginning of all

            return working_folder_is_gone()
        case FileNotFoundError():
            return NotFoundError(f"{error.filename or 'a file'} does not exist")
        case OSError():
            kind = OutputError if error.errno in _DISK else ManabackupError
            where = f"{error.filename}: " if error.filename else ""
            return kind(f"{where}{error.strerror or type(error).__name__}")
        case RecursionError():
            return ManabackupError("the data nests too deeply")
        case MemoryError():
            return ManabackupError("the memory does not suffice")
    # The words of any other error may quote data.
    words = f"an error in this program ({type(error).__name__})"
    return ManabackupError(words, hint="-vv shows where; a report of it is welcome")


def _words(error: ManabackupError) -> str:
    """Of a damaged archive also which one it is."""
    archive = error.archive if isinstance(error, DamagedArchiveError) else None
    named = archive is None or str(archive) in error.message
    return error.message if named else f"{archive}: {error.message}"


def _nowhere() -> bool:
    """Whether this process' working folder has been removed."""
    try:
        os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        return True
    return False


def _usage(error: click.UsageError) -> UsageError:
    message = error.format_message().strip().removesuffix(".")
    hint = f"see `{error.ctx.command_path if error.ctx else overview.PROGRAM} --help`"
    if isinstance(error, click.NoSuchOption):
        name = error.option_name.lstrip("-")
        if name.removeprefix(TARGET) in SECRETS:
            hint = f"secrets never stand on the command line: --{name}-file, --{name}-command, or {variable(name)}"
        elif error.ctx is not None and error.ctx.command_path.endswith(_INSTALL):
            hint = f"what is to run stands behind --, as in `{overview.PROGRAM} {_INSTALL} -- export --seal -o …`"
    return UsageError(message[:1].lower() + message[1:], hint=hint)


def _show_trace(error: Exception) -> None:
    for block in traceback.format_exception(error):
        for line in block.splitlines():
            say(printable(line) + "\n")
