"""The text of a value is its writer's own, under whichever key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.archive.reader import open_archive
from manabackup.crypto.fields import FieldCipher
from manabackup.text import jsontext
from tests.support.archives import entries, opened, ours, rows, web

from .rekeyed import KEY_A, KEY_B, TABLES, rekeyed


@pytest.mark.parametrize(
    "text",
    [
        rb'"\ud83d"',
        rb'"\u0000\u2028<>&"',
        b"12345678901234567890.10",
        b"1e400",
        b"-0",
        b'{"b": 1.0, "a" : [ 1E5 ,\t2 ]}',
        b'{"a":1,"a":2}',
        b"[" * 3_000 + b"]" * 3_000,
        b'"\xf0\x9f\x94\x91 \xc3\xbc"',
        b'""',
        b"0",
        b"false",
    ],
)
def test_a_value_keeps_its_writers_own_text(tmp_path: Path, out: Path, text: bytes) -> None:
    source = ours(tmp_path / "a.mana", {"notes": [b'{"id":"n","color":1,"content":' + text + b',"title":"t"}']})
    rekeyed(source, out)
    row = rows(out, "notes")["n"]
    assert opened(row["content"], KEY_B) == text
    assert opened(row["title"], KEY_B) == b'"t"'
    again = tmp_path / "again.mana"
    rekeyed(out, again, KEY_A, opener=FieldCipher(KEY_B))
    assert opened(rows(again, "notes")["n"]["content"], KEY_A) == text


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["content", "title", "color", "x"]), _VALUES), max_size=4))
def test_whatever_a_row_holds_it_says_the_same_afterwards(
    tmp_path_factory: pytest.TempPathFactory, values: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("rekey")
    before = {f"n-{number}": {"id": f"n-{number}", **row} for number, row in enumerate(values)}
    source = web(folder / "a.mana", {"notes": list(before.values())})
    out = folder / "b.mana"
    result = rekeyed(source, out)
    with open_archive(source) as archive:
        expected = {row.id: row.values() for row in archive.rows("notes")}
    foreign = sum(
        isinstance(value, str) and value.startswith("enc:1:") for row in before.values() for value in row.values()
    )
    assert result.losses.get("ciphertextLeftOut", 0) == foreign == 0
    found = rows(out, "notes")
    for row in found.values():
        for name in TABLES["notes"].encrypted & row.keys():
            if row[name] is not None:
                row[name] = jsontext.parse(opened(row[name], KEY_B))
    assert found == {identifier: _without_nothing(row) for identifier, row in expected.items()}


def _without_nothing(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.startswith("__")}


def test_no_iv_is_used_twice_and_all_else_is_the_same_each_time(source: Path, tmp_path: Path) -> None:
    found: list[list[str]] = []
    without: list[bytes] = []
    for name in ("one.mana", "other.mana"):
        rekeyed(source, tmp_path / name)
        content = b"".join(
            text for entry, text in entries(tmp_path / name).items() if entry.startswith(("data", "meta"))
        )
        found.append([part[:16].decode() for part in content.split(b"enc:1:")[1:]])
        without.append(b"".join(part.partition(b'"')[2] for part in content.split(b"enc:1:")))
    assert len(found[0]) == 7
    assert len({*found[0], *found[1]}) == 14
    assert without[0] == without[1]
