"""Texts, values and answers of servers, whatever they hold."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from unittest.mock import patch

from manabackup.cli.terminal import for_terminal
from manabackup.crypto import keys
from manabackup.crypto.fields import FieldCipher
from manabackup.crypto.recovery import format_recovery_code, parse_recovery_code, unwrap_master_key
from manabackup.errors import JSONTextError, ManabackupError, WrongSecretError
from manabackup.limits import DEFAULT_LIMITS, MIB
from manabackup.mirror.changes import pack, unpack
from manabackup.model import registry
from manabackup.model.detached import DetachedChange
from manabackup.model.projection import Numbering, accept, fold, from_field_meta, meta_line, read_meta
from manabackup.model.rawchange import prepare
from manabackup.operations.export.blocks import fold_block
from manabackup.operations.export.records import UsualRecords
from manabackup.operations.export.terms import ExportTerms, Stream
from manabackup.remote.answers import Answer
from manabackup.remote.decoding import BrokenCodingError, TooLargeError, decoded, read_body
from manabackup.remote.session import read_claims
from manabackup.remote.splitting import AnswerText
from manabackup.remote.sync import page_of
from manabackup.text import jsontext
from manabackup.text.jsonmembers import members
from manabackup.text.timestamps import format_timestamp, parse_timestamp
from tests.support.v1_exports import KEY

from .checking import MOST, is_refused, require


def json_text(data: bytes) -> None:
    """The standard library takes what we take, and finds the same in it; our own text is read again as it is."""
    try:
        value = jsontext.parse(data)
    except JSONTextError as error:
        require(not _is_json(data) or "nests deeper" in error.message, error)
        require(is_refused(lambda: members(data)), "members of what is no JSON")
        with suppress(JSONTextError):
            jsontext.value_text(data)  # mends bytes that are not UTF-8
        return
    written = jsontext.dumps(value)
    assert jsontext.dumps(jsontext.parse(written)) == written
    assert jsontext.dumps(jsontext.parse_canonical(written)) == written
    assert jsontext.dumps(jsontext.parse_to_rewrite(data)) == written
    spliced, repaired = jsontext.value_text(data)
    assert (jsontext.dumps(jsontext.parse(spliced)), repaired) == (written, False)
    assert b"\n" not in spliced
    if type(value) is dict:
        parts = members(data)
        assert parts.keys() == value.keys()
        assert {name: jsontext.dumps(jsontext.parse(part)) for name, part in parts.items()} == {
            name: jsontext.dumps(part) for name, part in value.items()
        }
    try:
        expected = json.loads(data, parse_int=float, parse_constant=_no_constant)
        found = json.loads(written, parse_int=float, parse_constant=_no_constant)
        same = repr(found) == repr(_sorted(expected))
    except RecursionError:
        return  # too deep for the judge
    assert same


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data.decode(), parse_int=str, parse_constant=_no_constant)
    except (ValueError, RecursionError):  # in what nests too deep for it, it may not even have found the fault
        return False
    return True


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(member) for member in value] if isinstance(value, list) else value


def encrypted_value(data: bytes) -> None:
    """What opens is one JSON value on one line. Behind a first byte of 0 the plaintext is chosen, not the value."""
    cipher = FieldCipher(KEY)
    if data[:1] == b"\0":
        value = cipher.encrypt(data[1:])
    else:
        value = "enc:1:" + data.decode("utf-8", "surrogateescape")
    with suppress(ManabackupError):
        text = cipher.open(value).text
        jsontext.parse(text)
        assert b"\n" not in text


def recovery_code(data: bytes) -> None:
    """What is accepted has 32 bytes and is the same code in the usual spelling."""
    text = data.decode("utf-8", "surrogateescape")
    with suppress(WrongSecretError):
        secret = parse_recovery_code(text)
        assert parse_recovery_code(format_recovery_code(secret)) == secret
    code, wrapped, iv = ([*text.split("\n"), "", ""])[:3]
    with suppress(WrongSecretError):
        assert len(unwrap_master_key(bytes(32), wrapped, iv)) == 32
    with suppress(WrongSecretError):
        assert len(keys.parse_master_key(code.encode("utf-8", "surrogateescape"))) == 32


def page(data: bytes) -> None:
    """A sync server's answer: its changes are stored and folded, whatever they are, and come back as they were."""
    answer = Answer(200, {}, [], data, "GET example.org/sync/notes/pull")
    for_terminal(answer.words().encode("utf-8", "surrogatepass"))
    answer.retry_after()
    try:
        found = page_of(answer, "notes/notes")
    except ManabackupError as error:
        require(error.message.isprintable(), error)
        return
    assert isinstance(found.until, int)
    with suppress(JSONTextError):  # of two lists of changes the last would count
        in_parts = AnswerText([data[:40], data[40:]], DEFAULT_LIMITS, large=MIB, on_large=lambda: None)
        texts = [text for text in in_parts.changes() if isinstance(text, bytes)]
        assert [jsontext.dumps(jsontext.parse(text)) for text in texts] == [change.text for change in found.raw]
    if found.changes:
        raw = prepare(found.changes)
        ids, body, _ = pack(raw)
        assert unpack(ids, body).lines() == [change.text for change in raw]
        _fold([jsontext.parse(change.text) for change in raw])


