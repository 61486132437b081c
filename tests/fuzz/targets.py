"""Everything of this program that reads what strangers wrote, as one table of functions of bytes.

The ordinary suite drives them with hypothesis (``test_fuzz``), ``make fuzz`` with libFuzzer (``__main__``).
Whatever the bytes, only errors of our own may come out, and what comes out besides must be true: each target says what.
"""

from __future__ import annotations

import atexit
import hashlib
import io
import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from manabackup.archive import names
from manabackup.archive.container import Container
from manabackup.archive.manifest import parse_manifest
from manabackup.archive.reader import open_archive
from manabackup.archive.sources import BytesSource, FileBytes
from manabackup.archive.sums import parse_sums, write_sums
from manabackup.archive.v1 import open_events
from manabackup.cli.terminal import for_terminal
from manabackup.crypto import keys
from manabackup.crypto.fields import FieldCipher, encrypt_with_iv
from manabackup.crypto.recovery import format_recovery_code, parse_recovery_code, unwrap_master_key
from manabackup.errors import DamagedArchiveError, JSONTextError, ManabackupError, UsageError, WrongSecretError
from manabackup.limits import DEFAULT_LIMITS, MIB
from manabackup.mirror.changes import pack, unpack
from manabackup.model import registry
from manabackup.model.detached import DetachedChange
from manabackup.model.projection import MetaLineError, Numbering, accept, fold, from_field_meta, meta_line, read_meta
from manabackup.model.rawchange import prepare
from manabackup.operations.archives.convert import convert
from manabackup.operations.archives.inspect import info
from manabackup.operations.archives.reseal import rewrite
from manabackup.operations.archives.verify import verify
from manabackup.operations.compare.diff import Side, diff
from manabackup.operations.export.blocks import fold_block
from manabackup.operations.export.records import UsualRecords
from manabackup.operations.export.terms import ExportTerms, Stream
from manabackup.operations.rekey import rekey
from manabackup.remote.answers import Answer
from manabackup.remote.decoding import BrokenCodingError, TooLargeError, decoded, read_body
from manabackup.remote.session import read_claims
from manabackup.remote.splitting import AnswerText
from manabackup.remote.sync import page_of
from manabackup.text import jsontext
from manabackup.text.jsonmembers import members
from manabackup.text.timestamps import format_timestamp, parse_timestamp
from tests.support import handmade, zips
from tests.support.v1_exports import FOLDER as V1
from tests.support.v1_exports import KEY

from .mutations import Choices, mutated_zip, scrambled

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "fixtures" / "vectors"
PASSPHRASE = handmade.PASSPHRASE
MOST = 8 * DEFAULT_LIMITS.ratio * 1024
"""Bytes that may come out of any input here."""

Run = Callable[[bytes], None]


@dataclass(frozen=True)
class Target:
    """One reader of foreign bytes."""

    name: str
    run: Run
    """Raises nothing, whatever the bytes; :class:`AssertionError` when something untrue comes out."""
    seeds: Callable[[], Sequence[bytes]]
    """Inputs that are fine, and make a good start."""
    made_by: Callable[[bytes], bytes] | None = None
    """The input is a program, and this makes of it what is run."""

    def __call__(self, data: bytes) -> None:
        self.run(data if self.made_by is None else self.made_by(data))


def _require(condition: bool, words: object) -> None:
    if not condition:
        raise AssertionError(words)


def _is_refused(does: Callable[[], object]) -> bool:
    try:
        does()
    except ManabackupError:
        return True
    return False


# --- archives ---------------------------------------------------------------------------------------------------------


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="manabackup-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _file(data: bytes, name: str = "in.mana") -> Path:
    path = _folder() / name
    path.write_bytes(data)
    return path


def container(data: bytes) -> None:
    """What opens holds what its headers say, and what Python's own reader finds in it."""
    with FileBytes(_file(data)) as source:
        try:
            opened = Container(source)
        except DamagedArchiveError:
            _require(_is_refused(lambda: Container(BytesSource(data))), "a file is refused, and its bytes are not")
            return
        found: dict[str, bytes] = {}
        for name, entry in opened.entries.items():
            with suppress(DamagedArchiveError):
                produced = 0
                chunks = []
                for chunk in opened.chunks(entry):
                    produced += len(chunk)
                    assert produced <= entry.size
                    assert produced <= MOST, "a bomb"
                    chunks.append(chunk)
                found[name] = b"".join(chunks)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as other:
            listed = other.infolist()
            assert len(listed) == len(opened.entries)
            for theirs, name in zip(listed, opened.entries, strict=True):
                if name in found:
                    assert other.read(theirs) == found[name]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, UnicodeDecodeError, zlib.error):
        pass  # it refuses what it need not, and more than one kind of thing


