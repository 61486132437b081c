"""What one row tells: fields in clear, fields that do not open, values that came back, times, owners."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ...crypto.fields import FieldCipher, is_encrypted, may_be_encrypted
from ...errors import FieldDecryptionError
from ...model.projection import Record
from ...model.projection.change import field_time, insert_time
from ...model.registry import Registry, Table
from ...model.spaces import SENTINEL, Standing, standing_of
from ...rows.authorship import is_by
from ...rows.capabilities import capability_fields, held
from ...rows.private_fields import fields_in_clear, is_clear, is_of_other_version
from ...text import jsontext
from ...text.jsontext import JSON
from .ciphertexts import Ciphertexts
from .findings import Findings
from .references import References

Writes: TypeAlias = Mapping[str, Sequence[tuple[str, JSON]]]
"""Field → (time, value) of everything that was ever written into it, in the server's order."""

_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AuditedAccount:
    """Whose rows are looked at, and by what."""

    registry: Registry
    user_id: str
    space_types: Mapping[str, str]
    memberships: frozenset[str] | None
    """The spaces that the user is a member of; None where nobody says."""
    cipher: FieldCipher | None
    """None where there is no key, or it is not at hand."""
    locked: bool
    """There is a key, and it is not at hand."""
    tomorrow: str
    """The time, as the app writes it, beyond which times are in the future."""


class RowChecks:
    """Looks at the records of an account."""

    def __init__(
        self, account: AuditedAccount, findings: Findings, ciphertexts: Ciphertexts, references: References
    ) -> None:
        self._registry = account.registry
        self._user_id = account.user_id
        self._space_types = account.space_types
        self._memberships = account.memberships
        self._cipher = account.cipher
        self._locked = account.locked
        self._tomorrow = account.tomorrow
        self._findings = findings
        self._ciphertexts = ciphertexts
        self._references = references
        self.opened = 0
        """Fields that the key opened."""
        self.own_unopened = 0
        """Fields of the user's own that were encrypted under another key, or damaged."""
        self.not_tried = 0

    def check(self, name: str, table: Table | None, record: Record, changes: Iterable[JSON]) -> None:
        """One record, and the changes that it was folded from."""
        for reason in record.malformed:
            self._findings.of("malformedChange").add(name, record.id, reason=reason)
        private = table.encrypted if table is not None else _NONE
        writes = _writes(changes, private)
        standing = standing_of(record.space, self._space_types)
        self._note_ciphertexts(name, record, writes)
        if table is not None and standing != "shared":
            self._check_history(name, table, record, writes)
        if record.state == "absent":
            return
        if table is not None:
            self._check_clear(name, table, record, writes, standing)
        opened = self._check_encrypted(name, record, writes, standing)
        self._check_identity(name, record, standing)
        for field in held(record.values, capability_fields(name, known=table is not None)):
            self._findings.of("capability").add(name, record.id, field)
        if record.latest_time > self._tomorrow:
            self._findings.of("futureTime").add(name, record.id)
        if table is not None:
            self._references.add(table, record, {**record.values, **opened} if opened else record.values)

    # --- private fields

    def _check_clear(self, name: str, table: Table, record: Record, writes: Writes, standing: Standing) -> None:
        kinds = {"personal": "plaintextField", "shared": "plaintextShared", "unknown": "plaintextUnknownSpace"}
        for field in fields_in_clear(table, record.values, self._cipher):
            reason = None
            if is_of_other_version(record.values[field]):
                reason = "otherVersion"
            elif any(is_encrypted(value) for _, value in writes.get(field, ())):
                reason = "replacedCiphertext"
            self._findings.of(kinds[standing]).add(name, record.id, field, reason=reason)

    def _check_history(self, name: str, table: Table, record: Record, writes: Writes) -> None:
        """Private fields that are ciphertext now, or gone, and were not always."""
        present = record.state != "absent"
        for field in sorted(writes.keys() & table.encrypted):
            if present and is_clear(record.values.get(field), self._cipher):
                continue
            if any(is_clear(value, self._cipher) for _, value in writes[field]):
                self._findings.of("historyInClear").add(name, record.id, field)

    def _check_encrypted(self, name: str, record: Record, writes: Writes, standing: Standing) -> dict[str, JSON]:
        """Ciphertext that does not open, or came back; gives what opened and may refer to other rows."""
        opened: dict[str, JSON] = {}
        referring = self._registry.by_name[name].references if name in self._registry.by_name else {}
        for field, value in sorted(record.values.items()):
            if not may_be_encrypted(value):
                continue
            if is_clear(value, self._cipher):
                self._findings.of("likeCiphertext").add(name, record.id, field)
                continue
            if _came_back(value, record.stamps[field].at if field in record.stamps else "", writes.get(field, ())):
                self._findings.of("ciphertextReplayed").add(name, record.id, field)
            text = self._open(name, record, field, value, standing)
            if text is not None and (field in referring or f"{field}[]" in referring):
                opened[field] = jsontext.parse(text)
        return opened

    def _open(self, name: str, record: Record, field: str, value: str, standing: Standing) -> bytes | None:
        if self._locked:
            self.not_tried += 1
            return None
        try:
            if self._cipher is None:
                raise FieldDecryptionError("the account has no vault", reason="noKey")
            text = self._cipher.decrypt(value)
        except FieldDecryptionError as error:
            kind = "undecryptable"
            if error.reason in ("key", "noKey") and standing == "shared":
                kind = "foreignCiphertext"
            elif error.reason in ("key", "noKey") and standing == "unknown" and not is_by(self._user_id, record, field):
                kind = "undecryptableUnknownSpace"
            self.own_unopened += kind == "undecryptable" and error.reason == "key"
            self._findings.of(kind).add(name, record.id, field, reason=error.reason)
            return None
        self.opened += 1
        return text

    def _note_ciphertexts(self, name: str, record: Record, writes: Writes) -> None:
        found: dict[tuple[str, str], bool] = {}
        for field, written in writes.items():
            held = _at(record.values, field) if record.state != "absent" else None
            for _, value in written:
                if may_be_encrypted(value):
                    found[field, value] = value == held
        self._ciphertexts.add(name, record.id, ((field, value, held) for (field, value), held in found.items()))

    # --- whose it is

    def _check_identity(self, name: str, record: Record, standing: Standing) -> None:
        values = record.values
        own_data = self._registry.own_user_ids.get(name, _NONE)
        if "userId" not in own_data and _is_text(values.get("userId")) and record.space is not None:
            self._findings.of("twoOwners").add(name, record.id)
        author = values.get("authorId")
        if record.state == "live" and self._is_elsewhere(record.space):
            theirs = _is_text(author) and author != self._user_id
            self._findings.of("formerSpaceRow" if theirs else "strandedRow").add(
                name, record.id, reason=f"space {record.space}"
            )
        if "authorId" not in own_data and _is_text(author) and author != self._user_id:
            self._findings.of("strangeAuthor" if standing == "personal" else "memberRow").add(name, record.id)

    def _is_elsewhere(self, space: str | None) -> bool:
        """Whether a row is of a space that the account is no member of, so that no device of the user shows it."""
        if space is None or self._memberships is None or space.startswith(SENTINEL):
            return False
        return space not in self._memberships


