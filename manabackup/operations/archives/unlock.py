"""Unlock: the private fields of an archive that somebody wrote who had not got the key, opened by their owner.

Those who run Mana write such archives out of the server's database. The account's key lies in the archive, under the
recovery code, so that no server is needed. What comes of it is what an export of the account's owner would have been.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ...archive import names
from ...archive.blobs import carried_assets
from ...archive.destination import Destination, keep_complete, named, opened, writing
from ...archive.manifest import AS_STORED, Manifest
from ...archive.places import Location
from ...archive.reader import Archive
from ...archive.writer import About, ArchiveWriter, Seal, Written
from ...crypto.fields import FieldCipher, is_encrypted, may_be_encrypted
from ...crypto.recovery import parse_recovery_code, unwrap_master_key
from ...errors import FieldDecryptionError, UsageError, WrongKeyError, WrongRecoveryCodeError
from ...host.spooling import spool_files
from ...limits import MIB
from ...model import registry
from ...model.spaces import standing_of
from ...rows.archived import require_mana
from ...rows.completeness import MOST_CASES, Case, Completeness
from ...rows.side_by_side import MetaLines
from ...rows.wrapped_key import WrappedKey
from ...text import jsontext
from ...text.jsonmembers import object_text, writable_members
from ...text.jsontext import JSON, Fragment
from ..progress import Step, Watch, sending, teller
from .reseal import OWN_KEYS

_GROWN = 1.5
_LEFT_SEALED = "leftSealed"
_NO_ROWS = frozenset({"actors", "spaces", "problems", "blobs"})


@dataclass(frozen=True, slots=True)
class UnlockResult:
    """What became of an archive."""

    archive: Location
    written: Written
    opened: int
    """Fields that are in clear now."""
    status: str
    losses: dict[str, int]
    """What did not open, kind → count."""
    notices: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """The object that ``unlock --json`` prints (``formats/schemas/unlock.schema.json``)."""
        return {
            "archive": str(self.archive),
            "bytes": self.written.bytes,
            "rows": self.written.rows,
            "tables": len(self.written.row_counts),
            "dataSha256": self.written.data_sha256,
            "sealed": self.written.sealed,
            "openedFields": self.opened,
            "status": self.status,
            "losses": self.losses,
            "notices": self.notices,
        }


def check_unlockable(archive: Archive) -> None:
    """Raises :class:`UsageError` for an archive whose private fields nobody left as they were."""
    require_mana(archive.manifest)
    if not archive.manifest.as_stored:
        hint = "one that was encrypted for another account is opened by `restore` or `rekey`, with that account's key"
        raise UsageError(
            "the archive's private fields are in clear already, as far as they open"
            if archive.manifest.fields_plaintext
            else "the archive was not taken out of a database",
            hint=None if archive.manifest.fields_plaintext else hint,
        )


def archived_key(
    archive: Archive,
    recovery_code: Callable[[], str],
    once_more: Callable[[WrongRecoveryCodeError], bool] = lambda _: False,
) -> FieldCipher:
    """The account's key, out of the archive by its recovery code; asked again for after a wrong one, if so told.

    Raises :class:`WrongRecoveryCodeError`, and :class:`UsageError` for an account that had no recovery code.
    """
    wrapped = WrappedKey.of(archive)
    if wrapped is None:
        hint = "give the account's key with --key-file"
        raise UsageError("the account had no recovery code when the archive was made", hint=hint)
    while True:
        try:
            secret = parse_recovery_code(recovery_code())
            return FieldCipher(unwrap_master_key(secret, wrapped.wrapped, wrapped.iv))
        except WrongRecoveryCodeError as error:
            if not once_more(error):
                raise


def unlock_archive(
    archive: Archive,
    target: Destination,
    cipher: FieldCipher,
    *,
    seal: Seal | None = None,
    force: bool = False,
    strict: bool = False,
    progress: Watch | None = None,
) -> UnlockResult:
    """Writes an open archive to ``target``, its private fields opened by ``cipher``.

    ``force`` and ``strict`` are as for an export, ``progress`` is told of :attr:`Step.RESEAL`. Raises
    :class:`UsageError` for an archive in which nothing was left sealed, :class:`WrongKeyError` for a key that opens
    nothing of it, :class:`DamagedArchiveError`, :class:`OutputError`.
    """
    check_unlockable(archive)
    make_file, size = spool_files(target), archive.reader.size
    output = opened(target, force=force, tell=sending(progress))
    with (
        writing(target),
        output as file,
        ArchiveWriter(
            file,
            tables=[table.name for table in registry.load().tables],
            seal=seal,
            make_spool_file=make_file,
            rewritten=archive,
            may_exceed_4_gib=size * _GROWN >= 2**32 - MIB,
        ) as writer,
    ):
        problems = writer.spool(names.entry("meta", "problems"))
        completeness = Completeness(problems.add)
        for line in archive.meta("problems"):
            if line.get("kind") != _LEFT_SEALED:
                problems.add(jsontext.dumps(line))
        opener = _Opener(archive, cipher, completeness.note)
        tell, done = teller(progress, Step.RESEAL), 0
        for name in archive.tables:
            opener.table(name, writer)
            done += archive.reader.table_size(name)
            tell(done, size)
        opener.finish()
        problems.close()
        for entry in archive.reader.container.entries.values():
            if entry.kind == "blob" or (entry.kind == "meta" and names.table_of(entry.name) in _NO_ROWS - {"problems"}):
                writer.copy(archive, entry.name)
        for name in archive.account:
            writer.stream(name, archive.reader.chunks(name), bound=archive.reader.container.entries[name].size)
        stated = _completeness(archive.manifest, completeness)
        status = str(stated["status"])
        keep_complete(output, target, status, seal, strict=strict)
        written = writer.finish(
            _about(archive.manifest), _additions(archive.manifest, stated), assets=carried_assets(archive.manifest)
        )
    counts = completeness.counts()
    return UnlockResult(named(target), written, opener.opened, status, counts["losses"], counts["notices"])


@dataclass(slots=True)
class _Opener:
    """Opens the fields of rows."""

    archive: Archive
    cipher: FieldCipher
    note: Callable[[Case], object]
    opened: int = 0
    failed: int = 0
    _spaces: list[dict[str, JSON]] = field(default_factory=list)
    _actors: list[dict[str, JSON]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._spaces = list(self.archive.meta("spaces"))
        self._actors = list(self.archive.meta("actors"))

    def table(self, name: str, writer: ArchiveWriter) -> None:
        """Writes a table."""
        known = registry.load().by_name.get(name)
        registered = known.encrypted if known is not None else frozenset[str]()
        target = writer.table(name, bound=int(self.archive.reader.table_size(name) * _GROWN))
        metas = MetaLines(self.archive, name)
        for row in self.archive.reader.rows(name, ordered=True):
            meta = metas.of(row.id)
            values = writable_members(row.line)
            sealed = [field for field, value in values.items() if type(value) is str and may_be_encrypted(value)]
            if not sealed:
                target.add(row.line, None if meta is None else metas.text)
                continue
            closed = self._open(name, row.id, values, sealed, meta or {})
            text = None if meta is None else _meta(meta, values, closed, registered)
            target.add(object_text(values), text)
        metas.finish()
        target.close()

    def finish(self) -> None:
        """Raises :class:`WrongKeyError` where the key opened nothing, though there was something to open."""
        if self.failed and not self.opened:
            raise WrongKeyError("the key opens none of the archive's private fields: it is another account's")

    def _open(
        self, table: str, record: str, values: dict[str, JSON], sealed: list[str], meta: dict[str, JSON]
    ) -> list[str]:
        """Puts the text of every value that opens in its place; gives the fields that are ciphertext still."""
        closed = []
        for name in sealed:
            try:
                text, repaired = self.cipher.open(values[name])
            except FieldDecryptionError as error:
                if is_encrypted(values[name]):
                    closed.append(name)
                    self.failed += 1
                    self.note(Case(self._kind(error, name, values, meta), table, record, name, error.reason))
                continue
            values[name] = Fragment(text)
            self.opened += 1
            if repaired:
                self.note(Case("repairedText", table, record, name))
        return closed

    def _kind(self, error: FieldDecryptionError, name: str, values: dict[str, JSON], meta: dict[str, JSON]) -> str:
        if error.reason != "key":
            return "undecryptable"
        number = meta.get("space")
        space = self._spaces[number] if type(number) is int and 0 <= number < len(self._spaces) else {}
        identifier, kind = space.get("id"), space.get("type")
        known = {identifier: kind} if isinstance(identifier, str) and isinstance(kind, str) else {}
        standing = standing_of(identifier if isinstance(identifier, str) else None, known)
        if standing == "shared":
            return "foreignCiphertext"
        is_own = self._author(name, values, meta) == self.archive.manifest.user_id
        return "foreignOrUndecryptable" if standing == "unknown" and not is_own else "undecryptable"

    def _author(self, name: str, values: dict[str, JSON], meta: dict[str, JSON]) -> JSON:
        stamps = meta.get("fields")
        stamp = stamps.get(name, meta) if isinstance(stamps, dict) else meta
        number = stamp.get("actor") if isinstance(stamp, dict) else None
        actor = self._actors[number] if type(number) is int and 0 <= number < len(self._actors) else {}
        return actor.get("principalId") if actor.get("kind") == "user" else values.get("authorId")


def _meta(meta: dict[str, JSON], values: dict[str, JSON], closed: list[str], registered: frozenset[str]) -> bytes:
    """The meta line of a row of which fields were opened."""
    line = {key: value for key, value in meta.items() if key != "ciphertext"}
    was_sealed = line.get("sealed")
    opened = {name for name, value in values.items() if type(value) is Fragment} - registered
    if isinstance(was_sealed, list):
        line["sealed"] = sorted((set(was_sealed) | opened) - set(closed))
    if closed:
        line["ciphertext"] = sorted(closed)
    return jsontext.dumps(line)


def _about(manifest: Manifest) -> About:
    schema_version = manifest.raw["schemaVersion"]
    return About(
        user_id=manifest.user_id,
        exported_at=manifest.exported_at,
        scope=manifest.raw["scope"],
        fields_plaintext=True,
        schema_version=schema_version if isinstance(schema_version, int) else 0,
    )


def _additions(manifest: Manifest, completeness: dict[str, JSON]) -> dict[str, JSON]:
    left_out = OWN_KEYS | {AS_STORED, "keyFingerprint"}
    carried = {key: value for key, value in manifest.raw.items() if key not in left_out}
    return {**carried, "completeness": completeness}


def _completeness(manifest: Manifest, own: Completeness) -> dict[str, JSON]:
    """The manifest's, without what was left sealed and with what did not open."""
    before = manifest.completeness or {}
    is_partial = before.get("status") == "partial" or own.status == "partial"
    stated: dict[str, JSON] = {**before, "status": "partial" if is_partial else "complete"}
    for group, found in own.cases().items():
        held = before.get(group)
        kinds = {kind: case for kind, case in held.items() if kind != _LEFT_SEALED} if isinstance(held, dict) else {}
        for kind, more in found.items():
            known = kinds.get(kind) or {"count": 0, "cases": []}
            cases = [*known["cases"], *more["cases"]][:MOST_CASES]
            kinds[kind] = {"count": known["count"] + more["count"], "cases": cases}
        stated[group] = dict(sorted(kinds.items()))
    return stated