def archive(data: bytes) -> None:
    """What ``verify`` passes can be read, written anew and encrypted for somebody, and stays the same."""
    path = _file(data)
    with suppress(ManabackupError):
        for_terminal(jsontext.dumps(info(path).to_json()))
    try:
        report = verify(path, lambda: PASSPHRASE, allow_weak_kdf=True)
    except WrongSecretError:
        return
    for_terminal(jsontext.dumps(report.to_json()))
    with suppress(ManabackupError):
        info(path, lambda: PASSPHRASE, allow_weak_kdf=True)
    try:
        with open_archive(path, lambda: PASSPHRASE, allow_weak_kdf=True) as opened:
            _use(opened, FieldCipher(KEY), ok=report.ok)
    except DamagedArchiveError as error:
        _require(not report.ok, error)
    except ManabackupError:
        pass  # of version 1, or encrypted under another key


def _use(opened: Any, cipher: FieldCipher, *, ok: bool) -> None:
    again, encrypted = _folder() / "again.mana", _folder() / "encrypted.mana"
    for name in opened.reader.container.entries:
        produced = 0
        for chunk in opened.reader.container.chunks(opened.reader.container.entries[name]):
            produced += len(chunk)
            assert produced <= MOST, "a bomb"
    rewrite(opened, again, seal=None, force=True)
    assert verify(again).ok or not ok, "what was written is damaged"
    with open_archive(again) as copy:
        same = diff(Side(opened), Side(copy), with_identity=True)
        renamed = {name for name in opened.tables if names.written(name) != name}
        assert not same.tables.keys() - renamed - set(map(names.written, renamed)), "what was written is something else"
    opener = None if opened.manifest.fields_plaintext else cipher
    with suppress(UsageError, WrongSecretError):
        rekey(opened, encrypted, cipher, opener=opener, force=True)
        assert verify(encrypted, cipher=cipher).ok or not ok, "what was encrypted is damaged"


def events(data: bytes) -> None:
    """What opens to its end can be made into rows."""
    path, out = _file(data), _folder() / "converted.mana"
    report = verify(path, lambda: PASSPHRASE)
    try:
        with open_events(path) as opened:
            for event in opened.events():
                jsontext.dumps(event.change)
    except ManabackupError as error:
        _require(not report.ok or getattr(error, "code", None) in _NOT_EVENTS, error)
        _require(_is_refused(lambda: convert(path, out, FieldCipher(KEY), force=True)), "it was converted")
        return
    assert report.ok
    _require(not _is_refused(lambda: convert(path, out, FieldCipher(KEY), force=True)), "it was not converted")
    assert verify(out).ok


_NOT_EVENTS = ("formatVersion", "notAnArchive")


def rows(data: bytes) -> None:
    """The content of a table's entry."""
    archive(zips.build(handmade.of_the_web_app({"notes": data}, rowCounts={})))


def meta(data: bytes) -> None:
    """Meta lines, whose actors and spaces follow after a line that says so."""
    lines, actors, spaces = [*data.split(b"\n---\n"), b"", b""][:3]
    archive(zips.build(handmade.ours(meta={"notes": lines, "actors": actors, "spaces": spaces})))
    for line in lines.splitlines():
        with suppress(JSONTextError, MetaLineError):
            read_meta(jsontext.parse(line), [{"kind": "user"}])


def manifest(data: bytes) -> None:
    """What is accepted states a seal within its limits."""
    with suppress(DamagedArchiveError):
        found = parse_manifest(data)
        if found.sealed:
            parameters = found.seal_parameters()
            assert DEFAULT_LIMITS.kdf_iterations_min <= parameters.iterations <= DEFAULT_LIMITS.kdf_iterations_max
            assert (len(parameters.iv), len(parameters.salt) >= 16) == (12, True)
    for parts in ([zips.stored("manifest.json", data), *handmade.entries()], [zips.stored("manifest.json", data)]):
        archive(zips.build(parts))


def sums(data: bytes) -> None:
    """What is accepted is written again as it was, but for order and folders that have no sums."""
    with suppress(DamagedArchiveError):
        found = parse_sums(data)
        assert parse_sums(write_sums(found)).items() <= found.items()