def changes(data: bytes) -> None:
    """Any JSON values as changes of one record, and as an export's: wherever their ciphertexts stand."""
    with suppress(JSONTextError):
        given = jsontext.parse(data)
        if type(given) is list:
            _fold(given)
            _export(given)


def _export(given: list[Any]) -> None:
    named = [change for change in given if type(change) is dict and type(change.get("id")) is str]
    texts = [(change["id"], jsontext.dumps(change)) for change in sorted(named, key=lambda change: change["id"])]
    detached = [(record, DetachedChange.of(text, least=0).stored) for record, text in texts]
    assert [DetachedChange.read(change).whole() for _, change in detached] == [text for _, text in texts]
    for name in ("tasks", "nothing that anybody knows"):
        stream = Stream(name, registry.load().by_name.get(name), "todo", (name,), 0, 0)
        terms = ExportTerms(FieldCipher(KEY), {}, (), False, None, "2026-05-01T12:00:00.000Z", MOST)
        with patch.object(UsualRecords, "lines", lambda *_: None):
            expected = fold_block(terms, [stream], 0, texts)
        assert fold_block(terms, [stream], 0, texts) == expected
        assert fold_block(terms, [stream], 0, detached) == expected


def _fold(given: list[Any]) -> None:
    table = registry.load().by_name["tasks"]
    for change in given:
        accept(change)
    for as_of in (None, "2026-05-01T12:00:00Z"):
        try:
            record = fold(table, given, as_of=as_of)
        except ValueError:
            assert not [change for change in given if type(change) is dict and type(change.get("id")) is str]
            return
        record.unsound("2026-05-01T12:00:00.000Z")
        jsontext.dumps(record.values)
        line = jsontext.dumps(meta_line(record, table, Numbering(lambda actor: 0, lambda space: 0)))
        read_meta(jsontext.parse(line), [{}])
        from_field_meta(record.values)


def coding(data: bytes) -> None:
    """A compressed answer never gives more than its limit."""
    kind = ("gzip", "zstd", "deflate", "br", "")[data[0] % 5] if data else ""
    with suppress(BrokenCodingError, TooLargeError):
        assert len(read_body(decoded([data[1:40], data[40:]], kind), 100_000)) <= 100_000


def token(data: bytes) -> None:
    """An access token from elsewhere."""
    with suppress(ManabackupError):
        assert read_claims(data.decode("utf-8", "surrogateescape")).user_id
    with suppress(ValueError):
        parse_timestamp(data.decode("utf-8", "surrogateescape"))


def timestamp(data: bytes) -> None:
    """What is a time is written in UTC as the same instant."""
    try:
        instant = parse_timestamp(data.decode("utf-8", "surrogateescape"))
    except ValueError:
        return
    assert parse_timestamp(format_timestamp(instant)) == instant
