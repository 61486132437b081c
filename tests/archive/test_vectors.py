"""Archives made by the web app's own code and broken variants of them (fixtures/vectors/archives).

Where the web app reads an undamaged archive, we return equal rows. Where ``formats/mana-v2.md`` asks for more than the
web app does, we refuse; each such case stands in ``STRICTER`` with the reason.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from manabackup.archive.reader import open_archive
from manabackup.errors import DamagedArchiveError, UsageError, WrongPassphraseError
from manabackup.text import jsontext

VECTORS = Path(__file__).parents[2] / "fixtures" / "vectors"
CASES = [case for case in json.loads((VECTORS / "index.json").read_text())["archives"] if case["group"] != "note"]

STRICTER = {
    "manifest-duplicate-entry": ("duplicateEntry", "two entries with one name"),
    "data-line-number": ("line", "each line is one JSON object"),
    "data-line-array-string-bool": ("line", "each line is one JSON object"),
    "data-invalid-utf8": ("line", "each line is valid UTF-8"),
    "data-name-nested": ("entryName", "nested paths are refused"),
    "data-sealed-without-passphrase-block": ("seal", "a sealed body that nothing opens is not an empty archive"),
    "zip-crc-header-wrong": ("container", "local and central headers agree"),
    "zip-usize-wrong": ("container", "local and central headers agree"),
    "zip-csize-minus-1": ("container", "local and central headers agree"),
    "zip-csize-plus-10": ("container", "local and central headers agree"),
    "zip-csize-huge": ("container", "local and central headers agree"),
    "zip-csize-local-only": ("container", "local and central headers agree"),
    "zip-stored-csize-0": ("size", "sizes are checked"),
    "zip-cd-size-wrong": ("container", "the central directory is where the end record says"),
    "zip-trailing-garbage-100": ("container", "nothing lies behind the end record"),
    "zip-flip-deflate-4": ("size", "sizes and CRC-32 are checked"),
    "zip-foreign-data-descriptor": ("crc", "its CRC fields hold 0 in place of the sum, so unzip refuses it too"),
    "sealed-iterations-string": ("kdf", "600000 in quotes is no integer"),
    "sealed-foreign-iter-1": ("kdf", "too few iterations"),
    "sealed-inner-has-manifest": ("kdf", "too few iterations"),
    "edge-unicode": ("line", "each row has a string id"),
    "edge-unicode-sealed": ("line", "each row has a string id"),
}
# Codes of refusals that the web app and we share, where more than damage in general can be expected.
REFUSALS = {
    "manifest-missing": "notAnArchive",
    "manifest-wrong-case": "notAnArchive",
    "zip-empty-file": "notAnArchive",
    "zip-random-bytes": "notAnArchive",
    "zip-gzip-file": "notAnArchive",
    "zip-truncated-1": "truncated",
    "zip-truncated-22": "truncated",
    "manifest-formatVersion-3": "formatVersion",
    "manifest-formatVersion-string": "formatVersion",
    "data-bad-NaN": "line",
    "data-trim-1c": "line",
    "sealed-sha-altered": "plaintextSha256",
    "sealed-sha-uppercase": "plaintextSha256",
    "sealed-body-15-bytes": "truncated",
    "sealed-iv-empty": "seal",
    "sealed-salt-missing": "seal",
    "sealed-iterations-2^32+600000": "kdf",
    "sealed-iterations-negative": "kdf",
}
WRONG_PASSPHRASE = {"sealed-body-flip-tag", "sealed-iv-altered", "sealed-salt-altered", "sealed-iterations-599999"}


def read(case: dict[str, Any]) -> dict[str, list[Any]]:
    path = VECTORS / case["file"]
    with open_archive(path, lambda: case.get("passphrase", "")) as archive:
        tables = {table: [jsontext.dumps(row.values()) for row in archive.rows(table)] for table in archive.tables}
        for name in archive.reader.container.entries:
            for _ in archive.reader.chunks(name):
                pass
    return tables


def unless(names: set[str] | dict[str, Any]) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in CASES if case["name"] not in names]


@pytest.mark.parametrize("case", [param for param in unless(STRICTER) if param.values[0]["ok"]])
def test_rows_equal_those_that_the_web_app_reads(case: dict[str, Any]) -> None:
    expected = jsontext.parse((VECTORS / case["expected"]).read_bytes())["tables"]
    rows = read(case)
    if case["name"] == "data-name-proto":
        # The web app loses the rows of a table called __proto__ to JavaScript's prototypes; we keep them.
        assert rows.pop("__proto__") == [b'{"id":"w"}']
    assert rows == {table: [jsontext.dumps(row) for row in rows] for table, rows in expected.items()}


@pytest.mark.parametrize("name", STRICTER)
def test_refuses_what_the_web_app_lets_pass(name: str) -> None:
    case = next(case for case in CASES if case["name"] == name)
    assert case["ok"], "the web app refuses it too: it does not belong in this table"
    with pytest.raises(DamagedArchiveError) as caught:
        read(case)
    assert caught.value.code == STRICTER[name][0]


@pytest.mark.parametrize(
    "case", [param for param in unless({"sealed-small-no-passphrase"}) if not param.values[0]["ok"]]
)
def test_refuses_what_the_web_app_refuses(case: dict[str, Any]) -> None:
    if case["name"] in WRONG_PASSPHRASE:
        # Made with a CRC-32 that fits, and without sealedSha256: nobody can tell this from a wrong passphrase.
        with pytest.raises(WrongPassphraseError):
            read(case)
        return
    with pytest.raises(DamagedArchiveError) as caught:
        read(case)
    assert caught.value.code == REFUSALS.get(case["name"], caught.value.code)


def test_every_vector_is_the_file_that_was_made() -> None:
    assert len(CASES) == 136
    for case in CASES:
        assert hashlib.sha256((VECTORS / case["file"]).read_bytes()).hexdigest() == case["sha256"]


def test_a_sealed_archive_is_not_read_without_a_passphrase() -> None:
    with pytest.raises(UsageError, match="passphrase"):
        open_archive(VECTORS / "archives" / "sealed-small.mana")


@pytest.mark.parametrize("name", ["edge-unicode", "edge-unicode-sealed"])
def test_odd_values_read_as_in_the_web_app(name: str) -> None:
    """The rows of the two archives that hold a row without an id, compared line by line."""
    case = next(case for case in CASES if case["name"] == name)
    expected = jsontext.parse((VECTORS / case["expected"]).read_bytes())["tables"]
    with open_archive(VECTORS / case["file"], lambda: case["passphrase"]) as archive:
        for table in archive.tables:
            lines = [jsontext.dumps(jsontext.parse(line)) for _, line in archive.reader.lines(f"data/{table}.jsonl")]
            assert lines == [jsontext.dumps(row) for row in expected[table]]


@pytest.mark.parametrize("name", ["sealed-foreign-iter-1", "sealed-inner-has-manifest"])
def test_a_weak_seal_opens_when_told_to(name: str) -> None:
    case = next(case for case in CASES if case["name"] == name)
    with open_archive(VECTORS / case["file"], lambda: case["passphrase"], allow_weak_kdf=True) as archive:
        assert sum(1 for table in archive.tables for _ in archive.rows(table)) > 0
