"""Containers: overlaps, names, headers, end records, sizes, streams, cuts."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from manabackup.limits import DEFAULT_LIMITS
from tests.support import zips
from tests.support.handmade import ours
from tests.support.zips import M16, M32, Part, bomb, build, deflated, described, stored, zip64_extra

from .cases import NOTES, OBEYED, Case, bad, good, lying, simple, with_part


def overlaps() -> Iterator[Case]:
    """Bytes that belong to two entries, or to none."""
    one, two = stored("data/a.jsonl", NOTES), stored("data/b.jsonl", NOTES)
    twice = replace(two, present=False, central={"offset": 0, "name": b"data/b.jsonl"})
    yield bad("overlap-one-header-two-names", "A1", "container", "two entries share one local header", [one, twice])
    inner = build([two])[:-22][: len(NOTES) + 42]
    around = stored("data/a.jsonl", inner)
    hidden = replace(two, present=False, central={"offset": 42})
    yield bad("overlap-entry-in-entry", "A1", "container", "an entry lies inside the data of another", [around, hidden])
    kernel = deflated("data/0.jsonl", b"", bomb(0x20, 1 + 258 * 40_000))
    kernel.size = 1 + 258 * 40_000
    many = [replace(kernel, name=b"data/%d.jsonl" % n, present=n == 0, central={"offset": 0}) for n in range(60)]
    yield bad("overlap-bomb", "A1", "container", "sixty names for one stream: 14 kB that inflate to 620 MB", many)
    yield bad("bytes-before", "A1", "container", "bytes before the first entry", b"#!/bin/sh\n" + build(simple()))
    moved = simple()
    moved[0].before = b"#!/bin/sh\n"
    yield bad("bytes-before-counted", "A1", "container", "bytes before the first entry, offsets in order", moved)
    yield bad("bytes-behind", "A1", "container", "a line end behind the end record", simple(), behind=b"\n")
    between = simple()
    between[1].before = b"gap"
    yield bad("bytes-between", "A1", "container", "bytes between two entries", between)
    yield bad("bytes-before-directory", "A1", "container", "bytes before the central directory", simple(), gap=b"gap")
    yield bad("bytes-before-end", "A1", "container", "bytes behind the central directory", simple(), before_end=b"gap")
    unlisted = with_part(stored("data/evil.jsonl", NOTES))
    unlisted[-1].listed = False
    yield bad("entry-not-listed", "A1", "container", "an entry that the central directory does not name", unlisted)
    absent = with_part(replace(stored("data/evil.jsonl", NOTES), present=False))
    yield bad("entry-not-there", "A1", "container", "an entry that is listed and not there", absent)
    yield bad("two-archives", "A1", "container", "one archive behind another", build(simple()) + build(ours()))
    fake = build([stored("manifest.json", b"{}")])
    why = "a whole archive in the comment of the end record"
    yield bad("archive-in-comment", "A1", "container", why, simple(), comment=fake)
    yield good("comment", "A1", "a comment is no content: a plain archive may have one", simple(), comment=b"hello")


def entry_names() -> Iterator[Case]:
    """Names that could form a path, or that two entries share."""
    for name, raw in {
        "nested": b"data/a/b.jsonl",
        "parent": b"data/../a.jsonl",
        "absolute": b"/etc/passwd",
        "backslash": b"data\\a.jsonl",
        "drive": b"C:/a.jsonl",
        "dots": b"..",
        "nul": b"data/a\0.jsonl",
        "empty": b"",
        "overlong": b"x" * 1_025,
        "not-utf-8": b"data/\xff.jsonl",
    }.items():
        part = replace(stored("x", NOTES), name=raw)
        yield bad(f"name-{name}", "A1", "entryName", f"an entry's name: {name.replace('-', ' ')}", with_part(part))
    again = with_part(deflated("data/notes.jsonl", b""))
    yield bad("name-twice", "A1", "duplicateEntry", "two tables of one name", again)
    yield bad("manifest-twice", "A1", "duplicateEntry", "two manifests", with_part(simple()[0]))
    why = "one entry, listed twice"
    yield bad("listed-twice", "A1", "duplicateEntry", why, simple(), order=[0, 1, 1])
    unknown = [stored(name, b"x") for name in ("notes.txt", "data/a.csv", "Data/notes.jsonl", "other/file", "data/")]
    yield good("unknown-entries", "A1", "other plain names are noted and ignored", [*simple(), *unknown])
    odd = [stored(f"data/{name}.jsonl", b'{"id":"a"}\n') for name in ("größe", "a b", "__proto__", "con", "%2e%2e")]
    yield good("odd-table-names", "S11", "tables of any name, none of which is a path", [*simple(), *odd])
    obeyed = stored(f"data/{OBEYED.decode()}.jsonl", b'{"id":"a"}\n')
    yield good(
        "table-name-of-control-characters", "S11", "a table's name that a terminal would obey", with_part(obeyed)
    )


def headers() -> Iterator[Case]:
    """Local and central headers that disagree or ask for what the format has not."""
    why = "local and central header disagree about"
    for field, value in {"flags": 0x0800, "method": 0, "crc": 1, "compressed": 3, "size": 3}.items():
        yield bad(f"disagree-{field}", "A1", "container", f"{why} {field}", lying(local={field: value}))
    yield bad("disagree-name", "A1", "container", f"{why} the name", lying(local={"name": b"data/other.jsonl"}))
    yield bad("local-signature", "A1", "container", "no local header", lying(local={"signature": b"PK\3\5"}))
    yield bad("central-signature", "A1", "container", "no central header", lying(central={"signature": b"PK\1\3"}))
    for name, flag in {"encrypted": 1, "strong-encryption": 0x40, "patch": 0x20, "masked": 0x2000}.items():
        both = {"flags": flag}
        yield bad(f"flag-{name}", "A1", "container", f"the flag {name}", lying(local=both, central=both))
    for name, method in {"bzip2": 12, "deflate64": 9, "lzma": 14, "zstd": 93, "aes": 99}.items():
        both = {"method": method}
        yield bad(f"method-{name}", "A1", "container", f"compressed by {name}", lying(local=both, central=both))
    yield bad("other-disk", "A1", "container", "an entry on another disk", lying(central={"disk": 1}))
    where = "data/notes.jsonl"
    for name, size in {"less": 10, "more": 1_000}.items():
        both = {"size": size}
        parts = lying(local=both, central=both)
        yield bad(f"size-{name}", "A1", "size", f"both headers state {name} bytes than there are", parts, where)
    both = {"crc": 0xDEADBEEF}
    yield bad("crc", "A1", "crc", "both headers state another CRC-32", lying(local=both, central=both), where)
    both = {"size": 10}
    parts = with_part(replace(stored("data/a.jsonl", NOTES), local=both, central=both))
    yield bad("stored-two-sizes", "A1", "size", "a stored entry of two sizes", parts)
    for signed, wide in ((True, False), (False, False), (True, True), (False, True)):
        name = f"descriptor-{'signed' if signed else 'bare'}-{'wide' if wide else 'narrow'}"
        parts = [described(part, signed=signed, wide=wide) for part in simple()]
        yield good(name, "A1", "sizes in a data descriptor, an honest one", parts)
    parts = simple()
    parts[1] = described(parts[1])
    parts[1].descriptor = parts[1].descriptor[:4] + b"\0\0\0\0" + parts[1].descriptor[8:]
    yield bad("descriptor-other-crc", "A1", "container", "a data descriptor with another CRC-32", parts)
    parts = simple()
    parts[1] = replace(described(parts[1]), descriptor=b"")
    yield bad("descriptor-missing", "A1", "container", "a flag for a data descriptor that is not there", parts)
    times = {"time": 0x6000, "date": 0x5C21}
    free = {"made_by": 0x031E, "version": 10, "internal": 1, "external": 0o100644 << 16, "extra": b"UT\1\0\0"} | times
    why = "times, attributes and extra fields as other tools write them"
    yield good("free-fields", "A1", why, lying(local=times | {"extra": b"UT\5\0\1\0\0\0\0"}, central=free))


def ends() -> Iterator[Case]:
    """The end record, and its large sister."""
    for field, value in {"disk": 1, "directory_disk": 1, "here": 1, "count": 1, "size": 10, "offset": 10}.items():
        why = f"an end record with another {field.replace('_', ' ')}"
        yield bad(f"end-{field.replace('_', '-')}", "A1", "container", why, simple(), end={field: value})
    yield bad(
        "end-comment-length", "A1", "container", "a comment that is not there", simple(), end={"comment_length": 4}
    )
    asks = {"offset": M32, "size": M32, "count": M16, "here": M16}
    yield good("zip64-end", "A1", "a Zip64 end record, asked for and honest", simple(), end=asks, end_64={})
    yield bad("zip64-end-unasked", "A1", "container", "a Zip64 end record that nothing asks for", simple(), end_64={})
    yield bad("zip64-end-missing", "A1", "container", "no Zip64 end record where one is asked for", simple(), end=asks)
    for field, value in {"offset": 2**63, "size": 2**64 - 1, "count": 2**32, "length": 2**63, "disk": 1}.items():
        lie = {field: value} | ({"here": value} if field == "count" else {})
        code = "limit" if field == "count" else "container"
        how: dict[str, Any] = {"end": asks, "end_64": lie}
        yield bad(f"zip64-end-{field}", "A1", code, f"a Zip64 end record with another {field}", simple(), **how)
    for name, place in {"far": 2**64 - 1, "signed": 2**63, "near": 0}.items():
        how = {"end": asks, "end_64": {}, "locator": {"offset": place}}
        yield bad(f"zip64-locator-{name}", "A1", "container", "a locator that leads elsewhere", simple(), **how)
    how = {"end": {**asks, "count": 1, "here": 1}, "end_64": {}}
    yield bad("zip64-end-disagrees", "A1", "container", "two end records that count differently", simple(), **how)


def zip64() -> Iterator[Case]:
    """Sizes that do not fit into 32 bits, or say so."""
    packed = zips.stored_blocks(NOTES)
    honest = {"size": M32, "compressed": M32, "version": 45, "extra": zip64_extra(len(NOTES), len(packed))}
    yield good("zip64-sizes", "A1", "Zip64 sizes, honest", lying(local=honest, central=honest))
    yield good("zip64-sizes-local", "A1", "Zip64 sizes in the local header alone", lying(local=honest))
    huge = {**honest, "extra": zip64_extra(2**40, len(packed))}
    yield bad("zip64-size-2^40", "A1", "limit", "1 TiB in 40 bytes", lying(local=huge, central=huge))
    most = {**honest, "extra": zip64_extra(2**64 - 1, 2**64 - 1)}
    yield bad("zip64-size-2^64-1", "A1", "limit", "as much as 64 bits can say", lying(local=most, central=most))
    long = {**honest, "extra": zip64_extra(len(NOTES), 2**63)}
    yield bad("zip64-compressed-2^63", "A1", "truncated", "more than any file has", lying(local=long, central=long))
    none = {"size": M32, "compressed": M32, "version": 45}
    yield bad("zip64-no-extra", "A1", "container", "Zip64 sizes that stand nowhere", lying(local=none, central=none))
    short = {**none, "extra": zip64_extra(len(NOTES))}
    yield bad("zip64-short-extra", "A1", "container", "a Zip64 field for one of two", lying(local=short, central=short))
    cut = {**none, "extra": b"\1\0\x10\0" + bytes(8)}
    yield bad("zip64-cut-extra", "A1", "container", "a Zip64 field beyond its header", lying(local=cut, central=cut))
    other = {**honest, "extra": zip64_extra(len(NOTES) + 1, len(packed))}
    yield bad("zip64-disagree", "A1", "container", "Zip64 sizes that disagree", lying(local=other, central=honest))
    far = {"offset": M32, "extra": zip64_extra(2**63), "version": 45}
    yield bad("zip64-offset-2^63", "A1", "container", "an entry beyond the end of all files", lying(central=far))


def limits() -> Iterator[Case]:
    """More than anybody needs, claimed or real."""
    count = DEFAULT_LIMITS.entries + DEFAULT_LIMITS.blobs + 1
    many = {"count": count, "here": count}
    yield bad("limit-entries", "A1", "limit", f"{count:,} entries", simple(), end=dict.fromkeys(many, M16), end_64=many)
    both = {"size": len(NOTES) * 2_000}
    yield bad("limit-ratio", "A1", "limit", "more than deflate can do", lying(local=both, central=both))
    large = {"size": M32, "compressed": M32, "version": 45, "extra": zip64_extra(60 * 2**30, 2**27)}
    five = [replace(deflated(f"data/{n}.jsonl", NOTES), central=large) for n in range(5)]
    yield bad("limit-total", "A1", "limit", "300 GiB in five entries", [simple()[0], *five])
    length = 1 + 258 * (DEFAULT_LIMITS.manifest_bytes // 258 + 1)
    stream = bomb(0x20, length)
    blank = Part(b"manifest.json", stream, zips.DEFLATED, _crc_of_blanks(length), length)
    yield bad("bomb-manifest", "A1", "limit", "a manifest of 64 MiB of blanks", [blank, simple()[1]], "manifest.json")
    length = 1 + 258 * 200_000
    lie = Part(b"data/a.jsonl", bomb(0x20, length), zips.DEFLATED, 0, 51_600)
    yield bad("bomb-behind-its-size", "A1", "size", "51 MB where 51 kB are stated", with_part(lie), "data/a.jsonl")
    length = 1 + 258 * (DEFAULT_LIMITS.line_bytes // 258 + 1)
    line = Part(b"data/a.jsonl", bomb(0x20, length), zips.DEFLATED, _crc_of_blanks(length), length)
    yield bad("bomb-line", "A1", "limit", "a line of 256 MiB in 260 kB", with_part(line), "data/a.jsonl")


def streams() -> Iterator[Case]:
    """Deflate streams."""
    where = "data/notes.jsonl"
    whole = zips.stored_blocks(NOTES)
    for name, stream, why in (
        ("garbage", whole + b"x", "a byte behind the end of the stream"),
        ("second-stream", whole + whole, "a second stream behind the first"),
        ("not-final", zips.stored_blocks(NOTES, final=False), "no final block"),
        ("cut", whole[:-3], "a stream that breaks off"),
        ("empty", b"", "no stream at all"),
        ("block-type-3", b"\x07" + whole, "a block of a type that does not exist"),
        ("stored-length", b"\x01\x05\x00\x00\x00" + NOTES, "a stored block whose length contradicts itself"),
        ("distance", b"\x4b\x04\x22\x00", "a distance that leads before the first byte"),
    ):
        parts = simple()
        parts[1] = deflated("data/notes.jsonl", NOTES, stream)
        yield bad(f"deflate-{name}", "A1", "deflate", why, parts, where)
    yield good("deflate-nothing", "A1", "an empty table, deflated", with_part(deflated("data/a.jsonl", b"")))
    blocks = zips.stored_blocks(NOTES[:20], final=False) + zips.stored_blocks(b"", final=False)
    parts = simple()
    parts[1] = deflated("data/notes.jsonl", NOTES, blocks + zips.stored_blocks(NOTES[20:]))
    yield good("deflate-blocks", "A1", "a stream of three blocks, one of them empty", parts)


def cuts() -> Iterator[Case]:
    """Files that end too early, or are something else."""
    whole = build(ours())
    directory = whole.index(b"PK\1\2")
    for name, length, code in (
        ("last-byte", len(whole) - 1, "truncated"),
        ("end-record", len(whole) - 22, "truncated"),
        ("directory", directory + 30, "truncated"),
        ("before-directory", directory, "truncated"),
        ("data", 300, "truncated"),
        ("local-header", 20, "truncated"),
        ("signature", 3, "notAnArchive"),
        ("everything", 0, "notAnArchive"),
    ):
        yield bad(f"cut-{name}", "A5", code, f"cut off: {name.replace('-', ' ')}", whole[:length])
    yield bad("no-archive-text", "A1", "notAnArchive", "a text", b"Dear diary\n")
    yield bad("no-archive-gzip", "A1", "notAnArchive", "a gzip file", b"\x1f\x8b\x08\0\0\0\0\0\0\3\3\0" + bytes(8))
    empty = build([])
    yield bad("no-archive-empty-zip", "A1", "notAnArchive", "a ZIP file of nothing", empty)
    yield bad("no-manifest", "A3", "notAnArchive", "rows without a manifest", simple()[1:])


def _crc_of_blanks(length: int) -> int:
    block, crc = b" " * 258_000, 0
    for _ in range(length // len(block)):
        crc = zlib.crc32(block, crc)
    return zlib.crc32(block[: length % len(block)], crc)
