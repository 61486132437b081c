"""Writes ``docs/reference.md`` from what ``--help`` and the errors' docstrings say: python docs/make_reference.py"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from manabackup import errors
from manabackup.cli import overview
from manabackup.cli.frame import program
from manabackup.model import registry
from manabackup.operations.audit.findings import KINDS

REFERENCE = Path(__file__).with_name("reference.md")
_WIDTH = 100
_BEGINNING = """\
# Reference

What `manabackup --help` and the commands' own `--help` say, and the errors. `docs/make_reference.py` writes this page.
"""
_TABLES = """\
## Apps and tables

What `--app` and `--table` take, and what this version knows of Mana ({version}). Collections that are not listed are
found and exported all the same, under `<app>.<collection>`.

| app | tables |
| --- | --- |
"""
_FINDINGS = """\
## Findings of audit

What `manabackup audit` may find, the gravest first.

| finding | severity | what was found | what it means | what to do |
| --- | --- | --- | --- | --- |
"""
_ERRORS = """\
## Errors

The classes of `manabackup.errors`, with the exit code that the command line ends with.

| error | exit code | meaning |
| --- | --- | --- |
"""


def reference() -> str:
    """The whole page."""
    parts = [_BEGINNING, _block(overview.help_text())]
    whole = program()
    for heading, commands in overview.COMMANDS:
        parts.append(f"## {heading}\n")
        for name, _, _ in commands:
            parts += _command(whole, name, click.Context(whole, info_name=overview.PROGRAM))
    parts.append(_TABLES.format(version=registry.load().version) + "".join(_table_rows()))
    parts.append(_FINDINGS + "".join(_finding_rows()))
    return "\n".join([*parts, _ERRORS + "".join(_error_rows())])


def _table_rows() -> Iterator[str]:
    known = registry.load()
    for app in known.apps:
        yield f"| `{app}` | {', '.join(f'`{table.name}`' for table in known.of_app(app))} |\n"


def _finding_rows() -> Iterator[str]:
    for kind in KINDS.values():
        yield f"| `{kind.id}` | {kind.severity.value} | {kind.title} | {kind.explanation} | {kind.advice} |\n"


def _error_rows() -> Iterator[str]:
    for name, found in vars(errors).items():
        if isinstance(found, type) and issubclass(found, errors.ManabackupError):
            meaning = " ".join((found.__doc__ or "").split("\n\n")[0].split()).replace("``", "`")
            yield f"| `{name}` | {found.exit_code} | {meaning} |\n"


def _command(group: click.Group, name: str, parent: click.Context) -> Iterator[str]:
    command = group.get_command(parent, name)
    assert command is not None
    context = click.Context(command, parent, info_name=name, terminal_width=_WIDTH, **command.context_settings)
    yield f"### {context.command_path.removeprefix(f'{overview.PROGRAM} ')}\n"
    yield _block(command.get_help(context))
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            yield from _command(command, inner, context)


def _block(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.rstrip().splitlines())
    return f"```text\n{lines}\n```\n"


if __name__ == "__main__":
    os.environ.pop("COLUMNS", None)
    REFERENCE.write_text(reference(), "utf-8")
