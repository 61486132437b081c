"""The frame of every command: global options on both sides of its name, and modules imported when they are called.

A command is a function under :func:`command`. It takes a :class:`Run` first, then its own parameters, and gives an
:class:`Exit` or None::

    @command("verify")
    @secret_options("passphrase")
    @click.argument("archive")
    def verify(run: Run, archive: str) -> Exit | None:
        \"\"\"Check an archive from end to end.\"\"\"

It stands, as a module's attribute of its own name, in the module that ``overview.COMMANDS`` gives. Its parameters take
file names as plain texts: that a file does not exist is exit 10, and said by whoever opens it.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Concatenate, ParamSpec, TypeVar

import click
from click.core import ParameterSource

from ..errors import UsageError
from ..host.secret_sources import variable
from ..operations.account.settings import TARGET
from ..text.printable import printable
from . import overview
from .helping import WithHelp, say_help
from .run import SHOW, Exit, Run
from .words import columns

_P = ParamSpec("_P")
_Function = TypeVar("_Function", bound=Callable[..., Any])
_CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_FLAGS = overview.FLAGS
_ANY_PROFILE = frozenset({"login", "demo", "serve", "help", "version", "completion", "man", "doctor"})
"""Commands for which a profile need not exist: one may make it, the others have nothing to do with it."""
_ANY_SETTINGS = frozenset({"doctor"})
"""Commands that work whatever is wrong with the settings, and tell of it."""
_ALSO_CALLED = {
    "backup": "export",
    "check": "verify",
    "completions": "completion",
    "dump": "export",
    "import": "restore",
    "list": "info",
    "ls": "info",
    "open": "view",
    "signin": "login",
    "signout": "logout",
    "show": "cat",
    "sync": "pull",
    "test": "verify",
}
"""What other programs call it."""
_SECRET_WORDS = {
    "passphrase": "the archive's passphrase",
    "recovery-code": "the account's recovery code",
    "password": "the account's password",
    "totp": "the authenticator's code",
    "backup-code": "a backup code, in place of the authenticator's",
    "token": "an access token, in place of a login",
    "key": "the account's master key: 32 raw bytes, 64 hex digits, or base64",
    "dsn": "the database's connection string, as libpq takes it",
    "sync-dsn": "the connection string of the sync server's database, as libpq takes it",
    "auth-dsn": "that of the account service's, where it is not on the same server",
    "kek": "MANA_AUTH_KEK, to open private fields of accounts that are not zero-knowledge",
    "to-token": "an access token of the target account",
    "to-recovery-code": "the target account's recovery code",
    "to-key": "the target account's master key",
    "to-passphrase": "the new archive's passphrase",
    "b-passphrase": "the second archive's passphrase, where it has one of its own",
    "b-key": "the second archive's key, where it has one of its own",
}


def command(name: str, **attributes: Any) -> Callable[[Callable[Concatenate[Run, _P], Exit | None]], click.Command]:
    """Makes a command of a function; ``attributes`` are ``click.Command``'s."""

    def decorate(function: Callable[Concatenate[Run, _P], Exit | None]) -> click.Command:
        @functools.wraps(function)
        def callback(*args: _P.args, **kwargs: _P.kwargs) -> Exit | None:
            context = click.get_current_context()
            run = context.find_object(Run)
            assert run is not None
            run.begin(context.meta.get(_FLAGS, {}), whatever=name in _ANY_SETTINGS)
            if name not in _ANY_PROFILE:
                run.check_profiles()
            return function(run, *args, **kwargs)

        return click.command(name, cls=Command, context_settings=_CONTEXT, **attributes)(callback)

    return decorate


def setting_options(*options: tuple[str, str, str]) -> Callable[[_Function], _Function]:
    """Options whose values become settings: each a name, its value's name, and the help."""

    def decorate(function: _Function) -> _Function:
        for name, value, summary in reversed(options):
            add = click.option(name, metavar=value, help=summary, expose_value=False, callback=_remember)
            function = add(function)
        return function

    return decorate


def secret_options(*names: str, prefix: str = "") -> Callable[[_Function], _Function]:
    """Options ``--NAME-file`` and ``--NAME-command`` for each secret; a command reads it with ``run.secret(NAME)``."""
    options = []
    for name in names:
        called = prefix + name
        options += [
            (f"--{called}-file", "FILE", f"File that holds {_SECRET_WORDS[called]}."),
            (f"--{called}-command", "CMD", f"Command that prints it. Or set {variable(called)}."),
        ]
    add = setting_options(*options)
    return (lambda function: add(_show_option(function))) if "recovery-code" in names and not prefix else add


