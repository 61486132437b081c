"""One row under another account's key, freed of identity: its line, and its line of ``meta/``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ...crypto.fields import FieldCipher, is_encrypted, may_be_encrypted
from ...errors import DamagedArchiveError, FieldDecryptionError
from ...model.projection import MetaLineError, Stamp, read_meta
from ...model.registry import Registry, Table
from ...model.spaces import OPEN_TO_OTHERS, SpaceNumbers
from ...rows.capabilities import capability_fields, held, within
from ...rows.completeness import Case
from ...rows.identity import CHANGED_BY, TOKEN, ActorKinds, NewId, RowIds, Traces, columns
from ...rows.marks import Listed, Marks, listed_in
from ...text import jsontext
from ...text.jsonmembers import member_text, member_value, object_text
from ...text.jsontext import JSON, Fragment

_NONE: frozenset[str] = frozenset()
_WITHIN_SPACE = "space"
_WRITTEN_ANEW = frozenset({"omitted", "ciphertext", "wellKnownId"})


class _Staying(NamedTuple):
    """The fields of a table that do not leave the account."""

    identity: frozenset[str]
    capabilities: frozenset[str]


@dataclass(slots=True)
class _Said:
    """What the meta line of a row says of its fields, and is to say in the new archive."""

    also_encrypted: set[str]
    """Those that are encrypted without being registered as such: the line's ``sealed``."""
    omitted: set[str]
    listed: Listed
    """Ciphertext in the source."""
    space: int | None
    """The number of the space that the row names."""
    ciphertext: list[str] = field(default_factory=list)
    """In the new archive."""
    alike: bool = False
    """Something begins like ciphertext and is none."""

    def is_usual(self) -> bool:
        """Whether there is nothing to say of a row that had no meta line."""
        return self.space is None and not self.also_encrypted and not self.omitted and not self.alike


