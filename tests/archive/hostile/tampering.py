"""Sealed archives that somebody edited: outside the seal, around it, and inside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.support import handmade, zips
from tests.support.handmade import known_keys, ours, sealed_by_the_web_app, sealed_by_us, sealed_parts, text
from tests.support.zips import Part, build, deflated, described, stored

from .cases import NOTES, Case, bad, good, sealed, wrong


def tampering() -> Iterator[Case]:
    """A sealed archive edited by somebody who knows the format, every sum in order that needs no passphrase."""
    why = "outside the seal another"
    changes: dict[str, dict[str, Any]] = {
        "user": {"userId": "somebody-else"},
        "counts": {"rowCounts": {"notes": 3, "tasks": 0}},
        "time": {"exportedAt": "2020-01-01T00:00:00.000Z"},
        "scope": {"scope": {"type": "filtered", "appIds": []}},
        "schema": {"schemaVersion": 56},
        "plaintext": {"fieldsPlaintext": False},
        "new-key": {"new": 1},
        "content": {"dataSha256": "0" * 64},
    }
    for name, change in changes.items():
        yield sealed(bad(f"outer-{name}", "A3", "tampered", f"{why} {name}", sealed_by_us(**change)))
    gone = sealed_by_us(producedBy=...)
    yield sealed(bad("outer-key-gone", "A3", "tampered", "outside the seal a key less", gone))
    yield sealed(bad("outer-no-hash", "A3", "tampered", "sealedSha256 was taken away", sealed_by_us(sealedSha256=...)))
    zeros = sealed_by_us(sealedSha256="0" * 64)
    yield sealed(bad("outer-other-hash", "A3", "sealedSha256", "sealedSha256 edited", zeros, "data.sealed"))
    parts = sealed_by_us(block={"plaintextSha256": "0" * 64})
    yield sealed(bad("outer-plaintext-hash", "A3", "plaintextSha256", "plaintextSha256 edited", parts))
    parts = sealed_by_the_web_app(block={"plaintextSha256": "0" * 64})
    yield sealed(bad("outer-plaintext-hash-web-app", "A3", "plaintextSha256", "plaintextSha256 edited", parts))
    edited = sealed_by_us()
    edited[1] = replace(stored("manifest.json", edited[1].packed.replace(b"user-1", b"user-2")), crc=edited[1].crc)
    yield sealed(bad("outer-user-no-crc", "A3", "crc", "the manifest edited, its CRC-32 not", edited, "manifest.json"))
    for name, block in {
        "salt": {"kdfSaltBase64": "A" * 22},
        "iv": {"ivBase64": "A" * 16},
        "iterations": {"kdfIterations": 100_001},
    }.items():
        why = f"{name} edited, a fitting CRC-32: looks like a wrong passphrase"
        yield wrong(f"outer-{name}", "A3", why, sealed_by_us(block=block))
    turned = sealed_by_us()
    keys = json.loads(turned[1].packed)
    turned[1] = stored("manifest.json", json.dumps(dict(reversed(keys.items()))).encode())
    yield sealed(good("outer-keys-turned", "A3", "the same keys in another order and spelling", turned))


def dated(part: Part, date: int) -> Part:
    """The entry with a day of DOS."""
    return replace(part, local={**part.local, "date": date}, central={**part.central, "date": date})


def fixed_bytes() -> Iterator[Case]:
    """Fields of a sealed archive that have no second copy and therefore one value."""
    for field, value in {
        "made_by": 0x0014,
        "version": 10,
        "time": 1,
        "date": 1,
        "internal": 1,
        "external": 0,
        "comment": b"x",
        "extra": b"UT\1\0\0",
    }.items():
        parts = sealed_by_us()
        parts[1] = replace(parts[1], central={field: value})
        name = field.replace("_", "-")
        yield sealed(bad(f"fixed-{name}", "A4", "container", f"another {name} in a central header", parts))
    for field, value in {"version": 10, "time": 1, "date": 1, "extra": b"UT\1\0\0"}.items():
        parts = sealed_by_us()
        parts[0] = replace(parts[0], local={field: value})
        yield sealed(bad(f"fixed-local-{field}", "A4", "container", f"another {field} in a local header", parts))
    flags = {"flags": 0x0800}
    parts = sealed_by_us()
    parts[2] = replace(parts[2], local=flags, central=flags)
    yield sealed(bad("fixed-flags", "A4", "container", "a flag", parts))
    yield sealed(bad("fixed-end-comment", "A4", "container", "a comment", sealed_by_us(), comment=b"x"))
    parts = sealed_by_us()
    parts[2] = deflated("README.md", b"Sealed.\n")
    yield sealed(bad("fixed-deflated", "A4", "container", "a deflated entry", parts))
    parts = sealed_by_us()
    parts[2] = described(parts[2])
    yield sealed(bad("fixed-descriptor", "A4", "container", "a data descriptor", parts))
    for name, dates in {"fixed-dates": (33, 33, 0), "fixed-dates-turned": (0, 0, 33)}.items():
        parts = [dated(part, date) for part, date in zip(sealed_by_us(), dates, strict=True)]
        yield sealed(bad(name, "A4", "container", "one entry with the date of another version", parts))
    parts = [dated(part, 33) for part in sealed_by_us()]
    yield sealed(good("fixed-date-1980", "A4", "all entries dated 1980-01-01", parts))
    parts = [dated(part, 0x5C21) for part in sealed_by_us()]
    yield sealed(good("packed-again", "A4", "all headers of another packer: the body is what was sealed", parts))
    parts = [*parts, deflated(".DS_Store", b"Bud1")]
    yield sealed(good("packed-again-and-more", "A4", "the same, with a file manager's notes beside it", parts))
    parts = [*parts[:-1], dated(stored("data/notes.jsonl", NOTES), 0x5C21)]
    yield sealed(bad("packed-again-with-rows", "A1", "container", "the same, with rows", parts, "data/notes.jsonl"))
    parts = [*sealed_by_us(), stored("data/notes.jsonl", NOTES)]
    yield sealed(bad("beside-the-seal", "A1", "container", "rows beside the seal", parts, "data/notes.jsonl"))
    parts = sealed_by_us()
    parts[2] = replace(parts[2], packed=b"Opened.\n")
    yield sealed(bad("sealed-readme-crc", "A4", "crc", "the README edited", parts, "README.md"))
    web = sealed_by_the_web_app()
    whole = [deflated("data.sealed", web[0].packed), *web[1:]]
    yield sealed(good("sealed-web-app-deflated", "A4", "a deflated body, as other tools repack it", whole))
    free = {"time": 0x6000, "date": 0x5C21}
    loose = [replace(part, local=free, central=free | {"made_by": 0}) for part in web]
    yield sealed(good("sealed-web-app-free-fields", "A4", "times, as other tools write them", loose))
    beside = [*web, stored("data/notes.jsonl", b'{"id":"evil"}\n')]
    yield sealed(good("sealed-web-app-beside", "A1", "rows beside the web app's seal are noted and not read", beside))


def inside() -> Iterator[Case]:
    """What only somebody who knows the passphrase can have made."""

    def holding(plaintext: bytes) -> list[Part]:
        return sealed_parts(plaintext, known_keys())

    inner = zips.taken_apart(handmade.body(ours(), keys=json.loads(ours()[0].packed), outer=known_keys()))

    def without(name: bytes) -> list[Part]:
        return [part for part in inner if part.name != name]

    yield sealed(bad("inner-no-manifest", "A3", "tampered", "no manifest", holding(build(without(b"manifest.json")))))
    keys = json.loads(ours()[0].packed)
    web = stored("manifest.json", text(keys))
    parts = [*without(b"manifest.json"), web]
    yield sealed(bad("inner-manifest-not-ours", "A3", "tampered", "no `outer`", holding(build(parts))))
    other = stored("manifest.json", text({**keys, "formatVersion": 3, "outer": known_keys()}))
    parts = [*without(b"manifest.json"), other]
    where = "manifest.json"
    yield sealed(bad("inner-format-3", "A3", "formatVersion", "of version 3", holding(build(parts)), where))
    yield sealed(bad("inner-no-zip", "A1", "notAnArchive", "a text", holding(b"Dear diary\n")))
    yield sealed(
        bad("inner-bytes-behind", "A1", "container", "bytes behind the end", holding(build(inner, behind=b"x")))
    )
    twice = [*inner, stored("data/notes.jsonl", NOTES)]
    yield sealed(bad("inner-name-twice", "A1", "duplicateEntry", "two tables of one name", holding(build(twice))))
    nested = [*inner, stored("data/../x.jsonl", NOTES)]
    yield sealed(bad("inner-name-nested", "A1", "entryName", "a name that forms a path", holding(build(nested))))
    flip = bytearray(build(inner))
    flip[flip.index(b"Liebes")] ^= 1
    yield sealed(bad("inner-row-crc", "A1", "crc", "a row edited", holding(bytes(flip)), "data/notes.jsonl"))
    parts = [*without(b"SHA256SUMS"), stored("SHA256SUMS", b"")]
    why = "no sums for what is there"
    yield sealed(bad("inner-sums", "A3", "sums", why, holding(build(parts)), "data/notes.jsonl"))
    lines = sealed_by_us({"notes": b'{"id":"a"}\n[]\n'})
    yield sealed(bad("inner-line", "A6", "line", "a line that is no object", lines, "data/notes.jsonl:2"))
    counts = sealed_by_us(inner={"rowCounts": {"notes": 2, "tasks": 1}})
    yield sealed(bad("inner-counts", "A3", "counts", "other counts than rows", counts, where))
