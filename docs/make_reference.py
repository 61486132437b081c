"""Writes the pages that the code itself tells: python docs/make_reference.py

``docs/reference.md`` from what ``--help`` and the errors' docstrings say, ``docs/errors/README.md`` from the errors,
and the table at the end of ``docs/limits.md`` from the limits.
"""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Iterator
from pathlib import Path

import click

from manabackup import errors, limits
from manabackup.cli import overview
from manabackup.cli.frame import program
from manabackup.model import registry
from manabackup.operations.audit.findings import KINDS

REFERENCE = Path(__file__).with_name("reference.md")
ERRORS = Path(__file__).with_name("errors") / "README.md"
LIMITS = Path(__file__).with_name("limits.md")
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
_PAGES = """\
# Errors

A page for each kind of error: what it means, what it comes from, what to do. `manabackup help errors/NAME` shows
one, without a network; the hint says which, or `-v`. Single messages are explained under
[troubleshooting](../troubleshooting.md). `docs/make_reference.py` writes this table.

| page | exit code | meaning |
| --- | --- | --- |
"""
_TABLE = "<!-- what follows is written by docs/make_reference.py -->\n"


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


def error_pages() -> str:
    """The page that leads to those of the errors."""
    found = sorted(_classes(), key=lambda error: (error.exit_code, error.page))
    rows = [f"| [{one.page}]({one.page}.md) | {one.exit_code} | {_meaning(one)} |\n" for one in found]
    return _PAGES + "".join(rows)


def limits_page() -> str:
    """The page of the limits, its table anew."""
    prose, _, _ = LIMITS.read_text("utf-8").partition(_TABLE)
    return f"{prose}{_TABLE}\n| limit | value | meaning |\n| --- | --- | --- |\n" + "".join(_limit_rows())


def _limit_rows() -> Iterator[str]:
    """Of the fields of ``Limits``, each with the text below it."""
    (body,) = (node.body for node in ast.parse(inspect.getsource(limits.Limits)).body if isinstance(node, ast.ClassDef))
    for field, below in zip(body, [*body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            told = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else ""
            meaning = " ".join(str(told).split()).replace("``", "`").replace(":mod:", "")
            yield f"| `{field.target.id}` | {getattr(limits.DEFAULT_LIMITS, field.target.id):,} | {meaning} |\n"


def _table_rows() -> Iterator[str]:
    known = registry.load()
    for app in known.apps:
        yield f"| `{app}` | {', '.join(f'`{table.name}`' for table in known.of_app(app))} |\n"


def _finding_rows() -> Iterator[str]:
    for kind in KINDS.values():
        yield f"| `{kind.id}` | {kind.severity.value} | {kind.title} | {kind.explanation} | {kind.advice} |\n"


def _error_rows() -> Iterator[str]:
    for found in _classes():
        yield f"| [`{found.__name__}`](errors/{found.page}.md) | {found.exit_code} | {_meaning(found)} |\n"


def _classes() -> list[type[errors.ManabackupError]]:
    found = [one for one in vars(errors).values() if isinstance(one, type)]
    return [one for one in found if issubclass(one, errors.ManabackupError)]


def _meaning(error: type[errors.ManabackupError]) -> str:
    return " ".join((error.__doc__ or "").split("\n\n")[0].split()).replace("``", "`")


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
    ERRORS.write_text(error_pages(), "utf-8")
    LIMITS.write_text(limits_page(), "utf-8")
