"""``profile check``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import UsageError
from ..operations.databases import Checked, StorePlaces, check_profile, load_profile
from ..text.printable import counted, one_line, printable
from .frame import command, secret_options
from .run import Exit, Run

_Function = TypeVar("_Function", bound=Callable[..., Any])
_LONGEST = 400


def store_options(function: _Function) -> _Function:
    """What says where the stores of a profile lie; :func:`places` makes of it what operations take."""
    for add in reversed(
        (
            secret_options("dsn"),
            click.option(
                "--service", metavar="NAME", help="Service of libpq's service file, in place of such a string."
            ),
            click.option(
                "--store",
                "stores",
                metavar="NAME=FILE",
                multiple=True,
                help="SQLite file of a store that the profile names.",
            ),
        )
    ):
        function = add(function)
    return function


def places(run: Run, service: str | None, stores: tuple[str, ...]) -> StorePlaces:
    """Where the stores are. Raises :class:`UsageError`; a connection string is read here."""
    files: dict[str, Path] = {}
    for given in stores:
        name, equals, file = given.partition("=")
        if not equals or not name or not file:
            raise UsageError(f"--store {printable(given)} is not NAME=FILE")
        if name in files:
            raise UsageError(f"the store {printable(name)} is given twice")
        files[name] = Path(file)
    has_dsn = run.source("dsn") is not None
    if service is not None and has_dsn:
        raise UsageError("--service and a connection string are both given", hint="give one of them")
    if service is not None:
        if not service or not all(character.isalnum() or character in "-_." for character in service):
            raise UsageError("the name of a service is made of letters, digits, dots and dashes")
        return StorePlaces(files, f"service={service}")
    return StorePlaces(files, run.secret("dsn").strip() if has_dsn else None)


@command("check")
@store_options
@click.option(
    "--user", metavar="WHO", help="Count what somebody would get: their key, or what else the profile looks up."
)
@click.option("--plans", is_flag=True, help="Show how the database finds these rows (EXPLAIN).")
@click.argument("name", metavar="PROFILE")
def check(run: Run, name: str, service: str | None, stores: tuple[str, ...], user: str | None, plans: bool) -> Exit:
    """Hold a profile against a database.

    PROFILE is one that this program knows by name, or a file. Told is everything that the two do not agree about:
    tables and columns that the profile does not name, or that are not there, foreign keys that say otherwise whose a
    row is, and columns that look like secrets. An export would end with the first of them.

    Nothing is read from rows: with --user their number is asked for, and who WHO is.
    """
    if plans and user is None:
        raise UsageError("--plans shows how somebody's rows are found", hint="give --user WHO too")
    found = check_profile(load_profile(name), places(run, service, stores), user=user, plans=plans)
    run.terminal.result(found.to_json(), _lines(found))
    return Exit.DIFFERENCES if found.errors else Exit.DONE


def _lines(found: Checked) -> Iterator[str]:
    for finding in found.findings:
        yield one_line(f"{finding.severity} {finding}", _LONGEST)
    yield f"{counted(len(found.errors), 'error')}, {counted(len(found.findings) - len(found.errors), 'notice')}"
    if found.user_found is None:
        return
    if not found.user_found:
        yield "their own row is gone; what belongs to their key is counted"
    width = max((len(printable(name)) for name in found.tables), default=0)
    yield f"{'':{width}}  {'own':>9}  {'others':>9}  {'nobodys':>9}"
    for name, table in found.tables.items():
        yield f"{printable(name):{width}}  {table.own:>9,}  {table.others:>9,}  {table.nobodys:>9,}"
        for line in table.plan:
            yield f"    {printable(line)[:_LONGEST]}"
