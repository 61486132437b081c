"""``export`` for those who run Mana: out of its databases, or out of a dump of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import UsageError
from ..operations.archives import Seal
from ..operations.export import Selection
from ..operations.places import NO_LOCK
from ..operations.progress import Step
from ..text.printable import counted, one_line, printable
from .exported import date, report
from .files import STDOUT, archive_target, note_written, refuse_itself
from .frame import secret_options
from .meanings import MEANINGS
from .run import Exit, Run, outcome

if TYPE_CHECKING:
    from ..operations.operator import DatabasePlaces, Dump, HowWritten, Opening, Vault

_Function = TypeVar("_Function", bound=Callable[..., Any])
_MOST_NAMED = 20
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
    retain: str | None = None


def operator_options(function: _Function) -> _Function:
    """What says that a database is to be read, which, and whose account."""
    for add in reversed(
        (
            click.option("--from-database", is_flag=True, help="Read Mana's own databases, as those who run it can."),
            click.option(
                "--dump",
                "dumps",
                metavar="FILE",
                multiple=True,
                help="Read what pg_dump or pg_dumpall wrote in their place; - is the standard input.",
            ),
            click.option("--user", metavar="WHO", help="With either: whose account, by id or e-mail address."),
            click.option("--all-users", metavar="DIR", help="In its place: everybody's, an archive each in DIR."),
            click.option(
                "--kind",
                "kinds",
                metavar="KIND",
                multiple=True,
                help="With --all-users: which kinds of users, human (the default), persona, system.",
            ),
            secret_options(_SYNC, _AUTH),
            click.option("--sync-service", metavar="NAME", help="Service of libpq's service file, in its place."),
            click.option("--auth-service", metavar="NAME", help="The same for the account service's database."),
            secret_options(_KEK),
        )
    ):
        function = add(function)
    return function


def wants_database(given: Mapping[str, Any]) -> bool:
    """Whether a database is to be read, or a dump. Raises :class:`UsageError` for options that go with one alone."""
    if given["from_database"] and given["dumps"]:
        raise UsageError("--from-database and --dump are both given", hint="give one of them")
    if given["from_database"] or given["dumps"]:
        if given["dumps"] and (given["sync_service"] or given["auth_service"]):
            raise UsageError("--dump reads files, and no database")
        return True
    for name in ("user", "all_users", "kinds", "sync_service", "auth_service"):
        if given[name]:
            option = {"kinds": "kind"}.get(name, name).replace("_", "-")
            raise UsageError(f"--{option} goes with --from-database, or with --dump")
    return False


def refuse_beside_database(names: Sequence[str]) -> None:
    """Raises :class:`UsageError` for options that ask servers, which are not asked here."""
    if names:
        raise UsageError(f"{names[0]} does not go with --from-database or --dump: no server of Mana's is asked")


def export_from_database(run: Run, given: Mapping[str, Any], writing: Writing) -> Exit:
    """One user's account, or everybody's."""
    user, folder = given["user"], given["all_users"]
    if (user is None) == (folder is None):
        raise UsageError(
            "whose account is not said" if user is None else "--user and --all-users are both given",
            hint="--user WHO, or --all-users DIR",
        )
    if folder is not None:
        if writing.output is not None:
            raise UsageError("--all-users names the folder: -o does not go with it")
        if writing.retain is not None:
            raise UsageError(NO_LOCK)
        return _everybody(run, given, writing)
    if given["kinds"]:
        raise UsageError("--kind goes with --all-users")
    if writing.output is None:
        raise UsageError("-o FILE is missing", hint="it says where the archive is to be written")
    for dump in given["dumps"]:
        refuse_itself(writing.output, dump, "dump")
    return _one(run, given, writing)


def _one(run: Run, given: Mapping[str, Any], writing: Writing) -> Exit:
    from ..operations.operator import export_user, export_user_of_dump

    assert writing.output is not None
    target = archive_target(run, writing.output, force=writing.force, retain=writing.retain)
    dump = _dump(run, given)
    places = None if dump is not None else database_places(run, given)
    how = _how(run, writing)
    with run.terminal.progress({Step.PULL: "reading", Step.EXPORT: "exporting"}) as progress:
        if dump is not None:
            strict = writing.strict
            result, account = export_user_of_dump(dump, given["user"], target, how, strict=strict, progress=progress)
            opened = how.opening.kek is not None and account.vault.wrapped_key is not None
            told = {**result.to_json(), "user": account.user.id, "vault": account.vault.mode, "openedWithKek": opened}
            exact = True
        else:
            assert places is not None
            done = export_user(
                places,
                given["user"],
                target,
                run.state,
                opening=how.opening,
                selection=how.selection,
                seal=how.seal,
                force=how.force,
                strict=writing.strict,
                dated=how.dated,
                progress=progress,
            )
            result, account, opened, told = done.result, done.account, done.opened, done.to_json()
            exact = done.watermark.exact
    note_written(run, target)
    _tell_of_vault(run, account.vault, opened=opened)
    if not exact:
        run.terminal.note("the role does not see which transactions are under way: the next run reads two minutes anew")
    return report(run, result, strict=writing.strict, told=told)


def _everybody(run: Run, given: Mapping[str, Any], writing: Writing) -> Exit:
    from ..operations.operator import HUMAN, export_everybody, export_everybody_of_dump

    folder = Path(given["all_users"])
    kinds = given["kinds"] or (HUMAN,)
    dump = _dump(run, given)
    places = None if dump is not None else database_places(run, given)
    how = _how(run, writing)
    with run.terminal.progress({Step.PULL: "reading", Step.EXPORT: "exporting"}) as progress:
        if dump is not None:
            done = export_everybody_of_dump(dump, folder, how, kinds=kinds, progress=progress)
        else:
            assert places is not None
            done = export_everybody(places, folder, how, kinds=kinds, progress=progress)
    told = done.to_json()
    lines = [f"{folder}: {counted(told['done'], 'archive')}, {counted(told['rows'], 'row')}, {told['bytes']:,} bytes"]
    if done.kept:
        lines.append(f"{counted(len(done.kept), 'archive')} of an earlier run are there already")
    lines += [
        f"{counted(number, 'user')} of the kind {printable(kind)}, left out" for kind, number in done.left_out.items()
    ]
    if done.unclaimed:
        lines.append(f"{done.unclaimed:,} of {done.changes:,} changes are of nobody among them")
    run.terminal.result(told, lines)
    for entry in done.failed[:_MOST_NAMED]:
        run.terminal.warning(f"{printable(entry.user)}: {one_line(entry.error or '')}")
    if len(done.failed) > _MOST_NAMED:
        run.terminal.warning(f"and {len(done.failed) - _MOST_NAMED:,} more users; the ledger names them")
    for kind, count in done.losses.items():
        run.terminal.warning(f"{kind}: {count:,} ({MEANINGS[kind]})")
    if how.seal is None:
        run.terminal.note("the archives are not encrypted: who holds one can read it")
    return outcome(losses=len(done.failed) + sum(done.losses.values()))


def _how(run: Run, writing: Writing) -> HowWritten:
    from ..operations.operator import HowWritten

    opening, dated = _opening(run), date(run)
    passphrase = run.new_passphrase() if writing.seal else None
    seal = Seal(passphrase, private=writing.private) if passphrase is not None else None
    return HowWritten(opening, writing.selection, seal, writing.force, dated)


def _dump(run: Run, given: Mapping[str, Any]) -> Dump | None:
    from ..operations.operator import Dump

    names = given["dumps"]
    if not names:
        return None
    if names.count(STDOUT) > 1:
        raise UsageError("the standard input is given twice")
    paths = [None if name == STDOUT else Path(name) for name in names]
    return Dump(paths, kek=run.source(_KEK) is not None)


def _tell_of_vault(run: Run, vault: Vault, *, opened: bool) -> None:
    if opened:
        run.terminal.note("the KEK opened the account's private fields; the vault's own log does not tell of it")
    elif vault.mode != "none":
        how = "with the recovery code" if vault.recovery is not None else "with the account's key, as --kek-file would"
        run.terminal.note(f"private fields are encrypted as in the database; `manabackup unlock` opens them {how}")


def _opening(run: Run) -> Opening:
    from ..operations.operator import Opening

    return Opening.by(run.content(_KEK))


def database_places(run: Run, given: Mapping[str, Any]) -> DatabasePlaces:
    """Where the databases are, by connection strings or services. Raises :class:`UsageError` where nothing says it."""
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
