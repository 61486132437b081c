"""Manifests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.support import handmade
from tests.support.handmade import known_keys, text
from tests.support.zips import Part, deflated, stored

from .cases import NOTES, OBEYED, Case, bad, good


def manifests() -> Iterator[Case]:
    """What stands in ``manifest.json``."""
    rest = deflated("data/notes.jsonl", NOTES)

    def holding(content: bytes) -> list[Part]:
        return [stored("manifest.json", content), rest]

    def stating(**changes: Any) -> list[Part]:
        return holding(text(known_keys({"notes": NOTES}, **changes)))

    whole = text(known_keys({"notes": NOTES}))
    for name, content, why in (
        ("empty", b"", "nothing"),
        ("array", b"[]", "no object"),
        ("cut", whole[:50], "broken off"),
        ("not-utf-8", whole.replace(b"user-1", b"user-\xff"), "not UTF-8"),
        ("nan", whole.replace(b'"schemaVersion": 0', b'"schemaVersion": NaN'), "NaN is no JSON"),
        ("and-another", whole + whole, "two objects"),
        ("deep", whole.rstrip()[:-1] + b',"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}", "20,001 levels"),
    ):
        yield bad(f"manifest-{name}", "A3", "manifest", f"a manifest: {why}", holding(content), "manifest.json")
    wrong: dict[str, dict[str, Any]] = {
        "formatVersion": {"3": 3, "0": 0, "text": "2", "half": 2.5, "null": None, "true": True, "missing": ...},
        "schemaVersion": {"text": "0", "null": None, "missing": ...},
        "userId": {"empty": "", "number": 7, "missing": ...},
        "exportedAt": {"number": 7, "missing": ...},
        "scope": {"text": "full", "null": None, "missing": ...},
        "rowCounts": {"number": 2, "missing": ...},
        "fieldsPlaintext": {"text": "true", "number": 1, "missing": ...},
        "dataSha256": {"short": "0" * 63, "capitals": "A" * 64, "number": 1},
        "sealedSha256": {"text": "x", "null": None},
    }
    for key, values in wrong.items():
        for name, value in values.items():
            code = "formatVersion" if key == "formatVersion" else "manifest"
            parts = stating(**{key: value})
            yield bad(f"manifest-{key}-{name}", "A3", code, f"{key}: {name}", parts, "manifest.json")
    yield good("manifest-bom", "A3", "a byte order mark before it", holding(b"\xef\xbb\xbf" + whole))
    yield good("manifest-2.0", "A3", "2.0 is the number 2", holding(whole.replace(b": 2,", b": 2.0,", 1)))
    last = whole.replace(b"{", b'{"userId": 7, "formatVersion": 9,', 1)
    yield good("manifest-equal-keys", "A3", "of equal keys the last one counts", holding(last))
    yield good("manifest-lists", "A3", "scope and row counts as lists", stating(scope=[], rowCounts=[]))
    counts = {"notes": 7, "tasks": -1, "habits": True, "deep": json.loads("[" * 30 + "]" * 30)}
    yield good("manifest-wrong-counts", "A3", "where no sums stand, counts are hints", stating(rowCounts=counts))
    obeyed = f"u{OBEYED.decode()}\ud83d"
    odd = json.dumps(known_keys({"notes": NOTES}, userId=obeyed, producedBy=obeyed)).encode()
    yield good("manifest-control-characters", "S11", "names that a terminal would obey", holding(odd))
    nested = b'{"losses":{"x":{"count":' + b"[" * 9_000 + b"]" * 9_000 + b"}}}"
    deep = whole.rstrip()[:-1] + b',"completeness":' + nested + b',"n":' + b"9" * 5_000 + b"}"
    yield good(
        "manifest-deep-and-long", "A3", "9,000 levels and 5,000 digits where nothing depends on them", holding(deep)
    )
    silent = [*stating(), stored("data.sealed", bytes(64))]
    yield bad("manifest-names-no-seal", "A3", "seal", "a sealed body that no manifest speaks of", silent)
    block = handmade.seal_block(b"")
    yield bad("manifest-names-a-seal", "A3", "seal", "a passphrase and nothing sealed", stating(passphrase=block))
