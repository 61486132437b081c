"""Contents: sums, counts, rows, events of version 1."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from tests.support.handmade import file_line, index_of, of_the_web_app, ours, text, with_files
from tests.support.zips import Part, deflated, described, stored

from .cases import NOTES, Case, bad, good


def sums() -> Iterator[Case]:
    """Plain archives edited without new sums."""
    honest = ours()
    whole = next(part.packed for part in honest if part.name == b"SHA256SUMS")
    first, second = whole.splitlines(keepends=True)
    yield good("plain", "A3", "as this tool writes it", honest)
    yield good("plain-web-app", "A3", "as the web app writes it", of_the_web_app())
    edited = [deflated("data/notes.jsonl", NOTES) if part.name == b"data/notes.jsonl" else part for part in honest]
    yield bad("sums-row-edited", "A3", "sums", "rows edited, CRC-32 in order", edited, "data/notes.jsonl")
    gone = [part for part in honest if part.name != b"data/tasks.jsonl"]
    yield bad("sums-table-gone", "A3", "missing", "a table taken away", gone, "data/tasks.jsonl")
    added = [*honest, stored("data/evil.jsonl", NOTES)]
    yield bad("sums-table-added", "A3", "sums", "a table added", added, "data/evil.jsonl")
    none = [part for part in honest if part.name != b"SHA256SUMS"]
    yield bad("sums-gone", "A3", "sums", "dataSha256 without sums", none, "manifest.json")
    for name, content, why, where in (
        ("content-name", first.replace(first[:4], b"0000") + second, "dataSha256 does not fit", "manifest.json"),
        ("capitals", whole.upper(), "capitals", "SHA256SUMS"),
        ("one-blank", whole.replace(b"  ", b" "), "one blank in place of two", "SHA256SUMS"),
        ("twice", whole + second, "an entry listed twice", "SHA256SUMS"),
        ("empty-line", whole + b"\n", "an empty line", "SHA256SUMS"),
        ("nul", whole.replace(b"tasks", b"tas\0s"), "a NUL", "SHA256SUMS"),
    ):
        yield bad(f"sums-{name}", "A3", "sums", f"SHA256SUMS: {why}", ours(sums=content), where)
    name = "manifest.json"
    counts = ours(rowCounts={"notes": 3, "tasks": 0})
    yield bad("counts", "A3", "counts", "more rows counted than there are", counts, name)
    yield bad("counts-missing", "A3", "counts", "a table that is not counted", ours(rowCounts={"notes": 2}), name)
    more = ours(rowCounts={"notes": 2, "tasks": 0, "habits": 1})
    yield bad("counts-of-nothing", "A3", "counts", "rows counted of a table that is not there", more, name)
    true = ours({"notes": b'{"id":"a"}\n'}, rowCounts={"notes": True})
    yield bad("counts-true", "A3", "counts", "true is no number of rows", true, name)
    turned = ours({"notes": b'{"id":"b"}\n{"id":"a"}\n'})
    yield bad("order", "A3", "order", "rows that do not ascend", turned, "data/notes.jsonl:2")
    line: dict[str, Any] = {"id": "n-1", "at": None, "actor": 7, "origin": None, "fields": {}, "sealed": []}
    meta = ours(meta={"notes": text(line, indent=None)})
    yield bad("meta-no-such-actor", "A6", "line", "an actor that is not there", meta, "meta/notes.jsonl:1")
    yield bad(
        "meta-no-object", "A6", "line", "a meta line: no object", ours(meta={"notes": b"7\n"}), "meta/notes.jsonl:1"
    )


def files() -> Iterator[Case]:
    """Files, their index, and what the manifest says of both."""
    one, other = b"one picture", b"two picture"
    name = f"blobs/{hashlib.sha256(one).hexdigest()}"
    index, manifest = "meta/blobs.jsonl", "manifest.json"
    honest = with_files(one, other)
    yield good("files", "A1", "two files with their index", honest)
    yield good("files-none", "A1", "references whose files are left out", ours(binaryAssets=left_out(3)))
    yield good("files-web-app", "A1", "files beside the web app's rows", [*of_the_web_app(), stored(name, one)])
    yield good("files-named-otherwise", "A1", "what is called no hash is noted", [*honest, stored("blobs/a.png", one)])
    swapped = [stored(name, other) if part.name.decode() == name else part for part in honest]
    yield bad("file-of-another-name", "A3", "blobs", "a file under another one's name", swapped, name)
    alone = [*of_the_web_app(), stored(name, other)]
    yield bad("file-of-another-name-web-app", "A3", "blobs", "the same beside the web app's rows", alone, name)
    gone = [part for part in honest if part.name.decode() != name]
    yield bad("file-gone", "A3", "missing", "a file taken away", gone, name)
    yield bad("file-added", "A3", "sums", "a file put in", [*ours(), stored(name, one)], name)
    uncounted = ours(files=[one], meta={"blobs": index_of(file_line(one))})
    yield bad("files-uncounted", "A3", "blobs", "files that the manifest does not count", uncounted, manifest)
    without = ours(files=[one], binaryAssets={**left_out(1), "count": 1, "bytes": len(one)})
    yield bad("files-without-index", "A3", "blobs", "files without an index", without, manifest)
    changes: list[tuple[str, Any]] = [
        ("count", 1),
        ("count", True),
        ("bytes", 1),
        ("sha256", "0" * 64),
        ("sha256", ...),
    ]
    for changed, value in changes:
        shown = "missing" if value is ... else str(value)[:4]
        parts = with_files(one, other, **{changed: value})
        yield bad(f"files-{changed}-{shown}", "A3", "blobs", f"the manifest's {changed}: {shown}", parts, manifest)
    a, b = sorted((one, other), key=lambda content: hashlib.sha256(content).hexdigest())
    for name, lines_, number in (
        ("unlisted", [file_line(a)], None),
        ("listed-twice", [file_line(a), file_line(a), file_line(b)], 2),
        ("disorder", [file_line(b), file_line(a)], 2),
        ("size", [file_line(a, size=1), file_line(b)], 1),
        ("no-size", [file_line(a, size=...), file_line(b)], 1),
        ("no-file", [file_line(a), file_line(b), {}], 3),
        ("rows", [file_line(a, rows=[{"table": "notes"}]), file_line(b)], 1),
        ("ids", [file_line(a, ids=[7]), file_line(b)], 1),
        ("name", [file_line(a, name=7), file_line(b)], 1),
        ("told", [file_line(a, told=[]), file_line(b)], 1),
    ):
        parts = with_files(a, b, index=index_of(*lines_))
        where = index if number is None else f"{index}:{number}"
        yield bad(f"files-index-{name}", "A6", "blobs", f"an index: {name.replace('-', ' ')}", parts, where)
    path = with_files(a, b, index=index_of(file_line(a, name="../../etc/passwd\0\x1b[2J"), file_line(b)))
    yield good("files-name-is-a-path", "A1", "a name that looks like a path", path)
    lost = {"rows": [], "lost": "gone", "reason": "Media not found"}
    yield good("files-lost", "A1", "a file that is lost", with_files(a, index=index_of(file_line(a), lost)))
    paths = ("blobs/../x", f"blobs/x/{'0' * 64}", "blobs/..", "/blobs/x", "blobs\\..\\x")
    for number, bad_name in enumerate(paths, start=1):
        nested = [*honest, stored(bad_name, one)]
        yield bad(f"files-path-{number}", "A1", "entryName", "a file with a path", nested, bad_name)
    twice = [*honest, next(part for part in honest if part.name.startswith(b"blobs/"))]
    place = twice[-1].name.decode()
    yield bad("files-twice", "A1", "duplicateEntry", "a file that stands twice", twice, place)


def left_out(references: int) -> dict[str, int]:
    """What a manifest says where no files are in the archive."""
    return {"count": 0, "bytes": 0, "references": references, "leftOut": references}


def lines() -> Iterator[Case]:
    """Rows."""
    for name, content, number in (
        ("array", b"[1]", 2),
        ("number", b"5", 2),
        ("text", b'"id"', 2),
        ("null", b"null", 2),
        ("no-id", b'{"x":1}', 2),
        ("id-number", b'{"id":7}', 2),
        ("id-null", b'{"id":null}', 2),
        ("id-twice", b'{"id":"a"}', 2),
        ("id-twice-far", b'{"id":"b"}\n{"id":"c"}\n{"id":"b"}', 4),
        ("id-twice-escaped", rb'{"id":"\u0061"}', 2),
        ("not-utf-8", b'{"id":"\xff"}', 2),
        ("surrogate-in-utf-8", b'{"id":"\xed\xa0\x80"}', 2),
        ("overlong-utf-8", b'{"id":"\xc0\xaf"}', 2),
        ("nan", b'{"id":"b","x":NaN}', 2),
        ("infinity", b'{"id":"b","x":-Infinity}', 2),
        ("cut", b'{"id":"b","x":', 2),
        ("two-on-one", b'{"id":"b"}{"id":"c"}', 2),
        ("over-two-lines", b'{"id":"b",\n"x":1}', 2),
        ("control-character", b'{"id":"b\t"}', 2),
        ("nul", b'{"id":"b"}\0', 2),
        ("single-quotes", b"{'id':'b'}", 2),
        ("trailing-comma", b'{"id":"b",}', 2),
        ("leading-zero", b'{"id":"b","x":01}', 2),
        ("plus", b'{"id":"b","x":+1}', 2),
        ("comment", b'{"id":"b"} // b', 2),
        ("deep", b'{"id":"b","x":' + b"[" * 20_001 + b"]" * 20_001 + b"}", 2),
        ("deep-and-open", b'{"id":"b","x":' + b"[" * 30_000, 2),
    ):
        parts = of_the_web_app({"notes": b'{"id":"a"}\n' + content + b"\n"})
        why = f"a line: {name.replace('-', ' ')}"
        yield bad(f"line-{name}", "A6", "line", why, parts, f"data/notes.jsonl:{number}")
    for name, content, why in (
        ("crlf", b'{"id":"a"}\r\n{"id":"b"}\r\n', "line ends of two characters"),
        ("bom", b'\xef\xbb\xbf{"id":"a"}\n', "a byte order mark before the first"),
        ("blank", b'\n  \n{"id":"a"}\n\n', "blank lines"),
        ("trimmed", '\u00a0{"id":"a"}\u2003\ufeff\n'.encode(), "blanks that ECMAScript trims"),
        ("no-end", b'{"id":"a"}', "no line end behind the last"),
        ("unsorted", b'{"id":"b"}\n{"id":"a"}\n', "rows in any order"),
        ("empty-id", b'{"id":""}\n', "an empty id is a string"),
        ("equal-keys", b'{"id":7,"id":"a","id":"b"}\n', "of equal keys the last one counts"),
        ("lone-surrogates", rb'{"id":"\ud83d","\udc00":"\ud83d"}' + b"\n", "lone surrogates"),
        ("numbers", b'{"id":"a","x":[-0,1e400,0.1e-400,%s]}\n' % (b"9" * 5_000), "numbers that are no doubles"),
        ("deep-9996", b'{"id":"a","x":' + b"[" * 9_995 + b"]" * 9_995 + b"}\n", "as deep as the server allows"),
        ("long-id", b'{"id":"%s"}\n' % (b"x" * 10_000), "an id of 10,000 characters"),
        ("path-id", rb'{"id":"../../etc/passwd\u0000"}' + b"\n", "an id that looks like a path"),
        ("control-id", rb'{"id":"\u001b[2J","\u001b]0;owned\u0007":"\u009b31m"}' + b"\n", "what a terminal would obey"),
        (
            "internal",
            b'{"id":"a","__fieldMeta":7,"__proto__":{"x":1},"_updatedAtIndex":[]}\n',
            "internal keys of any type",
        ),
        ("ciphertext", b'{"id":"a","title":"enc:1:%%%"}\n', "what only looks like ciphertext"),
    ):
        threat = "S11" if name in ("long-id", "path-id", "control-id") else "A6"
        yield good(f"line-{name}-opens", threat, why, of_the_web_app({"notes": content}, rowCounts={}))


# --- version 1 --------------------------------------------------------------------------------------------------------


def version_1() -> Iterator[Case]:
    """Archives of events."""
    event = {
        "eventId": "0196a000-0000-7000-8000-000000000001",
        "schemaVersion": 1,
        "appId": "todo",
        "table": "tasks",
        "id": "t-1",
        "op": "insert",
        "data": {"title": "x"},
        "clientId": "c",
        "createdAt": "2026-04-15T10:00:00Z",
    }
    line = text(event, indent=None)

    def holding(events: bytes, content: bytes | None = None, **changes: Any) -> list[Part]:
        stated = {
            "formatVersion": 1,
            "schemaVersion": 1,
            "userId": "u",
            "createdAt": "2026-04-20T09:30:15Z",
            "eventCount": events.count(b"\n"),
            "eventsSha256": hashlib.sha256(events).hexdigest(),
            "apps": ["todo"],
            "producedBy": "mana-sync",
        } | changes
        known = {key: value for key, value in stated.items() if value is not ...}
        return [
            described(deflated("events.jsonl", events if content is None else content)),
            stored("manifest.json", text(known)),
        ]

    def changed(**changes: Any) -> bytes:
        return text({key: value for key, value in (event | changes).items() if value is not ...}, indent=None)

    where = "events.jsonl:1"
    yield good("v1", "A3", "an archive of version 1", holding(line))
    yield good("v1-twice", "A3", "an event that stands twice counts once", holding(line + line))
    yield bad("v1-no-manifest", "A5", "truncated", "events without a manifest", holding(line)[:1])
    yield bad("v1-no-events", "A3", "formatVersion", "a manifest without events", holding(line)[1:], "manifest.json")
    altered = line.replace(b'"x"', b'"y"')
    yield bad("v1-altered", "A3", "eventsSha256", "an event edited", holding(line, altered), "events.jsonl")
    yield bad("v1-count", "A3", "counts", "another number of events", holding(line, eventCount=2), "manifest.json")
    yield bad(
        "v1-newer",
        "A3",
        "schemaVersion",
        "events of a newer schema",
        holding(line, schemaVersionMax=2),
        "manifest.json",
    )
    wrong: dict[str, dict[str, Any]] = {
        "userId": {"empty": "", "missing": ...},
        "createdAt": {"number": 1, "missing": ...},
        "eventCount": {"text": "1", "negative": -1, "half": 0.5},
        "eventsSha256": {"capitals": "A" * 64, "missing": ...},
        "apps": {"text": "todo", "numbers": [1]},
        "schemaVersion": {"text": "1"},
    }
    for key, values in wrong.items():
        for name, value in values.items():
            parts = holding(line, **{key: value})
            yield bad(f"v1-{key}-{name}", "A3", "manifest", f"version 1, {key}: {name}", parts, "manifest.json")
    for name, content in {
        "no-object": b"[]\n",
        "not-utf-8": line.replace(b"t-1", b"t-\xff"),
        "nan": line.replace(b'"x"', b"NaN"),
        "blank": b"\n",
        "no-event-id": changed(eventId=...),
        "no-app": changed(appId=7),
        "no-time": changed(createdAt="yesterday"),
        "year-0": changed(createdAt="0000-01-01T00:00:00Z"),
        "data-text": changed(data="x"),
        "stamps-list": changed(fieldTimestamps=["x"]),
    }.items():
        yield bad(f"v1-line-{name}", "A6", "line", f"version 1, a line: {name}", holding(content), where)
    newer = holding(changed(schemaVersion=2))
    yield bad("v1-line-newer", "A6", "schemaVersion", "an event newer than the manifest says", newer, where)
