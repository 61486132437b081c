"""``profile load``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click

from ..errors import UsageError
from ..operations.archives import open_archive
from ..operations.databases import LoadAction, LoadConflict, Loaded, LoadOrder, LoadPlan, load_profile, load_rows
from ..operations.progress import Step
from ..text.printable import counted, printable
from .archives import weak_kdf_option
from .files import archive_argument
from .frame import command, secret_options
from .passphrases import Passphrases
from .profile_commands import places, store_options
from .prompts import ask
from .run import Exit, Run, outcome


@command("load")
@store_options
@secret_options("passphrase")
@click.option("--create", is_flag=True, help="Make the tables that are not there, as the archive describes them.")
@click.option(
    "--on-conflict",
    type=click.Choice([mode.value for mode in LoadConflict]),
    default=LoadConflict.FAIL.value,
    show_default=True,
    help="What happens to a row that the database holds differently.",
)
@click.option("--dry-run", is_flag=True, help="Show the plan and write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask whether this is the right database.")
@weak_kdf_option
@click.argument("name", metavar="PROFILE")
@archive_argument("file")
def load(
    run: Run,
    name: str,
    file: str,
    service: str | None,
    stores: tuple[str, ...],
    create: bool,
    on_conflict: str,
    dry_run: bool,
    yes: bool,
    allow_weak_kdf: bool,
) -> Exit:
    """Put an archive's rows into a database.

    PROFILE is the one that FILE was made by: it says in which store a table stands, and where it is told that rows were
    written. All is read and compared first, and the plan is shown. Then everything is written in one transaction: all
    of it is there afterwards, or nothing. What the archive does not hold is never touched, and rows that are in the
    database as they are in the archive stay as they are.
    """
    profile = load_profile(name)
    where = places(run, service, stores)
    order = LoadOrder(create=create, on_conflict=LoadConflict(on_conflict), dry_run=dry_run)
    opened = Passphrases(run).opening(file, partial(open_archive, Path(file), allow_weak_kdf=allow_weak_kdf))
    with opened as archive, run.terminal.progress({Step.PLAN: "comparing"}) as bars:

        def confirm(plan: LoadPlan) -> None:
            bars.rest()
            for line in _plan_lines(plan):
                run.terminal.note(line)
            if plan.planned and not yes:
                _ask_for_yes(plan)

        result = load_rows(archive, profile, where, order, confirm=confirm, progress=bars)
    if not result.plan.same_profile:
        run.terminal.note("the archive was made by another version of the profile")
    lines = [*_plan_lines(result.plan), "nothing was written (--dry-run)"] if dry_run else _lines(result)
    run.terminal.result(result.to_json(), lines)
    return outcome(losses=result.plan.count(LoadAction.SKIPPED))


def _ask_for_yes(plan: LoadPlan) -> None:
    where = " and ".join(sorted(set(plan.places.values())))
    answer = ask(f"write {counted(plan.planned, 'row')} into {printable(where)}? Type yes to go on")
    if answer is None:
        raise UsageError("nobody is there to confirm the database", hint="--yes, once the database is the right one")
    if answer.lower() not in ("y", "yes"):
        raise UsageError("not confirmed; nothing was written")


def _plan_lines(plan: LoadPlan) -> Iterator[str]:
    for store, place in plan.places.items():
        yield f"{store}: {printable(place)}"
    kinds = [kind for kind in LoadAction if plan.count(kind) or kind in (LoadAction.INSERT, LoadAction.UNCHANGED)]
    width = max([len("table"), *(len(printable(name)) for name in plan.tables)])
    widths = [2 + max(len(kind), len(f"{plan.count(kind):,}")) for kind in kinds]
    yield f"{'table':{width}}" + "".join(f"{kind:>{room}}" for kind, room in zip(kinds, widths, strict=True))
    for name, rows in plan.tables.items():
        if rows.total():
            cells = "".join(f"{rows[kind]:>{room},}" for kind, room in zip(kinds, widths, strict=True))
            yield f"{printable(name):{width}}{cells}"
    yield f"{'all':{width}}" + "".join(f"{plan.count(kind):>{room},}" for kind, room in zip(kinds, widths, strict=True))
    if plan.created:
        yield f"made: {counted(len(plan.created), 'table')}"
    for line in plan.otherwise:
        yield f"made otherwise: {printable(line)}"
    for name, counts in plan.dangling.items():
        for columns, number in counts.items():
            yield f"{printable(name)}, {printable(columns)}: {counted(number, 'row')} lead out of the archive"
    for name, counts in plan.unheld.items():
        for columns, number in counts.items():
            yield f"{printable(name)}, {printable(columns)}: {counted(number, 'row')} lead to what is not there"


def _lines(result: Loaded) -> Iterator[str]:
    plan = result.plan
    inserted, overwritten = plan.count(LoadAction.INSERT), plan.count(LoadAction.OVERWRITE)
    unchanged, skipped = plan.count(LoadAction.UNCHANGED), plan.count(LoadAction.SKIPPED)
    events = f"; {counted(result.events, 'event')} appended" if result.events is not None else ""
    yield (
        f"{inserted:,} inserted, {overwritten:,} overwritten, {unchanged:,} unchanged, {skipped:,} skipped, "
        f"and compared{events}"
    )
