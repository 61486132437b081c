"""One user's account, out of Mana's databases into an archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ...archive.destination import Destination
from ...archive.writer import Seal
from ...host.spooling import spool_files
from ...limits import DEFAULT_LIMITS, Limits
from ...sources.mana_accounts import ManaAccount
from ...sources.mana_database import Watermark, opened
from ...text.jsontext import JSON
from ..account.state import StateFolder, make_room
from ..export import ExportResult, Selection, export
from ..progress import Step, Watch, teller
from .account import Opening, source_of
from .reading import bring_up_to_date, open_mirror


@dataclass(frozen=True, slots=True)
class DatabasePlaces:
    """Where Mana's two databases are, each as libpq takes it."""

    changes: str = field(repr=False)
    """``mana_sync``."""
    accounts: str | None = field(default=None, repr=False)
    """``mana_platform``; None for the one beside the other, on the same server."""


@dataclass(frozen=True, slots=True)
class UserExport:
    """What came of it."""

    result: ExportResult
    account: ManaAccount
    new: int
    """Changes that the mirror did not hold before."""
    watermark: Watermark
    opened: bool
    """The KEK opened the account's private fields."""

    def to_json(self) -> dict[str, Any]:
        """The object that ``export --from-database --json`` prints."""
        return {
            **self.result.to_json(),
            "user": self.account.user.id,
            "vault": self.account.vault.mode,
            "openedWithKek": self.opened,
            "newChanges": self.new,
            "watermarkIsExact": self.watermark.exact,
        }


def export_user(
    places: DatabasePlaces,
    who: str,
    target: Destination,
    state: StateFolder,
    *,
    opening: Opening | None = None,
    selection: Selection | None = None,
    seal: Seal | None = None,
    force: bool = False,
    strict: bool = False,
    dated: datetime | None = None,
    progress: Watch | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> UserExport:
    """Writes the account of ``who``, an id or an e-mail address, by way of a mirror in ``state``.

    The parameters are those of an export. Raises :class:`NotFoundError` for somebody who is not there,
    :class:`SourceError` for a database that hides rows from this role, or is not as Mana's are, :class:`WrongKeyError`
    for a KEK that does not open the vault, :class:`ServerError`, and what an export raises.
    """
    opening = opening or Opening()
    with opened(places.changes, places.accounts, kek=opening.kek is not None) as (accounts, changes):
        account = accounts.account(who)
        identity = changes.identity()
        read = read_from(changes.snapshot(), accounts.snapshot(), stated=dated is None)
        cipher = opening.cipher(account)
        with state.lock():
            path = state.mirror_path(identity, account.user.id)
            make_room(path)
            with open_mirror(path, identity, account) as mirror:
                tell = teller(progress, Step.PULL)
                new = bring_up_to_date(mirror, changes, account, spool_files(path), tell)
                changes.close()
                accounts.close()
                with mirror.snapshot() as snapshot:
                    result = export(
                        source_of(account, snapshot, opening, read),
                        target,
                        selection=selection,
                        seal=seal,
                        force=force,
                        strict=strict,
                        dated=dated,
                        progress=progress,
                        limits=limits,
                    )
    return UserExport(result, account, new, changes.watermark, cipher is not None)


def read_from(
    changes: Mapping[str, JSON], accounts: Mapping[str, JSON], *, stated: bool, kind: str = "database"
) -> dict[str, JSON]:
    """What the manifest says of where the changes were read; the times only where they are ``stated``."""
    said: dict[str, JSON] = {"kind": kind, "server": changes.get("version")}
    if stated:
        said |= {"accountsAt": accounts.get("at"), "changesAt": changes.get("at")}
    return said
