"""The help of commands: what stands in it, in which order, and how it is broken into lines."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ..operations.account.settings import SECOND, SECRETS, TARGET
from . import overview
from .examples import ENDINGS, TOPIC, codes_in_words
from .run import Run
from .words import columns

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDEST = 100
_NARROW = 60
"""Columns of a terminal that has no room for two columns of text."""
_HYPHEN = "\u2011"
"""Stands for a hyphen while lines are broken, as it is one at which none is."""


class WithHelp(click.Command):
    """A command whose help is said by the one door for words, on terminals of any width."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """``-h`` and ``--help``."""
        return click.Option(
            self.get_help_option_names(ctx),
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_help,
            help="Show this message and exit.",
        )

    def get_help(self, ctx: click.Context) -> str:
        """The whole text, as wide as the terminal that it is for."""
        shown_in = ctx.terminal_width or columns(sys.stdout) or _WIDEST
        formatter = _Formatter(width=min(shown_in, _WIDEST) - (ctx.terminal_width is None))
        self.format_help(ctx, formatter)
        return formatter.getvalue().rstrip("\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command's own options one by one, those of secrets by themselves, and the names of the global ones."""
        everywhere = {names[-1] for names, _, _ in overview.GLOBAL_OPTIONS}
        own: list[tuple[str, str]] = []
        secrets: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            if not isinstance(parameter, click.Option) or parameter.opts[-1] in everywhere:
                continue
            record = parameter.get_help_record(ctx)
            if record is not None:
                (secrets if names_a_secret(parameter) else own).append(record)
        for heading, records in (("Options", own), ("Secrets", secrets)):
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)
        with formatter.section("Global options"):
            names = " ".join(names[0] for names, _, _ in overview.GLOBAL_OPTIONS)
            formatter.write_text(f"{names} (see `{overview.PROGRAM} --help`)")

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Two examples, and the exit codes."""
        ending = ENDINGS.get(ctx.command_path.removeprefix(f"{overview.PROGRAM} "))
        if ending is None:  # of a command that is no part of the program
            return
        with formatter.section("Examples"):
            for example in ending.examples:
                formatter.write(f"  {overview.PROGRAM} {example}\n")  # to be copied: not broken
        with formatter.section("Exit codes"):
            formatter.write_text(f"{codes_in_words(ending.codes)} (see `{overview.PROGRAM} help {TOPIC}`)")


def say_help(context: click.Context, text: str) -> NoReturn:
    """``text`` as the whole of what a run does. Raises :class:`OutputError` where it cannot be written."""
    run = context.find_object(Run)
    assert run is not None
    run.terminal.text(text)
    context.exit()


def _show_help(context: click.Context, parameter: click.Parameter, given: bool) -> None:
    if given and not context.resilient_parsing:
        say_help(context, f"{context.get_help()}\n")


def names_a_secret(option: click.Option) -> bool:
    """Whether an option says where a secret comes from."""
    name, _, kind = option.opts[-1].removeprefix("--").removeprefix(TARGET).removeprefix(SECOND).rpartition("-")
    return name in SECRETS and kind in {"file", "command"}


class _Formatter(click.HelpFormatter):
    """click's, but options' names are not broken at their hyphens, and where it is narrow a definition stands beneath
    its term."""

    def write_text(self, text: str) -> None:
        super().write_text(text.replace("-", _HYPHEN))

    def getvalue(self) -> str:
        return super().getvalue().replace(_HYPHEN, "-")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        if self.width >= _NARROW:
            whole = [(term, definition.replace("-", _HYPHEN)) for term, definition in rows]
            super().write_dl(whole, col_max, col_spacing)
            return
        for term, definition in rows:
            with self._indented(0):
                self.write_text(term)
            with self._indented(4):
                self.write_text(definition)

    @contextmanager
    def _indented(self, more: int) -> Iterator[None]:
        before: Any = self.current_indent
        self.current_indent += more
        try:
            yield
        finally:
            self.current_indent = before