def _plain_program(program: bytes) -> bytes:
    choices = Choices(program)
    return mutated_zip(choices.one_of(_plain_parts())(), choices)


@cache
def _plain_parts() -> tuple[Callable[[], list[zips.Part]], ...]:
    metas = {
        "notes": b'{"actor":0,"at":"2026","fields":{},"id":"n-1","origin":"user","sealed":[],"space":0}\n',
        "actors": b'{"kind":"user"}\n',
        "spaces": b'{"id":"s","type":"personal"}\n',
    }
    account = zips.stored("account/data.json", b"{}")
    return (
        handmade.ours,
        handmade.of_the_web_app,
        lambda: handmade.ours(meta=metas),
        lambda: [*handmade.of_the_web_app(), account, zips.stored("other", b"x")],
        lambda: [zips.described(part) for part in handmade.of_the_web_app()],
    )


def _sealed_program(program: bytes) -> bytes:
    """Something wrong outside the seal, inside it, or in what says how it was made."""
    choices = Choices(program)
    keys_ = handmade.known_keys()
    inner = {**json.loads(handmade.ours()[0].packed)}
    honest = handmade.ours()
    plaintext = handmade.body(honest, keys=inner, outer=keys_)
    ours = bool(choices.below(3))
    if not ours:
        plaintext = zips.build(handmade.entries())
    where = choices.below(4)
    if where == 0:
        plaintext = mutated_zip(zips.taken_apart(plaintext), choices)
    elif where == 1:
        plaintext = scrambled(plaintext, choices)
    parts = handmade.sealed_parts(plaintext, keys_, with_hash=ours, iterations=1)
    if where == 2:
        return mutated_zip(parts, choices)
    if where == 3:
        content = scrambled(parts[1].packed, choices)
        parts[1] = zips.stored("manifest.json", content)
    return zips.build(parts)


def _events_program(program: bytes) -> bytes:
    choices = Choices(program)
    parts = zips.taken_apart((V1 / choices.one_of(("life.mana", "empty.mana", "altered.mana"))).read_bytes())
    where = choices.below(3)
    if where == 0:
        return mutated_zip(parts, choices)
    texts = {part.name: zlib.decompress(part.packed, -15) for part in parts}
    lines, stated = texts[b"events.jsonl"], json.loads(texts[b"manifest.json"])
    if where == 1:
        lines = scrambled(lines, choices)
        stated |= {"eventCount": len(lines.splitlines()), "eventsSha256": hashlib.sha256(lines).hexdigest()}
        text = json.dumps(stated).encode()
    else:
        text = scrambled(json.dumps(stated).encode(), choices)
    return zips.build([zips.stored("events.jsonl", lines), zips.stored("manifest.json", text)])


# --- texts ------------------------------------------------------------------------------------------------------------


def json_text(data: bytes) -> None:
    """The standard library takes what we take, and finds the same in it; our own text is read again as it is."""
    try:
        value = jsontext.parse(data)
    except JSONTextError as error:
        _require(not _is_json(data) or "nests deeper" in error.message, error)
        _require(_is_refused(lambda: members(data)), "members of what is no JSON")
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
        _require(error.message.isprintable(), error)
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


# --- seeds ------------------------------------------------------------------------------------------------------------


def _programs() -> list[bytes]:
    return [bytes([kind, 1, action, 0, 0, 0, 0]) for kind in range(5) for action in range(19)]


def _archives() -> list[bytes]:
    small = [path.read_bytes() for name in ("archives", "hostile") for path in sorted((VECTORS / name).glob("*.mana"))]
    weak = handmade.sealed_parts(zips.build(handmade.entries()), handmade.known_keys(), iterations=1)
    made = [handmade.ours(), handmade.of_the_web_app(), weak]
    return [content for content in small if len(content) < 2_000] + [zips.build(parts) for parts in made]


def _values() -> list[bytes]:
    cases = json.loads((VECTORS / "enc.json").read_text())
    found: list[bytes] = [b'\0{"a":[1.0,"\\ud83d"]}', b'\0"\xff"']
    pending = [cases]
    while pending:
        value = pending.pop()
        if isinstance(value, str) and value.startswith("enc:1:") and len(value) < 300:
            found.append(value.removeprefix("enc:1:").encode("utf-8", "surrogatepass"))
        elif isinstance(value, dict | list):
            pending += value.values() if isinstance(value, dict) else value
    return found[:60]


