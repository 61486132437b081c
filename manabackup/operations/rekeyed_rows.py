"""One row under another account's key, freed of identity: its line, and its line of ``meta/``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from .. import jsontext
from ..crypto.fields import PREFIX, FieldCipher
from ..errors import FieldDecryptionError
from ..jsonmembers import members
from ..jsontext import JSON
from ..registry import Registry, Table
from .completeness import Completeness
from .identity import CHANGED_BY, TOKEN, ActorKinds, RowIds, SpaceNumbers, Traces, columns
from .rows import row_line

_NULL = b"null"
_NONE: frozenset[str] = frozenset()
_OPEN_TO_OTHERS = ("unlisted", "public")
_WITHIN_SPACE = b'"space"'


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
    problems: Completeness
    keep_visibility: bool = False
    encrypted_fields: int = field(default=0, init=False)

    def make(
        self, name: str, table: Table | None, identifier: str, line: bytes, meta: Mapping[str, JSON] | None
    ) -> tuple[str, bytes, bytes]:
        """(id, line, meta line) of a row of table ``name``.

        ``meta`` is the row's meta line with actors and spaces numbered as in the new archive; where the row had none
        and needs none, the meta line is empty.
        """
        new_id = self.ids.rewritten(name, identifier)
        texts = members(line)
        texts.pop("id")
        space = self._space(texts.get("spaceId", _NULL))
        sealed: set[str] = set() if meta is None else set(meta["sealed"])
        omitted: set[str] = set() if meta is None else set(meta.get("omitted", ()))
        encrypted = table.encrypted if table is not None else _NONE
        gone = self._leave(name, texts)
        self._narrow(texts)
        for field_name, text in texts.items():
            if text == _NULL:
                continue
            value = _ciphertext(text)
            if value is not None:
                opened = self._open(value, name, new_id, field_name)
                if opened is None:
                    omitted.add(field_name)
                    continue
                text = opened
                if field_name not in encrypted:
                    sealed.add(field_name)
            if field_name in encrypted or field_name in sealed:
                texts[field_name] = b'"' + self.cipher.encrypt(text).encode() + b'"'
                self.encrypted_fields += 1
        for field_name in omitted:
            texts.pop(field_name, None)
        new_line = row_line({"id": new_id, **{key: orjson.Fragment(text) for key, text in texts.items()}})
        self._trace(name, new_id, new_line, texts)
        return new_id, new_line, self._meta(new_id, table, meta, space, gone, sealed, omitted)

    def _space(self, text: bytes) -> int | None:
        space = jsontext.parse(text)
        return self.spaces(space) if type(space) is str and space else None

    def _leave(self, name: str, texts: dict[str, bytes]) -> set[str]:
        """Takes out of the row what tells whose it was; gives the names."""
        leaving = {*columns(self.registry, name), CHANGED_BY}
        if not self.keep_visibility:
            leaving.add(TOKEN)
        for field_name in leaving:
            texts.pop(field_name, None)
        return leaving

    def _narrow(self, texts: dict[str, bytes]) -> None:
        """Nobody outside the new account sees a row because somebody saw it in the old one."""
        if not self.keep_visibility and "visibility" in texts:
            text = texts["visibility"]
            value = _ciphertext(text)
            if value is not None and self.opener is not None:
                try:
                    text = self.opener.decrypt(value)
                except FieldDecryptionError:
                    return  # it is left out, and reported, with the others
            if jsontext.parse(text) in _OPEN_TO_OTHERS:
                texts["visibility"] = _WITHIN_SPACE

    def _open(self, value: str, name: str, identifier: str, field_name: str) -> bytes | None:
        try:
            if self.opener is None:
                raise FieldDecryptionError("no key was given", reason="noKey")
            return self.opener.decrypt(value)
        except FieldDecryptionError as error:
            self.problems.note("ciphertextLeftOut", name, identifier, field_name, error.reason)
            return None

    def _trace(self, name: str, identifier: str, line: bytes, texts: Mapping[str, bytes]) -> None:
        """Notes what still names the account: nested values, or fields of apps that nobody here knows."""
        if not self.traces.found_in(line):
            return
        data = self.registry.own_user_ids.get(name, _NONE)
        for field_name, text in (("id", jsontext.dumps(identifier)), *texts.items()):
            if field_name not in data and self.traces.found_in(text):
                self.problems.note("identityInData", name, identifier, field_name)

    def _meta(
        self,
        identifier: str,
        table: Table | None,
        meta: Mapping[str, JSON] | None,
        space: int | None,
        gone: set[str],
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


def _ciphertext(text: bytes) -> str | None:
    """The encrypted value that a JSON text is, however it is spelled; None for anything else."""
    if not text.startswith(b'"') or not (text.startswith(b'"enc:1:') or b"\\" in text[:40]):
        return None
    value = jsontext.parse(text)
    return value if type(value) is str and value.startswith(PREFIX) else None
