"""``profile draft``."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import UsageError
from ..operations.databases import draft_profile
from ..text.printable import counted, printable
from .files import STDOUT, archive_target, force_option, note_written, refuse_itself
from .frame import command
from .profile_commands import places, store_options
from .run import Run


@command("draft")
@store_options
@click.option("--schema", default="public", show_default=True, metavar="NAME", help="PostgreSQL's schema.")
@click.option("--name", metavar="NAME", help="What the profile is called; the file's name where nothing is said.")
@click.option("-o", "--output", required=True, metavar="FILE", help="The profile to write; - is the standard output.")
@force_option
def draft(
    run: Run,
    service: str | None,
    stores: tuple[str, ...],
    schema: str,
    name: str | None,
    output: str,
    force: bool,
) -> None:
    """Draft a profile from what a database says of itself.

    Written are all tables and columns, keys, and ways from rows to their owners that foreign keys or names suggest. All
    that only a person can decide is marked: what a table is for, whose its rows are, whether what looks like a secret
    is one. No command takes the profile before every mark is gone. No row is read.
    """
    where = places(run, service, stores)
    for file in where.files.values():
        refuse_itself(output, str(file), "database")
    target = archive_target(run, output, force=force, text=True)
    if name is None:
        if output == STDOUT:
            raise UsageError("what is the profile called?", hint="--name NAME")
        name = Path(output).stem.lower()
    result = draft_profile(where, target, name=name, schema=schema, force=force)
    note_written(run, target)
    words = f"{counted(result.tables, 'table')}, {counted(result.decisions, 'decision')} to be taken"
    run.terminal.result(result.to_json(), [f"{printable(str(result.profile))}: {words}"])