_CHANGE = {
    "eventId": "0196a000-0000-7000-8000-000000000001",
    "schemaVersion": 1,
    "table": "tasks",
    "id": "t-1",
    "op": "insert",
    "data": {"title": "x", "createdAt": "2026-05-01T10:00:00.000Z", "a": {"b": [1.5, None]}},
    "spaceId": "s",
    "actor": {"kind": "user", "principalId": "u"},
    "origin": "user",
}
_UPDATE = {
    "table": "tasks",
    "id": "t-1",
    "op": "update",
    "fields": {"title": {"value": "y", "at": "2026-05-02"}, "a.b": {"value": 1, "updatedAt": "2027"}},
}
_DELETE = {"table": "tasks", "id": "t-1", "op": "delete", "deletedAt": "2026-05-03T10:00:00.000Z"}
_SECRET = encrypt_with_iv(AESGCM(KEY), bytes(12), b'"Liebes Tagebuch"')
_PRIVATE = {**_CHANGE, "data": {"title": _SECRET, "spaceId": "s", "x": [_SECRET, {"y": _SECRET}]}}
_CHANGES = [
    json.dumps(some).encode()
    for some in (
        [_CHANGE],
        [_CHANGE, _UPDATE, _DELETE],
        [_DELETE, _CHANGE, {}, []],
        [{**_CHANGE, "data": {"title": _SECRET, "spaceId": "s"}}],
        [_PRIVATE, {**_UPDATE, "fields": {"title": {"value": _SECRET, "at": _SECRET}}}],
    )
]
_JSON = [
    b'{"a":1.50,"b":[true,false,null,-0,1e400,12345678901234567890123],"c":"\\ud83d\\u0041\xc3\xa4"}',
    b' [1e5, 1E-7 ,{"":{}}]\n',
    b'"\\"\\\\\\/\\b\\f\\n\\r\\t"',
    b"[" * 1030 + b"]" * 1030,
]
_META = [
    b'{"actor":0,"at":"2026","fields":{"title":{"actor":null,"at":"2025","origin":"user"}},"id":"n-1","origin":"user",'
    b'"sealed":["x"],"space":0,"omitted":["y"]}\n---\n{"kind":"user","principalId":"u"}\n\n---\n{"id":"s","type":"x"}\n',
]

TARGETS = {
    target.name: target
    for target in (
        Target("container", container, _archives),
        Target("container-structure", container, _programs, _plain_program),
        Target("archive", archive, _archives),
        Target("archive-structure", archive, _programs, _plain_program),
        Target("sealed-structure", archive, _programs, _sealed_program),
        Target("v1", events, lambda: [path.read_bytes() for path in sorted(V1.glob("*.mana"))]),
        Target("v1-structure", events, _programs, _events_program),
        Target(
            "manifest", manifest, lambda: [part.packed for part in (handmade.ours()[0], handmade.sealed_by_us()[1])]
        ),
        Target(
            "rows", rows, lambda: [handmade.ROWS["notes"], b'\xef\xbb\xbf{"id":"a","__fieldMeta":{"x":{"at":"1"}}}\r\n']
        ),
        Target("meta", meta, lambda: _META),
        Target("sums", sums, lambda: [handmade.ours()[-2].packed]),
        Target("json", json_text, lambda: _JSON),
        Target("value", encrypted_value, _values),
        Target(
            "recovery-code", recovery_code, lambda: [b"FFFE-FDFC" * 8, b"FFFE-FDFC-FBFA-F9F8" * 4 + b"\nAAAA\nZGVm"]
        ),
        Target(
            "page",
            page,
            lambda: [
                b'{"serverChanges":%s,"conflicts":[],"syncedUntil":"2026-05-01T00:00:00Z"}' % some for some in _CHANGES
            ],
        ),
        Target("changes", changes, lambda: _CHANGES),
        Target(
            "coding", coding, lambda: [bytes([0]) + zlib.compress(b"x" * 300, wbits=31), b"\2" + zlib.compress(b"x")]
        ),
        Target("token", token, lambda: [b"e30.eyJzdWIiOiJ1IiwiZXhwIjoxfQ.x"]),
        Target("timestamp", timestamp, lambda: [b"2026-05-01T12:00:00.123456789Z", b"0001-01-01T00:00:00+23:59"]),
    )
}