def _writes(changes: Iterable[JSON], private: frozenset[str]) -> dict[str, list[tuple[str, JSON]]]:
    """What was written into private fields, and every ciphertext besides, also by changes that were set aside."""
    found: dict[str, list[tuple[str, JSON]]] = {}
    for change in changes:
        for field, time, value in _written(change):
            if field in private or may_be_encrypted(value):
                found.setdefault(field, []).append((time, value))
    return found


def _written(change: JSON) -> Iterator[tuple[str, str, JSON]]:
    if type(change) is not dict:
        return
    data, fields = change.get("data"), change.get("fields")
    if type(data) is dict:
        time = insert_time(data)
        for field, value in data.items():
            yield field, time, value
    if type(fields) is dict:
        for field, entry in fields.items():
            if type(entry) is dict and "value" in entry:
                yield field, field_time(entry) if type(entry.get("at", "")) is str else "", entry["value"]


def _came_back(value: str, at: str, written: Sequence[tuple[str, JSON]]) -> bool:
    """Whether another value was written after this one was, and before it was written again with a later time.

    A push that was tried again bears the time of the first try, so it is no return.
    """
    first = next((index for index, (_, other) in enumerate(written) if other == value), None)
    if first is None or written[first][0] >= at:
        return False
    begun = written[first][0]
    return any(other != value and begun <= time <= at for time, other in written[first + 1 :])


def _at(values: Mapping[str, JSON], field: str) -> JSON:
    """What stands in a field, or at a path into one."""
    if field in values or "." not in field:
        return values.get(field)
    found: JSON = values
    for name in field.split("."):
        found = found.get(name) if type(found) is dict else None
    return found


def _is_text(value: JSON) -> bool:
    return type(value) is str and value != ""
