"""Archives and their parts, whatever stands in them; and programs that make archives."""

from __future__ import annotations

import atexit
import hashlib
import io
import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from manabackup.archive import names
from manabackup.archive.container import Container
from manabackup.archive.manifest import parse_manifest
from manabackup.archive.reader import open_archive
from manabackup.archive.sources import BytesSource, FileBytes
from manabackup.archive.sums import parse_sums, write_sums
from manabackup.archive.v1 import open_events
from manabackup.cli.terminal import for_terminal
from manabackup.crypto.fields import FieldCipher
from manabackup.errors import DamagedArchiveError, JSONTextError, ManabackupError, UsageError, WrongSecretError
from manabackup.limits import DEFAULT_LIMITS
from manabackup.model.projection import MetaLineError, read_meta
from manabackup.operations.archives.convert import convert
from manabackup.operations.archives.inspect import info
from manabackup.operations.archives.reseal import rewrite
from manabackup.operations.archives.verify import verify
from manabackup.operations.compare.diff import Side, diff
from manabackup.operations.rekey import rekey
from manabackup.text import jsontext
from tests.support import handmade, zips
from tests.support.v1_exports import FOLDER as V1
from tests.support.v1_exports import KEY

from .checking import MOST, PASSPHRASE, is_refused, require
from .mutations import Choices, mutated_zip, scrambled


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
            require(is_refused(lambda: Container(BytesSource(data))), "a file is refused, and its bytes are not")
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
        require(not report.ok, error)
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
        require(not report.ok or getattr(error, "code", None) in _NOT_EVENTS, error)
        require(is_refused(lambda: convert(path, out, FieldCipher(KEY), force=True)), "it was converted")
        return
    assert report.ok
    require(not is_refused(lambda: convert(path, out, FieldCipher(KEY), force=True)), "it was not converted")
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


def plain_program(program: bytes) -> bytes:
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


def sealed_program(program: bytes) -> bytes:
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


def events_program(program: bytes) -> bytes:
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
