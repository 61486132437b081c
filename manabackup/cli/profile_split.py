"""``profile split``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from ..operations.databases import Split, load_profile, split_database
from ..operations.progress import Step
from ..text.printable import counted, printable
from .files import force_option
from .frame import command
from .profile_commands import places, store_options
from .run import Run


@command("split")
@store_options
@click.option("-o", "--output", required=True, metavar="FOLDER", help="The folder to make.")
@force_option
@click.argument("name", metavar="PROFILE")
def split(
    run: Run,
    name: str,
    service: str | None,
    stores: tuple[str, ...],
    output: str,
    force: bool,
) -> None:
    """Split a shared database into a SQLite file for each person, and the rest.

    PROFILE says which store each person has one of. FOLDER gets these files under `users`, a file for each other store,
    and `nobodys.sqlite` with rows of people's tables that are nobody's who is there. All rows and all columns are
    taken, secrets too, out of one snapshot. The folder appears when what stands in its files was read back, and is row
    by row what the database holds; else there is none. Nothing is changed in the database.
    """
    where = places(run, service, stores)
    profile = load_profile(name)
    with run.terminal.progress({Step.CONVERT: "splitting"}) as bars:
        result = split_database(profile, where, Path(output), force=force, progress=bars)
    run.terminal.wrote(output)
    run.terminal.result(result.to_json(), _lines(result))
    run.terminal.note("the files are not encrypted, and hold what no export gives out: secrets, and everybody's rows")


def _lines(result: Split) -> Iterator[str]:
    width = max(len(printable(name)) for name in result.tables)
    yield f"{'table':{width}}  {'rows':>9}  {'users':>9}  {'shared':>9}  {'rest':>9}  {'nobodys':>9}"
    for name, table in result.tables.items():
        cells = (table.rows, table.users, table.shared, table.rest, table.nobodys)
        yield f"{printable(name):{width}}" + "".join(f"  {cell:>9,}" for cell in cells)
    if result.dangling:
        yield f"{counted(result.dangling, 'reference')} in people's files lead to rows of others"
    rows = counted(sum(table.rows for table in result.tables.values()), "row")
    yield f"{printable(str(result.folder))}: {rows}, {counted(result.users, 'file')} of people; proved to be equal"
