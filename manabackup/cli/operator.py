"""``export`` for those who run Mana: out of its databases, or out of a dump of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import UsageError
from ..operations.archives import Seal
from ..operations.export import Selection
from ..operations.progress import Step
from .exported import date, report
from .files import archive_target, note_written
from .frame import secret_options
from .run import Exit, Run

if TYPE_CHECKING:
    from ..operations.operator import DatabasePlaces, Opening

_Function = TypeVar("_Function", bound=Callable[..., Any])
_SYNC, _AUTH, _KEK = "sync-dsn", "auth-dsn", "kek"


@dataclass(frozen=True, slots=True)
class Writing:
    """What is to be written, and how, as for any export."""

    output: str | None
    selection: Selection
    seal: bool
    private: bool
    force: bool
    strict: bool


def operator_options(function: _Function) -> _Function:
    """What says that a database is to be read, which, and whose account."""
    for add in reversed(
        (
            click.option("--from-database", is_flag=True, help="Read Mana's own databases, as those who run it can."),
            click.option("--user", metavar="WHO", help="With --from-database: whose account, by id or e-mail address."),
            secret_options(_SYNC, _AUTH),
            click.option("--sync-service", metavar="NAME", help="Service of libpq's service file, in its place."),
            click.option("--auth-service", metavar="NAME", help="The same for the account service's database."),
            secret_options(_KEK),
        )
    ):
        function = add(function)
    return function


def wants_database(given: Mapping[str, Any]) -> bool:
    """Whether a database is to be read. Raises :class:`UsageError` for options that go with one, without it."""
    if given["from_database"]:
        return True
    for name in ("user", "sync_service", "auth_service"):
        if given[name] is not None:
            raise UsageError(f"--{name.replace('_', '-')} goes with --from-database")
    return False


def refuse_beside_database(names: Sequence[str]) -> None:
    """Raises :class:`UsageError` for options that ask servers, which are not asked here."""
    if names:
        raise UsageError(f"{names[0]} does not go with --from-database: no server of Mana's is asked")


def export_from_database(run: Run, given: Mapping[str, Any], writing: Writing) -> Exit:
    """One user's account, or everybody's."""
    if given["user"] is None:
        raise UsageError("--from-database does not say whose account", hint="--user WHO")
    return _one(run, given, writing)


def _one(run: Run, given: Mapping[str, Any], writing: Writing) -> Exit:
    from ..operations.operator import export_user

    if writing.output is None:
        raise UsageError("-o FILE is missing", hint="it says where the archive is to be written")
    target = archive_target(run, writing.output, force=writing.force)
    places, opening = _places(run, given), _opening(run)
    dated = date(run)
    passphrase = run.new_passphrase() if writing.seal else None
    with run.terminal.progress({Step.PULL: "reading", Step.EXPORT: "exporting"}) as progress:
        done = export_user(
            places,
            given["user"],
            target,
            run.state,
            opening=opening,
            selection=writing.selection,
            seal=Seal(passphrase, private=writing.private) if passphrase is not None else None,
            force=writing.force,
            strict=writing.strict,
            dated=dated,
            progress=progress,
        )
    note_written(run, target)
    _tell_of_vault(run, done.account.vault.mode, opened=done.opened)
    if not done.watermark.exact:
        run.terminal.note("the role does not see which transactions are under way: the next run reads two minutes anew")
    return report(run, done.result, strict=writing.strict, told=done.to_json())


def _tell_of_vault(run: Run, mode: str, *, opened: bool) -> None:
    if opened:
        run.terminal.note("the KEK opened the account's private fields; the vault's own log does not tell of it")
    elif mode != "none":
        run.terminal.note("private fields are encrypted as they stand in the database; `manabackup unlock` opens them")


def _opening(run: Run) -> Opening:
    from ..operations.operator import Opening

    return Opening.by(run.content(_KEK))


def _places(run: Run, given: Mapping[str, Any]) -> DatabasePlaces:
    from ..operations.operator import DatabasePlaces

    changes = _dsn(run, _SYNC, given["sync_service"])
    if changes is None:
        hint = "--sync-dsn-file FILE, MANABACKUP_SYNC_DSN or --sync-service NAME"
        raise UsageError("nothing says where the database is", hint=hint)
    return DatabasePlaces(changes, _dsn(run, _AUTH, given["auth_service"]))


def _dsn(run: Run, name: str, service: str | None) -> str | None:
    has_dsn = run.source(name) is not None
    if service is None:
        return run.secret(name).strip() if has_dsn else None
    option = f"--{name.removesuffix('-dsn')}-service"
    if has_dsn:
        raise UsageError(f"{option} and a connection string are both given", hint="give one of them")
    if not service or not all(character.isalnum() or character in "-_." for character in service):
        raise UsageError(f"{option}: the name of a service is made of letters, digits, dots and dashes")
    return f"service={service}"
