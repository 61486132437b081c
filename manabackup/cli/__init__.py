"""The command line: a thin layer of options, prompts and words over ``operations``.

:func:`main` answers ``--version`` and ``--help`` with the text of ``overview``, so that they cost no imports.
"""

from __future__ import annotations

import os
import sys

from . import overview
from .words import columns, say_and_end


def main() -> int:
    """Runs the command in ``sys.argv`` and gives its exit code: of ``errors``, of ``run.Exit``, or 130."""
    arguments = sys.argv[1:]
    try:
        _keep_private()
        _fill_closed_streams()
        if arguments in (["--version"], ["-V"], ["version"]):
            return say_and_end(overview.version_text())
        if arguments in (["--help"], ["-h"], ["help"]):
            return say_and_end(overview.help_text(columns(sys.stdout)))
        from .endings import end_at_once

        end_at_once()
        from .execution import execute

        return execute(arguments)
    except KeyboardInterrupt:  # before anybody listened, or while an error was being told
        return 130


def _fill_closed_streams() -> None:
    """No file that is opened later gets the number of a standard stream, where somebody may write words into it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one


def _keep_private() -> None:
    """No file of this process is readable for others, and no crash leaves its memory on the disk."""
    import resource

    os.umask(0o077)
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
