"""What stands for a parameter's value where a shell completes it. Of others nothing is known.

A shell's script (``completion``) runs the program with :data:`~manabackup.cli.overview.COMPLETION` in its environment;
click parses what is there of the command line, and asks the parameter's type.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType

from ..operations.account.settings import resolve
from . import overview

_FILES = frozenset({"FILE", "FILE...", "OUT", "PAGE", "REPORT"})
_ARCHIVES = ("file", "a")
"""Parameters that name an archive whose tables may be meant."""


def with_completions(parameters: Iterable[click.Parameter]) -> None:
    """Lets parameters that take any text know what may stand there."""
    for parameter in parameters:
        if isinstance(parameter.type, StringParamType) and not isinstance(parameter.type, _Completed):
            complete = _completer(parameter)
            if complete is not None:
                parameter.type = _Completed(complete)


class _Completed(StringParamType):
    """Any text; ``complete`` gives what a shell offers."""

    def __init__(self, complete: Callable[[click.Context, str], list[CompletionItem]]) -> None:
        self._complete = complete

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return self._complete(ctx, incomplete)


def _completer(parameter: click.Parameter) -> Callable[[click.Context, str], list[CompletionItem]] | None:
    option = parameter.opts[-1]
    if isinstance(parameter, click.Argument):
        names = {"table": _tables, "names": _commands}.get(str(parameter.name))
        return _file if names is None else _one_of(names)
    if option in _NAMED:
        return _one_of(_NAMED[option])
    if parameter.metavar == "DIR":
        return lambda context, incomplete: [CompletionItem(incomplete, type="dir")]
    return _file if parameter.metavar in _FILES else None


def _file(context: click.Context, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


def _one_of(
    names: Callable[[click.Context], Iterable[str]],
) -> Callable[[click.Context, str], list[CompletionItem]]:
    return lambda context, incomplete: [CompletionItem(name) for name in names(context) if name.startswith(incomplete)]


def _apps(context: click.Context) -> list[str]:
    from ..operations.completions import app_names

    return app_names()


def _tables(context: click.Context) -> list[str]:
    from ..operations.completions import table_names

    given = next((context.params[name] for name in _ARCHIVES if isinstance(context.params.get(name), str)), None)
    return table_names(None if given is None else Path(given).expanduser())


def _formats(context: click.Context) -> list[str]:
    from ..operations.completions import format_names

    return format_names()


def _profiles(context: click.Context) -> list[str]:
    from ..errors import ManabackupError
    from ..operations.account.state import default_root
    from ..operations.completions import profile_names

    flags: dict[str, Any] = context.meta.get(overview.FLAGS, {})
    try:
        settings = resolve({name: value for name, value in flags.items() if name != "profile"}, os.environ)
    except ManabackupError:
        return []
    return profile_names(settings.known_profiles, settings.state_dir or default_root())


def _commands(context: click.Context) -> list[str]:
    group = context.find_root().command
    for name in context.params.get("names") or ():
        found = group.get_command(context, name) if isinstance(group, click.Group) else None
        if found is None:
            return []
        group = found
    return group.list_commands(context) if isinstance(group, click.Group) else []


_NAMED: dict[str, Callable[[click.Context], Iterable[str]]] = {
    "--app": _apps,
    "--extra-app": _apps,
    "--table": _tables,
    "--profile": _profiles,
    "--to-profile": _profiles,
    "--to": _formats,
    "--lang": lambda context: ("de", "en"),
    "--space": lambda context: ("personal",),
}
