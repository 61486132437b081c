"""``help`` and ``version``: what the program has to say of itself."""

from __future__ import annotations

import sys

import click

from ..errors import UsageError
from ..text.printable import printable
from . import overview
from .examples import EXIT_CODES, TOPIC
from .frame import command, no_such_command
from .run import Run
from .words import broken, columns

_ERRORS = "errors"
_MESSAGES = "troubleshooting"


@command("help")
@click.argument("names", nargs=-1, metavar="[COMMAND]...")
def help(run: Run, names: tuple[str, ...]) -> None:  # noqa: A001 # what the command is called
    """Explain a command, or list them all.

    `manabackup help exit-codes` tells what the exit codes mean, `manabackup help errors` which pages on errors there
    are, and `manabackup help errors/NAME` what one comes from and what to do. `manabackup help troubleshooting` goes
    through single messages.
    """
    if names and names[0].split("/")[0] == _ERRORS:
        _explain(run, "/".join(names).partition("/")[2])
        return
    if names == (_MESSAGES,):
        _show(_MESSAGES, run)
        return
    if names == (TOPIC,):
        run.terminal.result(
            [{"code": code, "meaning": meaning} for code, meaning in EXIT_CODES.items()],
            (f"{code:>3}  {meaning}" for code, meaning in EXIT_CODES.items()),
        )
        return
    if not names:
        run.terminal.text(overview.help_text(columns(sys.stdout)))
        return
    context = click.get_current_context().find_root()
    for name in names:
        group = context.command
        if not isinstance(group, click.Group):
            raise UsageError(f"`{context.command_path}` has no command {printable(name[:64])}")
        found = group.get_command(context, name)
        if found is None:
            raise no_such_command(group, context, name)
        context = click.Context(found, context, info_name=name, **found.context_settings)
    run.terminal.text(f"{context.get_help()}\n")


def _explain(run: Run, page: str) -> None:
    if page:
        _show(page, run)
        return
    from ..operations.explained import pages

    run.terminal.result(pages(), (f"{_ERRORS}/{name}" for name in pages()))


def _show(page: str, run: Run) -> None:
    from ..operations.explained import explanation

    width = columns(sys.stdout)
    told = explanation(page).splitlines()
    lines = (part for line in told for part in broken(line, width, 2 if line.startswith("* ") else 0))
    run.terminal.text("".join(f"{line}\n" for line in lines))


@command("version")
def version(run: Run) -> None:
    """Tell which version this is."""
    run.terminal.result({"name": overview.PROGRAM, "version": overview.VERSION}, [overview.version_text().strip()])