@dataclass(slots=True)
class RowMaker:
    """Makes the rows of a rekeyed archive. ``opener`` opens what is encrypted in the source, where it can be opened."""

    registry: Registry
    cipher: FieldCipher
    opener: FieldCipher | None
    marks: Marks
    spaces: SpaceNumbers
    actors: ActorKinds
    ids: RowIds
    traces: Traces
    note: Callable[[Case], object]
    keep_visibility: bool = False
    encrypted_fields: int = field(default=0, init=False)
    _staying_of: dict[str, _Staying] = field(default_factory=dict, init=False)

    def make(
        self, name: str, table: Table | None, identifier: str, row: dict[str, JSON], meta: Mapping[str, JSON] | None
    ) -> tuple[str, bytes, bytes]:
        """(id, line, meta line) of a row of table ``name``. ``row``, its writable members, is used up.

        ``meta`` is the row's meta line with actors and spaces numbered as in the new archive; where the row had none
        and needs none, the meta line is empty.
        """
        known: Mapping[str, JSON] = meta or {}
        new = self.ids.rewritten(name, identifier, well_known=known.get("wellKnownId"), space=known.get("space"))
        del row["id"]
        said = _Said(
            set(known.get("sealed", ())),
            set(known.get("omitted", ())),
            listed_in(meta),
            self._space(row.get("spaceId")),
        )
        staying = self._staying(name, table)
        for field_name in held(row, staying.capabilities):
            self.note(Case("capabilityLeftOut", name, new.id, field_name))
            said.omitted.add(field_name)
        for field_name in [*staying.identity.intersection(row), *within(row, staying.capabilities)]:
            del row[field_name]
        self._narrow(row, said.listed)
        clear = self._encrypt(name, new.id, row, table.encrypted if table is not None else _NONE, said)
        for field_name in said.omitted.intersection(row):
            del row[field_name]
            clear.pop(field_name, None)
        self._trace(name, new.id, clear)
        return new.id, _line(new.id, row), self._meta(new, table, meta, staying, said)

    def _encrypt(
        self, name: str, identifier: str, row: dict[str, JSON], registered: frozenset[str], said: _Said
    ) -> dict[str, JSON]:
        """Puts ciphertext under the new key into its places, and gives the members that are in clear."""
        clear: dict[str, JSON] = {}
        for field_name, member in row.items():
            value = member_value(member) if type(member) is Fragment else member
            if value is None:
                continue
            private = field_name in registered or field_name in said.also_encrypted
            text: bytes | None = None
            if may_be_encrypted(value):
                try:
                    text = self.marks.opened(field_name, value, said.listed, self.opener)
                except FieldDecryptionError as error:
                    self.note(Case("ciphertextLeftOut", name, identifier, field_name, error.reason))
                    said.omitted.add(field_name)
                    continue
                if not private and (text is not None or is_encrypted(value)):
                    # Text of this form would in clear be taken for ciphertext by whoever reads it from a server.
                    said.also_encrypted.add(field_name)
                    private = True
                said.alike = said.alike or not private
            if not private:
                clear[field_name] = member
                continue
            row[field_name] = self.cipher.encrypt(member_text(member) if text is None else text)
            said.ciphertext.append(field_name)
            self.encrypted_fields += 1
        return clear

    def translated(self, line: dict[str, JSON], where: str) -> dict[str, JSON]:
        """The meta line of a row as it may leave the account. Raises :class:`DamagedArchiveError`."""
        try:
            meta = read_meta(line, self.actors.by_line)
        except MetaLineError as error:
            raise DamagedArchiveError(error.message, code="line", where=where) from None
        new = self._triple(meta.common)
        new["fields"] = {name: self._triple(stamp) for name, stamp in meta.fields.items()}
        new["sealed"] = meta.also_encrypted
        if meta.omitted:
            new["omitted"] = meta.omitted
        if meta.ciphertext is not None:
            new["ciphertext"] = list(meta.ciphertext)
        if meta.well_known_id is not None:
            new["wellKnownId"] = meta.well_known_id
        if "space" in line:
            new["space"] = meta.space if meta.space is not None and meta.space < len(self.spaces) else None
        return new

    def _triple(self, stamp: Stamp) -> dict[str, JSON]:
        actor = None if stamp.actor is None else self.actors(stamp.actor)
        return {"at": stamp.at or None, "actor": actor, "origin": stamp.origin}

    def _space(self, member: JSON) -> int | None:
        space = member_value(member)
        return self.spaces(space) if type(space) is str and space else None

    def _staying(self, name: str, table: Table | None) -> _Staying:
        staying = self._staying_of.get(name)
        if staying is None:
            capabilities = capability_fields(name, known=table is not None)
            if self.keep_visibility:
                capabilities -= {TOKEN}
            staying = _Staying(columns(self.registry, name) | {CHANGED_BY}, capabilities)
            self._staying_of[name] = staying
        return staying

    def _narrow(self, row: dict[str, JSON], listed: Listed) -> None:
        """Nobody outside the new account sees a row because somebody saw it in the old one."""
        if not self.keep_visibility and "visibility" in row:
            value = member_value(row["visibility"])
            if may_be_encrypted(value):
                try:
                    opened = self.marks.opened("visibility", value, listed, self.opener)
                except FieldDecryptionError:
                    return  # it is left out, and reported, with the others
                value = value if opened is None else jsontext.parse(opened)
            if value in OPEN_TO_OTHERS:
                row["visibility"] = _WITHIN_SPACE

    def _trace(self, name: str, identifier: str, clear: Mapping[str, JSON]) -> None:
        """Notes what still names the account: nested values, or fields of apps that nobody here knows."""
        if not self.traces.found_in(jsontext.dumps([identifier, *clear.values()])):
            return
        data = self.registry.own_user_ids.get(name, _NONE)
        for field_name, member in (("id", identifier), *clear.items()):
            if field_name not in data and self.traces.found_in(jsontext.dumps(member)):
                self.note(Case("identityInData", name, identifier, field_name))

    def _meta(
        self,
        new: NewId,
        table: Table | None,
        meta: Mapping[str, JSON] | None,
        staying: _Staying,
        said: _Said,
    ) -> bytes:
        if meta is None:
            if said.is_usual() and new.well_known is None:
                return b""
            meta = {"at": None, "actor": None, "origin": None, "fields": {}}
        gone = staying.identity | staying.capabilities | said.omitted
        line: dict[str, JSON] = {name: value for name, value in meta.items() if name not in _WRITTEN_ANEW}
        line["id"] = new.id
        line["sealed"] = sorted(said.also_encrypted.difference(gone))
        stamps = meta["fields"]
        left = set(within(stamps, gone))
        line["fields"] = {name: stamp for name, stamp in stamps.items() if name not in left}
        if line.get("space") is None and (said.space is not None or (table is not None and table.scope == "space")):
            line["space"] = said.space
        if said.omitted:
            line["omitted"] = sorted(said.omitted)
        if said.alike:
            line["ciphertext"] = sorted(set(said.ciphertext).difference(gone))
        if new.well_known is not None:
            line["wellKnownId"] = new.well_known
        return jsontext.dumps(line)


def _line(identifier: str, row: Mapping[str, JSON]) -> bytes:
    """A row's text: each member with its own."""
    return object_text({"id": identifier, **{name: row[name] for name in sorted(row)}})