def target_options() -> Callable[[_Function], _Function]:
    """What says whose account is written for: for ``connect(run, run.settings.target)`` and ``unlock``."""
    named = setting_options(
        ("--to-profile", "NAME", "Profile whose session is the target account's."),
        ("--to-auth-url", "URL", "Account service of the target account."),
        ("--to-sync-url", "URL", "Sync server of the target account."),
    )
    secret = secret_options("token", "recovery-code", "key", prefix=TARGET)
    return lambda function: named(secret(function))


strict_option = click.option("--strict", is_flag=True, help="Let mere notices end with exit code 3 too.")
"""For ``outcome``."""


class Command(WithHelp, click.Command):
    """A command that takes the global options as well, and names them in one line of its help."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _global_options()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does; what is empty names nothing: mostly a script's variable is unset that should stand there."""
        rest = super().parse_args(ctx, args)
        for parameter in self.params:
            value = ctx.params.get(parameter.name or "")
            if value == "" or (isinstance(value, tuple) and "" in value):
                raise _empty(parameter)
        return rest


class Group(WithHelp, click.Group):
    """Commands by name, their modules imported when they are called."""

    def __init__(self, name: str, commands: Iterable[tuple[str, str, str]], **attributes: Any) -> None:
        super().__init__(name, context_settings=_CONTEXT, no_args_is_help=False, **attributes)
        self._entries = {command: (module, summary) for command, module, summary in commands}
        self.params += _global_options()

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the overview's order."""
        return [*self._entries, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a command's module."""
        if cmd_name not in self._entries:
            return super().get_command(ctx, cmd_name)
        module = import_module(f".{self._entries[cmd_name][0]}", __package__)
        found: click.Command = getattr(module, cmd_name.replace("-", "_"))
        _complete(found)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but for a name that nothing has: :func:`no_such_command`."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise no_such_command(self, ctx, args[0])
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the overview: nothing is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self._entries.items()])

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The group's own options, and its commands."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


def no_such_command(group: click.Group, context: click.Context, name: str) -> UsageError:
    """The error of a command that does not exist, with those that may have been meant."""
    import difflib

    names = group.list_commands(context)
    near = [_ALSO_CALLED[name]] if _ALSO_CALLED.get(name) in names else difflib.get_close_matches(name, names, n=3)
    see = f"see `{context.command_path} --help`"
    hint = f"did you mean {' or '.join(near)}? {see}" if near else see
    return UsageError(f"there is no command {printable(name[:64])}", hint=hint)


def _empty(parameter: click.Parameter) -> UsageError:
    named = isinstance(parameter, click.Option)
    called = max(parameter.opts, key=len) if named else str(parameter.metavar or parameter.name).upper().rstrip(".")
    return UsageError(f"{called} is empty", hint="is a variable unset that should stand there?")


class _Program(Group):
    def get_help(self, ctx: click.Context) -> str:
        return overview.help_text(columns(sys.stdout)).rstrip("\n")


def program() -> click.Group:
    """The program as a whole."""
    entries = [entry for _, commands in overview.COMMANDS for entry in commands]
    whole = _Program(overview.PROGRAM, entries, invoke_without_command=True, callback=_welcome)
    whole.params.append(
        click.Option(["-V", "--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version)
    )
    _complete(whole)
    return whole


def _welcome() -> None:
    """For ``manabackup`` alone."""
    context = click.get_current_context()
    if context.invoked_subcommand is not None:
        return
    run = context.find_object(Run)
    assert run is not None
    run.begin(context.meta.get(_FLAGS, {}))
    run.check_profiles()
    from .welcome import welcome

    welcome(run)


def _complete(command: click.Command) -> None:
    """Lets a command's parameters know what may stand there, where a shell asks for it."""
    if overview.COMPLETION in os.environ:
        from .completing import with_completions

        with_completions(command.params)


def _show_option(function: _Function) -> _Function:
    summary = "Show a recovery code while it is typed."
    return click.option(f"--{SHOW}", is_flag=True, help=summary, expose_value=False, callback=_remember)(function)


def _version(context: click.Context, parameter: click.Parameter, given: bool) -> None:
    if given and not context.resilient_parsing:
        say_help(context, overview.version_text())


def _global_options() -> list[click.Parameter]:
    options: list[click.Parameter] = []
    for names, value, summary in overview.GLOBAL_OPTIONS:
        kind: dict[str, Any] = {"metavar": value} if value else {"count": True} if "-v" in names else {"is_flag": True}
        options.append(click.Option(list(names), help=summary, expose_value=False, callback=_remember, **kind))
    return options


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keeps what was given for the settings. What stands after a command's name wins, but every ``-v`` counts."""
    assert parameter.name is not None
    if context.get_parameter_source(parameter.name) is not ParameterSource.COMMANDLINE:
        return
    if value == "":
        raise _empty(parameter)
    flags: dict[str, Any] = context.meta.setdefault(_FLAGS, {})
    name = parameter.name.replace("_", "-")
    flags[name] = flags.get(name, 0) + value if name == "verbose" else value
