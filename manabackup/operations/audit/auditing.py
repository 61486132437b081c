"""One audit: every change that a mirror holds, and what is known of the account besides."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ...archive import names
from ...crypto.spools import SpoolFile
from ...host.sorting import LineSorter
from ...host.spooling import spool_files
from ...mirror import UNREADABLE
from ...model.projection import accept, fold
from ...model.registry import Table
from ...model.spaces import PERSONAL
from ...text import jsontext
from ...text.timestamps import app_time, format_timestamp
from ..account.source import Source
from ..account.spaces import require_own
from ..progress import Step, Watch, teller
from .ciphertexts import Ciphertexts
from .findings import Finding, Findings, Severity
from .references import References
from .rows import AuditedAccount, RowChecks
from .vault import VaultState

_CLEAR = ("plaintextField", "plaintextUnknownSpace")


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found."""

    user_id: str
    vault: VaultState
    key_fingerprint: str | None
    """The fingerprint of the key that was tried; None where there is none, or it was not at hand."""
    changes: int
    live: int
    """Rows."""
    deleted: int
    ciphertexts: int
    """Different ciphertexts, each once for a place."""
    opened: int
    """Fields that the key opened."""
    own_unopened: int
    """Fields of the user's own that it did not open: they are under another key, or damaged."""
    findings: Sequence[Finding]
    """The gravest first."""
    pulled_at: str | None = None
    """When the mirror last saw the server, RFC 3339; None when that was just now."""

    def count(self, severity: Severity) -> int:
        """Cases of a severity."""
        return sum(finding.count for finding in self.findings if finding.kind.severity is severity)

    def finding(self, kind: str) -> Finding | None:
        """What was found of a kind."""
        return next((finding for finding in self.findings if finding.kind.id == kind), None)

    @property
    def tables_in_clear(self) -> list[str]:
        """The tables with private fields in clear that are the user's own, as far as anybody knows."""
        return [name for kind in _CLEAR if (found := self.finding(kind)) for name in found.tables]

    @property
    def is_clean(self) -> bool:
        """Nothing was found but what is good to know."""
        return all(finding.kind.severity is Severity.NOTE for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The object that ``audit --json`` prints (``formats/schemas/audit.schema.json``), but for ``fix``."""
        return {
            "userId": self.user_id,
            "clean": self.is_clean,
            "errors": self.count(Severity.ERROR),
            "warnings": self.count(Severity.WARNING),
            "notes": self.count(Severity.NOTE),
            "vault": {"mode": self.vault.mode, "recoveryCode": self.vault.recovery_code},
            "keyFingerprint": self.key_fingerprint,
            "pulledAt": self.pulled_at,
            "changes": self.changes,
            "rows": self.live,
            "deleted": self.deleted,
            "ciphertexts": self.ciphertexts,
            "opened": self.opened,
            "findings": [finding.to_json() for finding in self.findings],
        }


def audit(
    source: Source,
    vault: VaultState | None = None,
    *,
    locked: bool = False,
    personal_space: str | None = None,
    now: datetime | None = None,
    scratch: Path | None = None,
    progress: Watch | None = None,
) -> Audit:
    """Looks at everything that a source holds.

    ``locked``: the account has a key, and it is not at hand, so that nothing is said of what it would open.
    ``personal_space`` names the user's own space where the source does not know. ``scratch`` is a folder for temporary
    files, which are encrypted and have no name; by default the system's. ``progress`` is told of :attr:`Step.AUDIT`.

    Raises :class:`UsageError` for a ``personal_space`` that cannot be it, :class:`MirrorError` for a damaged mirror,
    :class:`OutputError` when the scratch folder takes nothing.
    """
    make_file = spool_files((scratch or Path(tempfile.gettempdir())) / "audit")
    require_own(personal_space, source.user_id, source.space_types, source.memberships)
    types = dict(source.space_types)
    if personal_space is not None:
        types[personal_space] = PERSONAL
    account = AuditedAccount(
        source.registry,
        source.user_id,
        types,
        source.memberships,
        None if locked else source.cipher,
        locked,
        app_time((now or datetime.now(UTC)) + timedelta(days=1)),
    )
    run = _Audit(source, account, vault or VaultState(), make_file)
    tell = teller(progress, Step.AUDIT)
    done, total = 0, sum(collection.changes for collection in source.mirror.collections())
    for count in run.streams():
        done += count
        tell(done, total)
    return run.finish()


class _Audit:
    """One audit on its way."""

    def __init__(
        self, source: Source, account: AuditedAccount, vault: VaultState, make_file: Callable[[], SpoolFile]
    ) -> None:
        self._source = source
        self._vault = vault
        self._make_file = make_file
        self._findings = Findings()
        self._ciphertexts = Ciphertexts(make_file)
        self._references = References(source.registry, make_file, set(self._unreadable_tables()))
        self._rows = RowChecks(account, self._findings, self._ciphertexts, self._references)
        self._account = account
        self._changes = self._live = self._deleted = 0

    def _unreadable_tables(self) -> Iterator[str]:
        lost = [loss for loss in self._source.mirror.losses() if loss.kind in UNREADABLE]
        for table in self._source.registry.tables:
            if any(loss.app in ("", table.app) and loss.collection in (None, *table.collections) for loss in lost):
                yield table.name

    def streams(self) -> Iterator[int]:
        """Reads table by table, and then what the registry does not know; yields the changes read, now and then."""
        registry, mirror = self._source.registry, self._source.mirror
        for table in registry.tables:
            yield from self._stream(table.name, table, table.app, table.collections)
        for held in mirror.collections():
            if (held.app, held.name) not in registry.by_collection and held.changes:
                name = names.unknown_table(held.app, held.name)
                self._findings.of("unknownCollection").add(name)
                yield from self._stream(name, None, held.app, (held.name,))

    def _stream(self, name: str, table: Table | None, app: str, collections: Sequence[str]) -> Iterator[int]:
        sorter = LineSorter(self._make_file)
        for collection in collections:
            for page in self._source.mirror.read(app, collection):
                pairs = list(zip(page.ids, page.lines(), strict=True))
                sorter.add((record, line) for record, line in pairs if record)
                self._nameless(name, pairs)
                self._changes += len(pairs)
                yield len(pairs)
        for _, lines in sorter.groups():
            changes = [jsontext.parse_canonical(line) for line in lines]
            record = fold(table, changes)
            self._live += record.state == "live"
            self._deleted += record.state == "tombstone"
            self._rows.check(name, table, record, changes)

    def _nameless(self, name: str, pairs: Iterable[tuple[str | None, bytes]]) -> None:
        """Changes without a record id belong to no row."""
        for record, line in pairs:
            if not record:
                reason = accept(jsontext.parse_canonical(line))
                self._findings.of("malformedChange").add(name, reason=reason or "badId")

    def finish(self) -> Audit:
        """Everything that comes after the rows."""
        findings, source = self._findings, self._source
        self._ciphertexts.find(findings)
        self._references.find(findings)
        self._vault.find(findings)
        for loss in source.mirror.losses():
            place = (loss.app or None) if loss.collection is None else self._table_name(loss.app, loss.collection)
            found = findings.of(loss.kind.value)
            for event, record in zip_longest(loss.events, loss.records):
                found.add(place, record, event=event)
            if loss.count > len(loss.events):
                stretch = None if loss.until is None else f"until {format_timestamp(loss.until)}"
                found.add(place, reason=stretch, count=loss.count - len(loss.events))
        for kind, reason in source.notices:
            if kind == "spaceTypesUnknown":
                findings.of(kind).add(None, reason=reason)
        if self._account.locked and self._rows.not_tried:
            findings.of("notOpened").add(None, count=self._rows.not_tried)
        cipher = self._account.cipher
        return Audit(
            source.user_id,
            self._vault,
            cipher.fingerprint if cipher is not None else None,
            self._changes,
            self._live,
            self._deleted,
            self._ciphertexts.count,
            self._rows.opened,
            self._rows.own_unopened,
            findings.sorted(),
            source.pulled_at,
        )

    def _table_name(self, app: str, collection: str) -> str:
        table = self._source.registry.by_collection.get((app, collection))
        return table.name if table is not None else names.unknown_table(app, collection)
