"""One row under another account's key, freed of identity: its line, and its line of ``meta/``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from ... import jsontext
from ...crypto.fields import PREFIX, FieldCipher, is_encrypted
from ...errors import DamagedArchiveError, FieldDecryptionError
from ...jsonmembers import member_value
from ...jsontext import JSON
from ...projection import MetaLineError, Stamp, read_meta
from ...registry import Registry, Table
from ..identity import CHANGED_BY, TOKEN, ActorKinds, RowIds, SpaceNumbers, Traces, columns
from ..rows import row_line
from ..rowtext import Problems

_NONE: frozenset[str] = frozenset()
_OPEN_TO_OTHERS = ("unlisted", "public")
_WITHIN_SPACE = "space"


@dataclass(slots=True)
class RowMaker:
    """Makes the rows of a rekeyed archive. ``opener`` opens what is encrypted in the source, where it can be opened."""

    registry: Registry
    cipher: FieldCipher
    opener: FieldCipher | None
    spaces: SpaceNumbers
    actors: ActorKinds
    ids: RowIds
    traces: Traces
    problems: Problems
    keep_visibility: bool = False
    encrypted_fields: int = field(default=0, init=False)
    _leaving_of: dict[str, frozenset[str]] = field(default_factory=dict, init=False)

    def make(
        self, name: str, table: Table | None, identifier: str, row: dict[str, JSON], meta: Mapping[str, JSON] | None
    ) -> tuple[str, bytes, bytes]:
        """(id, line, meta line) of a row of table ``name``. ``row``, its writable members, is used up.

        ``meta`` is the row's meta line with actors and spaces numbered as in the new archive; where the row had none
        and needs none, the meta line is empty.
        """
        new_id = self.ids.rewritten(name, identifier)
        del row["id"]
        space = self._space(row.get("spaceId"))
        sealed: set[str] = set() if meta is None else set(meta["sealed"])
        omitted: set[str] = set() if meta is None else set(meta.get("omitted", ()))
        encrypted = table.encrypted if table is not None else _NONE
        gone = self._leaving(name)
        for field_name in gone.intersection(row):
            del row[field_name]
        self._narrow(row)
        clear: dict[str, JSON] = {}
        for field_name, member in row.items():
            value = member_value(member) if type(member) is orjson.Fragment else member
            if value is None:
                continue
            if type(value) is str and value.startswith(PREFIX):
                text = self._open(value, name, new_id, field_name)
                if text is None:
                    omitted.add(field_name)
                    continue
                if field_name not in encrypted:
                    sealed.add(field_name)
            elif field_name in encrypted or field_name in sealed:
                text = orjson.dumps(member)
            else:
                clear[field_name] = member
                continue
            row[field_name] = self.cipher.encrypt(text)
            self.encrypted_fields += 1
        for field_name in omitted.intersection(row):
            del row[field_name]
            clear.pop(field_name, None)
        self._trace(name, new_id, clear)
        return new_id, _line(new_id, row), self._meta(new_id, table, meta, space, gone, sealed, omitted)

    def translated(self, line: dict[str, JSON], where: str) -> dict[str, JSON]:
        """The meta line of a row as it may leave the account. Raises :class:`DamagedArchiveError`."""
        try:
            meta = read_meta(line, self.actors.by_line)
        except MetaLineError as error:
            raise DamagedArchiveError(error.message, code="line", where=where) from None
        new = self._triple(meta.common)
        new["fields"] = {name: self._triple(stamp) for name, stamp in meta.fields.items()}
        new["sealed"] = meta.sealed
        if meta.omitted:
            new["omitted"] = meta.omitted
        if "space" in line:
            new["space"] = meta.space if meta.space is not None and meta.space < len(self.spaces) else None
        return new

    def _triple(self, stamp: Stamp) -> dict[str, JSON]:
        actor = None if stamp.actor is None else self.actors(stamp.actor)
        return {"at": stamp.at or None, "actor": actor, "origin": stamp.origin}

    def _space(self, member: JSON) -> int | None:
        space = member_value(member)
        return self.spaces(space) if type(space) is str and space else None

    def _leaving(self, name: str) -> frozenset[str]:
        """The fields that tell whose a row was."""
        leaving = self._leaving_of.get(name)
        if leaving is None:
            leaving = columns(self.registry, name) | ({CHANGED_BY} if self.keep_visibility else {CHANGED_BY, TOKEN})
            self._leaving_of[name] = leaving
        return leaving

    def _narrow(self, row: dict[str, JSON]) -> None:
        """Nobody outside the new account sees a row because somebody saw it in the old one."""
        if not self.keep_visibility and "visibility" in row:
            value = member_value(row["visibility"])
            if is_encrypted(value) and self.opener is not None:
                try:
                    value = jsontext.parse(self.opener.decrypt(value))
                except FieldDecryptionError:
                    return  # it is left out, and reported, with the others
            if value in _OPEN_TO_OTHERS:
                row["visibility"] = _WITHIN_SPACE

    def _open(self, value: str, name: str, identifier: str, field_name: str) -> bytes | None:
        try:
            if self.opener is None:
                raise FieldDecryptionError("no key was given", reason="noKey")
            return self.opener.decrypt(value)
        except FieldDecryptionError as error:
            self.problems.note("ciphertextLeftOut", name, identifier, field_name, error.reason)
            return None

    def _trace(self, name: str, identifier: str, clear: Mapping[str, JSON]) -> None:
        """Notes what still names the account: nested values, or fields of apps that nobody here knows."""
        if not self.traces.found_in(jsontext.dumps([identifier, *clear.values()])):
            return
        data = self.registry.own_user_ids.get(name, _NONE)
        for field_name, member in (("id", identifier), *clear.items()):
            if field_name not in data and self.traces.found_in(jsontext.dumps(member)):
                self.problems.note("identityInData", name, identifier, field_name)

    def _meta(
        self,
        identifier: str,
        table: Table | None,
        meta: Mapping[str, JSON] | None,
        space: int | None,
        gone: frozenset[str],
        sealed: set[str],
        omitted: set[str],
    ) -> bytes:
        if meta is None:
            if space is None and not sealed and not omitted:
                return b""
            meta = {"at": None, "actor": None, "origin": None, "fields": {}}
        gone = gone | omitted
        line: dict[str, JSON] = {**meta, "id": identifier, "sealed": sorted(sealed.difference(gone))}
        line["fields"] = {
            name: stamp
            for name, stamp in meta["fields"].items()
            if name not in gone and name.partition(".")[0] not in gone
        }
        if line.get("space") is None and (space is not None or (table is not None and table.scope == "space")):
            line["space"] = space
        if omitted:
            line["omitted"] = sorted(omitted)
        return jsontext.dumps(line)


def _line(identifier: str, row: Mapping[str, JSON]) -> bytes:
    """A row's text: each member with its own."""
    try:
        return orjson.dumps({"id": identifier, **{name: row[name] for name in sorted(row)}})
    except orjson.JSONEncodeError:  # a lone surrogate in a name or the id
        return row_line({"id": identifier, **{name: orjson.Fragment(orjson.dumps(row[name])) for name in row}})
